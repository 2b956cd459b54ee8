//! [`Linked`]: a node with clients and with links, at the far ends of which a target speaks.

use std::time::Duration;

use net::{Backend, Conn, Encryption, Input, Limits, Node, Output, Peer, Service, Time};

use crate::peer::{CLIENT, NOW};

/// More turns than anything that ends can need.
const TURNS_MAX: usize = 10_000;

/// The node. Whoever it calls takes the connection, until [`Linked::refuse`].
pub(crate) struct Linked<S> {
    node: Node<S>,
    now: Time,
    clients: Vec<Client>,
    links: Vec<Link>,
    refuses: bool,
}

struct Client {
    conn: Conn,
    /// What it has been sent.
    received: Vec<u8>,
}

#[derive(Clone, Default)]
struct Link {
    is_connected: bool,
    /// What was sent over this connection and nobody has taken.
    sent: Vec<u8>,
}

impl<S: Service> Linked<S> {
    /// A node, connected to its backends.
    pub(crate) fn new(service: S, encryption: Encryption, backends: Vec<String>) -> Self {
        let links = vec![Link::default(); backends.len()];
        let node =
            Node::new(service, Limits::default(), backends.len()).with_encryption(encryption, backends);
        let mut linked = Self { node, now: NOW, clients: Vec::new(), links, refuses: false };
        linked.run();
        linked
    }

    /// A new client sends this.
    pub(crate) fn request(&mut self, bytes: &[u8]) {
        let conn = self.node.accept(self.now, CLIENT).expect("there is room");
        self.clients.push(Client { conn, received: Vec::new() });
        self.node.handle_input(self.now, Input::Received(Peer::Client(conn), bytes));
        self.run();
    }

    /// What each client has been sent.
    pub(crate) fn received(&self) -> impl Iterator<Item = &[u8]> {
        self.clients.iter().map(|client| client.received.as_slice())
    }

    /// The far end of a link sends bytes, if it stands.
    pub(crate) fn answer(&mut self, link: usize, bytes: &[u8]) {
        if self.links[link].is_connected && !bytes.is_empty() {
            assert!(self.node.wants_read(Peer::Link(link)), "a link is always read");
            self.node.handle_input(self.now, Input::Received(Peer::Link(link), bytes));
            self.run();
        }
    }

    /// The far end of a link ends, if it stands.
    pub(crate) fn end(&mut self, link: usize) {
        if self.links[link].is_connected {
            self.node.handle_input(self.now, Input::Finished(Peer::Link(link)));
            self.run();
        }
    }

    /// No connection is taken any more.
    pub(crate) fn refuse(&mut self) {
        self.refuses = true;
    }

    /// What was sent over the present connection of a link since the last time.
    pub(crate) fn take_sent(&mut self, link: usize) -> Vec<u8> {
        std::mem::take(&mut self.links[link].sent)
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.run();
    }

    /// The service, once its node has no further use.
    pub(crate) fn into_service(self) -> S {
        self.node.into_service()
    }

    /// Lets turns follow each other until nothing happens any more.
    fn run(&mut self) {
        for _ in 0..TURNS_MAX {
            self.node.handle_timeout(self.now);
            self.node.end_turn(self.now).expect("a service goes on");
            let mut is_quiet = self.node.poll_timeout().is_none_or(|at| at > self.now);
            while let Some(output) = self.node.poll_output() {
                is_quiet = false;
                self.carry_out(output);
            }
            if is_quiet {
                return;
            }
        }
        panic!("a node does not come to rest");
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Connect(backend) if self.refuses => {
                self.node.handle_input(self.now, Input::NotConnected(backend, "nobody is there"));
            }
            Output::Connect(Backend(link)) => {
                self.links[link] = Link { is_connected: true, sent: Vec::new() };
                self.node.handle_input(self.now, Input::Connected(Backend(link)));
            }
            Output::Transmit(peer) => {
                let bytes = self.node.outbox(peer).to_vec();
                self.node.handle_input(self.now, Input::Sent(peer, bytes.len()));
                match peer {
                    Peer::Link(link) => self.links[link].sent.extend(bytes),
                    _ => self.client(peer).received.extend(bytes),
                }
            }
            Output::Close(Peer::Link(link)) => self.links[link].is_connected = false,
            Output::Resume(_) => {}
            other => panic!("{other:?}: nobody lets a client go that is owed something"),
        }
    }

    fn client(&mut self, peer: Peer) -> &mut Client {
        let client = self.clients.iter_mut().find(|client| Peer::Client(client.conn) == peer);
        client.expect("only links and clients are sent something")
    }
}
