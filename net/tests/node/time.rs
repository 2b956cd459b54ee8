//! Time: how far a turn has come, for a service that asks.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use net::{Event, Input, Limits, Node, Out, Output, Peer, Service, Time};

use crate::harness::{CLIENT, SECOND};

/// Takes a second for each line, and notes at which time it saw what.
struct Plodder {
    clock: Rc<Cell<Time>>,
    seen_at: Rc<Cell<Vec<Time>>>,
}

impl Service for Plodder {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        assert_eq!(now, out.now());
        let mut seen_at = self.seen_at.take();
        seen_at.push(now);
        self.seen_at.set(seen_at);
        if let Event::Line(conn, line) = event {
            self.clock.set(self.clock.get() + SECOND);
            assert_eq!(out.now(), now, "the turn does not know yet");
            assert_eq!(out.read_clock(), now + SECOND);
            out.send(conn, line);
        }
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        self.handle(now, Event::Wake, out);
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_turn_goes_on_from_the_time_that_was_read_and_never_backwards() {
    let start = Time::from_millis(1_000_000);
    let (clock, seen_at) = (Rc::new(Cell::new(start)), Rc::default());
    let service = Plodder { clock: Rc::clone(&clock), seen_at: Rc::clone(&seen_at) };
    let drivers_clock = Rc::clone(&clock);
    let limits = Limits { stall_timeout: 10 * SECOND, ..Limits::default() };
    let mut node = Node::new(service, limits, 0).with_clock(move || drivers_clock.get());
    let conn = node.accept(start, CLIENT).expect("there is room for it");
    let peer = Peer::Client(conn);
    node.handle_input(start, Input::Received(peer, b"a\nb\n"));
    node.end_turn(start).expect("the service goes on");
    assert_eq!(node.poll_output(), Some(Output::Transmit(peer)));
    // The driver knows only when the turn began.
    node.handle_input(start, Input::Sent(peer, 1));
    node.handle_input(start, Input::Wake);
    let seconds = |seconds: u32| start + seconds * SECOND;
    assert_eq!(seen_at.take(), [0, 1, 2, 2].map(seconds));
    assert_eq!(node.poll_timeout(), Some(seconds(12)), "patience begins when the work is done");
}

/// Wants to be woken at certain times, one after another, and notes when it was.
struct Sleeper {
    wants: Vec<Time>,
    woken: Rc<RefCell<Vec<Time>>>,
}

impl Service for Sleeper {
    fn handle(&mut self, now: Time, event: Event<'_>, _: &mut Out<'_>) {
        assert!(matches!(event, Event::Timer), "{event:?}");
        self.woken.borrow_mut().push(now);
        self.wants.retain(|at| *at > now);
    }

    fn end_turn(&mut self, _: Time, out: &mut Out<'_>) {
        out.wake_at(self.wants.first().copied());
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_service_is_woken_when_it_asked_for_it_once_and_not_before() {
    let at = |millis| Time::from_millis(millis);
    let woken: Rc<RefCell<Vec<Time>>> = Rc::default();
    let service = Sleeper { wants: vec![at(20), at(30)], woken: Rc::clone(&woken) };
    let mut node = Node::new(service, Limits::default(), 0);
    let mut turn = |now| {
        node.handle_timeout(now);
        assert_ne!(node.poll_timeout(), Some(now), "the wish is granted");
        node.end_turn(now).expect("the service goes on");
        (node.poll_timeout(), woken.take())
    };
    assert_eq!(turn(at(10)), (Some(at(20)), vec![]));
    assert_eq!(turn(at(15)), (Some(at(20)), vec![]), "a turn before it changes nothing");
    assert_eq!(turn(at(20)), (Some(at(30)), vec![at(20)]));
    assert_eq!(turn(at(40)), (None, vec![at(40)]), "late is better than never");
    assert_eq!(turn(at(50)), (None, vec![]));
}

/// Asks to be woken at a time that is past, whenever it can.
struct Restless(Rc<Cell<usize>>);

impl Service for Restless {
    fn handle(&mut self, _: Time, event: Event<'_>, out: &mut Out<'_>) {
        assert!(matches!(event, Event::Timer), "{event:?}");
        self.0.set(self.0.get() + 1);
        out.wake_at(Some(Time::default()));
    }

    fn end_turn(&mut self, _: Time, out: &mut Out<'_>) {
        out.wake_at(Some(Time::default()));
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_service_that_wants_to_be_woken_at_a_time_that_is_past_is_woken_once_a_turn() {
    let (now, woken) = (Time::from_millis(1_000_000), Rc::default());
    let mut node = Node::new(Restless(Rc::clone(&woken)), Limits::default(), 0);
    for turns in 0..3 {
        node.handle_timeout(now);
        node.end_turn(now).expect("the service goes on");
        assert_eq!(woken.get(), turns);
        assert_eq!(node.poll_timeout(), Some(Time::default()), "the next turn is to come at once");
    }
}
