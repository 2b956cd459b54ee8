//! Streams over a rough network: bytes come as they were sent or not at all, whatever breaks.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use net::sim::{Alarm, ByteEvent, ByteOut, ByteServer, Faults, HostId, Sim};
use net::{ByteAddress, Conn, Encryption, Event, Limits, Node, Out, Service, StreamEvent, Target, Time};

const START: Time = Time::from_millis(1_000_000);
const SECOND: Duration = Duration::from_secs(1);
/// So many bytes are sent over a connection, and come back.
const BYTES: usize = 10_000;

/// Sends back what it is sent, some time later, and ends a connection over which everything was.
#[derive(Default)]
struct Mirror {
    alarm: Option<Alarm>,
    kept: Vec<(Conn, Vec<u8>)>,
    received: usize,
}

impl ByteServer for Mirror {
    fn handle(&mut self, _now: Time, event: ByteEvent<'_>, out: &mut ByteOut) {
        match event {
            ByteEvent::Opened(_) => self.received = 0,
            ByteEvent::Received(conn, bytes) => {
                self.received += bytes.len();
                match &self.alarm {
                    Some(alarm) => {
                        alarm.wake_at(alarm.now() + Duration::from_millis(3));
                        self.kept.push((conn, bytes.to_vec()));
                    }
                    None => out.write(conn, bytes),
                }
                if self.received == BYTES && self.alarm.is_none() {
                    out.close(conn);
                    out.write(conn, b"dropped");
                }
            }
            ByteEvent::Closed(conn) => self.kept.retain(|(kept, _)| *kept != conn),
            ByteEvent::Wake => {
                for (conn, bytes) in self.kept.drain(..) {
                    out.write(conn, &bytes);
                }
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Up(usize),
    Received(usize),
    Down(String),
}

/// Sends numbered bytes over each connection, and notes how many of them come back before its end.
struct Sender {
    came: usize,
    seen: Rc<RefCell<Vec<Seen>>>,
}

impl Service for Sender {
    fn handle(&mut self, _now: Time, event: Event<'_>, out: &mut Out<'_>) {
        let Event::Stream(backend, event) = event else { return };
        let mut seen = self.seen.borrow_mut();
        match event {
            StreamEvent::Up { address } => {
                self.came = 0;
                seen.push(Seen::Up(address));
                let bytes: Vec<u8> = (0..BYTES).map(numbered).collect();
                bytes.chunks(1000).for_each(|chunk| out.write(backend, chunk));
            }
            StreamEvent::Received(bytes) => {
                let expected = (self.came..).map(numbered);
                assert!(bytes.iter().copied().eq(expected.take(bytes.len())), "others than were sent");
                self.came += bytes.len();
                out.works(backend);
            }
            StreamEvent::Down(reason) => {
                seen.push(Seen::Received(self.came));
                seen.push(Seen::Down(reason.into()));
            }
            StreamEvent::Encrypted => unreachable!("nobody asks for that"),
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

fn numbered(number: usize) -> u8 {
    (number % 251) as u8
}

type AllSeen = Rc<RefCell<Vec<Seen>>>;

/// A sender whose only backend is at two addresses, at each of which nothing runs yet.
fn hosts(seed: u64, faults: Faults) -> (Sim, [HostId; 2], AllSeen) {
    let mut sim = Sim::new(seed, START, faults);
    let servers = [sim.add_host(&[]), sim.add_host(&[])];
    let host = sim.add_host_of_streams(vec![servers.to_vec()]);
    let seen = AllSeen::default();
    let sender = Sender { came: 0, seen: Rc::clone(&seen) };
    let addresses = ["first:1", "second:1"].map(|address| ByteAddress { address: address.into(), tls: None });
    let node = Node::new(sender, Limits::default(), 1);
    sim.start(host, node.with_targets(Encryption::default(), vec![Target::Bytes(addresses.into())]));
    (sim, servers, seen)
}

#[test]
fn the_address_is_found_where_a_server_runs_and_left_when_it_crashes() {
    let (mut sim, [first, second], seen) = hosts(1, Faults::default());
    sim.start_byte_server(second, Mirror { alarm: Some(sim.alarm(second)), ..Mirror::default() });
    sim.run_until(START + SECOND);
    let refused = || Seen::Down("nobody listens there".into());
    assert_eq!(seen.take(), [Seen::Received(0), refused(), Seen::Up(1)]);
    sim.start_byte_server(first, Mirror::default());
    sim.crash(second);
    sim.run_until(START + 2 * SECOND);
    let ups = [Seen::Received(BYTES), Seen::Down("the connection broke".into()), Seen::Up(0)];
    assert_eq!(seen.borrow()[..3], ups);
    assert!(seen.borrow()[3..].contains(&Seen::Received(BYTES)), "all came back before the server ended it");
}

#[test]
fn what_comes_back_over_a_connection_is_what_was_sent_over_it() {
    let faults = Faults { cuts_per_million: 100_000, ..Faults::default() };
    let (mut whole, mut broken) = (0, 0);
    for seed in 0..5 {
        let (mut sim, servers, seen) = hosts(seed, faults.clone());
        servers.into_iter().for_each(|server| sim.start_byte_server(server, Mirror::default()));
        sim.run_until(START + SECOND);
        for seen in seen.borrow().iter() {
            match seen {
                Seen::Received(BYTES) => whole += 1,
                Seen::Received(1..) => broken += 1,
                _ => {}
            }
        }
    }
    assert!(whole > 20 && broken > 20, "both happen: {whole}, {broken}");
}
