//! [`Attached`]: a node to which one client is connected, whose bytes it takes and gives as a driver would.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use net::{Conn, Encryption, Input, Limits, Node, Output, Peer, ServerTls, Service, Time};

/// The time at which everything happens.
pub(crate) const NOW: Time = Time::from_millis(1_800_000_000_000);
pub(crate) const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);
/// After so many turns in which nothing leaves, nothing is under way: a password is hashed in one, its account is
/// committed in the next, and reported in the one after.
pub(crate) const QUIET_TURNS: usize = 4;
/// More turns than anything that ends can need.
const TURNS_MAX: usize = 100_000;

/// A node with a client.
pub(crate) struct Attached<S> {
    node: Node<S>,
    client: Option<Conn>,
    /// What the client has been sent and nobody has taken.
    received: Vec<u8>,
}

impl<S: Service> Attached<S> {
    pub(crate) fn new(service: S, limits: Limits) -> Self {
        Self::with(Node::new(service, limits, 0))
    }

    /// The same over TLS: the bytes that it takes and gives are records.
    pub(crate) fn encrypted(service: S, limits: Limits, server: ServerTls) -> Self {
        let encryption = Encryption { server: Some(server), ..Encryption::default() };
        Self::with(Node::new(service, limits, 0).with_encryption(encryption, Vec::new()))
    }

    fn with(mut node: Node<S>) -> Self {
        let client = node.accept(NOW, CLIENT);
        Self { node, client, received: Vec::new() }
    }

    /// The same node, to which another client is connected.
    pub(crate) fn reconnected(mut self) -> Self {
        self.client = self.node.accept(NOW, CLIENT);
        self
    }

    /// The client sends bytes, as far as it is read. False: it is read no more.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        let Some(conn) = self.client else { return false };
        for _ in 0..TURNS_MAX {
            if self.node.wants_read(Peer::Client(conn)) {
                self.node.handle_input(NOW, Input::Received(Peer::Client(conn), bytes));
                self.run();
                return true;
            }
            if !self.run() {
                return false;
            }
        }
        panic!("a client is not read, and there is no end to it");
    }

    /// The client shuts its side.
    pub(crate) fn finish(&mut self) {
        if let Some(conn) = self.client {
            self.node.handle_input(NOW, Input::Finished(Peer::Client(conn)));
            self.run();
        }
    }

    /// Whether the connection is still there.
    pub(crate) fn is_connected(&self) -> bool {
        self.client.is_some()
    }

    /// What the client was sent since the last time.
    pub(crate) fn take_received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// Lets turns follow each other until nothing happens any more. Returns whether anything has.
    fn run(&mut self) -> bool {
        let (mut has_happened, mut quiet_turns) = (false, 0);
        for _ in 0..TURNS_MAX {
            self.node.handle_timeout(NOW);
            self.node.end_turn(NOW).expect("a service goes on");
            let mut is_quiet = self.node.poll_timeout().is_none_or(|at| at > NOW);
            while let Some(output) = self.node.poll_output() {
                is_quiet = false;
                self.carry_out(output);
            }
            // What was committed is stored by now.
            self.node.handle_input(NOW, Input::Wake);
            has_happened |= !is_quiet;
            quiet_turns = if is_quiet { quiet_turns + 1 } else { 0 };
            if quiet_turns == QUIET_TURNS {
                return has_happened;
            }
        }
        panic!("a node does not come to rest");
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Transmit(peer) => {
                let bytes = self.node.outbox(peer).to_vec();
                self.node.handle_input(NOW, Input::Sent(peer, bytes.len()));
                self.received.extend(bytes);
            }
            // The client hears that nothing more comes, and ends too.
            Output::Finish(peer) => self.node.handle_input(NOW, Input::Finished(peer)),
            Output::Close(_) => self.client = None,
            Output::Resume(_) => {}
            Output::Connect(_) | Output::Reconnect(_) => unreachable!("it has no backends"),
        }
    }
}
