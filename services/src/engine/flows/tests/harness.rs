//! A frontend on a node whose clock and connections the tests drive by hand.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use net::{Backend, Conn, Input, Limits, Node, Output, Peer, Registry, Time};
use serde_json::Value as Json;

use crate::engine::backends::Backends;
use crate::engine::flow::Flow;
use crate::engine::flows::Frontend;
use crate::engine::lane::Deadlines;
use crate::engine::lane::Lane;
use crate::engine::recoveries::Recoveries;
use crate::frontend::buyer::Buyer;
use crate::frontend::seller::Seller;

/// More than a link waits before it connects again for the first few times.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

const ANNOUNCE_END: &str = r#"{"type":"Request","request_id":0,"api":"AnnounceEnd","data":{}}"#;
const GREETING: &str = r#"{"type":"Request","request_id":0,"api":"Ping","data":{}}"#;

/// Where all clients connect from.
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000);

/// A session ID of the right form.
pub(super) const SESSION: &str = "000000000000000100000000000000000000000000000abc";

pub(super) fn buyer() -> Harness<Buyer> {
    Harness::new(false, Limits::default())
}

pub(super) fn seller() -> Harness<Seller> {
    Harness::new(true, Limits::default())
}

/// A buyer's frontend that also does what it does of itself.
pub(super) fn recovering() -> Harness<Buyer> {
    Harness::new(true, Limits::default())
}

/// A buyer's frontend whose lanes have room for one call each.
pub(super) fn narrow(recovers: bool) -> Harness<Buyer> {
    Harness::new(recovers, Limits { calls_max: 1, ..Limits::default() })
}

/// A seller's frontend with three addresses of `db_product`. Customers' lanes have one connection each, 0 to 2, reads of
/// products have 3 to 5, and writes 6 to 8.
pub(super) fn spread_seller() -> Harness<Seller> {
    Harness::spread()
}

/// The same of a buyer.
pub(super) fn spread_buyer() -> Harness<Buyer> {
    Harness::spread()
}

/// A buyer's frontend with three connections of each kind to each database, made anew as they come to `lifetime`. Reads of
/// products have 9 to 11.
pub(super) fn renewing_buyer(lifetime: Duration) -> Harness<Buyer> {
    let backends = Backends::new(vec!["c:1".to_owned()], vec!["p:1".to_owned()], 3);
    Harness::several(&backends.with_link_lifetime(lifetime))
}

pub(super) struct Harness<F: Flow> {
    node: Node<Frontend<F>>,
    registry: Arc<Registry>,
    /// The lane of each connection. Where a lane has one only, that has the number of the lane.
    links: Vec<Lane>,
    /// The numbers of the calls of each connection that were not answered, and the lines of those that were not looked at.
    numbers: Vec<VecDeque<u64>>,
    lines: Vec<Vec<String>>,
    /// Connections that are to be made anew, in this order.
    renewed: Vec<usize>,
    now: Time,
    /// The client that connected last.
    client: Conn,
}

impl<F: Flow> Harness<F> {
    /// A frontend with all lanes up, and one client.
    fn new(recovers: bool, limits: Limits) -> Self {
        Self::with(&Backends::single("c:1", "p:2"), recovers, limits)
    }

    /// The same, that does nothing of itself, with three addresses of `db_product`.
    fn spread() -> Self {
        let product = ["p:1", "p:2", "p:3"].map(str::to_owned).to_vec();
        Self::several(&Backends::new(vec!["c:1".to_owned()], product, 1))
    }

    fn several(backends: &Backends) -> Self {
        let waiting_timeout = backends.waiting_timeout(Deadlines::default().call);
        Self::with(backends, false, Limits { waiting_timeout, ..Limits::default() })
    }

