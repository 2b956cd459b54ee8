//! [`Connections`]: all connections of a node, and what follows a change of one of them. No syscalls, no clock.
//!
//! It tells its node's service nothing: what that is to know waits in queues, and the node empties them.

mod arrivals;
mod links;
mod shedding;
mod streams;
mod upstream;
mod upstreams;

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::sync::Arc;

pub(crate) use self::upstream::Upstream;
use crate::admin::Admin;
use crate::buffers::Buffers;
use crate::channel::{Channel, Received};
use crate::connection::{Connection, Expiry};
use crate::dialer::Reason;
use crate::event::{Backend, Call, Conn, Event, Failure, Reject};
use crate::handshakes::Handshakes;
use crate::io::{Output, Peer};
use crate::limits::Limits;
use crate::metrics::{LoopMetrics, Registry};
use crate::places::{Addresses, Places};
use crate::slots::Slots;
use crate::target::Target;
use crate::time::{Time, earlier};
use crate::timers::Timers;
use crate::tls::{BadStream, Encryption};

/// The connections of a node, and what is to be done about them: by its driver (`outputs`), and by the node itself,
/// which is to tell its service.
pub(crate) struct Connections {
    pub(crate) now: Time,
    /// Where the driver takes the time from. Without it, time stands still within a turn.
    pub(crate) clock: Option<Box<dyn Fn() -> Time>>,
    pub(crate) limits: Limits,
    pub(crate) clients: Slots<Connection>,
    /// The clients that were not refused.
    places: Places,
    /// Where they come from, if there is a limit to that.
    addresses: Addresses,
    /// Those that made room for others in this turn. Their sockets are closed when it ends.
    made_room: usize,
    /// The connections to backends, by their numbers.
    pub(crate) upstreams: Vec<Upstream>,
    /// What the buffers of clients and upstreams take.
    buffers: Buffers,
    /// What the kernel may hold for a client, which counts where that does not read.
    socket_bytes: usize,
    pub(crate) admin: Admin,
    pub(crate) timers: Timers<Peer>,
    /// When the service wants to be told that it is this time.
    pub(crate) wake_at: Option<Time>,
    /// Clients that have sent lines which may be delivered. Edge-triggered polling does not report bytes that
    /// were read already, so nothing else would come back to them.
    pub(crate) ready: VecDeque<Conn>,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) encryption: Encryption,
    pub(crate) handshakes: Handshakes,
    /// Of clients that are turned away or gone, what the service is to be told.
    events: VecDeque<Event<'static>>,
    /// Calls that a link had no room for and of which the service does not know yet.
    pub(crate) refused_calls: Vec<Call>,
    /// Links over which the service wants new connections. They are made when it has ended its turn, so that none is closed
    /// whose lines are being delivered.
    pub(crate) renewals: Vec<Backend>,
    /// Streams that are down, and why, which the service does not know yet. Each is one at most, for it connects again
    /// only in a later turn.
    pub(crate) resets: VecDeque<(Backend, Reason)>,
    /// Why the service cannot go on, if that is so. It is told of nothing more then.
    pub(crate) failure: Option<Failure>,
    pub(crate) metrics: Arc<LoopMetrics>,
    /// While the node drains: until when it goes on with clients that are in use.
    grace_until: Option<Time>,
}

/// All of them alike.
impl Connections {
    /// Links to so many backends, of which nothing else is known, none of them connected, and room for the rest.
    pub(crate) fn new(limits: Limits, backends: usize, registry: Arc<Registry>) -> Self {
        limits.check();
        let metrics = Arc::default();
        registry.add_loop(Arc::clone(&metrics));
        let mut connections = Self {
            now: Time::default(),
            clock: None,
            clients: Slots::new(),
            places: Places::default(),
            addresses: Addresses::default(),
            made_room: 0,
            upstreams: Vec::new(),
            buffers: Buffers::new(limits.buffer_bytes_max),
            socket_bytes: limits.socket_bytes(),
            admin: Admin::new(registry),
            limits,
            timers: Timers::new(),
            wake_at: None,
            ready: VecDeque::new(),
            outputs: VecDeque::new(),
            encryption: Encryption::default(),
            handshakes: Handshakes::default(),
            events: VecDeque::new(),
            refused_calls: Vec::new(),
            renewals: Vec::new(),
            resets: VecDeque::new(),
            failure: None,
            metrics,
            grace_until: None,
        };
        connections.set_targets(vec![Target::Lines(String::new()); backends]);
        connections
    }

