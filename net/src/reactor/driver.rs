//! [`Driver`]: the loop that polls, feeds a [`Node`] and carries out what it asks for.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll};

use super::clock::Clock;
use super::listener::Listener;
use super::lookups::Lookups;
use super::shortage::explained;
use super::sockets::{Stream, Streams};
use super::{ADMIN_LISTENER, LISTENER, RunError, WAKER};
use crate::metrics::LoopMetrics;
use crate::{Backend, Failure, Input, Limits, Node, Output, Peer, Registry, Service, Time};

/// How far a driver has come on its way to the end.
enum Phase {
    Running,
    /// Nobody connects any more, and what has come before that is still to be read.
    Closed {
        until: Time,
    },
    /// The node drains.
    Draining {
        until: Time,
    },
}

/// A node with its poll, sockets and clock.
pub(super) struct Driver<S> {
    node: Node<S>,
    poll: Poll,
    listener: Option<Listener>,
    admin: Option<Listener>,
    registry: Arc<Registry>,
    metrics: Arc<LoopMetrics>,
    streams: Streams,
    lookups: Lookups,
    /// Streams that may hold unread bytes and that the node wants to read.
    readable: VecDeque<Peer>,
    buffer: Box<[u8]>,
    clock: Clock,
    limits: Limits,
}

impl<S: Service> Driver<S> {
    /// `admin` is where HTTP connections come in, which ask about all that is in `registry`.
    pub(super) fn new(
        node: Node<S>,
        poll: Poll,
        listener: Option<Listener>,
        admin: Option<Listener>,
        registry: Arc<Registry>,
        lookups: Lookups,
    ) -> Self {
        let clock = Clock::start(node.clock_floor());
        let limits = node.limits().clone();
        Self {
            metrics: Arc::clone(node.loop_metrics()),
            node: node.with_clock(move || clock.now()),
            poll,
            listener,
            admin,
            registry,
            streams: Streams::new(lookups.len()),
            lookups,
            readable: VecDeque::new(),
            buffer: vec![0; limits.read_bytes_max].into_boxed_slice(),
            clock,
            limits,
        }
    }