    fn with(backends: &Backends, recovers: bool, limits: Limits) -> Self {
        let registry = Arc::new(Registry::new("net"));
        let mut frontend = Frontend::new(Deadlines::default(), None, backends);
        // A recovery's calls would be in the way wherever there is to be none.
        if !recovers {
            frontend.recoveries = Recoveries::new(false);
        }
        let links: Vec<_> = backends.links().map(|(lane, _)| lane).collect();
        let mut node = Node::registered(frontend, limits, links.len(), Arc::clone(&registry));
        let now = Time::from_millis(1_000_000);
        let client = node.accept(now, CLIENT).expect("there is room");
        let (numbers, lines) = (vec![VecDeque::new(); links.len()], vec![Vec::new(); links.len()]);
        let mut harness = Self { node, registry, links, numbers, lines, renewed: Vec::new(), now, client };
        harness.end_turn();
        (0..harness.links.len()).for_each(|link| harness.mend_link(link));
        harness
    }

    /// Lets another client connect, which asks from now on.
    pub(super) fn connect(&mut self) -> Conn {
        self.client = self.node.accept(self.now, CLIENT).expect("there is room");
        self.client
    }

    /// The same from another address.
    pub(super) fn connect_from(&mut self, address: Ipv4Addr) -> Conn {
        let address = SocketAddr::new(IpAddr::V4(address), 50_000);
        self.client = self.node.accept(self.now, address).expect("there is room");
        self.client
    }

    pub(super) fn client(&self) -> Conn {
        self.client
    }

    /// The client's connection breaks.
    pub(super) fn disconnect(&mut self) {
        self.input(Input::Failed(Peer::Client(self.client)));
    }

    /// Sends a request; its ID and data are JSON.
    pub(super) fn ask(&mut self, id: &str, api: &str, data: &str) {
        self.ask_as(self.client, id, api, data);
    }

    pub(super) fn ask_as(&mut self, client: Conn, id: &str, api: &str, data: &str) {
        let line = format!("{{\"request_id\":{id},\"api\":\"{api}\",\"data\":{data}}}\n");
        self.input(Input::Received(Peer::Client(client), line.as_bytes()));
    }

    /// Takes the calls that have left, in the order of the lanes, each with `#` in place of its number.
    pub(super) fn calls(&mut self) -> Vec<(Lane, String)> {
        let calls = self.calls_by_link().into_iter();
        calls.map(|(link, line)| (self.links[link], line)).collect()
    }

    /// The same, with the connection that each has taken.
    pub(super) fn calls_by_link(&mut self) -> Vec<(usize, String)> {
        self.take_calls();
        let lines = self.lines.iter_mut().map(std::mem::take).enumerate();
        lines.flat_map(|(link, lines)| lines.into_iter().map(move |line| (link, line))).collect()
    }

    /// A database answers the oldest call of a lane; `line` is the reply to a request with the ID 1.
    pub(super) fn reply(&mut self, lane: Lane, line: &str) {
        self.reply_over(lane as usize, line);
    }

    /// The same over a connection.
    pub(super) fn reply_over(&mut self, link: usize, line: &str) {
        self.take_calls();
        let number = self.numbers[link].pop_front().expect("a call is to be answered");
        self.line_over(link, &line.replacen("\"request_id\":1,", &format!("\"request_id\":{number},"), 1));
    }

    /// A database sends a line.
    pub(super) fn line(&mut self, lane: Lane, line: &str) {
        self.line_over(lane as usize, line);
    }

    pub(super) fn line_over(&mut self, link: usize, line: &str) {
        self.input(Input::Received(Peer::Link(link), format!("{line}\n").as_bytes()));
    }

    pub(super) fn break_lane(&mut self, lane: Lane) {
        self.break_link(lane as usize);
    }

    pub(super) fn break_link(&mut self, link: usize) {
        self.input(Input::Failed(Peer::Link(link)));
    }

    /// The database is back, and answers the greeting.
    pub(super) fn mend_lane(&mut self, lane: Lane) {
        self.mend_link(lane as usize);
    }

