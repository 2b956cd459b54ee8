//! A database with a domain of a few numbers, on a node and with a store that are driven by hand.

mod authentication;
mod harness;

use std::time::Duration;

use self::harness::Harness;
use super::{PUBLISHED_PART, PUBLISHED_PER_TURN_MAX};

#[test]
fn the_reply_to_a_write_leaves_only_when_its_group_is_on_disk() {
    let mut db = Harness::new();
    let client = db.connect();
    db.request(client, "1 Set x 5");
    db.end_turn();
    assert_eq!(db.submitted(), [vec![("x".to_owned(), 5)]]);
    assert_eq!(db.replies(client), [""; 0]);
    db.wake();
    assert_eq!(db.replies(client), [""; 0], "a wake alone proves nothing");
    db.flush();
    assert_eq!(db.replies(client), ["1 5"]);
}

#[test]
fn nothing_leaves_after_a_commit_has_failed() {
    let mut db = Harness::new();
    let (writer, reader) = (db.connect(), db.connect());
    db.request(writer, "1 Set x 5");
    db.end_turn();
    db.request(writer, "2 Set x 6");
    db.end_turn();
    db.request(reader, "3 Get x");
    assert_eq!(db.fail().as_deref(), Some("a commit to a disk failed: it is full"));
    assert_eq!(db.replies(writer), [""; 0]);
    assert_eq!(db.replies(reader), [""; 0], "not even what was answered in this turn");
}

#[test]
fn a_read_sees_what_is_on_disk_and_waits_for_nobody_else() {
    let mut db = Harness::new();
    let (writer, reader) = (db.connect(), db.connect());
    db.request(writer, "1 Set x 5");
    db.request(reader, "2 Get x");
    db.end_turn();
    assert_eq!(db.replies(reader), ["2 null"], "what is new is not on disk");
    db.request(reader, "3 Get x");
    db.end_turn();
    assert_eq!(db.replies(reader), ["3 null"], "what is under way is not on disk");
    db.flush();
    db.request(reader, "4 Get x");
    db.end_turn();
    assert_eq!(db.replies(reader), ["4 5"]);
}

#[test]
fn a_read_behind_a_write_of_its_connection_waits_for_it_and_sees_it() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Set x 5", "2 Get x", "3 Get y", "4 Set y 6", "5 Get y"]);
    db.end_turn();
    assert_eq!(db.submitted().len(), 1, "a write behind a read waits for its turn too");
    assert_eq!(db.replies(client), [""; 0]);
    db.flush();
    assert_eq!(db.replies(client), ["1 5", "2 5", "3 null"]);
    db.flush();
    assert_eq!(db.replies(client), ["4 6", "5 6"]);
}

#[test]
fn writes_of_one_connection_overlap() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Set x 1", "2 Set x 2", "3 Set y 3"]);
    db.end_turn();
    let group = vec![("x".to_owned(), 2), ("y".to_owned(), 3)];
    assert_eq!(db.submitted(), [group], "a row written twice is stored once");
    db.flush();
    assert_eq!(db.replies(client), ["1 1", "2 2", "3 3"]);
}

#[test]
fn a_group_is_what_a_turn_changed_and_may_be_under_way_with_others() {
    let mut db = Harness::new();
    let clients = [db.connect(), db.connect(), db.connect()];
    db.request(clients[0], "1 Set x 1");
    db.request(clients[1], "1 Set y 1");
    db.end_turn();
    db.request(clients[2], "1 Set x 2");
    db.end_turn();
    db.request(clients[2], "2 Set z 3");
    db.end_turn();
    let row = |name: &str, number| (name.to_owned(), number);
    assert_eq!(db.submitted(), [vec![row("x", 1), row("y", 1)], vec![row("x", 2)], vec![row("z", 3)]]);
    db.flush();
    assert_eq!(db.replies(clients[0]), ["1 1"]);
    assert_eq!(db.replies(clients[1]), ["1 1"]);
    assert_eq!(db.replies(clients[2]), [""; 0]);
    db.request(clients[0], "2 Get x");
    db.end_turn();
    assert_eq!(db.replies(clients[0]), ["2 1"], "the second group is not on disk");
    db.flush();
    assert_eq!(db.replies(clients[2]), ["1 2"]);
    db.flush();
    assert_eq!(db.replies(clients[2]), ["2 3"]);
    assert_eq!(db.submitted().len(), 0, "nothing was changed, so nothing is stored");
}

