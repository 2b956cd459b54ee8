//! Hosts that vanish without a word, and clocks that differ and are set.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use net::sim::{Faults, HostId, Sim};
use net::{Backend, Call, Event, Limits, Lost, Node, Out, Service, Time};

const START: Time = Time::from_millis(1_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// Answers each line with itself.
struct Echo;

impl Service for Echo {
    fn handle(&mut self, _now: Time, event: Event<'_>, out: &mut Out<'_>) {
        if let Event::Line(conn, line) = event {
            out.send(conn, line);
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// Calls once every ten seconds, and notes when and what comes of it.
struct Caller {
    next_at: Time,
    seen: Seen,
}

type Seen = Rc<RefCell<Vec<(Time, Result<(), Lost>)>>>;

impl Service for Caller {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Timer => {
                out.call(Backend(0), Call(0), b"hello", now + 2 * SECOND);
                self.next_at = now + 10 * SECOND;
            }
            Event::Reply(_, result) => self.seen.borrow_mut().push((now, result.map(drop))),
            _ => {}
        }
    }

    fn end_turn(&mut self, _now: Time, out: &mut Out<'_>) {
        out.wake_at(Some(self.next_at));
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// An echo and its caller, which first calls after so long.
fn hosts(faults: Faults, first_after: Duration) -> (Sim, HostId, HostId, Seen) {
    let mut sim = Sim::new(1, START, faults);
    let echo = sim.add_host(&[]);
    let caller = sim.add_host(&[echo]);
    sim.start(echo, Node::new(Echo, Limits::default(), 0));
    let seen = Seen::default();
    let service = Caller { next_at: START + first_after, seen: Rc::clone(&seen) };
    sim.start(caller, Node::new(service, Limits::default(), 1));
    (sim, echo, caller, seen)
}

fn results(seen: &Seen) -> Vec<Result<(), Lost>> {
    seen.borrow().iter().map(|(_, result)| *result).collect()
}

#[test]
fn of_a_host_that_vanishes_and_comes_back_one_learns_when_one_sends() {
    let faults = Faults { half_open_percent: 100, ..Faults::default() };
    let (mut sim, echo, _, seen) = hosts(faults, SECOND);
    sim.run_until(START + 5 * SECOND);
    sim.crash(echo);
    sim.start(echo, Node::new(Echo, Limits::default(), 0));
    assert_eq!(sim.half_open_count(), 1);
    sim.run_until(START + 25 * SECOND);
    assert_eq!(results(&seen), [Ok(()), Err(Lost::Unanswered), Ok(())]);
    let lost_after = seen.borrow()[1].0.since(START + 11 * SECOND);
    assert!(lost_after < SECOND, "the host that is back says so: {lost_after:?}");
}

#[test]
fn a_host_that_vanished_for_good_says_nothing() {
    let faults = Faults { half_open_percent: 100, ..Faults::default() };
    let (mut sim, echo, _, seen) = hosts(faults, SECOND);
    sim.run_until(START + 5 * SECOND);
    sim.crash(echo);
    sim.run_until(START + 15 * SECOND);
    assert_eq!(results(&seen), [Ok(()), Err(Lost::Unanswered)]);
    assert!(seen.borrow()[1].0.since(START + 11 * SECOND) >= 2 * SECOND, "its deadline passes");
}

#[test]
fn otherwise_one_learns_of_a_crash_at_once() {
    let (mut sim, echo, _, seen) = hosts(Faults::default(), SECOND);
    sim.run_until(START + 5 * SECOND);
    sim.crash(echo);
    sim.start(echo, Node::new(Echo, Limits::default(), 0));
    sim.run_until(START + 15 * SECOND);
    assert_eq!(results(&seen), [Ok(()), Ok(())]);
    assert_eq!(sim.half_open_count(), 0);
}

#[test]
fn what_is_due_by_a_hosts_clock_comes_when_the_clock_is_set() {
    let hour = 3600 * SECOND;
    let (mut sim, echo, caller, seen) = hosts(Faults::default(), hour);
    sim.set_clock_ahead(caller, hour);
    sim.run_until(START + 15 * SECOND);
    assert_eq!(results(&seen), [Ok(()), Ok(())], "at once, and ten seconds later");
    let (first, _) = seen.borrow()[0];
    assert!(first.since(START + hour) < SECOND, "its service sees its clock");
    assert_eq!(sim.clock(caller).since(sim.now()), hour);
    assert_eq!(sim.clock(echo), sim.now(), "that of another host is as it was");
}

/// Has stored a time that is still to come.
struct Late(Time);

impl Service for Late {
    fn handle(&mut self, _now: Time, _event: Event<'_>, _out: &mut Out<'_>) {}

    fn clock_floor(&self) -> Time {
        self.0
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_clock_starts_at_no_time_before_what_is_stored_there() {
    let mut sim = Sim::new(1, START, Faults::default());
    let [late, other] = [sim.add_host(&[]), sim.add_host(&[])];
    sim.start(late, Node::new(Late(START + SECOND), Limits::default(), 0));
    assert_eq!([sim.clock(late), sim.clock(other), sim.now()], [START + SECOND, START, START]);
    sim.crash(late);
    sim.set_clock_ahead(late, Duration::ZERO);
    sim.run_until(START + 2 * SECOND);
    sim.start(late, Node::new(Late(START + SECOND), Limits::default(), 0));
    assert_eq!(sim.clock(late), START + 2 * SECOND, "a time that has passed changes nothing");
}
