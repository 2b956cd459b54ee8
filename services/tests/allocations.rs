//! How often a request asks for memory on its way through a frontend: a handful of times, whatever the length of its
//! reply. Measured with the first requests over, when buffers that are kept have grown.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use net::{Backend, Conn, Input, Limits, Node, Output, Peer, Service, Time};
use services::{Backends, Deadlines, Secrets, server_buyer, server_seller};

const NOW: Time = Time::from_millis(1_000_000);
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);
const WARM_UP: usize = 10;

/// A frontend whose databases stand, with one client.
struct Frontend<S> {
    node: Node<S>,
    client: Conn,
    /// The number of the last call.
    last_number: u64,
}

impl<S: Service> Frontend<S> {
    fn new(make: impl FnOnce(Deadlines, Option<Secrets>, &Backends) -> S) -> Self {
        let backends = Backends::single("db_customer", "db_product");
        let links = backends.addresses();
        let mut node = Node::new(make(Deadlines::default(), None, &backends), Limits::default(), links.len());
        node.handle_timeout(NOW);
        while node.poll_output().is_some() {}
        let client = node.accept(NOW, CLIENT).expect("there is room");
        let mut frontend = Self { node, client, last_number: 0 };
        for (link, database) in links.iter().enumerate() {
            frontend.node.handle_input(NOW, Input::Connected(Backend(link)));
            assert_eq!(frontend.transmit(), Peer::Link(link));
            let greeting = reply(0, &format!("{{\"service\":\"{database}\"}}"));
            frontend.node.handle_input(NOW, Input::Received(Peer::Link(link), greeting.as_bytes()));
        }
        frontend
    }

    /// The allocations of a request to which the databases reply with this data in turn.
    fn allocations(&mut self, request: &str, replies: &[&str]) -> u64 {
        for _ in 0..WARM_UP {
            let replies = self.next_replies(replies);
            self.run(request.as_bytes(), &replies);
        }
        let replies = self.next_replies(replies);
        allocation_counter::measure(|| self.run(request.as_bytes(), &replies)).count_total
    }

    /// The lines of the replies to the next calls.
    fn next_replies(&mut self, replies: &[&str]) -> Vec<String> {
        let number = |data: &&str| {
            self.last_number += 1;
            reply(self.last_number, data)
        };
        replies.iter().map(number).collect()
    }

    fn run(&mut self, request: &[u8], replies: &[String]) {
        let client = Peer::Client(self.client);
        self.node.handle_input(NOW, Input::Received(client, request));
        for reply in replies {
            let database = self.transmit();
            assert_ne!(database, client, "the request is answered too early");
            self.node.handle_input(NOW, Input::Received(database, reply.as_bytes()));
        }
        assert_eq!(self.transmit(), client, "the request is not answered");
    }

    /// Ends the turn, and takes what one peer is sent.
    fn transmit(&mut self) -> Peer {
        self.node.end_turn(NOW).expect("the service goes on");
        let mut outputs = std::iter::from_fn(|| self.node.poll_output());
        let sent = outputs.find_map(|output| match output {
            Output::Transmit(peer) => Some(peer),
            _ => None,
        });
        let peer = sent.expect("something is sent");
        let bytes = self.node.outbox(peer).len();
        self.node.handle_input(NOW, Input::Sent(peer, bytes));
        peer
    }
}

fn reply(number: u64, data: &str) -> String {
    format!("{{\"type\":\"Response\",\"request_id\":{number},\"ok\":true,\"error\":null,\"data\":{data}}}\n")
}

#[test]
fn a_request_allocates_a_handful_of_times() {
    let session = "0000000000000001054f337ba6103897520c0c10e5c52b0c";
    let price = format!(
        "{{\"request_id\":12,\"api\":\"ChangeItemPrice\",\"data\":{{\"session_id\":\"{session}\",\"item_id\":\"1:42\",\"price\":12.5}}}}\n"
    );
    let replies = [r#"{"role":"seller","user_id":7}"#, r#"{"item_id":"1:42","price":12.5}"#];
    let changing = Frontend::new(server_seller).allocations(&price, &replies);
    assert!(changing <= 5, "changing a price takes {changing} allocations");

    let search = "{\"request_id\":12,\"api\":\"SearchItemsForSale\",\"data\":{\"category\":1,\"keywords\":[\"book\"]}}\n";
    let mut buyer = Frontend::new(server_buyer);
    for items in [1, 100] {
        let page = vec![format!("{{\"name\":\"{}\"}}", "x".repeat(150)); items].join(",");
        let page = format!("{{\"items\":[{page}],\"total\":{items},\"next_cursor\":null}}");
        let searching = buyer.allocations(search, &[&page]);
        assert!(searching <= 7, "a search that finds {items} items takes {searching} allocations");
    }
}
