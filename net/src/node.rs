//! [`Node`]: a service with its sessions, links, timers and limits. It makes no system call and reads no
//! clock of its own: a driver feeds it inputs and the time, and carries out its outputs.
//!
//! A turn of a driver is: any number of [`Node::handle_input`], [`Node::handle_timeout`], one
//! [`Node::end_turn`], then [`Node::poll_output`] until there is none. Once [`Node::end_turn`] returns an error, the
//! service cannot go on: there are no more turns, and nothing that was not written yet may be written. The driver gives all of them the time at which
//! the turn began. A service that wants to know how far it has come by now reads the driver's clock through
//! [`Out::read_clock`]; the turn then goes on from there, so that time never goes backwards.

use core::net::SocketAddr;
use std::sync::Arc;
use std::{iter, mem};

use crate::admin::Admin;
use crate::connections::Connections;
use crate::event::{Backend, Conn, Event, Failure, Lost, Reject};
use crate::foreign;
use crate::io::{Input, Output, Peer};
use crate::limits::Limits;
use crate::link::{Action, Expected, LostCalls, Reason};
use crate::metrics::{LoopMetrics, Registry};
use crate::service::{Out, Service};
use crate::session::{Expiry, State};
use crate::time::Time;
use crate::timers::Alarm;

/// Sessions whose lines are delivered in one turn. The others come first in the next one.
const SESSIONS_PER_TURN_MAX: usize = 1024;

/// A service and all its connections.
pub struct Node<S> {
    service: S,
    connections: Connections,
    admin: Admin,
}

impl<S: Service> Node<S> {
    /// A node with so many backends, none of them connected yet.
    pub fn new(service: S, limits: Limits, backends: usize) -> Self {
        Self::registered(service, limits, backends, Arc::new(Registry::new("net")))
    }

    /// The same, whose metrics are found through `registry`.
    pub fn registered(service: S, limits: Limits, backends: usize, registry: Arc<Registry>) -> Self {
        let mut connections = Connections::new(limits, backends);
        (0..backends).for_each(|backend| connections.arm_link(backend));
        registry.add_loop(Arc::clone(&connections.metrics));
        service.metrics().into_iter().for_each(|metrics| registry.add(metrics));
        Self { service, connections, admin: Admin::new(registry) }
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
        self.connections.advance(now);
        let Limits { connections_max, refusals_max, .. } = self.connections.limits;
        let full = self.connections.sessions.len() >= connections_max;
        if self.has_failed() || self.connections.sessions.len() >= connections_max + refusals_max {
            return None;
        }
        let conn = self.connections.open_session(address);
        if full {
            self.connections.reject(conn, Reject::ConnectionsMax(connections_max));
            self.report();
        }
        Some(conn)
    }

    /// Takes a new HTTP connection. `None`: drop it, there are too many.
    pub fn accept_admin(&mut self, now: Time) -> Option<Conn> {
        if self.has_failed() {
            return None;
        }
        let conn = self.admin.open(&self.connections.limits)?;
        // Its one deadline is never moved, so nobody needs to remember that it is armed.
        let deadline = now + self.connections.limits.admin_timeout;
        self.connections.timers.arm(&mut Alarm::default(), deadline, Peer::Admin(conn));
        Some(conn)
    }

