//! The simulator: chains of client, frontend and backend over a rough network. Every line carries a number,
//! so that a reply that came to the wrong call is seen.

mod hosts;
mod streams;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use net::sim::{Alarm, Faults, HostId, Sim, SimWorker};
use net::{Backend, Call, Conn, Event, Limits, Lost, Node, Out, Service, Time, Work, Worker};

const CALLS: usize = 400;
const LINKS: usize = 3;

/// What became of each call, in the order in which it was learned.
type Outcomes = Rc<RefCell<Vec<(usize, Result<String, Lost>)>>>;

/// Makes `CALLS` calls, a few at a time over several links, each with its number as the line.
struct Client {
    next: usize,
    outcomes: Outcomes,
}

impl Client {
    fn call(&mut self, now: Time, out: &mut Out<'_>) {
        if self.next < CALLS {
            let line = format!("{:0>width$}", self.next, width = 4 + self.next % 50);
            let deadline = now + Duration::from_secs(30);
            out.call(Backend(self.next % LINKS), Call(self.next), line.as_bytes(), deadline);
            self.next += 1;
        }
    }
}

impl Service for Client {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        if let Event::Reply(Call(number), reply) = event {
            let text = reply.map(|line| String::from_utf8_lossy(line).into_owned());
            self.outcomes.borrow_mut().push((number, text));
            self.call(now, out);
        }
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        while self.next < 30 {
            self.call(now, out);
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// Passes each line on to its backend and each reply back.
#[derive(Default)]
struct Frontend {
    callers: Vec<(Conn, Vec<u8>)>,
}

impl Service for Frontend {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => {
                let call = Call(self.callers.len());
                self.callers.push((conn, line.to_vec()));
                out.call(Backend(0), call, line, now + Duration::from_secs(2));
            }
            Event::Reply(Call(call), reply) => {
                let (conn, request) = &self.callers[call];
                match reply {
                    Ok(line) => out.send(*conn, line),
                    Err(_) => out.send(*conn, &[request.as_slice(), b" lost"].concat()),
                }
            }
            Event::Reject(conn, _) => out.send(conn, b"rejected"),
            Event::Up(_) | Event::Down(..) | Event::Stream(..) | Event::Closed(_) => {}
            Event::Wake | Event::Timer | Event::Drain => {}
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// A disk, as far as these tests need one.
struct Disk;

impl Work for Disk {
    type Job = (Conn, Vec<u8>);
    type Done = (Conn, Vec<u8>);

    fn run(&mut self, job: Self::Job) -> Self::Done {
        job
    }
}

/// Answers each line with itself, once a worker is done with it.
struct Database {
    worker: SimWorker<Disk>,
}

impl Service for Database {
    fn handle(&mut self, _now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => self.worker.submit((conn, line.to_vec())),
            Event::Reject(conn, _) => out.send(conn, b"rejected"),
            Event::Wake => {
                while let Some((conn, line)) = self.worker.poll() {
                    out.send(conn, &line);
                }
            }
            Event::Reply(..) | Event::Up(_) | Event::Down(..) | Event::Stream(..) | Event::Closed(_) => {}
            Event::Timer | Event::Drain => {}
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

struct Market {
    sim: Sim,
    database: HostId,
    frontend: HostId,
    outcomes: Outcomes,
}

impl Market {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut sim = Sim::new(seed, Time::from_millis(1_000_000), faults);
        let database = sim.add_host(&[]);
        let frontend = sim.add_host(&[database]);
        let client = sim.add_host(&[frontend; LINKS]);
        let outcomes = Outcomes::default();
        let service = Client { next: 0, outcomes: Rc::clone(&outcomes) };
        sim.start(client, Node::new(service, Limits::default(), LINKS));
        let mut market = Self { sim, database, frontend, outcomes };
        market.start_database();
        market.start_frontend();
        market
    }

    fn start_database(&mut self) {
        let waker = self.sim.waker(self.database);
        let worker = SimWorker::new(Disk, waker, self.sim.seed());
        let limits = Limits { in_flight_max: 100, ..Limits::default() };
        let node = Node::new(Database { worker }, limits, 0);
        self.sim.start(self.database, node);
    }

    fn start_frontend(&mut self) {
        let node = Node::new(Frontend::default(), Limits::default(), 1);
        self.sim.start(self.frontend, node);
    }

    fn run(&mut self, duration: Duration) {
        let until = self.sim.now() + duration;
        self.sim.run_until(until);
    }

    /// Crashes and restarts both servers again and again, then lets the network come to rest.
    fn storm(&mut self) {
        let mut random = fastrand::Rng::with_seed(self.sim.seed());
        for _ in 0..40 {
            self.run(Duration::from_millis(random.u64(1..200)));
            if random.bool() {
                self.sim.crash(self.database);
                self.run(Duration::from_millis(random.u64(1..400)));
                self.start_database();
            } else {
                self.sim.crash(self.frontend);
                self.run(Duration::from_millis(random.u64(1..400)));
                self.start_frontend();
            }
        }
        self.sim.set_faults(Faults::default());
        self.run(Duration::from_secs(1000));
    }

    /// Each call came back exactly once, and if with a reply then with its own. Returns how many did.
    fn check(&self, seed: u64) -> usize {
        let outcomes = self.outcomes.borrow();
        let mut numbers: Vec<_> = outcomes.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..CALLS).collect::<Vec<_>>(), "seed {seed}");
        let mut served = 0;
        for (number, outcome) in outcomes.iter() {
            if let Ok(line) = outcome {
                let (own, lost) = match line.strip_suffix(" lost") {
                    Some(own) => (own, true),
                    None => (line.as_str(), false),
                };
                assert_eq!(own.parse(), Ok(*number), "seed {seed}: another's reply");
                served += usize::from(!lost);
            }
        }
        served
    }
}

fn rough() -> Faults {
    Faults { cuts_per_million: 10_000, half_open_percent: 20, window_bytes_max: 100, ..Faults::default() }
}

#[test]
fn on_a_network_that_only_delays_and_splits_every_call_is_served() {
    for seed in 0..10 {
        let faults = Faults { window_bytes_max: 64, ..Faults::default() };
        let mut market = Market::new(seed, faults);
        market.run(Duration::from_secs(100));
        assert_eq!(market.check(seed), CALLS, "seed {seed}");
    }
}

#[test]
fn whatever_breaks_each_call_gets_one_reply_and_never_anothers() {
    let mut served = 0;
    for seed in 0..20 {
        let mut market = Market::new(seed, rough());
        market.storm();
        served += market.check(seed);
    }
    assert!(served > 20 * CALLS / 10, "{served}: the storm left too little");
    assert!(served < 20 * CALLS, "the storm must break something");
}

#[test]
fn a_connection_that_stands_only_after_the_link_gave_up_mixes_no_replies_up() {
    for seed in 0..20 {
        let slow = Faults { delay_max: Duration::from_secs(3), ..Faults::default() };
        let mut market = Market::new(seed, slow);
        market.run(Duration::from_secs(100));
        market.sim.set_faults(Faults::default());
        market.run(Duration::from_secs(1000));
        market.check(seed);
    }
}

#[test]
fn a_seed_replays_its_run_and_another_seed_does_not() {
    let trace = |seed| {
        let mut market = Market::new(seed, rough());
        market.storm();
        let outcomes = market.outcomes.borrow().clone();
        (market.sim.trace(), outcomes)
    };
    let (first, second, other) = (trace(7), trace(7), trace(8));
    assert_eq!(first, second);
    assert_ne!(first.0, other.0);
    assert_ne!(first.1, other.1, "the network decides what is lost");
}

#[test]
fn a_frontend_that_drains_answers_what_is_in_flight_and_the_rest_fails_cleanly() {
    for seed in 0..10 {
        let mut market = Market::new(seed, Faults::default());
        market.run(Duration::from_millis(100));
        market.sim.drain(market.frontend);
        market.run(Duration::from_secs(10));
        market.sim.crash(market.frontend);
        market.start_frontend();
        market.run(Duration::from_secs(1000));
        let served = market.check(seed);
        assert!(served > CALLS / 2, "seed {seed}: {served} were served");
    }
}

/// Notes where each line comes from. It may fail at a certain one, whose answer it has given already.
#[derive(Default)]
struct Doorkeeper {
    addresses: Rc<RefCell<Vec<SocketAddr>>>,
    fails_at: Option<&'static [u8]>,
}

impl Service for Doorkeeper {
    fn handle(&mut self, _now: Time, event: Event<'_>, out: &mut Out<'_>) {
        if let Event::Line(conn, line) = event {
            self.addresses.borrow_mut().extend(out.peer_address(conn));
            out.send(conn, line);
            if self.fails_at.is_some_and(|end| line.ends_with(end)) {
                out.fail("the door has fallen shut");
            }
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// A client of a doorkeeper, its host and what became of its calls.
fn guest(sim: &mut Sim, door: HostId) -> (HostId, Outcomes) {
    let (host, outcomes) = (sim.add_host(&[door; LINKS]), Outcomes::default());
    let client = Client { next: 0, outcomes: Rc::clone(&outcomes) };
    sim.start(host, Node::new(client, Limits::default(), LINKS));
    (host, outcomes)
}

#[test]
fn each_host_has_an_address_of_its_own_and_each_connection_a_port() {
    let mut sim = Sim::new(1, Time::from_millis(1_000_000), Faults::default());
    let (door, doorkeeper) = (sim.add_host(&[]), Doorkeeper::default());
    let addresses = Rc::clone(&doorkeeper.addresses);
    sim.start(door, Node::new(doorkeeper, Limits::default(), 0));
    let guests = [guest(&mut sim, door).0, guest(&mut sim, door).0];
    sim.run_until(sim.now() + Duration::from_secs(1));
    let seen: BTreeSet<_> = addresses.borrow().iter().copied().collect();
    assert_eq!(seen.len(), guests.len() * LINKS, "{seen:?}");
    let hosts: BTreeSet<_> = seen.iter().map(SocketAddr::ip).collect();
    assert_eq!(hosts, guests.map(|guest| IpAddr::V4(sim.address(guest))).into());
}

#[test]
fn a_service_that_cannot_go_on_crashes_its_host_and_leaves_the_reason() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed, Time::from_millis(1_000_000), Faults::default());
        let door = sim.add_host(&[]);
        let doorkeeper = Doorkeeper { fails_at: Some(b"0009"), ..Doorkeeper::default() };
        sim.start(door, Node::new(doorkeeper, Limits::default(), 0));
        let (_, outcomes) = guest(&mut sim, door);
        sim.run_until(sim.now() + Duration::from_secs(100));
        let failure = sim.take_failure(door).expect("it has failed");
        assert_eq!(failure.to_string(), "the door has fallen shut", "seed {seed}");
        assert!(sim.take_failure(door).is_none(), "seed {seed}: once");
        let ninth = outcomes.borrow().iter().find(|(number, _)| *number == 9).cloned();
        assert_eq!(ninth, Some((9, Err(Lost::Unanswered))), "seed {seed}: its answer has not left");
        // Nobody is there; another may begin.
        sim.start(door, Node::new(Doorkeeper::default(), Limits::default(), 0));
    }
}

/// Sets an alarm to ring after each of these times, and notes when it is woken.
struct Sleeper {
    alarm: Alarm,
    ring_after: Vec<Duration>,
    woken_at: Rc<RefCell<Vec<Time>>>,
}

impl Service for Sleeper {
    fn handle(&mut self, now: Time, event: Event<'_>, _out: &mut Out<'_>) {
        assert!(matches!(event, Event::Wake), "{event:?}");
        assert_eq!(now, self.alarm.now());
        self.woken_at.borrow_mut().push(now);
    }

    fn end_turn(&mut self, now: Time, _out: &mut Out<'_>) {
        self.ring_after.drain(..).for_each(|after| self.alarm.wake_at(now + after));
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn an_alarm_wakes_its_host_at_its_time_unless_the_host_has_crashed_meanwhile() {
    let start = Time::from_millis(1_000_000);
    let [second, minute] = [1, 60].map(Duration::from_secs);
    let mut sim = Sim::new(1, start, Faults::default());
    let host = sim.add_host(&[]);
    let woken_at = Rc::new(RefCell::new(Vec::new()));
    for crashes in [true, false] {
        let (alarm, woken_at) = (sim.alarm(host), Rc::clone(&woken_at));
        let sleeper = Sleeper { alarm, ring_after: vec![minute, second], woken_at };
        sim.start(host, Node::new(sleeper, Limits::default(), 0));
        if crashes {
            sim.crash(host);
        }
    }
    sim.run_until(start + minute * 2);
    assert_eq!(*woken_at.borrow(), [start + second], "the earliest of a turn counts");
    assert_eq!(sim.alarm(host).now(), start + minute * 2);
}

/// One call with a line that the frontend does not take, and much of it.
struct Shouter(Outcomes);

impl Service for Shouter {
    fn handle(&mut self, _now: Time, event: Event<'_>, _out: &mut Out<'_>) {
        if let Event::Reply(Call(number), reply) = event {
            let text = reply.map(|line| String::from_utf8_lossy(line).into_owned());
            self.0.borrow_mut().push((number, text));
        }
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        if now == Time::default() {
            let line = vec![b'x'; 200_000];
            out.call(Backend(0), Call(1), &line, now + Duration::from_secs(30));
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_line_that_is_too_long_is_answered_before_the_connection_ends() {
    for seed in 0..20 {
        let mut sim = Sim::new(seed, Time::default(), Faults::default());
        let frontend = sim.add_host(&[]);
        let client = sim.add_host(&[frontend]);
        let outcomes = Outcomes::default();
        let shouter = Shouter(Rc::clone(&outcomes));
        sim.start(client, Node::new(shouter, Limits::default(), 1));
        sim.start(frontend, Node::new(Frontend::default(), Limits::default(), 0));
        sim.run_until(Time::from_millis(60_000));
        let expected = [(1, Ok("rejected".to_string()))];
        assert_eq!(*outcomes.borrow(), expected, "seed {seed}");
    }
}
