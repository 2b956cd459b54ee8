//! [`Node`]: a service with its connections, timers and limits. It makes no system call and reads no
//! clock of its own: a driver feeds it inputs and the time, and carries out its outputs.

mod backends;

use core::net::SocketAddr;
use std::sync::Arc;
use std::{iter, mem};

use crate::admin::Site;
use crate::channel::Channel;
use crate::connection::Connection;
use crate::connections::Connections;
use crate::event::{Backend, Conn, Event, Failure, Lost};
use crate::io::{Input, Output, Peer};
use crate::limits::Limits;
use crate::metrics::{LoopMetrics, Registry};
use crate::service::{Out, Service};
use crate::target::Target;
use crate::time::{Time, earlier};
use crate::tls::Encryption;

/// A service and all its connections.
///
/// It does nothing by itself: a driver tells it what has happened, and does what it asks for. Whoever keeps to what
/// stands here has written a driver; [`reactor`](crate::reactor) and [`sim`](crate::sim) are two.
///
/// # Kinds of methods
///
/// 1. What has happened: [`accept`](Node::accept), [`accept_admin`](Node::accept_admin),
///    [`handle_input`](Node::handle_input), [`handle_timeout`](Node::handle_timeout). Any number of them, in any order.
/// 2. [`end_turn`](Node::end_turn): what all of that leads to.
/// 3. [`poll_output`](Node::poll_output): what the driver is to do, one thing at a time, in this order.
/// 4. Questions, which change nothing and may be asked at any time: [`poll_timeout`](Node::poll_timeout),
///    [`may_accept`](Node::may_accept), [`may_accept_admin`](Node::may_accept_admin), [`outbox`](Node::outbox),
///    [`wants_read`](Node::wants_read), [`address`](Node::address), [`is_drained`](Node::is_drained),
///    [`limits`](Node::limits).
///
/// # A turn
///
/// A turn is: what has happened, with `handle_timeout` at least if the time of `poll_timeout` has come; `end_turn`,
/// once; `poll_output`, until there is nothing more. What the driver learns while it carries outputs out (a write's
/// [`Input::Sent`], a connection that breaks) it says at once, before it polls for the next output. The first turn
/// comes as soon as there is a node, for it may begin with connecting to its backends. Each further one comes when
/// something happened, and at the time of `poll_timeout` at the latest; after each turn, that time is asked for anew.
///
/// # Time
///
/// All methods of a turn are given the time at which the turn began, and no turn an earlier one than the turn before.
/// A service that wants to know how far it has come by now reads the driver's clock through [`Out::read_clock`]; the
/// node then goes on from there, and takes an earlier time that it is given for the one that it knows.
///
/// # Obligations
///
/// What each [`Output`] obliges the driver to stands with it, and when each [`Input`] is legal. Nothing that a peer
/// sends makes a node panic; a driver that breaks these rules may: one that answers a write with more bytes than
/// there were, or reports a connection to a backend that was not asked for.
///
/// # The end of a connection
///
/// A connection ends with [`Output::Close`] and not before, also one that the driver reports as failed; so the driver
/// keeps what it knows of a peer until then. Afterwards, nothing that is said of a client or an administrator has any
/// effect. Of a link nothing may be said until it asks to connect again, for it would be taken for its next
/// connection.
///
/// # The end of a node
///
/// After [`Input::Drain`], clients that have nothing in flight are closed, soon or after a short grace. When
/// `is_drained` says so after a turn, the driver may drop the node. It may at any time; that is a crash. Before
/// `Input::Drain`, the answer is about that moment only, for more may come.
///
/// If the service cannot go on ([`Out::fail`]), the next `end_turn` returns the reason, and there are no more turns.
/// Already before that there is no output, no byte in an outbox and no peer to be read, so that nothing leaves,
/// whatever the driver had polled.
pub struct Node<S> {
    service: S,
    connections: Connections,
}

impl<S: Service> Node<S> {
    /// A node with so many backends, none of them connected yet, with which lines are exchanged unless it is said
    /// otherwise ([`Node::with_targets`]).
    ///
    /// # Panics
    /// One of the limits is out of its bounds.
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

    /// The same node, of which this is encrypted. `backends` are the addresses of the backends, written `HOST:PORT`: for
    /// their hosts the certificates must be valid.
    #[must_use]
    pub fn with_encryption(self, encryption: Encryption, backends: Vec<String>) -> Self {
        self.with_targets(encryption, backends.into_iter().map(Target::Lines).collect())
    }

    /// The same node, of which this is encrypted and whose backends are these. Of connections that carry bytes, each
    /// address says whether they may be encrypted.
    ///
    /// # Panics
    /// There are more backends than the node was to have, or fewer, or one of them has no address.
    #[must_use]
    pub fn with_targets(mut self, encryption: Encryption, targets: Vec<Target>) -> Self {
        assert_eq!(targets.len(), self.connections.upstreams.len(), "each backend has an address");
        self.connections.encryption = encryption;
        self.connections.set_targets(targets);
        self
    }

