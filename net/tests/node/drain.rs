//! Draining: what is in flight is answered, what is idle is closed, nothing new begins.

use net::{Input, Limits, Output, Peer};

use crate::harness::{Seen, World, line};

#[test]
fn what_is_in_flight_is_answered_and_nothing_new_begins() {
    let mut world = World::new(Limits::default(), 0);
    let (busy, idle) = (world.accept(), world.accept());
    world.receive(busy, "a\nb\n");
    world.input(Input::Drain);
    let outputs = world.turn();
    assert!(outputs.contains(&Output::Finish(Peer::Session(idle))), "{outputs:?}");
    assert!(!outputs.contains(&Output::Finish(Peer::Session(busy))), "{outputs:?}");
    assert_eq!(world.seen(), [line(busy, "a"), Seen::Drain]);
    assert!(!world.node.is_drained(), "a reply is owed");

    world.set_room(Peer::Session(busy), 1);
    world.send(busy, "A");
    assert!(!world.node.is_drained(), "the reply has not left");
    world.set_room(Peer::Session(busy), 1);
    world.input(Input::Writable(Peer::Session(busy)));
    assert!(world.turns().contains(&Output::Finish(Peer::Session(busy))));
    assert_eq!(world.taken(Peer::Session(busy)), "A\n");
    assert_eq!(world.seen(), [], "the second line is not begun");
    assert!(world.node.is_drained());
}

#[test]
fn a_service_that_is_busy_is_waited_for() {
    let mut world = World::new(Limits::default(), 0);
    world.set_busy(true);
    world.input(Input::Drain);
    world.turn();
    assert!(!world.node.is_drained());
    world.set_busy(false);
    assert!(world.node.is_drained());
}