    /// Lets the service react to what happened.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        if self.has_failed() {
            return;
        }
        let now = self.connections.advance(now);
        match input {
            Input::Received(Peer::Session(conn), bytes) => self.received(conn, bytes),
            Input::Received(Peer::Link(link), bytes) => self.answered(link, bytes),
            Input::Received(Peer::Admin(conn), bytes) => {
                self.admin.received(
                    now,
                    conn,
                    bytes,
                    &self.connections.limits,
                    &mut self.connections.outputs,
                );
            }
            Input::Sent(Peer::Admin(conn), count) => {
                self.admin.sent(conn, count, &mut self.connections.outputs)
            }
            Input::Sent(peer, count) => self.connections.sent(peer, count),
            Input::Writable(Peer::Admin(conn)) => self.admin.writable(conn, &mut self.connections.outputs),
            Input::Writable(peer) => self.connections.writable(peer),
            Input::Finished(Peer::Admin(conn)) => {
                self.admin.peer_finished(conn, &mut self.connections.outputs)
            }
            Input::Failed(Peer::Admin(conn)) => self.admin.close(conn, &mut self.connections.outputs),
            Input::Finished(Peer::Session(conn)) => self.connections.peer_finished(conn),
            Input::Failed(Peer::Session(conn)) => self.connections.close_session(conn),
            Input::Finished(Peer::Link(link)) => self.disconnect(link, "it closed the connection"),
            Input::Failed(Peer::Link(link)) => self.disconnect(link, "the connection broke"),
            Input::Connected(backend) => self.connected(backend),
            Input::NotConnected(Backend(link), reason) => self.disconnect(link, reason),
            Input::Wake => self.tell(Event::Wake),
            Input::Drain => {
                self.admin.drain();
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
                Peer::Session(conn) => self.session_alarm(at, conn),
                Peer::Link(link) => self.link_alarm(at, link),
                Peer::Admin(conn) => self.admin.close(conn, &mut self.connections.outputs),
            }
        }
        self.report();
    }

    /// Goes on with the sessions that hold undelivered lines, a bounded number of lines each, and ends the
    /// service's turn.
    ///
    /// # Errors
    /// Why the service cannot go on. The driver ends, and writes nothing more.
    pub fn end_turn(&mut self, now: Time) -> Result<(), Failure> {
        self.connections.advance(now);
        for _ in 0..self.connections.ready.len().min(SESSIONS_PER_TURN_MAX) {
            let conn = self.connections.ready.pop_front().expect("counted before the loop");
            if let Some(session) = self.connections.session(conn) {
                session.ready = false;
                self.deliver(conn);
            }
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
        match peer {
            Peer::Session(conn) => match self.connections.sessions.get(conn.slot()) {
                Some(session) if session.generation == conn.generation => session.outbox.unsent(),
                _ => &[],
            },
            Peer::Link(link) => self.connections.links[link].outbox.unsent(),
            Peer::Admin(conn) => self.admin.outbox(conn),
        }
    }

    /// Whether the driver may read from the peer.
    pub fn wants_read(&mut self, peer: Peer) -> bool {
        match peer {
            _ if self.has_failed() => false,
            Peer::Session(conn) => self.connections.session(conn).is_some_and(|session| session.reading),
            Peer::Link(link) => self.connections.links[link].is_connected(),
            Peer::Admin(conn) => self.admin.wants_read(conn),
        }
    }

    /// Whether everything that was in flight when [`Input::Drain`] came, and in the grace after it, is answered.
    pub fn is_drained(&self) -> bool {
        let mut sessions = self.connections.sessions.iter();
        self.service.is_drained()
            && sessions.all(|(_, session)| session.is_answered() && !session.takes_lines())
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

    fn received(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(session) = self.connections.session(conn) else {
            return;
        };
        if session.state == State::Open {
            session.lines.push(bytes);
            session.starved = false;
            self.connections.settle(conn, false);
        }
    }

    /// Delivers lines of a session until there is none, a limit is reached, or its turn is over.
    fn deliver(&mut self, conn: Conn) {
        let Some(session) = self.connections.session(conn) else {
            return;
        };
        // The lines are lent out of the session, so that the service can be given both a line and the node.
        let mut lines = mem::take(&mut session.lines);
        session.delivering = true;
        let mut rejected = None;
        let line_bytes_max = self.connections.limits.line_bytes_max;
        for _ in 0..self.connections.limits.lines_per_turn_max {
            let Some(session) = self.connections.deliverable(conn) else {
                break;
            };
            if session.is_new
                && let Some(protocol) = foreign::recognise(lines.peek())
            {
                rejected = Some(Reject::OtherProtocol(protocol));
                break;
            }
            match lines.next(line_bytes_max) {
                None => {
                    session.starved = true;
                    break;
                }
                Some(Ok(line)) => {
                    session.line_ended();
                    session.in_flight += 1;
                    self.tell(Event::Line(conn, line));
                }
                Some(Err(_)) => {
                    rejected = Some(Reject::LineTooLong(line_bytes_max));
                    break;
                }
            }
        }
        if let Some(session) = self.connections.session(conn) {
            session.delivering = false;
            if matches!(session.state, State::Open | State::HalfClosed) {
                session.lines = lines;
            }
            match rejected {
                Some(reject) => self.connections.reject(conn, reject),
                None => self.connections.settle(conn, false),
            }
        }
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
        let mut lines = mem::take(&mut links[link].lines);
        while let Some(line) = lines.next_of(&mut bytes, reply_bytes_max)
            && !self.has_failed()
        {
            let taken = match line {
                Ok(line) => self.take_reply(link, line),
                Err(_) => Err(format!("a line of it is longer than {reply_bytes_max} bytes").into()),
            };
            if let Err(reason) = taken {
                return self.disconnect(link, &reason);
            }
        }
        self.connections.links[link].lines = lines;
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
        let Connections { links, limits, now, .. } = &mut self.connections;
        if links[link].is_down() {
            return;
        }
        let (now, mut lost) = (*now, LostCalls::new());
        links[link].disconnected(now, limits, &mut lost);
        self.connections.outputs.push_back(Output::Close(Peer::Link(link)));
        self.connections.arm_link(link);
        self.tell(Event::Down(Backend(link), reason));
        self.report_lost(lost);
    }

    fn session_alarm(&mut self, at: Time, conn: Conn) {
        match self.connections.session_expiry(at, conn) {
            Some(Expiry::Reject(reject)) => self.connections.reject(conn, reject),
            Some(Expiry::Close) => self.connections.close_session(conn),
            None => {}
        }
    }

    fn link_alarm(&mut self, at: Time, link: usize) {
        let Connections { links, limits, now, .. } = &mut self.connections;
        if !links[link].alarm.ring(at) {
            return;
        }
        let mut lost = LostCalls::new();
        let action = links[link].expire(*now, limits, &mut lost);
        match action {
            Some(Action::Connect) => self.connections.outputs.push_back(Output::Connect(Backend(link))),
            Some(Action::Close(reason)) => self.disconnect(link, &reason),
            None => {}
        }
        self.connections.arm_link(link);
        self.report_lost(lost);
    }

    fn report_lost(&mut self, lost: LostCalls) {
        for (call, why) in lost {
            self.tell(Event::Reply(call, Err(why)));
        }
    }

    /// Tells the service of sessions that were turned away and of those that are gone.
    fn report(&mut self) {
        while let Some((conn, reject)) = self.connections.rejected.pop_front() {
            if self.connections.session(conn).is_some() {
                self.tell(Event::Reject(conn, reject));
            }
        }
        while let Some(conn) = self.connections.closed.pop_front() {
            self.tell(Event::Closed(conn));
        }
    }
}
