//! [`Node`]: a service with its connections, timers and limits. It makes no system call and reads no
//! clock of its own: a driver feeds it inputs and the time, and carries out its outputs.
//!
//! A turn of a driver is: any number of [`Node::handle_input`], [`Node::handle_timeout`], one
//! [`Node::end_turn`], then [`Node::poll_output`] until there is none. Once [`Node::end_turn`] returns an error, the
//! service cannot go on: there are no more turns, and nothing that was not written yet may be written.
//!
//! The driver gives all of them the time at which the turn began. A service that wants to know how far it has come by
//! now reads the driver's clock through [`Out::read_clock`]; the turn then goes on from there, so that time never goes
//! backwards.

use core::net::SocketAddr;
use std::sync::Arc;
use std::{iter, mem};

use crate::channel::Channel;
use crate::connection::Connection;
use crate::connections::Connections;
use crate::event::{Backend, Conn, Event, Failure, Lost};
use crate::io::{Input, Output, Peer};
use crate::limits::Limits;
use crate::link::{Expected, LostCalls, Reason};
use crate::metrics::{LoopMetrics, Registry};
use crate::service::{Out, Service};
use crate::time::Time;

/// Clients whose lines are delivered in one turn. The others come first in the next one.
const CLIENTS_PER_TURN_MAX: usize = 1024;

/// A service and all its connections.
pub struct Node<S> {
    service: S,
    connections: Connections,
}

impl<S: Service> Node<S> {
    /// A node with so many backends, none of them connected yet.
    pub fn new(service: S, limits: Limits, backends: usize) -> Self {
        Self::registered(service, limits, backends, Arc::new(Registry::new("net")))
    }

    /// The same, whose metrics are found through `registry`.
    pub fn registered(service: S, limits: Limits, backends: usize, registry: Arc<Registry>) -> Self {
        let connections = Connections::new(limits, backends, Arc::clone(&registry));
        service.metrics().into_iter().for_each(|metrics| registry.add(metrics));
        Self { service, connections }
    }

