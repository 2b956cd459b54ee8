//! [`Connections`]: all connections of a node, and what follows a change of one of them. No syscalls, no clock.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::sync::Arc;

use slab::Slab;

use crate::buffer::{Transmit, after_write};
use crate::event::{Backend, Call, Conn, Failure, Reject};
use crate::io::{Output, Peer};
use crate::limits::Limits;
use crate::link::Link;
use crate::metrics::LoopMetrics;
use crate::session::{Expiry, Session, State};
use crate::time::Time;
use crate::timers::Timers;

/// The connections of a node, and what is to be done about them: by its driver (`outputs`), and by the node itself,
/// which is to tell its service.
pub(crate) struct Connections {
    pub(crate) now: Time,
    /// Where the driver takes the time from. Without it, time stands still within a turn.
    pub(crate) clock: Option<Box<dyn Fn() -> Time>>,
    pub(crate) limits: Limits,
    pub(crate) sessions: Slab<Session>,
    pub(crate) links: Vec<Link>,
    pub(crate) timers: Timers<Peer>,
    /// When the service wants to be told that it is this time.
    pub(crate) wake_at: Option<Time>,
    /// Sessions that hold lines which may be delivered. Edge-triggered polling does not report bytes that
    /// were read already, so nothing else would come back to them.
    pub(crate) ready: VecDeque<Conn>,
    pub(crate) outputs: VecDeque<Output>,
    /// Sessions that are turned away, and why; the service does not know yet.
    pub(crate) rejected: VecDeque<(Conn, Reject)>,
    /// Sessions that are gone and of which the service does not know yet.
    pub(crate) closed: VecDeque<Conn>,
    /// Calls that a link had no room for and of which the service does not know yet.
    pub(crate) refused_calls: Vec<Call>,
    /// Why the service cannot go on, if that is so. It is told of nothing more then.
    pub(crate) failure: Option<Failure>,
    pub(crate) metrics: Arc<LoopMetrics>,
    /// While the node drains: until when it goes on with sessions that are in use.
    grace_until: Option<Time>,
    generation: u32,
}

impl Connections {
    /// Answers one line of a client. Dropped if the client is gone.
    pub(crate) fn send(&mut self, conn: Conn, parts: &[&[u8]]) {
        let now = self.now;
        let Some(session) = self.session(conn) else {
            return;
        };
        assert!(session.in_flight > 0, "a service answered a line twice");
        session.in_flight -= 1;
        session.used_at = now;
        session.outbox.push_vectored(parts);
        if session.transmit == Transmit::Idle {
            session.transmit = Transmit::Queued;
            self.outputs.push_back(Output::Transmit(Peer::Session(conn)));
        }
        self.settle(conn, false);
    }

    /// Delivers no further line of this client, and closes the connection once everything owed is sent.
    pub(crate) fn close(&mut self, conn: Conn) {
        if let Some(session) = self.session(conn) {
            session.close();
            self.settle(conn, false);
        }
    }

    /// Hands a call to its link. If that has no room for it, the node is to say so.
    pub(crate) fn call(&mut self, backend: Backend, call: Call, line: &[u8], deadline: Time) {
        let Backend(number) = backend;
        let link = &mut self.links[number];
        match link.call(self.now, call, line, deadline, &self.limits) {
            Ok(()) => {
                self.transmit_link(number);
                self.arm_link(number);
            }
            Err(_) => self.refused_calls.push(call),
        }
    }

    /// The time as it is by now, from which the turn goes on.
    pub(crate) fn read_clock(&mut self) -> Time {
        let now = self.clock.as_ref().map_or(self.now, |clock| clock());
        self.advance(now)
    }

    /// Lets the turn go on at `now`, or where it is if it has come further.
    pub(crate) fn advance(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        self.now
    }

    /// Ends everything. What waits to be sent stays where it is.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Delivers no further line of this client, lets the service say why once it has answered the earlier
    /// ones, and closes the connection once that has left.
    pub(crate) fn reject(&mut self, conn: Conn, reject: Reject) {
        if let Some(session) = self.session(conn) {
            session.rejected = Some(reject);
            self.metrics.rejects[reject.reason()].add(1);
            self.close(conn);
        }
    }

    pub(crate) fn new(limits: Limits, backends: usize) -> Self {
        Self {
            now: Time::default(),
            clock: None,
            links: (0..backends).map(|_| Link::new(&limits)).collect(),
            limits,
            sessions: Slab::new(),
            timers: Timers::new(),
            wake_at: None,
            ready: VecDeque::new(),
            outputs: VecDeque::new(),
            rejected: VecDeque::new(),
            closed: VecDeque::new(),
            refused_calls: Vec::new(),
            failure: None,
            metrics: Arc::default(),
            grace_until: None,
            generation: 0,
        }
    }

    pub(crate) fn open_session(&mut self, address: SocketAddr) -> Conn {
        self.generation = self.generation.wrapping_add(1);
        let slot = self.sessions.insert(Session::new(self.generation, address, &self.limits));
        self.count_sessions();
        Conn {
            slot: u32::try_from(slot).expect("connections_max fits in 32 bits"),
            generation: self.generation,
        }
    }

    pub(crate) fn session(&mut self, conn: Conn) -> Option<&mut Session> {
        let session = self.sessions.get_mut(conn.slot())?;
        (session.generation == conn.generation).then_some(session)
    }

    pub(crate) fn peer_address(&self, conn: Conn) -> Option<SocketAddr> {
        let session = self.sessions.get(conn.slot())?;
        (session.generation == conn.generation).then_some(session.address)
    }