    /// Lets the turn go on at `now`, or where it is if it has come further.
    pub(crate) fn advance(&mut self, now: Time) -> Time {
        self.now = self.now.max(now);
        self.now
    }

    /// The time as it is by now, from which the turn goes on.
    pub(crate) fn read_clock(&mut self) -> Time {
        let now = self.clock.as_ref().map_or(self.now, |clock| clock());
        self.advance(now)
    }

    /// Takes note that the service cannot go on.
    pub(crate) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// The peer's bytes. `None`: it is gone.
    pub(crate) fn channel(&self, peer: Peer) -> Option<&Channel> {
        match peer {
            Peer::Client(conn) => Some(&self.clients.get(conn)?.channel),
            Peer::Link(link) => Some(self.upstreams[link].channel()),
            Peer::Admin(conn) => self.admin.channel(conn),
        }
    }

    /// Whether the driver may read from the peer.
    pub(crate) fn wants_read(&self, peer: Peer) -> bool {
        match peer {
            Peer::Client(conn) => self.clients.get(conn).is_some_and(Connection::is_reading),
            Peer::Link(link) => self.upstreams[link].is_connected(),
            Peer::Admin(conn) => self.admin.wants_read(conn),
        }
    }

    /// What is true before the driver writes to the peer: all that is to be sent is among [`Channel::unsent`].
    pub(crate) fn seal(&mut self, peer: Peer) {
        if let Some(channel) = self.channel_mut(peer) {
            channel.seal();
        }
    }

    /// The peer's socket took so many bytes.
    pub(crate) fn sent(&mut self, peer: Peer, count: usize) {
        let Some(channel) = self.channel_mut(peer) else {
            return;
        };
        channel.sent(count);
        match peer {
            Peer::Client(conn) => self.settle(conn, count > 0),
            Peer::Link(link) => self.count_link_buffers(link),
            Peer::Admin(conn) => self.admin.settle(conn, &mut self.outputs),
        }
    }

    /// The peer's socket takes more than it has taken.
    pub(crate) fn writable(&mut self, peer: Peer) {
        if self.channel_mut(peer).is_some_and(Channel::writable) {
            self.outputs.push_back(Output::Transmit(peer));
        }
    }

    /// Ends each client's connection as soon as it is not in use, and all that still are when the grace is over as soon
    /// as what is in flight is answered.
    pub(crate) fn drain(&mut self) {
        self.admin.drain();
        self.grace_until = Some(self.now + self.limits.drain_grace);
        let now = self.now;
        for conn in self.clients.conns() {
            self.change(conn, |connection| connection.begin_drain(now));
        }
    }

    /// What is true when a turn ends: whoever has a deadline is called by then, because the driver is told of it. It is
    /// looked at then, and not where deadlines are armed, because what breaks it is a change after which none is.
    pub(crate) fn invariants(&self) {
        let Self { clients, upstreams, timers, limits, grace_until, .. } = self;
        let is_armed = |connection: &Connection| {
            let drain_due = grace_until.and_then(|until| connection.drain_due(until, limits));
            connection.channel.is_armed(timers, earlier(connection.deadline(limits), drain_due))
        };
        debug_assert!(clients.iter().all(is_armed), "a client's deadline comes and nobody is called");
        let is_armed = |upstream: &Upstream| upstream.channel().is_armed(timers, upstream.deadline(limits));
        debug_assert!(upstreams.iter().all(is_armed), "a backend's deadline comes and nobody is called");
    }

