//! What follows from what goes wrong.

use super::peer::Answer as Served;
use super::*;

const EFFECTS: [Effect; 3] = [Effect::Read, Effect::Repeatable, Effect::Once];

fn asked(effect: Effect) -> Transaction {
    if effect.is_write() { write(1, effect, 7) } else { read(1, 7) }
}

#[test]
fn what_was_undone_is_tried_again_after_pauses_until_it_is_done() {
    for code in ["40001", "40P01", "26000"] {
        for effect in EFFECTS {
            let mut stage = Stage::ready(1);
            stage.ask_all([asked(effect)]);
            for attempt in 0..5 {
                stage.serve(0, if attempt == 4 { Served::CommitError(code) } else { Served::Error(code) });
                assert_eq!(stage.flights(0).len(), 0, "there is a pause");
                stage.wait(1 << attempt);
                assert_eq!(stage.flights(0), [[7]], "after {attempt}");
            }
            stage.serve(0, Served::Success);
            assert_eq!(stage.take_ended(), [(1, Ok(vec![7]))]);
        }
    }
}

#[test]
fn what_is_undone_each_time_has_a_second_of_attempts_and_nothing_was_changed() {
    let mut stage = Stage::ready(1);
    stage.ask_all([asked(Effect::Once)]);
    let mut attempts = 0;
    while stage.ended.is_empty() {
        if stage.flights(0).is_empty() {
            stage.wait(1);
        } else {
            attempts += 1;
            stage.serve(0, Served::Error("40001"));
        }
    }
    assert!((20..100).contains(&attempts), "{attempts}");
    assert_eq!(stage.take_ended(), [(1, nothing_changed("could not carry it out in time"))]);
    assert_eq!(stage.pool.metrics().serialization_failures.get(), attempts);
    stage.wait(100);
    assert!(stage.pool.alarms.is_empty());
}

#[test]
fn where_nobody_knows_what_has_become_of_it_only_what_may_be_done_twice_is_tried_again() {
    for answer in [Served::CommitError("40003"), Served::Doubt, Served::CommitError("XX000")] {
        for effect in EFFECTS {
            let mut stage = Stage::ready(1);
            stage.ask_all([asked(effect)]);
            stage.serve(0, answer);
            assert_eq!(stage.pool.metrics().unknown.get(), 1);
            stage.wait(1);
            if effect == Effect::Once {
                assert_eq!(stage.take_ended(), [(1, unknown())]);
                assert_eq!(stage.flights(0).len(), 0);
            } else {
                stage.serve(0, Served::Success);
                assert_eq!(stage.take_ended(), [(1, Ok(vec![7]))]);
            }
        }
    }
}

#[test]
fn what_may_have_been_done_once_is_not_said_to_have_changed_nothing() {
    for (effect, expected) in
        [(Effect::Repeatable, unknown()), (Effect::Read, nothing_changed("did not answer"))]
    {
        let mut stage = Stage::ready(1);
        stage.ask_all([asked(effect)]);
        stage.serve(0, Served::CommitError("40003"));
        while stage.ended.is_empty() {
            if stage.flights(0).is_empty() {
                stage.wait(1);
            } else {
                stage.serve(0, Served::Error("40001"));
            }
        }
        assert_eq!(stage.take_ended(), [(1, expected)]);
    }
}