    /// The same node, which shows this to the browsers of those who watch it.
    #[must_use]
    pub fn with_site(mut self, site: Site) -> Self {
        self.connections.admin.show(site);
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

    /// Takes a new connection, of a client at this address. `None`: drop it, there are too many even to say so. It
    /// may be read at once. Another one may make room for it, which is closed when the turn ends.
    pub fn accept(&mut self, now: Time, address: SocketAddr) -> Option<Conn> {
        if self.has_failed() {
            return None;
        }
        self.connections.advance(now);
        let conn = self.connections.open(address)?;
        self.report();
        Some(conn)
    }

    /// Takes a new HTTP connection. `None`: drop it, there are too many. It may be read at once. Another one may make room
    /// for it.
    pub fn accept_admin(&mut self, now: Time) -> Option<Conn> {
        if self.has_failed() {
            return None;
        }
        let Connections { admin, limits, timers, outputs, .. } = &mut self.connections;
        admin.open(now, limits, timers, outputs)
    }

    /// Whether clients that wait to be accepted should be in this turn. If not, so many have made room for others that
    /// the sockets of those are to be closed first.
    pub fn may_accept(&self) -> bool {
        self.connections.may_open()
    }

    /// The same of HTTP connections.
    pub fn may_accept_admin(&self) -> bool {
        self.connections.admin.may_open(&self.connections.limits)
    }

    /// Takes note of what happened, and lets the service react.
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
        self.report_resets();
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
        self.report_resets();
    }

    /// Goes on with the clients that have sent undelivered lines, a bounded number of lines each, and ends the
    /// service's turn.
    ///
    /// # Errors
    /// Why the service cannot go on. There are no more turns.
    pub fn end_turn(&mut self, now: Time) -> Result<(), Failure> {
        self.connections.advance(now);
        self.connections.end_turn();
        self.connections.shake_hands();
        for _ in 0..self.connections.ready.len().min(self.connections.limits.clients_per_turn_max) {
            let conn = self.connections.ready.pop_front().expect("counted before the loop");
            self.deliver(conn);
        }
        for call in mem::take(&mut self.connections.refused_calls) {
            self.tell(Event::Reply(call, Err(Lost::Overloaded)));
        }
        self.report_resets();
        if !self.has_failed() {
            self.service.end_turn(self.connections.now, &mut Out::new(&mut self.connections));
        }
        self.connections.renew_links();
        self.report();
        match &mut self.connections.failure {
            Some(failure) => Err(mem::replace(failure, "the service had failed before".into())),
            None => {
                self.connections.invariants();
                Ok(())
            }
        }
    }

    /// The next thing that the driver is to do. What was asked for is not asked for again.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.has_failed() {
            return None;
        }
        let output = self.connections.outputs.pop_front()?;
        if let Output::Transmit(peer) = output {
            self.connections.seal(peer);
        }
        Some(output)
    }

    /// When the next turn is to come at the latest, with [`Node::handle_timeout`]. [`Time::default`], long past, if
    /// work is left for it. `None`: not before something happens.
    pub fn poll_timeout(&self) -> Option<Time> {
        let Connections { ready, refused_calls, resets, handshakes, timers, wake_at, .. } = &self.connections;
        let is_told = refused_calls.is_empty() && resets.is_empty();
        let is_done = is_told && ready.is_empty() && handshakes.is_empty();
        if is_done && !self.has_failed() { earlier(timers.next(), *wake_at) } else { Some(Time::default()) }
    }

    /// The bytes that wait for the peer's socket. None if it is gone.
    pub fn outbox(&self, peer: Peer) -> &[u8] {
        if self.has_failed() {
            return &[];
        }
        self.connections.channel(peer).map_or(&[], Channel::unsent)
    }

    /// Whether the driver may read from the peer. If not, [`Output::Resume`] says when it may again.
    pub fn wants_read(&self, peer: Peer) -> bool {
        !self.has_failed() && self.connections.wants_read(peer)
    }

    /// The address that [`Output::Connect`] asks to connect to, by its place in the backend's list: 0 of a backend with
    /// which lines are exchanged, for it has no other.
    pub fn address(&self, Backend(link): Backend) -> usize {
        self.connections.upstreams[link].address()
    }

    /// Whether nothing is in flight and no client can begin anything. After [`Input::Drain`], it is the end once it is
    /// so: everything that was in flight then, and in the grace after it, is answered. Before, it may change again.
    pub fn is_drained(&self) -> bool {
        self.service.is_drained() && self.connections.clients.iter().all(Connection::is_drained)
    }

    /// The limits that it was made with.
    pub fn limits(&self) -> &Limits {
        &self.connections.limits
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
            Peer::Link(link) => self.received_of_backend(link, bytes),
            Peer::Admin(conn) => {
                let Connections { admin, now, limits, outputs, .. } = &mut self.connections;
                admin.received(*now, conn, bytes, self.service.is_ready(), limits, outputs);
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
        // They are lent out of the connection, so that the service can be given both a line and the node.
        let Some(mut received) = self.connections.begin_delivery(conn) else {
            return;
        };
        let mut rejected = None;
        for _ in 0..self.connections.limits.lines_per_turn_max {
            match self.connections.next_line(conn, &mut received) {
                None => break,
                Some(Ok(line)) => self.tell(Event::Line(conn, line)),
                Some(Err(reject)) => {
                    rejected = Some(reject);
                    break;
                }
            }
        }
        self.connections.end_delivery(conn, received, rejected);
    }

    /// Tells the service of clients that were turned away and of those that are gone, also of those to which that
    /// leads.
    fn report(&mut self) {
        while let Some(event) = self.connections.next_event() {
            self.tell(event);
        }
    }
}