#[test]
fn one_turn_shows_a_bounded_part_of_what_is_on_disk() {
    let mut db = Harness::new();
    let clients = [db.connect(), db.connect(), db.connect()];
    let group = |words: &str, db: &mut Harness, client| {
        db.request(client, words);
        db.end_turn();
    };
    (1..PUBLISHED_PER_TURN_MAX).for_each(|n| group(&format!("{n} Set x {n}"), &mut db, clients[n % 2]));
    group("1 Set y 1", &mut db, clients[2]);
    group("2 Set z 1", &mut db, clients[2]);
    db.flush_as_one();
    assert_eq!(db.replies(clients[0]).len() + db.replies(clients[1]).len(), PUBLISHED_PER_TURN_MAX - 1);
    assert_eq!(db.replies(clients[2]), ["1 1"], "what readers do not see yet is not said to be done");
    db.requests(clients[0], &["1 Get y", "2 Get z"]);
    db.end_turn();
    assert_eq!(db.replies(clients[0]), ["1 1", "2 null"]);
    db.drain();
    assert!(!db.is_drained());
    db.time_out();
    assert_eq!(db.replies(clients[2]), ["2 1"]);
    assert!(db.is_drained());
}

#[test]
fn what_piles_up_on_disk_is_shown_in_larger_parts() {
    let mut db = Harness::new();
    let clients = [(); 4].map(|()| db.connect());
    let rows = 2 * PUBLISHED_PART * PUBLISHED_PER_TURN_MAX;
    for n in 0..rows {
        db.request(clients[n % 4], &format!("{n} Set x {n}"));
        db.end_turn();
    }
    db.flush_as_one();
    let shown: usize = clients.iter().map(|client| db.replies(*client).len()).sum();
    assert_eq!(shown, 2 * PUBLISHED_PER_TURN_MAX);
}

#[test]
fn groups_that_are_committed_as_one_are_published_in_order() {
    let mut db = Harness::new();
    let client = db.connect();
    for words in ["1 Set x 1", "2 Set y 1", "3 Set x 2"] {
        db.request(client, words);
        db.end_turn();
    }
    db.flush_as_one();
    assert_eq!(db.replies(client), ["1 1", "2 1", "3 2"]);
    db.requests(client, &["4 Get x", "5 Get y"]);
    db.end_turn();
    assert_eq!(db.replies(client), ["4 2", "5 1"]);
    db.request(client, "6 Ping");
    db.end_turn();
    assert!(db.replies(client)[0].contains(r#""commits":1"#), "a commit may be of several groups");
    db.drain();
    assert!(db.is_drained());
}

#[test]
fn a_refusal_that_builds_on_a_change_waits_for_it() {
    let mut db = Harness::new();
    let (first, second) = (db.connect(), db.connect());
    db.request(first, "1 Claim x 1");
    db.request(second, "1 Claim x 2");
    db.end_turn();
    assert_eq!(db.replies(second), [""; 0], "a power cut would make it untrue");
    db.flush();
    assert_eq!(db.replies(first), ["1 1"]);
    assert_eq!(db.replies(second), ["1 ALREADY_EXISTS"]);
    db.request(second, "2 Claim x 2");
    db.end_turn();
    assert_eq!(db.replies(second), ["2 ALREADY_EXISTS"], "it builds on what is on disk");
}

#[test]
fn a_write_that_changes_nothing_waits_for_what_it_saw() {
    let mut db = Harness::new();
    let (first, second) = (db.connect(), db.connect());
    db.request(first, "1 Set x 1");
    db.end_turn();
    db.request(second, "1 Claim x 2");
    db.end_turn();
    assert_eq!(db.replies(second), [""; 0], "the group that it saw is under way");
    db.flush();
    assert_eq!(db.replies(second), ["1 ALREADY_EXISTS"]);
}

#[test]
fn bad_requests_are_answered_in_their_place() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Set x 1", "2 Nonsense", "3 Set x -1", "4 Get"]);
    db.line(client, "nonsense");
    db.end_turn();
    assert_eq!(db.replies(client), [""; 0]);
    db.flush();
    let errors =
        ["1 1", "2 UNIMPLEMENTED", "3 INVALID_ARGUMENT", "4 INVALID_ARGUMENT", "null INVALID_REQUEST"];
    assert_eq!(db.replies(client), errors);
}

#[test]
fn work_elsewhere_keeps_its_place_among_the_replies() {
    let mut db = Harness::new();
    let (client, other) = (db.connect(), db.connect());
    db.requests(client, &["1 Set x 1", "2 Slow x 7", "3 Get x", "4 Set y 4"]);
    db.request(other, "1 Slow y 8");
    db.end_turn();
    db.flush();
    assert_eq!(db.replies(client), ["1 1"]);
    db.request(other, "2 Get x");
    db.end_turn();
    assert_eq!(db.replies(other), [""; 0], "it stands behind work of its own connection");

    db.finish_work();
    assert_eq!(db.replies(client), [""; 0], "what the work changed is not on disk");
    assert_eq!(db.submitted(), [vec![("x".to_owned(), 7)]]);
    db.flush();
    assert_eq!(db.replies(client), ["2 7", "3 7"]);
    db.flush();
    assert_eq!(db.replies(client), ["4 4"]);
    db.finish_work();
    db.flush();
    assert_eq!(db.replies(other), ["1 8", "2 7"]);
}

#[test]
fn work_may_be_refused_at_once_and_in_the_end() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Slow x -1", "2 Slow x 0", "3 Get x"]);
    db.end_turn();
    assert_eq!(db.replies(client), ["1 INVALID_ARGUMENT"]);
    db.finish_work();
    assert_eq!(db.replies(client), ["2 FAILED_PRECONDITION", "3 null"]);
}

