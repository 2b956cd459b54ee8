//! [`Host`]: an address of the simulated network, and the node that runs there, if one does.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::HostId;
use super::connection::Side;
use crate::{Backend, Conn, Failure, Input, Node, Output, Peer, Service, Time};

pub(super) struct Host {
    pub(super) node: Option<Box<dyn AnyNode>>,
    /// Counts the nodes that ran here: what was meant for an earlier one is dropped.
    pub(super) incarnation: u32,
    /// The node takes connections: it runs and does not drain.
    pub(super) listening: bool,
    /// Where each backend of its node is: one host for each address.
    pub(super) backends: Vec<Vec<HostId>>,
    /// How far its clock is ahead of the network's time.
    pub(super) clock_ahead: Duration,
    /// The connection of each peer.
    pub(super) peers: BTreeMap<Peer, (u64, Side)>,
    /// The connection that is being made for a link. One that the link has given up is not in here.
    pub(super) connecting: BTreeMap<usize, u64>,
    pub(super) woken: Arc<AtomicBool>,
    /// When the host's alarms go off next.
    pub(super) alarm_at: Rc<Cell<Option<Time>>>,
    pub(super) timer_at: Option<Time>,
    /// Why the last service could not go on, if nobody has asked.
    pub(super) failure: Option<Failure>,
}

impl Host {
    pub(super) fn new(backends: &[HostId]) -> Self {
        Self {
            node: None,
            incarnation: 0,
            listening: false,
            backends: backends.iter().map(|host| vec![*host]).collect(),
            clock_ahead: Duration::ZERO,
            peers: BTreeMap::new(),
            connecting: BTreeMap::new(),
            woken: Arc::new(AtomicBool::new(false)),
            alarm_at: Rc::default(),
            timer_at: None,
            failure: None,
        }
    }

    pub(super) fn start(&mut self, node: Box<dyn AnyNode>) {
        assert!(self.node.is_none(), "a node runs there");
        self.node = Some(node);
        self.listening = true;
    }

    /// Forgets the node and what belongs to it; returns its connections, which are to break.
    pub(super) fn crash(&mut self) -> BTreeMap<Peer, (u64, Side)> {
        self.node = None;
        self.incarnation += 1;
        self.listening = false;
        self.timer_at = None;
        self.connecting.clear();
        self.woken.store(false, Ordering::Relaxed);
        self.alarm_at.set(None);
        std::mem::take(&mut self.peers)
    }

    /// A connection comes in. `None`: it is refused.
    pub(super) fn accept(&mut self, now: Time, address: SocketAddr) -> Option<Conn> {
        self.node.as_mut().filter(|_| self.listening)?.accept(now, address)
    }
}

/// What a driver needs of a node, whatever its service is.
pub(super) trait AnyNode {
    fn accept(&mut self, now: Time, address: SocketAddr) -> Option<Conn>;
    fn handle_input(&mut self, now: Time, input: Input<'_>);
    fn end_turn(&mut self, now: Time) -> Result<(), Failure>;
    fn poll_output(&mut self) -> Option<Output>;
    fn poll_timeout(&self) -> Option<Time>;
    fn outbox(&self, peer: Peer) -> &[u8];
    fn wants_read(&mut self, peer: Peer) -> bool;
    fn address(&self, backend: Backend) -> usize;
}

impl<S: Service> AnyNode for Node<S> {
    fn accept(&mut self, now: Time, address: SocketAddr) -> Option<Conn> {
        Node::accept(self, now, address)
    }

    fn handle_input(&mut self, now: Time, input: Input<'_>) {
        Node::handle_input(self, now, input);
    }

    fn end_turn(&mut self, now: Time) -> Result<(), Failure> {
        Node::handle_timeout(self, now);
        Node::end_turn(self, now)
    }

    fn poll_output(&mut self) -> Option<Output> {
        Node::poll_output(self)
    }

    fn poll_timeout(&self) -> Option<Time> {
        Node::poll_timeout(self)
    }

    fn outbox(&self, peer: Peer) -> &[u8] {
        Node::outbox(self, peer)
    }

    fn wants_read(&mut self, peer: Peer) -> bool {
        Node::wants_read(self, peer)
    }

    fn address(&self, backend: Backend) -> usize {
        Node::address(self, backend)
    }
}
