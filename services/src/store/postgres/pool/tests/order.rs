//! What leaves when, over which connection, and together with what.

use super::peer::Answer as Served;
use super::*;

const ONCE: Effect = Effect::Once;

#[test]
fn writes_that_come_while_one_is_under_way_leave_together_in_the_order_of_their_keys_and_within_a_key_as_asked()
 {
    let mut stage = Stage::ready(1);
    stage.ask_all([write(2, ONCE, 1)]);
    stage.ask_all([write(2, ONCE, 2), write(1, ONCE, 3), write(2, ONCE, 4)]);
    stage.ask_all([write(1, ONCE, 5)]);
    assert_eq!(stage.flights(0), [[1]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[3, 5, 2, 4]]);
    stage.serve(0, Served::Success);
    let expected = [(1, 1), (3, 3), (5, 5), (2, 2), (4, 4)];
    assert_eq!(stage.take_ended(), expected.map(|(number, value)| (number, Ok(vec![value]))));
    assert!(stage.pool.is_idle());
}

#[test]
fn a_group_is_bounded_and_some_writes_are_never_in_one() {
    let mut stage = Stage::ready(1);
    stage.ask_all((0..40).map(|value| write(1, ONCE, value)));
    let sizes = |stage: &Stage| stage.flights(0).iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(&stage), [32]);
    stage.serve(0, Served::Success);
    assert_eq!(sizes(&stage), [8]);
    stage.serve(0, Served::Success);

    stage.ask_all([
        write(1, ONCE, 1).alone(),
        write(2, ONCE, 2),
        write(3, ONCE, 3).alone(),
        write(4, ONCE, 4),
    ]);
    let mut seen = Vec::new();
    while let Some(flight) = stage.flights(0).first() {
        seen.push(flight.clone());
        stage.serve(0, Served::Success);
    }
    assert_eq!(seen, [vec![1], vec![2, 4], vec![3]]);

    stage.pool.group_max = 1;
    stage.ask_all((0..3).map(|value| write(1, ONCE, value)));
    assert_eq!(stage.flights(0), [[0]]);
}

#[test]
fn some_share_a_transaction_with_others_of_their_key_only_and_in_the_order_of_what_they_lock() {
    let mut stage = Stage::ready(1);
    stage.ask_all([
        write(7, ONCE, 1),
        write(1, ONCE, 2).ranked(5).with_its_like(),
        write(2, ONCE, 3).with_its_like(),
        write(1, ONCE, 4).ranked(3).with_its_like(),
        write(1, ONCE, 5).ranked(4),
        write(8, ONCE, 6),
    ]);
    let mut seen = Vec::new();
    while let Some(flight) = stage.flights(0).first() {
        seen.push(flight.clone());
        stage.serve(0, Served::Success);
    }
    assert_eq!(seen, [vec![1, 6], vec![4, 5, 2], vec![3]]);
}

#[test]
fn a_group_has_no_more_statements_than_a_flight_may_have() {
    let mut stage = Stage::ready(1);
    let long = |value| {
        let mut long = write(1, ONCE, value);
        long.calls = vec![long.calls[0].clone(); 1500];
        long
    };
    stage.ask_all((0..3).map(long));
    assert_eq!(stage.flights(0)[0].len(), 3000);
}

#[test]
fn reads_overtake_writes_of_other_keys_that_wait_and_none_of_their_own() {
    let mut stage = Stage::ready(1);
    stage.ask_all([write(1, ONCE, 1)]);
    stage.ask_all([write(2, ONCE, 2), read(2, 3), read(1, 4), read(3, 5)]);
    assert_eq!(stage.flights(0), [[1], [5]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[5], [4], [2]]);
    stage.serve_all();
    assert_eq!(stage.take_ended().iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 5, 4, 2, 3]);
}

#[test]
fn a_write_waits_for_the_reads_of_its_key_before_it_and_those_behind_it_wait_for_it() {
    let mut stage = Stage::ready(1);
    stage.ask_all([read(1, 1), read(1, 2), write(1, ONCE, 3), read(1, 4)]);
    assert_eq!(stage.flights(0), [[1], [2]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[2]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[3]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[4]]);
}

#[test]
fn a_group_that_fails_is_carried_out_one_by_one_in_its_order() {
    for code in ["40001", "23505", "42P01", "25006"] {
        let mut stage = Stage::ready(2);
        stage.ask_all([write(1, ONCE, 0)]);
        let home = usize::from(stage.flights(0).is_empty());
        stage.ask_all([write(1, ONCE, 1), write(1, ONCE, 2), write(1, ONCE, 3)]);
        stage.serve(home, Served::Success);
        assert_eq!(stage.flights(home), [[1, 2, 3]]);
        stage.serve(home, Served::Error(code));
        // Where the server is of no use any more, this goes on with the other one.
        let next = if code == "25006" { 1 - home } else { home };
        for value in 1..=3 {
            assert_eq!(stage.flights(next), [[value]], "{code}");
            stage.serve(next, Served::Success);
        }
        assert_eq!(stage.take_ended(), [0, 1, 2, 3].map(|value| (value as u64 + 1, Ok(vec![value]))));
    }
}