    /// The session, if its next line may be delivered.
    pub(crate) fn deliverable(&mut self, conn: Conn) -> Option<&mut Session> {
        let session = self.sessions.get_mut(conn.slot())?;
        (session.generation == conn.generation && session.may_deliver(&self.limits)).then_some(session)
    }

    /// Follows up on a change of a session: queues it if lines can be delivered, ends it if it is over,
    /// lets the driver read again, and arms its deadline. Called after every change.
    pub(crate) fn settle(&mut self, conn: Conn, progress: bool) {
        let now = self.now;
        let session = &mut self.sessions[conn.slot()];
        if session.delivering {
            return;
        }
        if session.in_flight == 0
            && let Some(reject) = session.rejected.take()
        {
            session.in_flight = 1;
            self.rejected.push_back((conn, reject));
        }
        let drain_due = self.grace_until.and_then(|until| session.drain_due(until, &self.limits));
        if drain_due.is_some_and(|due| due <= now) {
            session.close();
        }
        if session.is_over() {
            return self.close_session(conn);
        }
        if session.state == State::Closing && session.is_answered() {
            session.linger(now);
            self.outputs.push_back(Output::Finish(Peer::Session(conn)));
        }
        if !session.starved && !session.ready && session.may_deliver(&self.limits) {
            session.ready = true;
            self.ready.push_back(conn);
        }
        let reading = session.wants_read(&self.limits);
        if reading && !session.reading {
            self.outputs.push_back(Output::Resume(Peer::Session(conn)));
        }
        session.reading = reading;
        session.update_clocks(now, progress);
        let deadline = session.deadline(&self.limits);
        if let Some(deadline) = deadline.into_iter().chain(drain_due).min() {
            self.timers.arm(&mut session.alarm, deadline, Peer::Session(conn));
        }
    }

    /// What the deadline that was armed for `at` means for a session. If it means nothing any more, the
    /// session's next one is armed.
    pub(crate) fn session_expiry(&mut self, at: Time, conn: Conn) -> Option<Expiry> {
        let session = self.sessions.get_mut(conn.slot())?;
        if session.generation != conn.generation || !session.alarm.ring(at) {
            return None;
        }
        let expiry = session.expiry(self.now, &self.limits);
        if expiry.is_none() {
            self.settle(conn, false);
        }
        expiry
    }

    /// Forgets a session at once.
    pub(crate) fn close_session(&mut self, conn: Conn) {
        if self.session(conn).is_some() {
            self.sessions.remove(conn.slot());
            self.count_sessions();
            self.outputs.push_back(Output::Close(Peer::Session(conn)));
            self.closed.push_back(conn);
        }
    }

    /// The client has shut its side: what it sent is still answered, the line without an end too.
    pub(crate) fn peer_finished(&mut self, conn: Conn) {
        if let Some(session) = self.session(conn) {
            session.peer_finished();
            self.settle(conn, false);
        }
    }

    pub(crate) fn sent(&mut self, peer: Peer, count: usize) {
        match peer {
            Peer::Session(conn) => {
                if let Some(session) = self.session(conn) {
                    session.outbox.advance(count);
                    session.transmit = after_write(session.outbox.is_empty());
                    self.settle(conn, count > 0);
                }
            }
            Peer::Link(link) => {
                let link = &mut self.links[link];
                link.outbox.advance(count);
                link.transmit = after_write(link.outbox.is_empty());
            }
            Peer::Admin(_) => unreachable!("the node keeps these to itself"),
        }
    }

    pub(crate) fn writable(&mut self, peer: Peer) {
        let transmit = match peer {
            Peer::Session(conn) => match self.session(conn) {
                Some(session) => &mut session.transmit,
                None => return,
            },
            Peer::Link(link) => &mut self.links[link].transmit,
            Peer::Admin(_) => unreachable!("the node keeps these to itself"),
        };
        if *transmit == Transmit::Blocked {
            *transmit = Transmit::Queued;
            self.outputs.push_back(Output::Transmit(peer));
        }
    }

    pub(crate) fn connected(&mut self, link: usize, greeting: Option<&[u8]>) {
        self.links[link].connected(self.now, greeting, &self.limits);
        self.transmit_link(link);
        self.arm_link(link);
    }

    pub(crate) fn greeted(&mut self, link: usize) {
        self.links[link].go_up(self.now);
        self.transmit_link(link);
        self.arm_link(link);
    }

    /// The oldest call of a link is answered.
    pub(crate) fn answered(&mut self, link: usize) {
        self.links[link].answered(&self.limits);
    }

    /// Ends every session as soon as it is not in use, and all that still are when the grace is over as soon as what
    /// is in flight is answered.
    pub(crate) fn drain(&mut self) {
        self.grace_until = Some(self.now + self.limits.drain_grace);
        let conns = self.sessions.iter().map(|(slot, session)| Conn {
            slot: u32::try_from(slot).expect("connections_max fits in 32 bits"),
            generation: session.generation,
        });
        for conn in conns.collect::<Vec<_>>() {
            self.sessions[conn.slot()].used_at = self.now;
            self.settle(conn, false);
        }
    }

    pub(crate) fn arm_link(&mut self, number: usize) {
        let link = &mut self.links[number];
        if let Some(deadline) = link.deadline(&self.limits) {
            self.timers.arm(&mut link.alarm, deadline, Peer::Link(number));
        }
    }

    fn count_sessions(&self) {
        self.metrics.connections.set(self.sessions.len() as u64);
    }

    fn transmit_link(&mut self, number: usize) {
        let link = &mut self.links[number];
        if link.transmit == Transmit::Idle && !link.outbox.is_empty() {
            link.transmit = Transmit::Queued;
            self.outputs.push_back(Output::Transmit(Peer::Link(number)));
        }
    }
}