#[test]
fn a_client_that_leaves_takes_nothing_back() {
    let mut db = Harness::new();
    let (leaver, stayer) = (db.connect(), db.connect());
    db.requests(leaver, &["1 Set x 1", "2 Slow y 2", "3 Set z 3"]);
    db.request(stayer, "1 Set w 4");
    db.end_turn();
    db.disconnect(leaver);
    let newcomer = db.connect();
    assert_eq!(newcomer.slot(), leaver.slot(), "it gets the place of the one that left");
    db.request(newcomer, "1 Set v 5");
    db.flush();
    assert_eq!(db.replies(stayer), ["1 4"]);
    db.finish_work();
    db.flush();
    db.flush();
    assert_eq!(db.replies(newcomer), ["1 5"], "and none of its replies");
    db.requests(stayer, &["2 Get x", "3 Get y", "4 Get z"]);
    db.end_turn();
    assert_eq!(db.replies(stayer), ["2 1", "3 2", "4 null"], "what had not begun is not begun");
}

#[test]
fn it_is_drained_when_all_is_on_disk_and_answered() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Slow x 1", "2 Get x"]);
    db.end_turn();
    db.drain();
    assert!(!db.is_drained(), "work is under way");
    db.finish_work();
    assert!(!db.is_drained(), "its change is not on disk");
    db.flush();
    assert!(!db.is_drained(), "the replies have not left");
    assert_eq!(db.replies(client), ["1 1", "2 1"]);
    assert!(db.is_drained());
}

