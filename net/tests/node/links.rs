//! Links: matching replies to calls, tombstones, calls that are lost, and connecting again.

use std::time::Duration;

use net::{Backend, Call, Event, Input, Limits, Lost, Node, Out, Output, Service, Time};

use crate::harness::{LINK, PATIENCE, SECOND, Seen, World, lost, reply};

const CONNECT: Output = Output::Connect(Backend(0));

fn limits() -> Limits {
    Limits {
        calls_max: 4,
        link_bytes_max: 100,
        reply_bytes_max: 16,
        connect_timeout: SECOND,
        silence_timeout: 5 * SECOND,
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(80),
        ..Limits::default()
    }
}

#[test]
fn replies_are_matched_first_in_first_out() {
    let mut world = World::linked(limits());
    for call in [7, 3, 9] {
        world.call(call, &format!("call {call}"), PATIENCE);
    }
    assert_eq!(world.taken(LINK), "call 7\ncall 3\ncall 9\n");
    world.answer("sev");
    world.answer("en\nthree\nni");
    world.answer("ne\n");
    assert_eq!(world.seen(), [reply(7, "seven"), reply(3, "three"), reply(9, "nine")]);
}

#[test]
fn a_tombstone_swallows_the_late_reply() {
    let mut world = World::linked(limits());
    world.call(1, "slow", 2 * SECOND);
    world.call(2, "patient", PATIENCE);
    world.pass(2 * SECOND);
    assert_eq!(world.seen(), [lost(1, Lost::Unanswered)]);
    world.call(3, "next", PATIENCE);
    world.answer("late\npatient\nnext\n");
    assert_eq!(world.seen(), [reply(2, "patient"), reply(3, "next")]);
}

#[test]
fn a_call_waits_for_a_link_that_is_down() {
    let mut world = World::new(limits(), 1);
    assert_eq!(world.turn(), [CONNECT]);
    assert_eq!(world.call(1, "one", PATIENCE), []);
    assert_eq!(world.call(2, "two", PATIENCE), []);
    world.input(Input::Connected(Backend(0)));
    assert_eq!(world.turn(), [Output::Transmit(LINK)], "in one write");
    assert_eq!(world.taken(LINK), "one\ntwo\n");
    world.answer("ONE\nTWO\n");
    assert_eq!(world.seen(), [reply(1, "ONE"), reply(2, "TWO")]);
}

#[test]
fn a_call_that_found_no_connection_in_time_was_not_sent() {
    let mut world = World::new(limits(), 1);
    world.turn();
    world.call(1, "one", SECOND / 2);
    world.call(2, "two", PATIENCE);
    world.pass(SECOND / 2);
    assert_eq!(world.seen(), [lost(1, Lost::Unsent)]);
    world.input(Input::Connected(Backend(0)));
    world.turn();
    assert_eq!(world.taken(LINK), "two\n", "the lost call is not sent later");
}

#[test]
fn patience_with_a_slow_backend_is_not_patience_with_one_that_is_down() {
    let mut world = World::new(Limits { waiting_timeout: 2 * SECOND, ..limits() }, 1);
    world.turn();
    world.call(1, "one", 10 * SECOND);
    world.pass(2 * SECOND);
    assert_eq!(world.seen(), [lost(1, Lost::Unsent)]);

    let mut world = World::linked(Limits { waiting_timeout: 2 * SECOND, ..limits() });
    world.call(1, "one", 10 * SECOND);
    world.pass(9 * SECOND);
    world.answer("ONE\n");
    assert_eq!(world.seen(), [reply(1, "ONE")]);
}

#[test]
fn a_lost_call_is_reported_once_and_never_repeated() {
    for broken in [Input::Failed(LINK), Input::Finished(LINK)] {
        let mut world = World::linked(limits());
        world.call(1, "one", PATIENCE);
        world.set_room(LINK, 2);
        world.call(2, "two", PATIENCE);
        assert_eq!(world.taken(LINK), "one\ntw");
        world.input(broken);
        let expected = [lost(1, Lost::Unanswered), lost(2, Lost::Unanswered)];
        assert_eq!(world.seen(), expected);
        world.call(3, "three", PATIENCE);

        world.set_room(LINK, usize::MAX);
        assert_eq!(world.pass(SECOND), [CONNECT]);
        world.input(Input::Connected(Backend(0)));
        world.turn();
        assert_eq!(world.taken(LINK), "three\n");
        world.answer("THREE\n");
        assert_eq!(world.seen(), [reply(3, "THREE")]);
    }
}

