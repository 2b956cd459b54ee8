//! Connections over which nothing passes.

use super::*;

#[test]
fn a_connection_over_which_nothing_passes_is_kept_while_its_server_says_that_it_is_there() {
    let mut stage = Stage::ready(2);
    stage.wait(60_000);
    assert_eq!(stage.resets, []);
    assert!(stage.pool.is_ready());
    assert_eq!(stage.pool.metrics().flights.get(), 0);
}

#[test]
fn a_connection_is_asked_only_while_nothing_else_passes_over_it() {
    let mut stage = Stage::ready(1);
    for number in 0..20 {
        stage.ask_all([read(number, 1)]);
        stage.serve_all();
        stage.wait(4999);
        assert!(!stage.peers[0].is_asked_again());
    }
    stage.peers[0].hangs = true;
    stage.wait(1);
    assert!(stage.peers[0].is_asked_again());
}

#[test]
fn an_engine_that_hangs_is_noticed_though_nobody_waits_for_it_and_used_again_once_it_answers() {
    let mut stage = Stage::ready(2);
    stage.wait(60_000);
    stage.peers.iter_mut().for_each(|peer| peer.hangs = true);
    stage.wait(9999);
    assert!(stage.pool.is_ready());
    stage.wait(1);
    let silent = |connection| (connection, "nothing was heard of it for 5 s".to_owned());
    assert_eq!(stage.resets, [silent(0), silent(1)]);
    assert!(!stage.pool.is_ready());
    assert_eq!(stage.pool.metrics().ready.get(), 0);
    stage.start(0);
    assert!(stage.pool.is_ready());
}

#[test]
fn what_is_asked_for_behind_a_question_has_no_more_time_than_that() {
    let mut stage = Stage::ready(1);
    stage.peers[0].hangs = true;
    stage.wait(5000);
    stage.wait(4900);
    stage.ask_all([write(1, Effect::Once, 1), read(2, 2)]);
    assert_eq!(stage.flights(0), [[2], [1]]);
    stage.wait(100);
    assert_eq!(stage.resets.len(), 1);
    assert_eq!(stage.take_ended(), [(1, unknown())]);
    stage.start(0);
    stage.wait(1);
    stage.serve_all();
    assert_eq!(stage.take_ended(), [(2, Ok(vec![2]))]);
}

#[test]
fn what_is_asked_for_behind_a_question_is_answered_behind_it() {
    for pipeline in ["on", "off"] {
        let mut stage = Stage::empty(&format!("connections=1&pipeline={pipeline}"));
        stage.start(0);
        stage.peers[0].hangs = true;
        stage.wait(5000);
        stage.ask_all([read(1, 1), read(2, 2)]);
        stage.say(0, &Peer::is_read_only("off"));
        stage.serve_all();
        assert_eq!(stage.take_ended(), [(1, Ok(vec![1])), (2, Ok(vec![2]))]);
        assert_eq!(stage.resets, []);
    }
}

#[test]
fn a_server_that_has_come_to_take_no_changes_is_left_before_somebody_wants_one() {
    let mut stage = Stage::ready(2);
    stage.peers[0].hangs = true;
    stage.wait(5000);
    stage.say(0, &Peer::is_read_only("on"));
    assert_eq!(stage.resets, [(0, "the server is read-only".to_owned())]);
    assert_eq!(stage.pool.metrics().ready.get(), 1);
}