#[test]
fn whoever_asked_for_it_is_told_in_a_last_line_that_nothing_else_was_begun() {
    let mut db = Harness::new();
    let (told, other) = (db.connect(), db.connect());
    db.requests(told, &["0 AnnounceEnd", "1 Set x 1"]);
    db.request(other, "1 Set x 2");
    db.end_turn();
    assert_eq!(db.replies(told), [r#"0 {"announced":true}"#]);
    db.drain();
    db.flush();
    assert_eq!(db.replies(told), ["1 1", "end"]);
    assert_eq!(db.replies(other), ["1 2"]);
    assert!(!db.is_drained(), "it may not have been read");
    db.disconnect(told);
    assert!(db.is_drained());
}

#[test]
fn changes_that_nobody_waits_for_are_stored_before_it_is_drained() {
    let mut db = Harness::new();
    let client = db.connect();
    db.request(client, "1 Set x 1");
    db.end_turn();
    db.disconnect(client);
    db.drain();
    assert!(!db.is_drained());
    db.flush();
    assert!(db.is_drained());
}

#[test]
fn what_it_holds_is_told_as_far_as_it_is_on_disk() {
    let mut db = Harness::new();
    let client = db.connect();
    assert!(db.metrics("numbers").contains(&"numbers 0".to_owned()));
    db.requests(client, &["1 Set x 1", "2 Set y 1"]);
    db.end_turn();
    assert!(db.metrics("numbers").contains(&"numbers 0".to_owned()));
    db.flush();
    assert!(db.metrics("numbers").contains(&"numbers 2".to_owned()));
}

#[test]
fn a_request_is_counted_when_it_is_answered_under_its_api_and_outcome() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Get x", "2 Set x 5", "3 Claim x 6", "4 Ping", "5 Nothing"]);
    db.line(client, "garbage");
    db.end_turn();
    let answered = |db: &Harness| {
        let lines = db.metrics("marketplace_requests_total");
        lines.into_iter().filter(|line| !line.ends_with(" 0")).collect::<Vec<_>>()
    };
    let read = r#"marketplace_requests_total{api="Get",outcome="ok"} 1"#;
    assert_eq!(answered(&db), [read], "the others wait for the write");
    db.flush();
    let all = [
        r#"marketplace_requests_total{api="Claim",outcome="already_exists"} 1"#,
        read,
        r#"marketplace_requests_total{api="Ping",outcome="ok"} 1"#,
        r#"marketplace_requests_total{api="Set",outcome="ok"} 1"#,
        r#"marketplace_requests_total{api="unknown",outcome="invalid_request"} 1"#,
        r#"marketplace_requests_total{api="unknown",outcome="unimplemented"} 1"#,
    ];
    assert_eq!(answered(&db), all);
}

#[test]
fn a_request_lasts_from_its_delivery_to_its_answer() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Slow x 5", "2 Get x"]);
    db.end_turn();
    db.pass(Duration::from_millis(30));
    db.finish_work();
    db.pass(Duration::from_millis(15));
    db.flush();
    assert_eq!(db.replies(client), ["1 5", "2 5"]);
    for api in ["Slow", "Get"] {
        let name = "marketplace_request_duration_seconds";
        let sum = db.metrics(&format!("{name}_sum{{api=\"{api}\"}}"));
        assert_eq!(sum, [format!("{name}_sum{{api=\"{api}\"}} 0.045")]);
        let buckets = db.metrics(&format!("{name}_bucket{{api=\"{api}\"")).join("\n");
        assert!(buckets.contains(r#"le="0.02"} 0"#) && buckets.contains(r#"le="0.05"} 1"#), "{buckets}");
    }
    let flushes = db.metrics("marketplace_flush_duration_seconds_sum");
    assert_eq!(flushes, ["marketplace_flush_duration_seconds_sum 0.015"]);
}

#[test]
fn work_within_a_turn_takes_time_and_only_that_of_the_request_itself() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Get x", "2 Ponder x", "3 Get x", "4 Ponder x", "5 Set x 1"]);
    db.end_turn();
    db.flush();
    let sum = |api: &str| {
        let name = format!("marketplace_request_duration_seconds_sum{{api=\"{api}\"}}");
        db.metrics(&name).remove(0).split_off(name.len() + 1)
    };
    assert_eq!([sum("Get"), sum("Ponder"), sum("Set")], ["0", "0.04", "0"]);
    let flushes = db.metrics("marketplace_flush_duration_seconds_sum");
    assert_eq!(flushes, ["marketplace_flush_duration_seconds_sum 0"], "the search is no part of the flush");
}

#[test]
fn the_rows_of_each_commit_are_counted() {
    let mut db = Harness::new();
    let client = db.connect();
    db.requests(client, &["1 Set x 1", "2 Set y 2", "3 Set z 3"]);
    db.end_turn();
    db.flush();
    db.request(client, "4 Set x 4");
    db.end_turn();
    db.flush();
    let rows = db.metrics("marketplace_commit_rows");
    for line in [r#"_bucket{le="1"} 1"#, r#"_bucket{le="2"} 1"#, r#"_bucket{le="5"} 2"#, "_sum 4", "_count 2"]
    {
        assert!(rows.contains(&format!("marketplace_commit_rows{line}")), "no {line} in {rows:?}");
    }
}
