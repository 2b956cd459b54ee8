//! Time: how far a turn has come, for a service that asks.

use std::cell::Cell;
use std::rc::Rc;

use net::{Event, Input, Limits, Node, Out, Output, Peer, Service, Time};

use crate::harness::SECOND;

/// Takes a second for each line, and notes at which time it saw what.
struct Plodder {
    clock: Rc<Cell<Time>>,
    seen_at: Rc<Cell<Vec<Time>>>,
}

impl Service for Plodder {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out) {
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

    fn end_turn(&mut self, now: Time, out: &mut Out) {
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
    let conn = node.accept(start).expect("there is room for it");
    let peer = Peer::Session(conn);
    node.handle_input(start, Input::Received(peer, b"a\nb\n"));
    node.end_turn(start);
    assert_eq!(node.poll_output(), Some(Output::Transmit(peer)));
    // The driver knows only when the turn began.
    node.handle_input(start, Input::Sent(peer, 1));
    node.handle_input(start, Input::Wake);
    let seconds = |seconds: u32| start + seconds * SECOND;
    assert_eq!(seen_at.take(), [0, 1, 2, 2].map(seconds));
    assert_eq!(node.poll_timeout(), Some(seconds(12)), "patience begins when the work is done");
}