    /// The same of a connection, which is told of its end where there is another one.
    pub(super) fn mend_link(&mut self, link: usize) {
        self.connect_link(link);
        let lane = self.links[link];
        self.greet_over(link, lane.database().name());
        if self.links.iter().filter(|other| **other == lane).count() > 1 {
            assert_eq!(self.take(Peer::Link(link)), [ANNOUNCE_END]);
            self.line_over(link, r#"{"type":"Response","request_id":0,"ok":true,"error":null,"data":{}}"#);
        }
    }

    /// Takes the connections that were closed to be made anew.
    pub(super) fn renewed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.renewed)
    }

    /// Something accepts the connection of a lane.
    pub(super) fn connect_lane(&mut self, lane: Lane) {
        self.connect_link(lane as usize);
    }

    fn connect_link(&mut self, link: usize) {
        self.take_calls();
        self.numbers[link].clear();
        // It connects again after a pause.
        self.pass(RECONNECT_PAUSE);
        self.input(Input::Connected(Backend(link)));
        assert_eq!(self.take(Peer::Link(link)), [GREETING]);
    }

    /// A service answers the greeting.
    pub(super) fn greet(&mut self, lane: Lane, service: &str) {
        self.greet_over(lane as usize, service);
    }

    fn greet_over(&mut self, link: usize, service: &str) {
        let answer = format!(
            r#"{{"type":"Response","request_id":0,"ok":true,"error":null,"data":{{"service":"{service}","version":"1"}}}}"#
        );
        self.line_over(link, &answer);
    }

    fn take_calls(&mut self) {
        for link in 0..self.links.len() {
            for line in self.take(Peer::Link(link)) {
                let (head, rest) = line.split_once("\"request_id\":").expect("a call has a number");
                let (number, rest) = rest.split_once(',').expect("more follows");
                self.numbers[link].push_back(number.parse().expect("it is a number"));
                self.lines[link].push(format!("{head}\"request_id\":#,{rest}"));
            }
        }
    }

    /// Lets time pass, from one deadline to the next.
    pub(super) fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(at) = self.node.poll_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.end_turn();
        }
        self.now = until;
        self.end_turn();
    }

    /// Takes the replies that have left for the client.
    pub(super) fn replies(&mut self) -> Vec<String> {
        self.replies_to(self.client)
    }

    pub(super) fn replies_to(&mut self, client: Conn) -> Vec<String> {
        self.take(Peer::Client(client))
    }

    /// Takes the only reply, which must be a refusal; returns its code and its message.
    pub(super) fn refusal(&mut self) -> (String, String) {
        let replies = self.replies();
        assert_eq!(replies.len(), 1, "{replies:?}");
        let reply: Json = serde_json::from_str(&replies[0]).expect("a reply is JSON");
        assert_eq!(reply["request_id"], 1);
        let text = |key: &str| reply["error"][key].as_str().expect("it is refused").to_owned();
        (text("code"), text("message"))
    }

    /// The metrics whose lines begin like this and do not end with 0.
    pub(super) fn metrics(&self, start: &str) -> Vec<String> {
        let text = self.registry.text();
        let lines = text.lines().filter(|line| line.starts_with(start) && !line.ends_with(" 0"));
        lines.map(str::to_owned).collect()
    }

    /// The service is asked to end.
    pub(super) fn drain(&mut self) {
        self.input(Input::Drain);
    }

    /// Whether no request is in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.node.is_drained()
    }

    fn take(&mut self, peer: Peer) -> Vec<String> {
        let text = String::from_utf8(self.node.outbox(peer).to_vec()).expect("lines are UTF-8");
        self.node.handle_input(self.now, Input::Sent(peer, text.len()));
        text.lines().map(String::from).collect()
    }

    fn input(&mut self, input: Input<'_>) {
        self.node.handle_input(self.now, input);
        self.end_turn();
    }

    fn end_turn(&mut self) {
        self.node.handle_timeout(self.now);
        self.node.end_turn(self.now).expect("the service goes on");
        while let Some(output) = self.node.poll_output() {
            // Lanes are made and mended by the tests alone.
            match output {
                Output::Finish(_) => panic!("nobody is turned away"),
                Output::Reconnect(Backend(link)) => self.renewed.push(link),
                _ => {}
            }
        }
    }
}
