//! Draining: what has come is answered, what is not in use is closed, and what is in use is closed after a grace.

use std::time::Duration;

use net::{Conn, Input, Limits, Output, Peer, Reject};

use crate::harness::{SECOND, Seen, World, line};

/// Those of a service whose clients go on for a moment after they were idle.
const QUIET: Duration = Duration::from_millis(200);

fn finish(conn: Conn) -> Output {
    Output::Finish(Peer::Client(conn))
}

fn patient() -> Limits {
    Limits { drain_grace: 3 * SECOND, drain_quiet: QUIET, ..Limits::default() }
}

#[test]
fn lines_that_came_before_are_answered_and_what_is_idle_ends() {
    let mut world = World::new(Limits::default(), 0);
    let (busy, idle, unfinished) = (world.accept(), world.accept(), world.accept());
    world.receive(unfinished, "c");
    world.receive(busy, "a\nb\n");
    world.input(Input::Drain);
    let outputs = world.turn();
    assert!(outputs.contains(&finish(idle)) && outputs.contains(&finish(unfinished)), "{outputs:?}");
    assert!(!outputs.contains(&finish(busy)), "{outputs:?}");
    assert_eq!(world.seen(), [line(busy, "a"), Seen::Drain]);
    assert!(!world.node.is_drained(), "a reply is owed");

    world.send(busy, "A");
    world.turns();
    assert_eq!(world.seen(), [line(busy, "b")]);
    assert!(!world.node.is_drained(), "another reply is owed");

    world.set_room(Peer::Client(busy), 1);
    world.send(busy, "B");
    world.turns();
    assert!(!world.node.is_drained(), "the reply has not left");
    world.set_room(Peer::Client(busy), 1);
    world.input(Input::Writable(Peer::Client(busy)));
    assert!(world.turns().contains(&finish(busy)));
    assert_eq!(world.taken(Peer::Client(busy)), "A\nB\n");
    assert!(world.node.is_drained());
}

#[test]
fn lines_that_were_read_and_not_looked_at_are_answered() {
    let mut world = World::echo(Limits::default());
    let conn = world.accept();
    world.input(Input::Received(Peer::Client(conn), b"a\nb\n"));
    world.input(Input::Drain);
    assert!(world.turns().contains(&finish(conn)));
    assert_eq!(world.taken(Peer::Client(conn)), "a\nb\n");
}

#[test]
fn whoever_goes_on_and_on_is_ended_after_the_grace() {
    let limits = Limits { drain_grace: SECOND, ..Limits::default() };
    let mut world = World::new(limits, 0);
    let conn = world.accept();
    world.receive(conn, "a\nb\nc\n");
    world.input(Input::Drain);
    world.turn();
    world.pass(SECOND / 2);
    world.send(conn, "A");
    world.turns();
    assert_eq!(world.seen(), [line(conn, "a"), Seen::Drain, line(conn, "b")]);
    world.pass(SECOND / 2);
    assert!(!world.node.is_drained(), "what was begun is answered all the same");
    world.send(conn, "B");
    assert_eq!(world.taken(Peer::Client(conn)), "A\nB\n");
    assert_eq!(world.seen(), [], "the third line is not begun");
    assert!(world.node.is_drained());
}

#[test]
fn a_connection_is_served_until_it_has_been_quiet_for_a_while() {
    let mut world = World::echo(patient());
    let (used, idle) = (world.accept(), world.accept());
    world.input(Input::Drain);
    assert_eq!(world.turn(), []);
    world.pass(QUIET / 2);
    world.receive(used, "a\n");
    assert_eq!(world.taken(Peer::Client(used)), "a\n", "what comes now is carried out");
    assert_eq!(world.pass(QUIET / 2), [finish(idle)]);
    assert!(!world.node.is_drained());
    assert_eq!(world.pass(QUIET / 2), [finish(used)]);
    assert!(world.node.is_drained());
}

#[test]
fn a_drain_ends_when_all_clients_have() {
    let mut world = World::echo(patient());
    let conn = world.accept();
    world.input(Input::Drain);
    world.turn();
    assert!(!world.node.is_drained());
    world.input(Input::Finished(Peer::Client(conn)));
    world.turn();
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

#[test]
fn whoever_was_promised_a_last_line_gets_it_when_all_is_answered_and_is_waited_for() {
    let limits = Limits { drain_grace: SECOND, ..Limits::default() };
    let mut world = World::new(limits, 0);
    world.announce_ends();
    let (used, idle) = (world.accept(), world.accept());
    world.receive(used, "a\nb\n");
    world.receive(idle, "c\n");
    world.send(idle, "C");
    world.input(Input::Drain);
    assert!(world.turns().contains(&finish(idle)));
    assert_eq!(world.taken(Peer::Client(idle)), "C\nrejected\n", "the service's answer is the last line");
    world.pass(SECOND);
    assert_eq!(world.taken(Peer::Client(used)), "", "a reply is owed");
    assert!(world.send(used, "A").contains(&finish(used)));
    assert_eq!(world.taken(Peer::Client(used)), "A\nrejected\n");
    let told = [line(used, "a"), line(idle, "c"), Seen::Drain];
    let ends = [idle, used].map(|conn| Seen::Reject(conn, Reject::Drained));
    assert_eq!(world.seen(), [&told[..], &ends].concat(), "the second line is not begun");

    assert!(!world.node.is_drained(), "nobody has read the last lines");
    [used, idle].iter().for_each(|conn| world.input(Input::Finished(Peer::Client(*conn))));
    world.turn();
    assert!(world.node.is_drained());
}