    /// The same node, whose service can read this clock within a turn. It is the one that the driver's own times come
    /// from.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Time + 'static) -> Self {
        self.connections.clock = Some(Box::new(clock));
        self
    }

    /// The earliest time that the driver may start at.
    pub(crate) fn clock_floor(&self) -> Time {
        self.service.clock_floor()
    }

    /// The service, once its node has no further use.
    pub fn into_service(self) -> S {
        self.service
    }

    /// Takes a new connection, of a client at this address. `None`: drop it, there are too many even to say so.
    pub fn accept(&mut self, now: Time, address: SocketAddr) -> Option<Conn> {
        if self.has_failed() {
            return None;
        }
        self.connections.advance(now);
        let conn = self.connections.open(address)?;
        self.report();
        Some(conn)
    }

    /// Takes a new HTTP connection. `None`: drop it, there are too many.
    pub fn accept_admin(&mut self, now: Time) -> Option<Conn> {
        if self.has_failed() {
            return None;
        }
        let Connections { admin, limits, timers, .. } = &mut self.connections;
        admin.open(now, limits, timers)
    }

    /// Lets the service react to what happened.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        if self.has_failed() {
            return;
        }
        self.connections.advance(now);
        match input {
            Input::Received(peer, bytes) => self.received(peer, bytes),
            Input::Sent(peer, count) => self.connections.sent(peer, count),
            Input::Writable(peer) => self.connections.writable(peer),
            Input::Finished(peer) => self.finished(peer),
            Input::Failed(peer) => self.failed(peer),
            Input::Connected(backend) => self.connected(backend),
            Input::NotConnected(Backend(link), reason) => self.disconnect(link, reason),
            Input::Wake => self.tell(Event::Wake),
            Input::Drain => {
                self.connections.drain();
                self.tell(Event::Drain);
            }
        }
        self.report();
    }

    /// Acts on the deadlines that have come. One that a service sets in the past meanwhile waits for the next
    /// turn, so that a service that calls again and again is not called for ever.
    pub fn handle_timeout(&mut self, now: Time) {
        let now = self.connections.advance(now);
        if self.connections.wake_at.take_if(|at| *at <= now).is_some() {
            self.tell(Event::Timer);
        }
        let due: Vec<_> = iter::from_fn(|| self.connections.timers.pop_due(now)).collect();
        for (at, peer) in due {
            match peer {
                Peer::Client(conn) => self.connections.expire(at, conn),
                Peer::Link(link) => self.expire_link(at, link),
                Peer::Admin(_) => self.failed(peer),
            }
        }
        self.report();
    }

    /// Goes on with the clients that have sent undelivered lines, a bounded number of lines each, and ends the
    /// service's turn.
    ///
    /// # Errors
    /// Why the service cannot go on. The driver ends, and writes nothing more.
    pub fn end_turn(&mut self, now: Time) -> Result<(), Failure> {
        self.connections.advance(now);
        for _ in 0..self.connections.ready.len().min(CLIENTS_PER_TURN_MAX) {
            let conn = self.connections.ready.pop_front().expect("counted before the loop");
            self.deliver(conn);
        }
        for call in mem::take(&mut self.connections.refused_calls) {
            self.tell(Event::Reply(call, Err(Lost::Overloaded)));
        }
        if !self.has_failed() {
            self.service.end_turn(self.connections.now, &mut Out::new(&mut self.connections));
        }
        self.report();
        match &mut self.connections.failure {
            Some(failure) => Err(mem::replace(failure, "the service had failed before".into())),
            None => Ok(()),
        }
    }

    /// The next thing the driver is to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.has_failed() { None } else { self.connections.outputs.pop_front() }
    }

    /// When to call [`Node::handle_timeout`] at the latest. [`Time::default`], long past, if work is left
    /// for the next turn.
    pub fn poll_timeout(&self) -> Option<Time> {
        let Connections { ready, refused_calls, timers, wake_at, .. } = &self.connections;
        if ready.is_empty() && refused_calls.is_empty() && !self.has_failed() {
            timers.next().into_iter().chain(*wake_at).min()
        } else {
            Some(Time::default())
        }
    }

    /// The bytes that wait for the peer's socket.
    pub fn outbox(&self, peer: Peer) -> &[u8] {
        if self.has_failed() {
            return &[];
        }
        self.connections.channel(peer).map_or(&[], Channel::unsent)
    }

    /// Whether the driver may read from the peer.
    pub fn wants_read(&self, peer: Peer) -> bool {
        !self.has_failed() && self.connections.wants_read(peer)
    }

    /// Whether everything that was in flight when [`Input::Drain`] came, and in the grace after it, is answered.
    pub fn is_drained(&self) -> bool {
        self.service.is_drained() && self.connections.clients.iter().all(Connection::is_drained)
    }

    /// What the driver is to tell of the loop.
    pub(crate) fn loop_metrics(&self) -> &Arc<LoopMetrics> {
        &self.connections.metrics
    }

    fn has_failed(&self) -> bool {
        self.connections.failure.is_some()
    }

    /// Lets the service react, unless it cannot go on.
    fn tell(&mut self, event: Event<'_>) {
        if !self.has_failed() {
            self.service.handle(self.connections.now, event, &mut Out::new(&mut self.connections));
        }
    }

    fn received(&mut self, peer: Peer, bytes: &[u8]) {
        match peer {
            Peer::Client(conn) => self.connections.received(conn, bytes),
            Peer::Link(link) => self.answered(link, bytes),
            Peer::Admin(conn) => {
                let Connections { admin, now, limits, outputs, .. } = &mut self.connections;
                admin.received(*now, conn, bytes, limits, outputs);
            }
        }
    }

    fn finished(&mut self, peer: Peer) {
        match peer {
            Peer::Client(conn) => self.connections.peer_finished(conn),
            Peer::Link(link) => self.disconnect(link, "it closed the connection"),
            Peer::Admin(conn) => {
                let Connections { admin, outputs, .. } = &mut self.connections;
                admin.peer_finished(conn, outputs);
            }
        }
    }

    fn failed(&mut self, peer: Peer) {
        match peer {
            Peer::Client(conn) => self.connections.forget(conn),
            Peer::Link(link) => self.disconnect(link, "the connection broke"),
            Peer::Admin(conn) => {
                let Connections { admin, outputs, .. } = &mut self.connections;
                admin.forget(conn, outputs);
            }
        }
    }

    /// Delivers lines of a client until there is none, a limit is reached, or its turn is over.
    fn deliver(&mut self, conn: Conn) {
        // The lines are lent out of the connection, so that the service can be given both a line and the node.
        let Some(mut lines) = self.connections.begin_delivery(conn) else {
            return;
        };
        let mut rejected = None;
        for _ in 0..self.connections.limits.lines_per_turn_max {
            match self.connections.next_line(conn, &mut lines) {
                None => break,
                Some(Ok(line)) => self.tell(Event::Line(conn, line)),
                Some(Err(reject)) => {
                    rejected = Some(reject);
                    break;
                }
            }
        }
        self.connections.end_delivery(conn, lines, rejected);
    }

    fn connected(&mut self, backend: Backend) {
        let Backend(link) = backend;
        self.connections.connected(link, self.service.greeting(backend));
        if self.connections.links[link].is_up() {
            self.tell(Event::Up(backend));
        }
    }

    /// Takes what a backend sent. A line that is not what it must be ends the connection: those that follow it might
    /// be anybody's.
    fn answered(&mut self, link: usize, mut bytes: &[u8]) {
        let Connections { links, limits, now, .. } = &mut self.connections;
        if !links[link].is_connected() {
            return;
        }
        let reply_bytes_max = limits.reply_bytes_max;
        links[link].heard(*now);
        // As above, the lines are lent out.
        let mut lines = mem::take(&mut links[link].channel.lines);
        let mut taken = Ok(());
        while taken.is_ok()
            && !self.has_failed()
            && let Some(line) = lines.next_of(&mut bytes, reply_bytes_max)
        {
            taken = match line {
                Ok(line) => self.take_reply(link, line),
                Err(_) => Err(format!("a line of it is longer than {reply_bytes_max} bytes").into()),
            };
        }
        self.connections.links[link].channel.lines = lines;
        if let Err(reason) = taken {
            self.disconnect(link, &reason);
        }
    }

    /// Hands a line of a backend to the service, if it is what it must be.
    fn take_reply(&mut self, link: usize, line: &[u8]) -> Result<(), Reason> {
        let backend = Backend(link);
        match self.connections.links[link].expected() {
            Expected::Greeting => {
                self.service.check_greeting(backend, line)?;
                self.connections.greeted(link);
                self.tell(Event::Up(backend));
            }
            Expected::Reply(call) => {
                if !self.service.is_reply(call, line) {
                    return Err("a line of it is not the reply to the call that it must answer".into());
                }
                self.connections.answered(link);
                self.tell(Event::Reply(call, Ok(line)));
            }
            Expected::LateReply => self.connections.answered(link),
            Expected::Nothing => return Err("a line of it answers no call".into()),
        }
        Ok(())
    }

    fn disconnect(&mut self, link: usize, reason: &str) {
        if let Some(lost) = self.connections.disconnect(link) {
            self.tell(Event::Down(Backend(link), reason));
            self.report_lost(lost);
        }
    }

    fn expire_link(&mut self, at: Time, link: usize) {
        let (lost, reason) = self.connections.expire_link(at, link);
        if let Some(reason) = reason {
            self.disconnect(link, &reason);
        }
        self.report_lost(lost);
    }

    fn report_lost(&mut self, lost: LostCalls) {
        for (call, why) in lost {
            self.tell(Event::Reply(call, Err(why)));
        }
    }

    /// Tells the service of clients that were turned away and of those that are gone.
    fn report(&mut self) {
        while let Some((conn, reject)) = self.connections.rejected.pop_front() {
            if self.connections.clients.get(conn).is_some() {
                self.tell(Event::Reject(conn, reject));
            }
        }
        while let Some(conn) = self.connections.closed.pop_front() {
            self.tell(Event::Closed(conn));
        }
    }
}
