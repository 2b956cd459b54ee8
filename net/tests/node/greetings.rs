//! Links that look who answers: the greeting of a backend, and replies that are not those to their calls.

use std::time::Duration;

use net::{Backend, Input, Limits, Lost, Output};

use crate::harness::{LINK, PATIENCE, SECOND, World, lost, reply};

const CONNECT: Output = Output::Connect(Backend(0));

fn limits() -> Limits {
    Limits {
        reply_bytes_max: 16,
        connect_timeout: SECOND,
        waiting_timeout: 2 * SECOND,
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(80),
        ..Limits::default()
    }
}

/// A careful world whose backend has answered the greeting.
fn greeted() -> World {
    let mut world = World::careful(limits());
    assert_eq!(world.taken(LINK), "who?\n");
    world.answer("me\n");
    assert_eq!(world.changes(), ["up"]);
    world
}

fn reconnect(world: &mut World) {
    world.taken(LINK);
    while !world.pass(Duration::from_millis(10)).contains(&CONNECT) {}
    world.input(Input::Connected(Backend(0)));
    world.turn();
    assert_eq!(world.taken(LINK), "who?\n");
    world.answer("me\n");
    assert_eq!(world.changes(), ["up"]);
}

#[test]
fn calls_wait_until_the_backend_has_said_who_it_is() {
    let mut world = World::careful(limits());
    world.call(1, "one", PATIENCE);
    assert_eq!(world.taken(LINK), "who?\n");
    assert!(world.node.wants_read(LINK));
    world.answer("m");
    assert_eq!(world.changes(), [""; 0]);
    assert_eq!(world.answer("e\n"), [Output::Transmit(LINK)]);
    assert_eq!(world.changes(), ["up"]);
    assert_eq!(world.taken(LINK), "one\n");
    world.answer("1:ONE\n");
    assert_eq!(world.seen(), [reply(1, "1:ONE")]);
}

#[test]
fn nothing_is_sent_to_a_backend_that_is_another_or_says_nothing() {
    let mut wrong = World::careful(limits());
    wrong.call(1, "one", PATIENCE);
    assert_eq!(wrong.answer("SSH-2.0\n"), [Output::Close(LINK)]);
    assert_eq!(wrong.changes(), ["it says SSH-2.0"]);

    let mut ended = World::careful(limits());
    ended.call(1, "one", PATIENCE);
    ended.input(Input::Finished(LINK));
    assert_eq!(ended.changes(), ["it closed the connection"]);

    let mut silent = World::careful(limits());
    silent.call(1, "one", PATIENCE);
    assert_eq!(silent.pass(SECOND), [Output::Close(LINK)]);
    assert_eq!(silent.changes(), ["no answer to the greeting within 1000 ms"]);

    for mut world in [wrong, ended, silent] {
        assert_eq!(world.taken(LINK), "who?\n");
        assert_eq!(world.seen(), [], "the call goes on waiting");
        world.pass(2 * SECOND);
        assert_eq!(world.seen(), [lost(1, Lost::Unsent)]);
    }
}

#[test]
fn why_a_connection_is_down_is_told_once_for_each_attempt() {
    let mut world = World::new(limits(), 1);
    world.turn();
    world.input(Input::NotConnected(Backend(0), "refused"));
    world.input(Input::Failed(LINK));
    assert_eq!(world.changes(), ["refused"], "it was down already");
    world.turn();
    assert_eq!(world.pass(SECOND), [CONNECT]);
    world.pass(SECOND);
    assert_eq!(world.changes(), ["no connection within 1000 ms"]);
    world.pass(SECOND);
    world.input(Input::Connected(Backend(0)));
    world.input(Input::Failed(LINK));
    assert_eq!(world.changes(), ["up", "the connection broke"]);
}