#[test]
fn in_a_group_each_is_dealt_with_by_its_own_effect() {
    let mut stage = Stage::ready(1);
    stage.ask_all([write(1, Effect::Once, 1), write(2, Effect::Repeatable, 2), write(3, Effect::Once, 3)]);
    stage.serve(0, Served::CommitError("40003"));
    assert_eq!(stage.take_ended(), [(1, unknown()), (3, unknown())]);
    stage.wait(1);
    assert_eq!(stage.flights(0), [[2]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.take_ended(), [(2, Ok(vec![2]))]);
}

#[test]
fn a_refusal_is_the_flows_to_explain_and_nobody_elses() {
    let mut stage = Stage::ready(1);
    stage.ask_all([write(1, Effect::Once, 1), write(2, Effect::Once, 2)]);
    stage.serve(0, Served::Error("23514"));
    stage.serve(0, Served::Error("23514"));
    stage.serve(0, Served::Success);
    assert_eq!(stage.take_ended(), [(1, Err("refused".to_owned())), (2, Ok(vec![2]))]);
}

#[test]
fn a_mistake_is_told_to_be_none_of_the_clients() {
    let mut stage = Stage::ready(1);
    stage.ask_all([asked(Effect::Once)]);
    stage.serve(0, Served::Error("42P01"));
    let words = "internal the store refuses a statement; nothing was changed";
    assert_eq!(stage.take_ended(), [(1, Err(words.to_owned()))]);

    stage.ask_all([asked(Effect::Repeatable)]);
    stage.serve(0, Served::CommitError("40003"));
    stage.wait(1);
    stage.serve(0, Served::Error("42P01"));
    let words = "internal the store refuses a statement; the change may have been made";
    assert_eq!(stage.take_ended(), [(2, Err(words.to_owned()))]);
}

#[test]
fn a_server_that_is_the_wrong_one_is_left_and_another_one_asked() {
    for (code, reason) in [
        ("25006", "the server is read-only"),
        ("57P01", "the server refuses: it says no (57P01)"),
        ("53300", "the server refuses: it says no (53300)"),
    ] {
        let mut stage = Stage::ready(2);
        let key = stage.key(0);
        stage.ask_all([write(key, Effect::Once, 1)]);
        stage.ask_all([write(key, Effect::Once, 2), read(key, 3)]);
        stage.works.clear();
        stage.serve(0, Served::Error(code));
        assert_eq!(stage.resets, [(0, reason.to_owned())]);
        stage.serve_all();
        assert_eq!(stage.take_ended(), [1, 2, 3].map(|number| (number, Ok(vec![number as i64]))));
        assert!(stage.works.is_empty());
    }
}

#[test]
fn what_is_under_way_when_a_connection_is_lost_may_have_been_done() {
    for effect in EFFECTS {
        let mut stage = Stage::ready(2);
        let key = stage.key(1);
        let asked = if effect.is_write() { write(key, effect, 7) } else { read(key, 7) };
        stage.ask_all([asked]);
        stage.lose(1);
        stage.wait(1);
        if effect == Effect::Once {
            assert_eq!(stage.take_ended(), [(1, unknown())]);
        } else {
            assert_eq!(stage.flights(0), [[7]]);
        }
        assert_eq!(stage.resets, []);
        assert_eq!(stage.pool.metrics().ready.get(), 1);
    }
}

#[test]
fn what_was_under_way_without_its_commit_was_not_done_and_is_done_elsewhere() {
    let mut stage = Stage::empty("connections=2&pipeline=off");
    stage.start(0);
    let mut two = write(stage.key(0), Effect::Once, 1);
    two.calls.extend(write(1, Effect::Once, 2).calls);
    stage.ask_all([two]);
    assert_eq!(stage.flights(0), [Vec::<i64>::new()], "a BEGIN alone");
    stage.start(1);
    stage.lose(0);
    assert_eq!(stage.flights(1), [Vec::<i64>::new()]);
    assert_eq!(stage.take_ended(), []);
}

#[test]
fn what_waits_when_the_last_connection_is_lost_waits_for_the_next_one() {
    let mut stage = Stage::ready(1);
    stage.ask_all([write(1, Effect::Once, 1)]);
    stage.ask_all([write(1, Effect::Once, 2), search(3), search(4)]);
    stage.serve(0, Served::Success);
    stage.lose(0);
    assert_eq!(stage.take_ended(), [(1, Ok(vec![1])), (2, unknown())]);
    stage.ask_all([write(1, Effect::Once, 5)]);
    stage.wait(500);
    stage.start(0);
    stage.serve_all();
    let expected = [3, 4, 5].map(|number| (number, Ok(vec![number as i64])));
    let mut ended = stage.take_ended();
    ended.sort_by_key(|(number, _)| *number);
    assert_eq!(ended, expected);
}

#[test]
fn what_happens_is_counted() {
    let mut stage = Stage::ready(1);
    let registry = net::Registry::new("net");
    registry.add(stage.pool.metrics());
    stage.ask_all([write(1, Effect::Once, 1), write(2, Effect::Once, 2), write(3, Effect::Once, 3)]);
    for answer in [Served::Error("40P01"), Served::Success, Served::Doubt, Served::Error("42P01")] {
        stage.serve(0, answer);
    }
    let text = registry.text();
    let expected = [
        "marketplace_store_connections_ready 1",
        "marketplace_store_flights_total 4",
        "marketplace_store_group_writes_bucket{le=\"1\"} 3",
        "marketplace_store_group_writes_sum 6",
        "marketplace_store_replays_total{cause=\"deadlock\"} 1",
        "marketplace_store_replays_total{cause=\"other\"} 0",
        "marketplace_store_unknown_outcomes_total 1",
    ];
    for line in expected {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }
}
