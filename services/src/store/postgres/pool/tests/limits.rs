//! Deadlines, silence and how much may wait.

use super::peer::Answer as Served;
use super::*;

#[test]
fn what_cannot_be_sent_by_its_deadline_has_changed_nothing() {
    let mut stage = Stage::empty("connections=2");
    stage.ask_all([write(1, Effect::Once, 1), search(2)]);
    stage.wait(999);
    assert_eq!(stage.take_ended(), []);
    stage.wait(1);
    let away = nothing_changed("cannot be reached");
    assert_eq!(stage.take_ended(), [(1, away.clone()), (2, away)]);
    assert!(stage.pool.is_idle());

    stage.start(0);
    stage.ask_all([write(1, Effect::Once, 3)]);
    stage.ask_all([write(1, Effect::Once, 4)]);
    stage.wait(1000);
    assert_eq!(stage.take_ended(), [(4, nothing_changed("answers too slowly")), (3, unknown())]);
}

#[test]
fn what_is_due_already_is_not_sent() {
    let mut stage = Stage::ready(1);
    let deadline = stage.now;
    stage.pool.ask(stage.now, 1, read(1, 1), deadline);
    stage.act();
    assert_eq!(stage.flights(0).len(), 0);
    stage.wait(0);
    assert_eq!(stage.take_ended(), [(1, nothing_changed("answers too slowly"))]);
}

#[test]
fn what_is_under_way_at_its_deadline_is_answered_once_and_keeps_its_place() {
    let mut stage = Stage::ready(1);
    stage.ask_all([write(1, Effect::Once, 1), read(2, 2)]);
    stage.wait(1000);
    assert_eq!(stage.take_ended(), [(2, nothing_changed("did not answer")), (1, unknown())]);
    assert!(stage.pool.is_idle());
    stage.ask_all([write(1, Effect::Once, 3)]);
    assert_eq!(stage.flights(0), [[2], [1]], "the late one may yet be carried out");
    stage.serve(0, Served::Success);
    stage.serve(0, Served::Success);
    assert_eq!(stage.take_ended(), []);
    assert_eq!(stage.flights(0), [[3]]);
}

#[test]
fn what_was_answered_at_its_deadline_is_not_tried_again() {
    let group = || [1, 2].map(|value| write(value, Effect::Repeatable, value as i64));
    for answer in [Served::Error("40001"), Served::CommitError("40003"), Served::Error("42P01")] {
        let mut stage = Stage::ready(1);
        stage.ask_all(group());
        stage.wait(1000);
        stage.serve(0, answer);
        stage.wait(1000);
        assert_eq!(stage.flights(0).len(), 0);
        assert_eq!(stage.take_ended(), [(1, unknown()), (2, unknown())]);
        assert!(stage.pool.alarms.is_empty());
    }
}

#[test]
fn a_connection_that_owes_an_answer_and_says_nothing_is_given_up() {
    let mut stage = Stage::ready(2);
    let key = stage.key(0);
    stage.ask_all([read(key, 1)]);
    stage.wait(4500);
    stage.ask_all([read(key, 2)]);
    stage.wait(499);
    assert_eq!(stage.resets, []);
    assert_eq!(stage.take_ended(), [(1, nothing_changed("did not answer"))]);
    stage.wait(2);
    assert_eq!(stage.resets, [(0, "nothing was heard of it for 5 s".to_owned())]);
    // That with time left is asked for again, the other is not.
    assert_eq!(stage.flights(1), [[2]]);
}

#[test]
fn a_connection_that_goes_on_is_not_given_up() {
    let mut stage = Stage::ready(1);
    for number in 0..20 {
        stage.ask_all([read(number, 1)]);
        stage.wait(900);
        if number > 3 {
            stage.serve(0, Served::Success);
        }
    }
    assert_eq!(stage.resets, []);
}

#[test]
fn no_more_may_wait_than_is_good() {
    let mut stage = Stage::empty("");
    let refused = || {
        let words = "the store has too many requests in flight, try again in 1 s; nothing was changed";
        Err(format!("resource_exhausted {words}"))
    };
    stage.ask_all((0..4096).map(|value| read(value, 1)));
    assert_eq!(stage.take_ended(), []);
    stage.ask_all([read(1, 1)]);
    assert_eq!(stage.take_ended(), [(4097, refused())]);
    stage.wait(1000);
    assert_eq!(stage.take_ended().len(), 4096);

    let mut long = write(1, Effect::Once, 1);
    long.calls = vec![long.calls[0].clone(); 4096];
    stage.ask_all(vec![long; 17]);
    assert_eq!(stage.take_ended(), [(4114, refused())]);
    stage.wait(1000);
    stage.take_ended();
    assert!(stage.pool.is_idle());
    stage.ask_all([read(1, 1)]);
    assert_eq!(stage.take_ended(), []);
}

#[test]
fn a_key_on_which_much_waits_does_not_stop_the_others_for_ever() {
    let mut stage = Stage::ready(1);
    stage.ask_all((0..400).map(|value| write(1, Effect::Once, value).alone()));
    stage.ask_all([write(2, Effect::Once, 1000), read(3, 1001)]);
    stage.serve_all();
    assert_eq!(stage.take_ended().len(), 402);
}