#[test]
fn only_a_reply_to_a_call_makes_the_pause_short_again() {
    let mut world = World::careful(limits());
    for pause_ms in [10, 20, 40, 80, 80] {
        world.answer("me\n");
        world.answer("unasked\n");
        assert_eq!(world.changes(), ["up", "a line of it answers no call"]);
        assert!(!world.pass(Duration::from_millis(pause_ms - 1)).contains(&CONNECT), "before {pause_ms} ms");
        assert_eq!(world.pass(Duration::from_millis(1)), [CONNECT]);
        world.input(Input::Connected(Backend(0)));
        world.turn();
    }
    world.answer("me\n");
    world.call(1, "one", PATIENCE);
    world.answer("1:ONE\n");
    world.input(Input::Finished(LINK));
    world.turn();
    assert_eq!(world.pass(Duration::from_millis(10)), [CONNECT]);
}

#[test]
fn a_reply_to_another_call_ends_the_connection_and_loses_all_its_calls() {
    let mut world = greeted();
    for call in 1..=3 {
        world.call(call, "x", PATIENCE);
    }
    // The backend has skipped the second one.
    assert_eq!(world.answer("1:ONE\n3:THREE\n"), [Output::Close(LINK)]);
    let expected = [reply(1, "1:ONE"), lost(2, Lost::Unanswered), lost(3, Lost::Unanswered)];
    assert_eq!(world.seen(), expected);
    assert_eq!(world.changes(), ["a line of it is not the reply to the call that it must answer"]);

    world.call(4, "four", PATIENCE);
    reconnect(&mut world);
    world.answer("4:FOUR\n");
    assert_eq!(world.seen(), [reply(4, "4:FOUR")]);
}

#[test]
fn a_late_reply_that_never_comes_does_not_shift_those_behind_it() {
    let mut world = greeted();
    world.call(1, "slow", SECOND);
    world.call(2, "patient", PATIENCE);
    world.pass(SECOND);
    assert_eq!(world.seen(), [lost(1, Lost::Unanswered)]);
    world.call(3, "next", PATIENCE);
    assert_eq!(world.answer("2:TWO\n"), []);
    assert_eq!(world.answer("3:THREE\n"), [Output::Close(LINK)]);
    assert_eq!(world.seen(), [lost(2, Lost::Unanswered), lost(3, Lost::Unanswered)]);
}

#[test]
fn a_line_that_is_too_long_says_so() {
    let mut world = greeted();
    world.call(1, "one", PATIENCE);
    assert_eq!(world.answer("1:xxxxxxxxxxxxxxxx\n"), [Output::Close(LINK)]);
    assert_eq!(world.seen(), [lost(1, Lost::Unanswered)]);
    assert_eq!(world.changes(), ["a line of it is longer than 16 bytes"]);
}

#[test]
fn a_greeting_of_several_lines_is_said_line_by_line() {
    let mut world = World::greeting(limits(), &[("who?", "me"), ("and?", "all")]);
    world.call(1, "one", PATIENCE);
    assert_eq!(world.taken(LINK), "who?\n");
    assert_eq!(world.answer("me\n"), [Output::Transmit(LINK)]);
    assert_eq!(world.changes(), [""; 0]);
    assert_eq!(world.taken(LINK), "and?\n");
    world.answer("all\n");
    assert_eq!(world.changes(), ["up"]);
    assert_eq!(world.taken(LINK), "one\n");

    // Each line is answered by itself, and all of them in time.
    let mut hasty = World::greeting(limits(), &[("who?", "me"), ("and?", "all")]);
    hasty.answer("me\nme\n");
    assert_eq!(hasty.changes(), ["it says me"]);
    let mut slow = World::greeting(limits(), &[("who?", "me"), ("and?", "all")]);
    slow.pass(SECOND / 2);
    slow.answer("me\n");
    assert_eq!(slow.pass(SECOND / 2), [Output::Close(LINK)]);
    assert_eq!(slow.changes(), ["no answer to the greeting within 1000 ms"]);
}
