//! Commits that are not answered.

use super::peer::Answer as Served;
use super::*;

const CONNECTIONS: usize = 4;

/// A pool whose commits have stopped being answered, with as many of its connections given up and made anew as it has.
fn stalled() -> Stage {
    let mut stage = Stage::ready(CONNECTIONS);
    change_all(&mut stage);
    stage.wait(5000);
    assert_eq!(stage.resets.len(), CONNECTIONS);
    renew(&mut stage);
    stage.take_ended();
    stage
}

/// Asks for a change over each connection.
fn change_all(stage: &mut Stage) {
    let keys = (0..CONNECTIONS).map(|connection| stage.key(connection));
    stage.ask_all(keys.collect::<Vec<_>>().into_iter().map(|key| write(key, Effect::Once, 1)));
}

/// Makes those connections anew that were given up. Returns how many there were.
fn renew(stage: &mut Stage) -> usize {
    let resets = std::mem::take(&mut stage.resets);
    resets.iter().for_each(|(connection, _)| stage.start(*connection));
    resets.len()
}

/// The connections over which something is under way.
fn busy(stage: &Stage) -> Vec<usize> {
    (0..CONNECTIONS).filter(|connection| !stage.flights(*connection).is_empty()).collect()
}

fn abandoned(stage: &Stage) -> u64 {
    stage.pool.metrics().abandoned.get()
}

#[test]
fn an_engine_whose_commits_are_stalled_for_an_hour_is_left_with_few_connections_to_serve() {
    let mut stage = Stage::ready(CONNECTIONS);
    let mut given_up = 0;
    for _ in 0..3600 {
        change_all(&mut stage);
        stage.wait(1000);
        given_up += renew(&mut stage);
    }
    // The first ones, and one after 10, 20, 40 s and so on.
    assert_eq!(given_up, CONNECTIONS + 8);
    assert_eq!(abandoned(&stage), given_up as u64);
}

#[test]
fn while_commits_are_stalled_one_is_tried_at_a_time_and_reads_keep_out_of_its_way() {
    let mut stage = stalled();
    assert_eq!(abandoned(&stage), CONNECTIONS as u64);
    change_all(&mut stage);
    let trying = busy(&stage);
    assert_eq!(trying.len(), 1);
    let reads = (0..CONNECTIONS).map(|connection| read(stage.key(connection) + 1000, 2)).chain([search(3)]);
    let reads: Vec<_> = reads.collect();
    stage.ask_all(reads);
    assert_eq!(stage.flights(trying[0]), [[1]], "nothing waits behind it");
    for connection in (0..CONNECTIONS).filter(|connection| *connection != trying[0]) {
        while !stage.flights(connection).is_empty() {
            stage.serve(connection, Served::Success);
        }
    }
    assert_eq!(stage.take_ended().len(), CONNECTIONS + 1);
    stage.wait(1000);
    let slow = nothing_changed("answers too slowly");
    let ended = stage.take_ended();
    assert_eq!(ended.iter().filter(|(_, said)| *said == slow).count(), CONNECTIONS - 1);
    assert_eq!(ended.iter().filter(|(_, said)| *said == unknown()).count(), 1);
}

#[test]
fn once_a_commit_is_answered_all_may_leave_again() {
    let mut stage = stalled();
    change_all(&mut stage);
    let trying = busy(&stage)[0];
    stage.serve(trying, Served::Success);
    assert_eq!(abandoned(&stage), 0);
    assert_eq!(busy(&stage).len(), CONNECTIONS - 1);
    stage.serve_all();
    assert_eq!(stage.take_ended().len(), CONNECTIONS);
    change_all(&mut stage);
    stage.wait(5000);
    assert_eq!(stage.resets.len(), CONNECTIONS, "each is waited for as long as before");
}

#[test]
fn what_has_changed_nothing_does_not_tell_that_commits_are_answered() {
    let mut stage = stalled();
    change_all(&mut stage);
    for _ in 0..CONNECTIONS {
        let trying = busy(&stage);
        assert_eq!(trying.len(), 1);
        stage.serve(trying[0], Served::NoChange);
    }
    assert_eq!(stage.take_ended().len(), CONNECTIONS);
    assert_eq!(abandoned(&stage), CONNECTIONS as u64);
}

#[test]
fn what_is_tried_is_tried_again_where_its_connection_is_lost() {
    let mut stage = stalled();
    change_all(&mut stage);
    let trying = busy(&stage)[0];
    stage.lose(trying);
    let next = busy(&stage);
    assert_eq!(next.len(), 1);
    assert_ne!(next[0], trying);
    assert_eq!(abandoned(&stage), CONNECTIONS as u64);
}

#[test]
fn what_was_sent_before_does_not_keep_others_from_being_tried_elsewhere() {
    let mut stage = Stage::ready(CONNECTIONS);
    let key = stage.key(0);
    stage.ask_all([write(key, Effect::Once, 1)]);
    stage.wait(3000);
    change_all(&mut stage);
    stage.wait(2000);
    assert_eq!(renew(&mut stage), 1);
    stage.ask_all([write(key, Effect::Once, 2)]);
    assert_eq!(stage.flights(0), [[2]]);
    stage.serve(0, Served::Success);
    assert_eq!(abandoned(&stage), 0);
}

#[test]
fn reads_that_are_not_answered_say_nothing_about_commits() {
    let mut stage = Stage::ready(1);
    stage.ask_all([read(1, 1)]);
    stage.wait(5000);
    assert_eq!((stage.resets.len(), abandoned(&stage)), (1, 0));
}

#[test]
fn a_change_that_is_tried_is_given_up_with_its_host() {
    let mut stage = stalled();
    change_all(&mut stage);
    for _ in 0..3 {
        // By now each is waited for a good while.
        stage.wait(80_000);
        renew(&mut stage);
        change_all(&mut stage);
    }
    stage.peers.iter_mut().for_each(|peer| peer.hangs = true);
    stage.wait(10_000);
    assert_eq!(renew(&mut stage), CONNECTIONS);
    change_all(&mut stage);
    let trying = busy(&stage);
    assert_eq!(trying.len(), 1);
    stage.serve(trying[0], Served::Success);
    assert_eq!(abandoned(&stage), 0);
}
