//! [`Marketplace`]: a `server_buyer` with both databases, joined directly: what one node sends the other has at once.

use net::sim::SimWorkers;
use net::{Backend, Conn, Input, Limits, Node, Output, Peer, Service, Time, Waker};
use services::{Backends, CustomerOptions, CustomerRow, Deadlines, HashCost, ProductRow, Room, Secrets};

use crate::disk::Disk;
use crate::peer::{Attached, CLIENT, NOW, QUIET_TURNS};

/// More turns than anything that ends can need.
const TURNS_MAX: usize = 100_000;

/// What is there before an input is tried: a seller with two items, and a buyer who is logged in.
const CUSTOMER_SETUP: &str = concat!(
    r#"{"request_id":1,"api":"CreateSeller","data":{"name":"sam","password":"secret"}}"#,
    "\n",
    r#"{"request_id":2,"api":"CreateBuyer","data":{"name":"ann","password":"secret"}}"#,
    "\n",
    r#"{"request_id":3,"api":"Login","data":{"username":"ann","password":"secret","role":"buyer"}}"#,
    "\n",
);
const PRODUCT_SETUP: &str = concat!(
    r#"{"request_id":1,"api":"RegisterItem","data":{"seller_id":1,"name":"pen","category":1,"keywords":["ink"],"condition":"new","price":1.5,"quantity":5}}"#,
    "\n",
    r#"{"request_id":2,"api":"RegisterItem","data":{"seller_id":1,"name":"desk","category":1,"condition":"used","price":0,"quantity":1000000000}}"#,
    "\n",
);

/// The number of every session's secret, so that inputs can know it.
const SECRET: u128 = 7;

/// A `db_customer` on what a disk holds.
pub(crate) fn db_customer(disk: Disk<CustomerRow>) -> impl Service {
    let hash_cost = HashCost { memory_kib: 8, passes: 1 };
    let options = CustomerOptions { hash_cost, ..CustomerOptions::default() };
    let mut workers = SimWorkers::new(Waker::new(|| ()), 0);
    services::db_customer(disk, options, Room::default(), None, || SECRET, &mut workers)
        .expect("it loads what was stored")
}

/// A `db_product` on what a disk holds.
pub(crate) fn db_product(disk: Disk<ProductRow>) -> impl Service {
    services::db_product(disk, Room::default(), None).expect("it loads what was stored")
}

/// The same, which serves who shows this secret.
pub(crate) fn guarded_product(disk: Disk<ProductRow>, secret: &str) -> impl Service + use<> {
    let secrets = Secrets::parse(secret).expect("it may be one");
    services::db_product(disk, Room::default(), Some(secrets)).expect("it loads what was stored")
}