#[test]
fn half_a_reply_of_a_broken_connection_is_forgotten() {
    let mut world = World::linked(limits());
    world.call(1, "one", PATIENCE);
    world.answer("hal");
    world.input(Input::Failed(LINK));
    world.pass(SECOND);
    world.input(Input::Connected(Backend(0)));
    world.call(2, "two", PATIENCE);
    world.answer("whole\n");
    assert_eq!(world.seen(), [lost(1, Lost::Unanswered), reply(2, "whole")]);
}

#[test]
fn a_link_takes_only_so_many_calls() {
    for mut world in [World::linked(limits()), World::new(limits(), 1)] {
        for call in 0..5 {
            world.call(call, "x", PATIENCE);
        }
        assert_eq!(world.seen(), [lost(4, Lost::Overloaded)]);
    }
}

#[test]
fn a_link_takes_only_so_many_bytes() {
    let mut world = World::linked(limits());
    world.set_room(LINK, 0);
    world.call(1, &"x".repeat(100), PATIENCE);
    world.call(2, "x", PATIENCE);
    assert_eq!(world.seen(), [lost(2, Lost::Overloaded)]);
    world.set_room(LINK, usize::MAX);
    world.input(Input::Writable(LINK));
    world.turn();
    world.call(3, "x", PATIENCE);
    assert_eq!(world.seen(), [lost(3, Lost::Overloaded)], "what was sent is still to be answered");
    world.answer("X\n");
    world.call(4, "x", PATIENCE);
    assert_eq!(world.seen(), [reply(1, "X")], "there is room again");
}

#[test]
fn a_backend_owes_a_reply_since_its_oldest_call_until_the_late_reply_to_it() {
    let mut world = World::linked(limits());
    assert_eq!(world.owed_for(), None);
    world.call(1, "one", SECOND);
    world.pass(SECOND / 2);
    world.call(2, "two", PATIENCE);
    assert_eq!(world.owed_for(), Some(SECOND / 2));
    world.pass(SECOND);
    assert_eq!(world.seen(), [lost(1, Lost::Unanswered)]);
    assert_eq!(world.owed_for(), Some(SECOND * 3 / 2), "given up, and still owed");
    world.answer("late\n");
    assert_eq!(world.owed_for(), Some(SECOND), "now the second one is the oldest");
    world.input(Input::Failed(LINK));
    world.turn();
    world.call(3, "three", PATIENCE);
    assert_eq!(world.owed_for(), None, "what waits for a connection is not the backend's fault");
}

#[test]
fn calls_that_were_given_up_count_until_they_are_swallowed() {
    let mut world = World::linked(limits());
    for call in 0..4 {
        world.call(call, "x", SECOND);
    }
    world.pass(SECOND);
    assert_eq!(world.seen().len(), 4);
    world.call(4, "x", SECOND);
    assert_eq!(world.seen(), [lost(4, Lost::Overloaded)]);
    world.answer("late\n");
    world.call(5, "x", SECOND);
    assert_eq!(world.seen(), []);
}

#[test]
fn the_pause_before_connecting_doubles_up_to_a_maximum_and_starts_over_after_a_reply() {
    let mut world = World::new(limits(), 1);
    assert_eq!(world.turn(), [CONNECT]);
    for pause_ms in [10, 20, 40, 80, 80] {
        world.input(Input::Failed(LINK));
        expect_pause(&mut world, pause_ms);
    }
    world.input(Input::Connected(Backend(0)));
    world.input(Input::Finished(LINK));
    expect_pause(&mut world, 80);

    world.input(Input::Connected(Backend(0)));
    world.call(1, "x", PATIENCE);
    world.answer("x\n");
    world.input(Input::Finished(LINK));
    expect_pause(&mut world, 10);
}

fn expect_pause(world: &mut World, pause_ms: u64) {
    let outputs = world.pass(Duration::from_millis(pause_ms - 1));
    assert!(!outputs.contains(&CONNECT), "before {pause_ms} ms");
    assert_eq!(world.pass(Duration::from_millis(1)), [CONNECT]);
}

#[test]
fn a_connect_that_takes_too_long_is_given_up_and_tried_again() {
    let mut world = World::new(limits(), 1);
    world.turn();
    assert_eq!(world.pass(SECOND), [Output::Close(LINK)]);
    expect_pause(&mut world, 10);
}

