//! [`Node`]: a service with its sessions, links, timers and limits. It makes no system call and reads no
//! clock of its own: a driver feeds it inputs and the time, and carries out its outputs.
//!
//! A turn of a driver is: any number of [`Node::handle_input`], [`Node::handle_timeout`], one
//! [`Node::end_turn`], then [`Node::poll_output`] until there is none. The driver gives all of them the time at which
//! the turn began. A service that wants to know how far it has come by now reads the driver's clock through
//! [`Out::read_clock`]; the turn then goes on from there, so that time never goes backwards.

use std::sync::Arc;
use std::{iter, mem};

use crate::admin::Admin;
use crate::foreign;
use crate::link::{Action, LostCalls};
use crate::metrics::{LoopMetrics, Registry};
use crate::out::Out;
use crate::session::{Expiry, State};
use crate::timers::Alarm;
use crate::{Backend, Conn, Event, Input, Limits, Lost, Output, Peer, Reject, Service, Time};

/// Sessions whose lines are delivered in one turn. The others come first in the next one.
const SESSIONS_PER_TURN_MAX: usize = 1024;

/// A service and all its connections.
pub struct Node<S> {
    service: S,
    out: Out,
    admin: Admin,
}

impl<S: Service> Node<S> {
    /// A node with so many backends, none of them connected yet.
    pub fn new(service: S, limits: Limits, backends: usize) -> Self {
        Self::registered(service, limits, backends, Arc::new(Registry::new("net")))
    }

    /// The same, whose metrics are found through `registry`.
    pub fn registered(service: S, limits: Limits, backends: usize, registry: Arc<Registry>) -> Self {
        let mut out = Out::new(limits, backends);
        (0..backends).for_each(|backend| out.arm_link(backend));
        registry.add_loop(Arc::clone(&out.metrics));
        service.metrics().into_iter().for_each(|metrics| registry.add(metrics));
        Self { service, out, admin: Admin::new(registry) }
    }