/// Brings a database into the state before an input.
pub(crate) fn set_up<S: Service>(database: &mut Attached<S>, is_customer: bool) {
    let setup = if is_customer { CUSTOMER_SETUP } else { PRODUCT_SETUP };
    assert!(database.send(setup.as_bytes()));
    let replies = String::from_utf8(database.take_received()).expect("replies are text");
    assert!(replies.lines().all(|reply| reply.contains(r#""ok":true"#)), "{replies}");
}

/// The nodes, and the client of the frontend.
pub(crate) struct Marketplace<C, P, B> {
    customer: Database<C>,
    product: Database<P>,
    buyer: Node<B>,
    client: Option<Conn>,
    received: Vec<u8>,
}

/// A database, and which connection of it is which link of the frontend.
struct Database<S> {
    node: Node<S>,
    links: Vec<(usize, Conn)>,
}

/// One that is set up, with a client of its frontend.
pub(crate) fn marketplace() -> Marketplace<impl Service, impl Service, impl Service> {
    let (customer, product) = (Disk::new(), Disk::new());
    set_up(&mut Attached::new(db_customer(customer.reopen()), services::database_limits()), true);
    set_up(&mut Attached::new(db_product(product.reopen()), services::database_limits()), false);
    let backends = Backends::single("customer", "product");
    let lanes = backends.addresses();
    let frontend = services::server_buyer(Deadlines::default(), None, &backends);
    let mut buyer = Node::new(frontend, Limits::default(), lanes.len());
    let client = buyer.accept(NOW, CLIENT);
    let mut marketplace = Marketplace {
        customer: Database::new(db_customer(customer)),
        product: Database::new(db_product(product)),
        buyer,
        client,
        received: Vec::new(),
    };
    marketplace.run(&lanes);
    marketplace
}

impl<S: Service> Database<S> {
    fn new(service: S) -> Self {
        Self { node: Node::new(service, services::database_limits(), 0), links: Vec::new() }
    }

    fn conn(&self, link: usize) -> Option<Conn> {
        self.links.iter().find(|(of, _)| *of == link).map(|(_, conn)| *conn)
    }

    /// A turn; what leaves is handed to `send` with the link that it leaves by. Returns whether anything has happened.
    fn turn(&mut self, mut send: impl FnMut(usize, Vec<u8>)) -> bool {
        self.node.handle_timeout(NOW);
        self.node.end_turn(NOW).expect("a database goes on");
        let mut has_happened = false;
        while let Some(output) = self.node.poll_output() {
            has_happened = true;
            match output {
                Output::Transmit(peer) => {
                    let bytes = self.node.outbox(peer).to_vec();
                    self.node.handle_input(NOW, Input::Sent(peer, bytes.len()));
                    let link = self.links.iter().find(|(_, conn)| Peer::Client(*conn) == peer);
                    send(link.expect("only links are connected to it").0, bytes);
                }
                Output::Resume(_) => {}
                other => panic!("{other:?}: a database lets a frontend go"),
            }
        }
        self.node.handle_input(NOW, Input::Wake);
        has_happened
    }
}

impl<C: Service, P: Service, B: Service> Marketplace<C, P, B> {
    /// The client sends bytes, as far as it is read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let lanes = Backends::single("customer", "product").addresses();
        self.run(&lanes);
        if let Some(conn) = self.client
            && self.buyer.wants_read(Peer::Client(conn))
        {
            self.buyer.handle_input(NOW, Input::Received(Peer::Client(conn), bytes));
            self.run(&lanes);
        }
    }

    /// The client shuts its side. Returns all that it was sent.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if let Some(conn) = self.client {
            self.buyer.handle_input(NOW, Input::Finished(Peer::Client(conn)));
            self.run(&Backends::single("customer", "product").addresses());
        }
        assert!(self.client.is_none(), "who has ended is let go");
        self.received
    }

    /// Lets turns follow each other until nothing happens any more.
    fn run(&mut self, lanes: &[String]) {
        let mut quiet_turns = 0;
        for _ in 0..TURNS_MAX {
            let mut has_happened = self.turn_of_frontend(lanes);
            let Self { customer, product, buyer, .. } = self;
            let mut send = |link, bytes: Vec<u8>| {
                buyer.handle_input(NOW, Input::Received(Peer::Link(link), &bytes));
            };
            has_happened |= customer.turn(&mut send);
            has_happened |= product.turn(&mut send);
            quiet_turns = if has_happened { 0 } else { quiet_turns + 1 };
            if quiet_turns == QUIET_TURNS {
                return;
            }
        }
        panic!("the services do not come to rest");
    }

    fn turn_of_frontend(&mut self, lanes: &[String]) -> bool {
        self.buyer.handle_timeout(NOW);
        self.buyer.end_turn(NOW).expect("a frontend goes on");
        let mut has_happened = self.buyer.poll_timeout() == Some(Time::default());
        while let Some(output) = self.buyer.poll_output() {
            has_happened = true;
            match output {
                Output::Connect(Backend(link)) => {
                    match &*lanes[link] {
                        "customer" => connect(&mut self.customer, link),
                        _ => connect(&mut self.product, link),
                    }
                    self.buyer.handle_input(NOW, Input::Connected(Backend(link)));
                }
                Output::Transmit(peer) => {
                    let bytes = self.buyer.outbox(peer).to_vec();
                    self.buyer.handle_input(NOW, Input::Sent(peer, bytes.len()));
                    match peer {
                        Peer::Link(link) => {
                            deliver(&mut self.customer, link, &bytes);
                            deliver(&mut self.product, link, &bytes);
                        }
                        _ => self.received.extend(bytes),
                    }
                }
                Output::Finish(peer) => self.buyer.handle_input(NOW, Input::Finished(peer)),
                Output::Close(Peer::Client(_)) => self.client = None,
                Output::Close(peer) => panic!("the frontend lets {peer:?} go"),
                Output::Reconnect(_) => unreachable!("each kind of call has one link"),
                Output::Resume(_) => {}
            }
        }
        has_happened
    }
}

fn connect<S: Service>(database: &mut Database<S>, link: usize) {
    let conn = database.node.accept(NOW, CLIENT).expect("there is room");
    database.links.push((link, conn));
}

/// Hands over what a link has sent, if it is one of this database.
fn deliver<S: Service>(database: &mut Database<S>, link: usize, bytes: &[u8]) {
    if let Some(conn) = database.conn(link) {
        database.node.handle_input(NOW, Input::Received(Peer::Client(conn), bytes));
    }
}