#[test]
#[should_panic(expected = "did not ask")]
fn a_driver_that_connects_a_link_twice_is_caught() {
    let mut world = World::linked(limits());
    world.input(Input::Connected(Backend(0)));
}

#[test]
fn a_backend_that_vanished_is_cut_even_if_no_further_call_is_made() {
    let mut world = World::linked(limits());
    world.call(1, "x", 2 * SECOND);
    assert_eq!(world.pass(2 * SECOND), []);
    assert_eq!(world.seen(), [lost(1, Lost::Unanswered)]);
    world.now = world.node.poll_timeout().expect("the link is watched");
    assert_eq!(world.turn(), [Output::Close(LINK)]);
    expect_pause(&mut world, 10);
}

#[test]
fn a_backend_that_vanished_after_a_reply_is_cut_though_the_answered_call_had_more_time() {
    let mut world = World::linked(limits());
    let began = world.now;
    world.call(1, "patient", PATIENCE);
    world.call(2, "x", SECOND);
    world.pass(SECOND);
    world.answer("here\n");
    assert_eq!(world.seen(), [lost(2, Lost::Unanswered), reply(1, "here")]);
    assert_eq!(world.pass(limits().silence_timeout - SECOND / 2), []);
    world.now = world.node.poll_timeout().expect("the link is watched");
    assert_eq!(world.turn(), [Output::Close(LINK)]);
    assert!(world.now < began + PATIENCE, "it is not the answered call that is waited for");
}

#[test]
fn silence_counts_from_the_call_and_not_from_an_idle_time_before_it() {
    let mut world = World::linked(limits());
    world.pass(1000 * SECOND);
    world.call(1, "slow", 2 * SECOND);
    world.call(2, "patient", PATIENCE);
    assert_eq!(world.pass(2 * SECOND), []);
    world.answer("late\nhere\n");
    assert_eq!(world.seen(), [lost(1, Lost::Unanswered), reply(2, "here")]);
    assert_eq!(world.pass(1000 * SECOND), [], "an idle link stays");
}

#[test]
fn a_backend_that_is_slow_but_speaks_is_kept() {
    let mut world = World::linked(limits());
    for call in 0..10 {
        world.call(call, "x", SECOND);
        assert_eq!(world.pass(3 * SECOND), []);
        assert_eq!(world.seen(), [lost(call, Lost::Unanswered)]);
        world.answer("late\n");
    }
    assert!(world.node.wants_read(LINK));
}

#[test]
fn a_backend_that_breaks_the_protocol_is_cut() {
    let too_long = "x".repeat(18);
    for noise in ["unasked\n", &too_long] {
        let mut world = World::linked(limits());
        assert_eq!(world.answer(noise), [Output::Close(LINK)]);
        assert!(!world.node.wants_read(LINK));
    }
    let mut world = World::linked(limits());
    world.call(1, "x", PATIENCE);
    world.answer("one\ntwo\n");
    assert_eq!(world.seen(), [reply(1, "one")]);
    assert!(!world.node.wants_read(LINK));
}

#[test]
fn every_call_comes_back_exactly_once() {
    let mut world = World::new(limits(), 1);
    let mut random = fastrand::Rng::with_seed(1);
    let (mut calls, mut replies) = (0, Vec::new());
    world.turn();
    for _ in 0..3000 {
        match random.u8(0..6) {
            0 | 1 => {
                world.call(calls, &calls.to_string(), random.u32(0..4) * SECOND);
                calls += 1;
            }
            2 if world.node.wants_read(LINK) => drop(world.answer("a\n")),
            3 => drop(world.pass(SECOND / 4)),
            4 if world.node.wants_read(LINK) && random.bool() => world.input(Input::Failed(LINK)),
            _ => {
                if world.pass(SECOND / 10).contains(&CONNECT) {
                    world.input(Input::Connected(Backend(0)));
                }
            }
        }
        replies.extend(world.seen());
    }
    world.pass(PATIENCE);
    replies.extend(world.seen());
    let mut numbers: Vec<_> = replies
        .iter()
        .map(|seen| match seen {
            Seen::Reply(call, _) => *call,
            other => panic!("{other:?}"),
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..calls).collect::<Vec<_>>());
}

/// Calls again, with no patience, whenever a call is lost.
struct Stubborn(Vec<Lost>);