    /// Runs until the node is drained, which begins once `drain` is set and the poll is woken, and gives the
    /// service back.
    pub(super) fn run(mut self, drain: &AtomicBool) -> Result<S, RunError> {
        let mut events = Events::with_capacity(self.limits.events_max);
        let mut phase = Phase::Running;
        let mut now = self.clock.now();
        self.end_turn(now)?;
        loop {
            let before_poll = self.clock.now();
            self.metrics.turn_ends(now, before_poll);
            let timeout = self.timeout(before_poll, &phase);
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == ErrorKind::Interrupted => events.clear(),
                result => result?,
            }
            now = self.clock.now();
            self.metrics.turn_begins(now);
            for event in &events {
                self.handle_event(now, event);
            }
            if accept_at(&self.listener).is_some_and(|at| at <= now) {
                self.accept(now);
            }
            if accept_at(&self.admin).is_some_and(|at| at <= now) {
                self.accept_admin(now);
            }
            self.read_streams(now);
            phase = self.next_phase(phase, now, drain);
            self.end_turn(now)?;
            if let Phase::Draining { until } = phase {
                if self.node.is_drained() && !self.is_needed() {
                    return Ok(self.node.into_service());
                }
                if until <= now {
                    log::warn!("event=drain_timeout");
                    return Ok(self.node.into_service());
                }
            }
        }
    }

    /// Whether other reactors of the process still drain, which is to be seen until the end. Each that ends has this
    /// one woken.
    fn is_needed(&self) -> bool {
        self.admin.is_some() && self.registry.loops_running() > 1
    }

    /// Looks whether it is time to end, and goes one step further if so.
    fn next_phase(&mut self, phase: Phase, now: Time, drain: &AtomicBool) -> Phase {
        match phase {
            Phase::Running if drain.load(Ordering::Acquire) => {
                self.accept_last(now);
                Phase::Closed { until: now + self.limits.drain_timeout }
            }
            Phase::Closed { until } => {
                self.node.handle_input(now, Input::Drain);
                Phase::Draining { until }
            }
            same => same,
        }
    }

    fn timeout(&self, now: Time, phase: &Phase) -> Option<Duration> {
        if !self.readable.is_empty() || matches!(phase, Phase::Closed { .. }) {
            return Some(Duration::ZERO);
        }
        let drain_until = match phase {
            Phase::Draining { until } => Some(*until),
            _ => None,
        };
        let next = [self.node.poll_timeout(), accept_at(&self.listener), accept_at(&self.admin), drain_until];
        let next = next.into_iter().flatten().min()?;
        Some(next.since(now))
    }

    fn end_turn(&mut self, now: Time) -> Result<(), Failure> {
        self.node.handle_timeout(now);
        self.node.end_turn(now)?;
        while let Some(output) = self.node.poll_output() {
            self.carry_out(now, output);
        }
        Ok(())
    }

    fn handle_event(&mut self, now: Time, event: &Event) {
        let peer = match event.token() {
            LISTENER => return self.accept(now),
            ADMIN_LISTENER => return self.accept_admin(now),
            WAKER => return self.woken(now),
            token => self.streams.peer(token),
        };
        let Some((peer, stream)) = peer.and_then(|peer| Some((peer, self.streams.get(peer)?))) else {
            return;
        };
        // Reading and writing say what an error is, and whether it is this stream's at all.
        let finished = event.is_read_closed() || event.is_error();
        stream.readable |= event.is_readable() || finished;
        stream.finished |= finished;
        if stream.connecting {
            return self.finish_connect(now, peer);
        }
        if event.is_writable() && stream.awaits_writable {
            self.node.handle_input(now, Input::Writable(peer));
        }
        self.queue_read(peer);
    }

    fn woken(&mut self, now: Time) {
        while let Some((link, address)) = self.lookups.poll() {
            let connected = address.and_then(|address| self.connect(link, address)).map_err(explained);
            if let Err(error) = connected {
                self.connect_failed(now, Backend(link), &error);
            }
        }
        self.node.handle_input(now, Input::Wake);
    }

    fn accept(&mut self, now: Time) {
        let Some(mut listener) = self.listener.take() else {
            return;
        };
        for _ in 0..self.limits.accepts_max {
            if !self.node.may_accept() {
                break;
            }
            let Some((stream, address)) = listener.accept(now, &self.limits) else {
                break;
            };
            if let Some(conn) = self.node.accept(now, address) {
                self.add(now, stream, Peer::Client(conn));
            }
        }
        self.listener = Some(listener);
    }

    /// Accepts the connections that wait, and closes the listener: whoever has connected may have asked already.
    fn accept_last(&mut self, now: Time) {
        for _ in 0..usize::from(Limits::BACKLOG).div_ceil(self.limits.accepts_max) {
            self.accept(now);
            if accept_at(&self.listener) != Some(now) {
                break;
            }
        }
        self.listener = None;
    }

    fn accept_admin(&mut self, now: Time) {
        let Some(mut listener) = self.admin.take() else {
            return;
        };
        for _ in 0..self.limits.accepts_max {
            if !self.node.may_accept_admin() {
                break;
            }
            let Some((stream, _)) = listener.accept(now, &self.limits) else {
                break;
            };
            if let Some(conn) = self.node.accept_admin(now) {
                self.add(now, stream, Peer::Admin(conn));
            }
        }
        self.admin = Some(listener);
    }

    fn add(&mut self, now: Time, stream: TcpStream, peer: Peer) {
        match self.register(stream, peer, Interest::READABLE) {
            Ok(stream) => self.streams.insert(stream),
            Err(error) => {
                log::warn!("event=register_failed error=\"{}\"", explained(error));
                self.node.handle_input(now, Input::Failed(peer));
            }
        }
    }

    fn register(&self, stream: TcpStream, peer: Peer, interest: Interest) -> io::Result<Stream> {
        Stream::register(&self.poll, stream, peer, interest, self.limits.keepalive_after)
    }

    /// Reads a piece from each stream that may hold bytes.
    fn read_streams(&mut self, now: Time) {
        for _ in 0..self.readable.len().min(self.limits.reads_max) {
            let peer = self.readable.pop_front().expect("counted before the loop");
            if let Some(stream) = self.streams.get(peer) {
                stream.queued = false;
                self.read(now, peer);
                self.queue_read(peer);
            }
        }
    }

    fn read(&mut self, now: Time, peer: Peer) {
        if !self.node.wants_read(peer) {
            return;
        }
        let Some(stream) = self.streams.get(peer) else {
            return;
        };
        let input = match stream.stream.read(&mut self.buffer) {
            Ok(0) => {
                stream.readable = false;
                Input::Finished(peer)
            }
            Ok(count) => {
                // A short read has emptied the socket: what comes later raises a new edge.
                stream.readable = count == self.buffer.len() || stream.finished;
                Input::Received(peer, &self.buffer[..count])
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                stream.readable = false;
                return;
            }
            Err(_) => Input::Failed(peer),
        };
        self.node.handle_input(now, input);
    }

    fn queue_read(&mut self, peer: Peer) {
        if let Some(stream) = self.streams.get(peer)
            && stream.readable
            && !stream.queued
            && self.node.wants_read(peer)
        {
            stream.queued = true;
            self.readable.push_back(peer);
        }
    }

    fn carry_out(&mut self, now: Time, output: Output) {
        match output {
            Output::Transmit(peer) => self.transmit(now, peer),
            Output::Resume(peer) => self.queue_read(peer),
            Output::Finish(peer) => {
                if let Some(stream) = self.streams.get(peer) {
                    // It fails only if the connection is gone, which reading reports.
                    let _ = stream.stream.shutdown(Shutdown::Write);
                }
            }
            Output::Close(peer) => {
                self.streams.remove(peer);
                if let Peer::Link(link) = peer {
                    self.lookups.give_up(link);
                }
            }
            Output::Reconnect(Backend(link)) => {
                self.streams.remove(Peer::Link(link));
                self.lookups.renew(link);
                self.lookups.start(link, self.node.address(Backend(link)));
            }
            Output::Connect(Backend(link)) => {
                self.lookups.start(link, self.node.address(Backend(link)));
            }
        }
    }

    fn transmit(&mut self, now: Time, peer: Peer) {
        let Some(stream) = self.streams.get(peer) else {
            return;
        };
        let unsent = self.node.outbox(peer);
        if unsent.is_empty() {
            return;
        }
        let sent = match stream.stream.write(unsent) {
            Ok(sent) => sent,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(_) => return self.write_failed(now, peer),
        };
        let blocked = sent < unsent.len();
        if blocked != stream.awaits_writable {
            stream.awaits_writable = blocked;
            let interest = if blocked { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let registry = self.poll.registry();
            if registry.reregister(&mut stream.stream, Streams::token(peer), interest).is_err() {
                return self.node.handle_input(now, Input::Failed(peer));
            }
        }
        self.node.handle_input(now, Input::Sent(peer, sent));
    }

    /// The connection is gone. What a backend has sent before that is read first: it may have said that it ends.
    fn write_failed(&mut self, now: Time, peer: Peer) {
        let is_link = matches!(peer, Peer::Link(_));
        for _ in 0..self.limits.reads_max {
            let Some(stream) = self.streams.get(peer).filter(|_| is_link && self.node.wants_read(peer))
            else {
                break;
            };
            (stream.readable, stream.finished) = (true, true);
            self.read(now, peer);
            if self.streams.get(peer).is_none_or(|stream| !stream.readable) {
                break;
            }
        }
        if !is_link || self.node.wants_read(peer) {
            self.node.handle_input(now, Input::Failed(peer));
        }
    }

    fn connect(&mut self, link: usize, address: SocketAddr) -> io::Result<()> {
        let peer = Peer::Link(link);
        let stream = TcpStream::connect(address)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let mut stream = self.register(stream, peer, interest)?;
        stream.connecting = true;
        stream.awaits_writable = true;
        self.streams.insert(stream);
        Ok(())
    }

    fn connect_failed(&mut self, now: Time, backend: Backend, error: &io::Error) {
        self.node.handle_input(now, Input::NotConnected(backend, &error.to_string()));
    }

    fn finish_connect(&mut self, now: Time, peer: Peer) {
        let Peer::Link(link) = peer else { return };
        let Some(stream) = self.streams.get(peer) else {
            return;
        };
        let error = match (stream.stream.take_error(), stream.stream.peer_addr()) {
            (Ok(None), Ok(_)) => None,
            (Ok(None), Err(error)) if error.kind() == ErrorKind::NotConnected => return,
            (Ok(Some(error)) | Err(error), _) | (_, Err(error)) => Some(error),
        };
        if let Some(error) = error {
            return self.connect_failed(now, Backend(link), &error);
        }
        stream.connecting = false;
        // The first write sets the interest right, once it is known whether bytes remain.
        self.node.handle_input(now, Input::Connected(Backend(link)));
        self.queue_read(peer);
    }
}

/// When to look for connections that wait, though nothing will say that they do.
fn accept_at(listener: &Option<Listener>) -> Option<Time> {
    listener.as_ref()?.accept_at()
}