    fn channel_mut(&mut self, peer: Peer) -> Option<&mut Channel> {
        match peer {
            Peer::Client(conn) => Some(&mut self.clients.get_mut(conn)?.channel),
            Peer::Link(link) => Some(self.upstreams[link].channel_mut()),
            Peer::Admin(conn) => self.admin.channel_mut(conn),
        }
    }
}

/// Clients. Nothing happens to one that is gone.
impl Connections {
    pub(crate) fn peer_address(&self, conn: Conn) -> Option<SocketAddr> {
        self.clients.get(conn).map(Connection::address)
    }

    /// Answers one line.
    pub(crate) fn send(&mut self, conn: Conn, parts: &[&[u8]]) {
        let Some(connection) = self.clients.get_mut(conn) else {
            return;
        };
        if connection.answer(self.now, parts) {
            self.outputs.push_back(Output::Transmit(Peer::Client(conn)));
        }
        self.settle(conn, false);
    }

    /// Delivers no further line, and closes the connection once everything owed is sent.
    pub(crate) fn close(&mut self, conn: Conn) {
        self.change(conn, Connection::close);
    }

    /// The service will say so in a last line where a drain ends the connection.
    pub(crate) fn announce_end(&mut self, conn: Conn) {
        if let Some(connection) = self.clients.get_mut(conn) {
            connection.announces_end = true;
        }
    }

    /// Bytes have arrived.
    pub(crate) fn received(&mut self, conn: Conn, bytes: &[u8]) {
        let Some(connection) = self.clients.get_mut(conn) else { return };
        if connection.channel.is_handshaking() {
            if connection.hold(bytes) {
                self.handshakes.push(conn);
            }
            return self.settle(conn, false);
        }
        connection.received(bytes);
        self.settle_stream(conn);
    }

    /// Goes on with a bounded number of handshakes.
    pub(crate) fn shake_hands(&mut self) {
        for conn in self.handshakes.take(self.limits.handshakes_per_turn_max) {
            let Some(connection) = self.clients.get_mut(conn) else { continue };
            connection.shake_hands();
            self.settle_stream(conn);
        }
    }

    /// Follows up on bytes that have arrived, of which an encrypted stream may have been at its end.
    fn settle_stream(&mut self, conn: Conn) {
        let Some(connection) = self.clients.get_mut(conn) else { return };
        match connection.channel.take_bad_stream() {
            None => self.settle(conn, false),
            Some(BadStream::NotTls) => self.reject(conn, Reject::NotTls),
            Some(BadStream::Failed(cause)) => {
                self.metrics.tls_failures.add(1);
                self.handshakes.failed(self.now, connection.address(), &cause);
                self.close(conn);
            }
        }
    }

    /// The client has shut its side: what it sent is still answered, the line without an end too.
    pub(crate) fn peer_finished(&mut self, conn: Conn) {
        self.change(conn, Connection::peer_finished);
    }