#[test]
fn what_is_tried_again_holds_back_what_has_its_key_and_nothing_else() {
    let mut stage = Stage::ready(1);
    stage.ask_all([write(1, ONCE, 1)]);
    stage.serve(0, Served::Error("40001"));
    stage.ask_all([read(1, 2), write(1, ONCE, 3), write(2, ONCE, 4)]);
    assert_eq!(stage.flights(0), [[4]]);
    stage.serve(0, Served::Success);
    stage.wait(1);
    assert_eq!(stage.flights(0), [[1]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[2]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[3]]);
}

#[test]
fn each_key_has_a_connection_while_that_is_ready_and_else_another() {
    let mut stage = Stage::ready(3);
    let keys: Vec<u64> = (0..3).map(|connection| stage.key(connection)).collect();
    let values =
        |stage: &Stage| (0..3).map(|connection| stage.flights(connection).concat()).collect::<Vec<_>>();
    stage.ask_all(keys.iter().map(|key| read(*key, *key as i64)));
    let home: Vec<Vec<i64>> = keys.iter().map(|key| vec![*key as i64]).collect();
    assert_eq!(values(&stage), home);
    stage.serve_all();
    stage.lose(0);
    stage.lose(2);
    stage.ask_all(keys.iter().map(|key| read(*key, *key as i64)));
    assert_eq!(stage.flights(1).len(), 3);
    stage.serve_all();
    stage.start(2);
    stage.ask_all(keys.iter().map(|key| read(*key, *key as i64)));
    // The lane of the first leads to the next place that is ready.
    assert_eq!(stage.flights(1).concat().len(), 2);
    assert_eq!(stage.flights(2).concat(), home[2]);
}

#[test]
fn what_moves_to_another_connection_stays_in_order() {
    let mut stage = Stage::ready(2);
    let key = stage.key(0);
    stage.ask_all([write(key, Effect::Repeatable, 1)]);
    stage.ask_all([write(key, ONCE, 2), read(key, 3)]);
    stage.lose(0);
    stage.wait(1);
    assert_eq!(stage.flights(1), [[1]]);
    stage.start(0);
    stage.ask_all([write(key, ONCE, 4)]);
    assert_eq!((stage.flights(0), stage.flights(1)), (vec![], vec![vec![1]]));
    stage.serve(1, Served::Success);
    assert_eq!((stage.flights(0), stage.flights(1)), (vec![vec![2]], vec![]));
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[3]]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.flights(0), [[4]]);
}

#[test]
fn what_has_no_key_goes_where_the_least_is_under_way() {
    let mut stage = Stage::ready(3);
    let key = stage.key(1);
    stage.ask_all([read(key, 1), read(key, 2)]);
    stage.ask_all([search(3), search(4), search(5), search(6)]);
    let loads = [0, 1, 2].map(|connection| stage.flights(connection).len());
    assert_eq!(loads, [2, 2, 2]);
}

#[test]
fn reads_under_way_are_bounded_so_that_writes_find_room() {
    let mut stage = Stage::ready(1);
    stage.ask_all((0..100).map(|value| if value % 2 == 0 { search(value) } else { read(1, value) }));
    assert_eq!(stage.flights(0).len(), 32);
    stage.ask_all([write(2, ONCE, 100)]);
    assert_eq!(stage.flights(0).len(), 33);
    stage.serve_all();
    assert_eq!(stage.take_ended().len(), 101);
}

#[test]
fn lanes_that_share_a_connection_take_turns() {
    let mut stage = Stage::ready(3);
    let keys: Vec<u64> = (0..3).map(|connection| stage.key(connection)).collect();
    stage.lose(1);
    stage.lose(2);
    stage.pool.group_max = 1;
    for value in 0..10 {
        stage.ask_all(keys.iter().map(|key| write(*key, ONCE, value)));
    }
    stage.serve_all();
    let ended = stage.take_ended();
    assert_eq!(ended.len(), 30);
    // Each of them has come far when the first one is at its end.
    let last_of_first = ended.iter().position(|(number, _)| *number == 28).unwrap();
    assert!(last_of_first >= 26, "{ended:?}");
}

#[test]
fn lookups_leave_together_and_what_may_take_longer_by_itself() {
    let mut stage = Stage::ready(1);
    stage.ask_all([lookup(1, 1), read(2, 2), lookup(3, 3), write(4, ONCE, 4), lookup(1, 5)]);
    assert_eq!(stage.flights(0), [vec![1, 3, 5], vec![2], vec![4]]);
    stage.serve_all();
    let answers = [1, 3, 5, 2, 4].map(|value| (value as u64, Ok(vec![value])));
    assert_eq!(stage.take_ended(), answers);
}

#[test]
fn of_lookups_of_which_one_fails_each_is_carried_out_by_itself() {
    let mut stage = Stage::ready(1);
    stage.ask_all([lookup(1, 1), lookup(2, 2)]);
    stage.serve(0, Served::Error("42501"));
    assert_eq!(stage.flights(0), [[1], [2]]);
    stage.serve(0, Served::Error("42501"));
    stage.serve_all();
    let refused = "internal the store refuses a statement; nothing was changed";
    assert_eq!(stage.take_ended(), [(1, Err(refused.to_owned())), (2, Ok(vec![2]))]);
}

#[test]
fn lookups_under_way_are_bounded_like_other_reads() {
    let mut stage = Stage::ready(1);
    stage.ask_all((0..100).map(|value| lookup(value as u64, value)));
    assert_eq!(stage.flights(0).iter().map(Vec::len).collect::<Vec<_>>(), [32]);
    stage.serve_all();
    assert_eq!(stage.take_ended().len(), 100);
}