impl Service for Stubborn {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        if let Event::Reply(_, Err(why)) = event {
            self.0.push(why);
            assert!(self.0.len() < 1000, "the turn does not end");
        }
        out.call(Backend(0), Call(0), b"x", now);
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_service_that_calls_again_at_once_does_not_keep_the_turn_from_ending() {
    let mut node = Node::new(Stubborn(Vec::new()), limits(), 1);
    let now = Time::from_millis(1000);
    node.handle_input(now, Input::Wake);
    for _ in 0..10 {
        node.handle_timeout(now);
        node.end_turn(now).expect("the service goes on");
        let next = node.poll_timeout().expect("a call is overdue");
        assert!(next <= now, "the next turn comes at once");
    }
}

#[test]
fn what_a_backend_has_not_seen_when_it_ends_in_order_comes_back() {
    let mut world = World::linked(Limits::default());
    world.call(1, "one", PATIENCE);
    world.call(2, "two", SECOND);
    world.call(3, "three", PATIENCE);
    world.answer("1\n");
    world.pass(SECOND);
    assert_eq!(world.seen(), [reply(1, "1"), lost(2, Lost::Unanswered)]);
    world.changes();
    assert_eq!(world.answer("end\n4\n"), [Output::Close(LINK)]);
    assert_eq!(world.changes(), ["it has ended in order"]);
    assert_eq!(world.seen(), [lost(3, Lost::Returned)]);

    world.pass(Limits::default().backoff_max);
    world.input(Input::Connected(Backend(0)));
    world.turn();
    world.call(5, "five", PATIENCE);
    world.input(Input::Failed(LINK));
    assert_eq!(world.seen(), [lost(5, Lost::Unanswered)], "the next connection has said nothing");
}

const RECONNECT: Output = Output::Reconnect(Backend(0));

/// The service wants another connection.
fn renew(world: &mut World) -> Vec<Output> {
    world.does(|out| out.renew(Backend(0)))
}

#[test]
fn a_connection_that_is_made_anew_is_closed_first_and_calls_wait_for_the_new_one() {
    let mut world = World::linked(limits());
    world.call(1, "one", PATIENCE);
    world.answer("ONE\n");
    assert_eq!((world.changes(), world.seen()), (vec!["up".to_owned()], vec![reply(1, "ONE")]));
    assert_eq!(renew(&mut world), [RECONNECT]);
    assert_eq!(world.taken(LINK), "one\n");
    world.call(2, "two", PATIENCE);
    assert_eq!(world.taken(LINK), "", "it is not there yet");
    world.input(Input::Connected(Backend(0)));
    world.turn();
    assert_eq!(world.changes(), ["up"], "nothing was down");
    assert_eq!(world.taken(LINK), "two\n");
    world.answer("TWO\n");
    assert_eq!(world.seen(), [reply(2, "TWO")]);
}

#[test]
fn a_connection_that_is_made_anew_in_vain_is_tried_again() {
    let mut world = World::linked(limits());
    world.changes();
    renew(&mut world);
    assert_eq!(renew(&mut world), [], "it is under way");
    world.pass(SECOND);
    assert_eq!(world.changes(), ["no connection within 1000 ms"]);
    assert_eq!(world.pass(SECOND), [CONNECT]);
    assert_eq!(renew(&mut world), []);
    world.input(Input::NotConnected(Backend(0), "refused"));
    assert_eq!(renew(&mut world), [Output::Close(LINK)], "there is none to be made anew");
    assert_eq!(world.changes(), ["refused"]);
}

#[test]
fn nobody_waits_for_a_late_reply_over_a_connection_that_is_made_anew() {
    let mut world = World::linked(limits());
    world.call(1, "one", SECOND);
    world.pass(SECOND);
    assert_eq!(world.seen(), [lost(1, Lost::Unanswered)]);
    world.answer("half a l");
    assert_eq!(renew(&mut world), [RECONNECT]);
    world.input(Input::Connected(Backend(0)));
    world.turn();
    world.call(2, "two", PATIENCE);
    world.answer("TWO\n");
    assert_eq!(world.seen(), [reply(2, "TWO")]);
}

#[test]
#[should_panic(expected = "a call would be lost")]
fn a_connection_that_owes_somebody_a_reply_is_not_made_anew() {
    let mut world = World::linked(limits());
    world.call(1, "one", PATIENCE);
    renew(&mut world);
}
