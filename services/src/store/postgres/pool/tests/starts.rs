//! How connections come to be.

use std::collections::BTreeMap;

use super::peer::Answer as Served;
use super::*;
use crate::store::postgres::wire::server;

#[test]
fn a_connection_is_of_use_once_its_server_has_passed_the_checks() {
    let mut stage = Stage::empty("connections=2");
    stage.ask_all([search(1)]);
    stage.pool.up(stage.now, 1, 0);
    stage.say(1, &server::admission());
    assert_eq!((&stage.works[..], stage.flights(1).len()), (&[][..], 0));
    stage.say(1, &server::settings(&["off", "on", "on"]));
    assert_eq!((&stage.works[..], stage.flights(1)), (&[1][..], vec![vec![1]]));
    stage.serve(1, Served::Success);
    assert_eq!(stage.take_ended(), [(1, Ok(vec![1]))]);
}

#[test]
fn an_encrypted_connection_starts_when_its_driver_has_shaken_hands() {
    let mut stage = Stage::empty("connections=1&sslmode=require");
    stage.ask_all([search(1)]);
    stage.pool.up(stage.now, 0, 0);
    stage.say(0, b"S");
    assert_eq!(stage.encrypts, [0]);
    stage.pool.encrypted(stage.now, 0);
    stage.say(0, &Peer::start());
    assert_eq!(stage.works, [0]);
    assert_eq!(stage.flights(0), [[1]]);
}

#[test]
fn a_server_that_speaks_before_the_handshake_is_left() {
    let mut stage = Stage::empty("connections=1&sslmode=require");
    stage.pool.up(stage.now, 0, 0);
    stage.say(0, b"S");
    stage.say(0, &Peer::start());
    let reason = "the server does not keep to PostgreSQL's protocol: it speaks before the handshake";
    assert_eq!(stage.resets, [(0, reason.to_owned())]);
    // What else comes of it is ignored.
    stage.pool.encrypted(stage.now, 0);
    stage.say(0, &Peer::start());
    assert_eq!((stage.resets.len(), stage.works.len()), (1, 0));
}

#[test]
fn a_start_that_takes_too_long_is_given_up() {
    for parameters in ["connections=1", "connections=1&sslmode=require"] {
        let mut stage = Stage::empty(parameters);
        stage.pool.up(stage.now, 0, 0);
        stage.act();
        stage.say(0, if parameters.contains("sslmode") { b"S" } else { &[] });
        stage.wait(9999);
        assert_eq!(stage.resets, []);
        stage.wait(1);
        assert_eq!(stage.resets, [(0, "the start has taken 10 s".to_owned())]);
        assert_eq!(stage.pool.next_at(), None);
    }
}

#[test]
fn where_a_server_takes_no_more_connections_there_are_fewer() {
    let mut stage = Stage::empty("connections=2");
    stage.start(0);
    stage.pool.up(stage.now, 1, 0);
    stage.act();
    stage.say(1, &server::error("FATAL", "53300"));
    assert_eq!(stage.resets, [(1, "the server refuses: it says no (53300)".to_owned())]);
    assert_eq!(stage.works, [0]);
    let key = stage.key(1);
    stage.ask_all([read(key, 1)]);
    assert_eq!(stage.flights(0), [[1]]);
}

#[test]
fn connections_start_one_after_another_and_no_longer_wait_for_one_that_takes_long() {
    let mut stage = Stage::empty("connections=4");
    (0..4).for_each(|connection| stage.pool.up(stage.now, connection, 0));
    stage.act();
    assert_eq!(stage.starts, [0]);
    stage.say(0, &server::admission());
    assert_eq!(stage.starts, [0]);
    stage.say(0, &server::settings(&["off", "on", "on"]));
    assert_eq!(stage.starts, [0, 1]);
    stage.lose(1);
    assert_eq!(stage.starts, [0, 1, 2], "nor for one that fails");
    stage.wait(99);
    assert_eq!(stage.starts, [0, 1, 2]);
    stage.wait(1);
    assert_eq!(stage.starts, [0, 1, 2, 3]);
    stage.say(2, &Peer::start());
    stage.say(3, &Peer::start());
    assert_eq!(stage.works, [0, 2, 3]);
}

#[test]
fn a_server_that_refuses_before_it_is_spoken_to_is_heard() {
    let mut stage = Stage::empty("connections=2");
    (0..2).for_each(|connection| stage.pool.up(stage.now, connection, 0));
    stage.act();
    stage.say(1, &server::error("FATAL", "53300"));
    assert_eq!(stage.resets, [(1, "the server refuses: it says no (53300)".to_owned())]);
}

