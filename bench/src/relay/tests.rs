use std::cell::RefCell;
use std::rc::Rc;

use net::Node;
use net::sim::{Faults, Sim};

use super::*;

/// What arrived where, in order.
type Log = Rc<RefCell<Vec<(&'static str, Vec<u8>)>>>;

/// A database of the relay that notes what it is sent.
struct Watched {
    name: &'static str,
    log: Log,
    database: RelayDatabase,
}

impl Service for Watched {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        if let Event::Line(_, line) = event {
            self.log.borrow_mut().push((self.name, line.to_vec()));
        }
        self.database.handle(now, event, out);
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// Sends one line after another, each once the one before is answered.
struct Caller {
    lines: Vec<Vec<u8>>,
    log: Log,
}

impl Caller {
    fn call_next(&mut self, now: Time, out: &mut Out<'_>) {
        if let Some(line) = self.lines.pop() {
            out.call(Backend(0), Call(0), &line, now + CALL_TIMEOUT);
        }
    }
}

impl Service for Caller {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        if let Event::Reply(_, reply) = event {
            self.log.borrow_mut().push(("reply", reply.expect("the network breaks nothing").to_vec()));
            self.call_next(now, out);
        }
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        if self.log.borrow().is_empty() {
            self.log.borrow_mut().push(("begin", Vec::new()));
            self.call_next(now, out);
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// What is seen when a client sends these lines through the relay.
fn relay(seed: u64, mut lines: Vec<Vec<u8>>) -> Vec<(&'static str, Vec<u8>)> {
    lines.reverse();
    let log = Log::default();
    let mut sim = Sim::new(seed, Time::from_millis(1000), Faults::default());
    let databases = ["C", "P"].map(|name| {
        let host = sim.add_host(&[]);
        let service = Watched { name, log: Rc::clone(&log), database: RelayDatabase::new(None) };
        sim.start(host, Node::new(service, Limits::default(), 0));
        host
    });
    let frontend = sim.add_host(&[databases, databases].concat());
    sim.start(frontend, Node::new(RelayFrontend::default(), Limits::default(), 4));
    let client = sim.add_host(&[frontend]);
    let caller = Caller { lines, log: Rc::clone(&log) };
    sim.start(client, Node::new(caller, Limits::default(), 1));
    let until = sim.now() + Duration::from_secs(60);
    sim.run_until(until);
    log.take().split_off(1)
}

fn request(hops: Hops, reply_bytes: usize) -> Vec<u8> {
    let mut line = br#"{"type":"Request","request_id":1,"api":"Ping","data":{}}"#.to_vec();
    address(&mut line, hops, reply_bytes);
    line
}

#[test]
fn a_request_keeps_its_length_and_names_its_hops() {
    let mut line = b"{\"type\":\"Request\",\"request_id\":1}".to_vec();
    let length = line.len();
    address(&mut line, "CP", 16_500);
    assert!(line.starts_with(b"C000095 P016500 ."), "{}", line.escape_ascii());
    assert_eq!(line.len(), length);
    address(&mut line, "", 100);
    assert!(line.starts_with(b"."));
}

#[test]
fn every_request_goes_through_its_hops_in_order_and_gets_the_last_reply() {
    let hops: Vec<Hops> = crate::api::Api::all().map(crate::api::Api::hops).collect();
    for seed in 0..5 {
        let lines = hops.iter().zip(200..).map(|(hops, bytes)| request(hops, bytes)).collect();
        let mut seen = relay(seed, lines).into_iter();
        for (hops, bytes) in hops.iter().zip(200..) {
            for (number, hop) in hops.chars().enumerate() {
                let (name, line) = seen.next().expect("a hop");
                assert_eq!(name, hop.to_uppercase().to_string(), "{hops}");
                // What the hops before have taken off is their own token.
                assert_eq!(line, request(hops, bytes)[number * TOKEN_BYTES..]);
            }
            let (name, line) = seen.next().expect("a reply");
            // A line without hops comes back as it is.
            let length = if hops.is_empty() { request(hops, bytes).len() } else { bytes };
            assert_eq!((name, line.len()), ("reply", length), "{hops}");
        }
        assert_eq!(seen.next(), None);
    }
}

#[test]
fn replies_may_be_as_long_as_pages_are() {
    for bytes in [1, 20_000, REPLY_BYTES_MAX] {
        let seen = relay(1, vec![request("P", bytes)]);
        assert_eq!(seen.last().expect("a reply").1.len(), bytes);
    }
}

#[test]
fn a_line_that_is_no_request_of_the_relay_is_answered() {
    for line in [".", "x", "C", "Cxxxxxx .", "P-00001 ."] {
        let seen = relay(1, vec![line.into(), request("C", 10)]);
        assert_eq!(seen.last().map(|(name, line)| (*name, line.len())), Some(("reply", 10)), "{line:?}");
    }
}

/// A disk that is done with what it was given when a test says so.
#[derive(Default)]
struct Disk {
    given: Vec<Group>,
    done: Vec<<Flusher as Work>::Done>,
}

struct SlowFlusher(Rc<RefCell<Disk>>);

impl Worker<Group, <Flusher as Work>::Done> for SlowFlusher {
    fn submit(&mut self, group: Group) {
        self.0.borrow_mut().given.push(group);
    }

    fn poll(&mut self) -> Option<<Flusher as Work>::Done> {
        self.0.borrow_mut().done.pop()
    }
}

#[test]
fn a_reply_that_tells_of_a_change_waits_for_the_disk_and_others_do_not() {
    let disk = Rc::new(RefCell::new(Disk::default()));
    let database = RelayDatabase::new(Some(Box::new(SlowFlusher(Rc::clone(&disk)))));
    let mut node = Node::new(database, Limits::default(), 0);
    let now = Time::from_millis(1000);
    let clients: Vec<Conn> = (0..3)
        .map(|_| node.accept(now, "127.0.0.1:1".parse().expect("valid")).expect("there is room"))
        .collect();
    let lines = ["p000010 .", "P000020 .", "c000030 ."];
    for (conn, line) in clients.iter().zip(lines) {
        node.handle_input(
            now,
            net::Input::Received(net::Peer::Client(*conn), format!("{line}\n").as_bytes()),
        );
    }
    node.end_turn(now).expect("it goes on");
    let sent = |node: &Node<RelayDatabase>| {
        clients.iter().map(|conn| node.outbox(net::Peer::Client(*conn)).len()).collect::<Vec<_>>()
    };
    assert_eq!(sent(&node), [0, 21, 0]);
    assert!(!node.is_drained());
    let given = std::mem::take(&mut disk.borrow_mut().given);
    assert_eq!(given.iter().map(|group| (group.replies.len(), group.bytes)).collect::<Vec<_>>(), [(2, 18)]);
    disk.borrow_mut().done.extend(given.into_iter().map(|group| (group, Ok(()))));
    node.handle_input(now, net::Input::Wake);
    node.end_turn(now).expect("it goes on");
    assert_eq!(sent(&node), [11, 21, 31]);
}