    /// The same node, whose service can read this clock within a turn. It is the one that the driver's own times come
    /// from.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> Time + 'static) -> Self {
        self.out.clock = Some(Box::new(clock));
        self
    }

    /// The service, once its node has no further use.
    pub fn into_service(self) -> S {
        self.service
    }

    /// Takes a new connection. `None`: drop it, there are too many even to say so.
    pub fn accept(&mut self, now: Time) -> Option<Conn> {
        self.out.advance(now);
        let Limits { connections_max, refusals_max, .. } = self.out.limits;
        let full = self.out.sessions.len() >= connections_max;
        if self.out.sessions.len() >= connections_max + refusals_max {
            return None;
        }
        let conn = self.out.open_session();
        if full {
            self.out.reject(conn, Reject::ConnectionsMax(connections_max));
            self.report();
        }
        Some(conn)
    }

    /// Takes a new HTTP connection. `None`: drop it, there are too many.
    pub fn accept_admin(&mut self, now: Time) -> Option<Conn> {
        let conn = self.admin.open(&self.out.limits)?;
        // Its one deadline is never moved, so nobody needs to remember that it is armed.
        let deadline = now + self.out.limits.admin_timeout;
        self.out.timers.arm(&mut Alarm::default(), deadline, Peer::Admin(conn));
        Some(conn)
    }

    /// Lets the service react to what happened.
    pub fn handle_input(&mut self, now: Time, input: Input<'_>) {
        let now = self.out.advance(now);
        match input {
            Input::Received(Peer::Session(conn), bytes) => self.received(conn, bytes),
            Input::Received(Peer::Link(link), bytes) => self.answered(link, bytes),
            Input::Received(Peer::Admin(conn), bytes) => {
                self.admin.received(now, conn, bytes, &self.out.limits, &mut self.out.outputs);
            }
            Input::Sent(Peer::Admin(conn), count) => self.admin.sent(conn, count, &mut self.out.outputs),
            Input::Sent(peer, count) => self.out.sent(peer, count),
            Input::Writable(Peer::Admin(conn)) => self.admin.writable(conn, &mut self.out.outputs),
            Input::Writable(peer) => self.out.writable(peer),
            Input::Finished(Peer::Admin(conn)) => self.admin.peer_finished(conn, &mut self.out.outputs),
            Input::Failed(Peer::Admin(conn)) => self.admin.close(conn, &mut self.out.outputs),
            Input::Finished(Peer::Session(conn)) => self.out.peer_finished(conn),
            Input::Failed(Peer::Session(conn)) => self.out.close_session(conn),
            Input::Finished(Peer::Link(link)) | Input::Failed(Peer::Link(link)) => {
                self.disconnect(link);
            }
            Input::Connected(Backend(link)) => self.out.connected(link),
            Input::Wake => self.service.handle(now, Event::Wake, &mut self.out),
            Input::Drain => {
                self.admin.drain();
                self.out.drain();
                self.service.handle(now, Event::Drain, &mut self.out);
            }
        }
        self.report();
    }

    /// Acts on the deadlines that have come. One that a service sets in the past meanwhile waits for the next
    /// turn, so that a service that calls again and again is not called for ever.
    pub fn handle_timeout(&mut self, now: Time) {
        let now = self.out.advance(now);
        let due: Vec<_> = iter::from_fn(|| self.out.timers.pop_due(now)).collect();
        for (at, peer) in due {
            match peer {
                Peer::Session(conn) => self.session_alarm(at, conn),
                Peer::Link(link) => self.link_alarm(at, link),
                Peer::Admin(conn) => self.admin.close(conn, &mut self.out.outputs),
            }
        }
        self.report();
    }

    /// Goes on with the sessions that hold undelivered lines, a bounded number of lines each, and ends the
    /// service's turn.
    pub fn end_turn(&mut self, now: Time) {
        self.out.advance(now);
        for _ in 0..self.out.ready.len().min(SESSIONS_PER_TURN_MAX) {
            let conn = self.out.ready.pop_front().expect("counted before the loop");
            if let Some(session) = self.out.session(conn) {
                session.ready = false;
                self.deliver(conn);
            }
        }
        for call in mem::take(&mut self.out.refused_calls) {
            let reply = Event::Reply(call, Err(Lost::Overloaded));
            self.service.handle(self.out.now, reply, &mut self.out);
        }
        self.service.end_turn(self.out.now, &mut self.out);
        self.report();
    }

    /// The next thing the driver is to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.outputs.pop_front()
    }

    /// When to call [`Node::handle_timeout`] at the latest. [`Time::default`], long past, if work is left
    /// for the next turn.
    pub fn poll_timeout(&self) -> Option<Time> {
        if self.out.ready.is_empty() && self.out.refused_calls.is_empty() {
            self.out.timers.next()
        } else {
            Some(Time::default())
        }
    }

    /// The bytes that wait for the peer's socket.
    pub fn outbox(&self, peer: Peer) -> &[u8] {
        match peer {
            Peer::Session(conn) => match self.out.sessions.get(conn.slot()) {
                Some(session) if session.generation == conn.generation => session.outbox.unsent(),
                _ => &[],
            },
            Peer::Link(link) => self.out.links[link].outbox.unsent(),
            Peer::Admin(conn) => self.admin.outbox(conn),
        }
    }

    /// Whether the driver may read from the peer.
    pub fn wants_read(&mut self, peer: Peer) -> bool {
        match peer {
            Peer::Session(conn) => self.out.session(conn).is_some_and(|session| session.reading),
            Peer::Link(link) => self.out.links[link].is_up(),
            Peer::Admin(conn) => self.admin.wants_read(conn),
        }
    }

    /// Whether everything that was in flight when [`Input::Drain`] came is answered.
    pub fn is_drained(&self) -> bool {
        let mut sessions = self.out.sessions.iter();
        self.service.is_drained() && sessions.all(|(_, session)| session.is_answered())
    }

    /// What the driver is to tell of the loop.
    pub(crate) fn loop_metrics(&self) -> &Arc<LoopMetrics> {
        &self.out.metrics
    }

    fn received(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(session) = self.out.session(conn) else {
            return;
        };
        if session.state == State::Open {
            session.lines.push(bytes);
            session.starved = false;
            self.out.settle(conn, false);
        }
    }

    /// Delivers lines of a session until there is none, a limit is reached, or its turn is over.
    fn deliver(&mut self, conn: Conn) {
        let Some(session) = self.out.session(conn) else {
            return;
        };
        // The lines are lent out of the session, so that the service can be given both a line and the node.
        let mut lines = mem::take(&mut session.lines);
        session.delivering = true;
        let mut rejected = None;
        let line_bytes_max = self.out.limits.line_bytes_max;
        for _ in 0..self.out.limits.lines_per_turn_max {
            let Some(session) = self.out.deliverable(conn) else {
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
                    let event = Event::Line(conn, line);
                    self.service.handle(self.out.now, event, &mut self.out);
                }
                Some(Err(_)) => {
                    rejected = Some(Reject::LineTooLong(line_bytes_max));
                    break;
                }
            }
        }
        if let Some(session) = self.out.session(conn) {
            session.delivering = false;
            if matches!(session.state, State::Open | State::HalfClosed) {
                session.lines = lines;
            }
            match rejected {
                Some(reject) => self.out.reject(conn, reject),
                None => self.out.settle(conn, false),
            }
        }
    }

    /// Hands each line of a backend to the service as the reply to its call.
    fn answered(&mut self, link: usize, mut bytes: &[u8]) {
        let Out { links, limits, now, .. } = &mut self.out;
        let (now, reply_bytes_max) = (*now, limits.reply_bytes_max);
        links[link].heard(now, limits);
        let mut lines = mem::take(&mut links[link].lines);
        loop {
            let line = match lines.next_of(&mut bytes, reply_bytes_max) {
                None => break,
                Some(Ok(line)) => line,
                Some(Err(_)) => {
                    log::error!("event=reply_too_long backend={link} bytes_max={reply_bytes_max}");
                    return self.disconnect(link);
                }
            };
            match self.out.links[link].pop_answered() {
                Some(Some(call)) => {
                    self.service.handle(now, Event::Reply(call, Ok(line)), &mut self.out);
                }
                Some(None) => log::debug!("event=late_reply backend={link}"),
                None => {
                    log::error!("event=unexpected_reply backend={link}");
                    return self.disconnect(link);
                }
            }
        }
        self.out.links[link].lines = lines;
    }

    fn disconnect(&mut self, link: usize) {
        let Out { links, limits, now, .. } = &mut self.out;
        let mut lost = LostCalls::new();
        links[link].disconnected(*now, limits, &mut lost);
        self.out.outputs.push_back(Output::Close(Peer::Link(link)));
        self.out.arm_link(link);
        self.report_lost(lost);
    }

    fn session_alarm(&mut self, at: Time, conn: Conn) {
        match self.out.session_expiry(at, conn) {
            Some(Expiry::Reject(reject)) => self.out.reject(conn, reject),
            Some(Expiry::Close) => self.out.close_session(conn),
            None => {}
        }
    }

    fn link_alarm(&mut self, at: Time, link: usize) {
        let Out { links, limits, now, .. } = &mut self.out;
        if !links[link].alarm.ring(at) {
            return;
        }
        let mut lost = LostCalls::new();
        let action = links[link].expire(*now, limits, &mut lost);
        match action {
            Some(Action::Connect) => self.out.outputs.push_back(Output::Connect(Backend(link))),
            Some(Action::Close) => self.disconnect(link),
            None => {}
        }
        self.out.arm_link(link);
        self.report_lost(lost);
    }

    fn report_lost(&mut self, lost: LostCalls) {
        for (call, why) in lost {
            self.service.handle(self.out.now, Event::Reply(call, Err(why)), &mut self.out);
        }
    }

    /// Tells the service of sessions that were turned away and of those that are gone.
    fn report(&mut self) {
        while let Some((conn, reject)) = self.out.rejected.pop_front() {
            if self.out.session(conn).is_some() {
                self.service.handle(self.out.now, Event::Reject(conn, reject), &mut self.out);
            }
        }
        while let Some(conn) = self.out.closed.pop_front() {
            self.service.handle(self.out.now, Event::Closed(conn), &mut self.out);
        }
    }
}