#[test]
fn a_connection_that_is_replaced_without_a_word_was_lost() {
    let mut stage = Stage::ready(1);
    stage.ask_all([write(1, Effect::Once, 1)]);
    stage.peers[0] = Peer::default();
    stage.start(0);
    assert_eq!(stage.take_ended(), [(1, unknown())]);
    stage.ask_all([write(1, Effect::Once, 2)]);
    stage.serve(0, Served::Success);
    assert_eq!(stage.take_ended(), [(2, Ok(vec![2]))]);
}

#[test]
fn a_driver_that_cannot_connect_says_so_in_vain() {
    let mut stage = Stage::empty("connections=2");
    for _ in 0..100 {
        stage.lose(0);
        stage.lose(1);
    }
    assert_eq!((stage.resets.len(), stage.pool.next_at()), (0, None));
}

#[test]
fn nothing_leaves_a_pool_that_is_not_open_but_what_is_asked_for_first() {
    let mut stage = Stage::closed("connections=2");
    stage.start(0);
    stage.start(1);
    stage.ask_all([search(1), read(1, 2), write(2, Effect::Once, 3)]);
    stage.ask_first(search(4));
    stage.ask_all([search(5)]);
    assert_eq!([stage.flights(0), stage.flights(1)].concat(), [[4]]);
    stage.wait(500);
    stage.ask_all([read(1, 6), write(2, Effect::Once, 7)]);
    stage.serve_all();
    assert_eq!(stage.take_ended(), [(4, Ok(vec![4]))]);
    stage.wait(500);
    let closed = nothing_changed("has not told the version of its tables");
    let ended = |stage: &mut Stage| stage.take_ended().into_iter().collect::<BTreeMap<_, _>>();
    assert_eq!(ended(&mut stage), [1, 2, 3, 5].map(|number| (number, closed.clone())).into());
    stage.pool.open();
    stage.act();
    stage.serve_all();
    assert_eq!(ended(&mut stage), [6, 7].map(|number| (number, Ok(vec![number as i64]))).into());
}

#[test]
fn a_pool_of_which_no_connection_is_left_is_to_be_opened_anew() {
    let mut stage = Stage::closed("connections=2");
    stage.start(0);
    stage.start(1);
    stage.ask_first(search(1));
    stage.serve_all();
    stage.pool.open();
    // One goes, and then it comes again: somebody is always there.
    for connection in [0, 1] {
        stage.lose(connection);
        stage.start(connection);
        assert!(stage.pool.is_open());
    }
    stage.ask_all([read(1, 2)]);
    stage.lose(0);
    stage.lose(1);
    assert!(!stage.pool.is_open());
    stage.start(0);
    stage.start(1);
    assert_eq!([stage.flights(0), stage.flights(1)], [[[0; 0]; 0]; 2], "it is to be tried again, and waits");
    stage.ask_first(search(3));
    assert_eq!([stage.flights(0), stage.flights(1)].concat(), [[3]]);
    stage.serve_all();
    stage.pool.open();
    // What was lost is tried again after a pause.
    stage.wait(1);
    stage.serve_all();
    assert_eq!(stage.take_ended(), [(1, Ok(vec![1])), (3, Ok(vec![3])), (2, Ok(vec![2]))]);
}

#[test]
fn what_was_told_before_all_connections_were_lost_opens_nothing_after_it() {
    let mut stage = Stage::closed("connections=2");
    stage.start(0);
    stage.ask_first(search(1));
    let told = stage.peers[0].answer(Served::Success);
    // All of it happens before anybody looks at what was told.
    stage.pool.received(stage.now, 0, &told);
    stage.pool.down(stage.now, 0, "it closed the connection");
    stage.start(1);
    assert_eq!(stage.take_ended(), [(1, Ok(vec![1]))]);
    stage.pool.open();
    assert!(!stage.pool.is_open());
    stage.ask_all([read(1, 2)]);
    assert_eq!(stage.flights(1), [[0; 0]; 0]);
}

#[test]
fn what_is_asked_for_first_is_not_kept_out_by_all_that_waits_for_it() {
    let mut stage = Stage::closed("connections=1");
    stage.ask_all((0..4096).map(|value| read(value, 1)));
    stage.ask_first(search(1));
    stage.start(0);
    assert_eq!((stage.flights(0), stage.ended.len()), (vec![vec![1]], 0));
}