    /// Begins to deliver lines; they lie in what is lent out here.
    #[inline]
    pub(crate) fn begin_delivery(&mut self, conn: Conn) -> Option<Received<'static>> {
        self.clients.get_mut(conn).map(Connection::begin_delivery)
    }

    /// The next line that is delivered, if one may be and there is one.
    ///
    /// # Errors
    /// Why the client is to be turned away.
    #[inline]
    pub(crate) fn next_line<'a>(
        &mut self,
        conn: Conn,
        received: &'a mut Received<'_>,
    ) -> Option<Result<&'a [u8], Reject>> {
        self.clients.get_mut(conn)?.next_line(received, &self.limits)
    }

    /// Ends the delivery of lines, and turns the client away if there is a reason.
    #[inline]
    pub(crate) fn end_delivery(&mut self, conn: Conn, received: Received<'_>, rejected: Option<Reject>) {
        let Some(connection) = self.clients.get_mut(conn) else {
            return;
        };
        connection.end_delivery(received);
        match rejected {
            Some(reject) => self.reject(conn, reject),
            None => self.settle(conn, false),
        }
    }

    /// Acts on the deadline that was armed for `at`. One that means nothing any more is armed anew.
    pub(crate) fn expire(&mut self, at: Time, conn: Conn) {
        let Some(connection) = self.clients.get_mut(conn) else {
            return;
        };
        if !connection.channel.ring(at) {
            return;
        }
        match connection.expiry(self.now, &self.limits) {
            Some(Expiry::Reject(reject)) => self.reject(conn, reject),
            Some(Expiry::Close(why)) => {
                why.into_iter().for_each(|why| self.metrics.closes(why));
                self.forget(conn);
            }
            None => self.settle(conn, false),
        }
    }

    /// What the service is to be told next. It is not told why a client is turned away that is gone meanwhile.
    pub(crate) fn next_event(&mut self) -> Option<Event<'static>> {
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Reject(conn, _) if self.clients.get(conn).is_none() => {}
                event => return Some(event),
            }
        }
        None
    }

    /// Closes the connection at once.
    pub(crate) fn forget(&mut self, conn: Conn) {
        if let Some(connection) = self.clients.remove(conn) {
            if self.places.leave(conn) && self.limits.address_connections_max.is_some() {
                self.addresses.remove(connection.address());
            }
            self.note_buffers(connection.channel.counted(), 0);
            self.count_clients();
            self.outputs.push_back(Output::Close(Peer::Client(conn)));
            self.events.push_back(Event::Closed(conn));
        }
    }

    /// Delivers no further line, lets the service say why once it has answered the earlier ones, and closes the
    /// connection once that has left.
    fn reject(&mut self, conn: Conn, reject: Reject) {
        reject.reason().into_iter().for_each(|reason| self.metrics.rejects[reason].add(1));
        self.change(conn, |connection| connection.reject(reject));
    }

    fn change(&mut self, conn: Conn, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.clients.get_mut(conn) {
            change(connection);
            self.settle(conn, false);
        }
    }

    /// Follows up on a change, step by step. Called after every one; while lines are delivered, after all of them.
    /// `progress`: the socket has just taken bytes.
    fn settle(&mut self, conn: Conn, progress: bool) {
        let (now, limits) = (self.now, &self.limits);
        let Some(connection) = self.clients.get_mut(conn) else {
            return;
        };
        if connection.is_delivering() {
            return connection.invariants();
        }
        let drain_due = self.grace_until.and_then(|until| connection.drain_due(until, limits));
        if drain_due.is_some_and(|due| due <= now) {
            if connection.announces_end { connection.reject(Reject::Drained) } else { connection.close() }
        }
        if let Some(reject) = connection.take_reject() {
            self.events.push_back(Event::Reject(conn, reject));
        }
        // Whatever an encrypted stream says of itself is owed to the client as well.
        if connection.channel.begin_transmit() {
            self.outputs.push_back(Output::Transmit(Peer::Client(conn)));
        }
        if connection.says_goodbye() {
            self.outputs.push_back(Output::Transmit(Peer::Client(conn)));
        }
        if connection.is_over() {
            return self.forget(conn);
        }
        if connection.begins_to_linger(now) {
            self.outputs.push_back(Output::Finish(Peer::Client(conn)));
        }
        if connection.becomes_ready(limits) {
            self.ready.push_back(conn);
        }
        if connection.resumes_reading(limits) {
            self.outputs.push_back(Output::Resume(Peer::Client(conn)));
        }
        connection.update_clocks(now, progress);
        if let Some(at) = earlier(connection.deadline(limits), drain_due) {
            connection.channel.arm(&mut self.timers, at, Peer::Client(conn));
        }
        if let Some((before, now)) = connection.channel.recount(self.socket_bytes) {
            self.count_buffers(before, now);
        }
    }

    fn count_clients(&self) {
        self.metrics.connections.set(self.clients.len() as u64);
    }
}
