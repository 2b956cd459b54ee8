//! What becomes of flights.

use super::server::{complete, error, error_of_pooler, known, message, notice, parsed, row};
use super::*;

const NUMBER: [u8; 8] = 42_i64.to_be_bytes();

/// What a server answers to the transaction, up to its first Sync and behind it.
fn success() -> [Vec<u8>; 2] {
    let begun = parsed(&[], "BEGIN");
    let statements = [parsed(&[&NUMBER], "SELECT 1"), parsed(&[], "UPDATE 1")].concat();
    let committed = [parsed(&[], "COMMIT"), server::ready(b'I')].concat();
    [[begun, statements, server::ready(b'T')].concat(), committed]
}

/// What a server answers if the second statement fails.
fn failure(code: &str) -> [Vec<u8>; 2] {
    let before = [parsed(&[], "BEGIN"), parsed(&[&NUMBER], "SELECT 1"), message(b'1', &[])].concat();
    let undone = [parsed(&[], "ROLLBACK"), server::ready(b'I')].concat();
    [[before, error("ERROR", code), server::ready(b'E')].concat(), undone]
}

fn outcomes(connection: &mut Connection) -> Vec<Outcome> {
    let ended = |event| match event {
        Event::Ended(_, outcome) => outcome,
        other => panic!("{other:?}"),
    };
    events(connection).into_iter().map(ended).collect()
}

/// What becomes of the transaction if a server says this, and then no more.
fn outcome(server: &[u8]) -> Outcome {
    let mut connection = ready("");
    connection.submit(transaction());
    connection.received(server);
    connection.lost();
    let first = connection.next_event();
    let Some(Event::Ended(_, outcome)) = first else { panic!("{first:?}") };
    outcome
}

fn failed_at(outcome: &Outcome) -> (usize, Class) {
    let Outcome::Failed { call, error } = outcome else { panic!("{outcome:?}") };
    (*call, error.class())
}

#[test]
fn a_transaction_leaves_at_once_and_tells_what_each_statement_returns() {
    let mut connection = ready("");
    connection.submit(transaction());
    let expected = [
        "P  BEGIN",
        "B ",
        "E",
        "P read SELECT",
        "B read",
        "E",
        "P write UPDATE",
        "B write",
        "E",
        "S",
        "P  COMMIT",
        "B ",
        "E",
        "S",
    ];
    assert_eq!(said(&mut connection), expected);
    let [statements, commit] = success();
    connection.received(&statements);
    assert_eq!(events(&mut connection), []);
    connection.received(&commit);
    let ended = outcomes(&mut connection);
    let [Outcome::Done(replies)] = ended.as_slice() else { panic!("{ended:?}") };
    assert_eq!(replies.len(), 2);
    assert_eq!(replies[0].rows[0].int(0), Ok(42));
    assert!(replies[1].rows.is_empty());
}

#[test]
fn a_statement_that_fails_spoils_its_own_transaction_and_no_other() {
    let mut connection = ready("");
    connection.submit(transaction());
    connection.submit(transaction());
    connection.received(&[failure("23514"), success()].concat().concat());
    let ended = outcomes(&mut connection);
    assert_eq!(failed_at(&ended[0]), (1, Class::Refusal));
    assert!(matches!(ended[1], Outcome::Done(_)), "{ended:?}");
}

#[test]
fn a_commit_may_be_refused_undone_or_left_open() {
    let [statements, _] = success();
    let commit = |answer: Vec<u8>| outcome(&[&statements[..], &answer, &server::ready(b'I')].concat());
    assert_eq!(failed_at(&commit(error("ERROR", "40001"))), (2, Class::Replay));
    assert_eq!(failed_at(&commit(parsed(&[], "ROLLBACK"))), (2, Class::Replay));
    assert_eq!(failed_at(&commit(error("ERROR", "23505"))), (2, Class::Refusal));
    // The server does not say that nothing was committed, only that something went wrong meanwhile.
    for code in ["40003", "57014", "XX000", "08006"] {
        assert_eq!(commit(error("ERROR", code)), Outcome::Unknown, "{code}");
    }
    assert_eq!(commit([notice("SyncRepWaitForLSN"), parsed(&[], "COMMIT")].concat()), Outcome::Unknown);
    assert!(matches!(commit([notice("other"), parsed(&[], "COMMIT")].concat()), Outcome::Done(_)));
    assert_eq!(commit(error("FATAL", "57P01")), Outcome::Unknown);
    // The server leaves before it comes to the Sync behind the commit, which has taken place.
    let left = [&statements[..], &parsed(&[], "COMMIT"), &error("FATAL", "57P01")].concat();
    assert_eq!(outcome(&left), Outcome::Unknown);
}

#[test]
fn a_begin_that_fails_is_no_success_though_the_commit_of_nothing_is_one() {
    let nothing = [error("ERROR", "53000"), server::ready(b'I'), parsed(&[], "COMMIT"), server::ready(b'I')];
    assert_eq!(failed_at(&outcome(&nothing.concat())), (0, Class::Strained));
}

#[test]
fn a_single_statement_is_committed_at_its_sync() {
    let single = |answer: &[u8]| {
        let mut connection = ready("");
        connection.submit(read());
        connection.received(&[answer, &server::ready(b'I')].concat());
        outcomes(&mut connection).remove(0)
    };
    assert_eq!(failed_at(&single(&error("ERROR", "42501"))), (0, Class::Defect));
    let answered = parsed(&[&NUMBER], "SELECT 1");
    let then = |code| single(&[&answered[..], &error("ERROR", code)].concat());
    assert_eq!(failed_at(&then("40001")), (1, Class::Replay));
    assert_eq!(then("XX000"), Outcome::Unknown);
}

#[test]
fn lookups_share_a_sync_and_fail_together() {
    let mut connection = ready("");
    let lookups = || Flight::lookups([read().calls, read().calls].concat());
    connection.submit(lookups());
    assert_eq!(said(&mut connection), ["P read SELECT", "B read", "E", "B read", "E", "S"]);
    let one = parsed(&[&NUMBER], "SELECT 1");
    connection.received(&[&one[..], &one, &server::ready(b'I')].concat());
    let ended = outcomes(&mut connection);
    let [Outcome::Done(replies)] = ended.as_slice() else { panic!("{ended:?}") };
    assert_eq!(replies.iter().map(|reply| reply.rows.len()).collect::<Vec<_>>(), [1, 1]);

    connection.submit(lookups());
    assert_eq!(said(&mut connection), ["B read", "E", "B read", "E", "S"]);
    connection.received(&[error("ERROR", "40001"), server::ready(b'I')].concat());
    assert_eq!(failed_at(&outcomes(&mut connection)[0]), (0, Class::Replay));
}

#[test]
fn where_a_connection_is_lost_decides_what_is_known() {
    let [statements, commit] = success();
    let all = [&statements[..], &commit].concat();
    for cut in 0..all.len() {
        assert_eq!(outcome(&all[..cut]), Outcome::Unknown, "{cut}");
    }
    assert!(matches!(outcome(&all), Outcome::Done(_)));
    // Whatever comes later, a transaction with an error in it is none.
    let [statements, rollback] = failure("23505");
    let all = [&statements[..], &rollback].concat();
    for cut in statements.len() - 6..=all.len() {
        assert_eq!(failed_at(&outcome(&all[..cut])), (1, Class::Refusal), "{cut}");
    }
    // The server says why it leaves, and has not come to the commit.
    let begun = parsed(&[], "BEGIN");
    assert_eq!(failed_at(&outcome(&[&begun[..], &error("FATAL", "57P01")].concat())), (0, Class::Leave));
    // A pooler says that it has lost the server, which may have come to it.
    assert_eq!(outcome(&error_of_pooler("08P01")), Outcome::Unknown);
    assert_eq!(outcome(&[begun, error_of_pooler("08P01")].concat()), Outcome::Unknown);
}

#[test]
fn without_a_pipeline_each_statement_waits_and_a_commit_that_was_not_sent_is_known_not_to_be() {
    let mut connection = ready("pipeline=off");
    connection.submit(transaction());
    connection.submit(read());
    assert_eq!(said(&mut connection), ["P  BEGIN", "B ", "E", "S"]);
    connection.received(&[parsed(&[], "BEGIN"), server::ready(b'T')].concat());
    assert_eq!(said(&mut connection), ["P read SELECT", "B read", "E", "S"]);
    connection.received(&[error("ERROR", "40P01"), server::ready(b'E')].concat());
    assert_eq!(said(&mut connection), ["P  COMMIT", "B ", "E", "S"]);
    connection.received(&[parsed(&[], "ROLLBACK"), server::ready(b'I')].concat());
    assert_eq!(failed_at(&outcomes(&mut connection)[0]), (0, Class::Replay));
    // Its statement was not prepared: the error came instead.
    assert_eq!(said(&mut connection), ["P read SELECT", "B read", "E", "S"]);
    connection.received(&[parsed(&[&NUMBER], "SELECT 1"), server::ready(b'I')].concat());
    assert!(matches!(outcomes(&mut connection)[0], Outcome::Done(_)));

    connection.submit(transaction());
    connection.received(&[parsed(&[], "BEGIN"), server::ready(b'T')].concat());
    connection.submit(read());
    connection.lost();
    assert_eq!(outcomes(&mut connection), [Outcome::Lost, Outcome::Lost]);
}

#[test]
fn a_statement_is_parsed_once_a_connection() {
    let mut connection = ready("");
    connection.submit(read());
    // As long as the first has not been confirmed, the second brings the statement itself.
    connection.submit(read());
    let expected = ["P read SELECT", "B read", "E", "S", "P  SELECT", "B ", "E", "S"];
    assert_eq!(said(&mut connection), expected);
    let answer = [parsed(&[], "SELECT 0"), server::ready(b'I')].concat();
    connection.received(&[&answer[..], &answer].concat());
    connection.submit(read());
    assert_eq!(said(&mut connection), ["B read", "E", "S"]);
}

#[test]
fn where_a_pooler_forgets_statements_they_have_no_names_any_more() {
    for code in ["26000", "42P05"] {
        let mut connection = ready("");
        connection.submit(read());
        connection.received(&[error("ERROR", code), server::ready(b'I')].concat());
        assert_eq!(failed_at(&outcomes(&mut connection)[0]), (0, Class::Replay));
        said(&mut connection);
        connection.submit(read());
        assert_eq!(said(&mut connection), ["P  SELECT", "B ", "E", "S"]);
    }
    let mut connection = ready("statements=unnamed");
    connection.submit(read());
    assert_eq!(said(&mut connection), ["P  SELECT", "B ", "E", "S"]);
}

#[test]
fn a_transaction_that_is_left_open_ends_the_connection() {
    let mut connection = ready("");
    connection.submit(transaction());
    connection.submit(read());
    let [statements, _] = success();
    connection.received(&[&statements[..], &error("ERROR", "57014"), &server::ready(b'E')].concat());
    let events = events(&mut connection);
    let [Event::Ended(_, first), Event::Ended(_, Outcome::Unknown), Event::Failed(_)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*first, Outcome::Unknown);
    assert!(!connection.has_room());
}

#[test]
fn columns_are_read_as_what_they_are() {
    let mut connection = ready("");
    connection.submit(read());
    let columns = row(&[Some(&NUMBER), Some("Straße".as_bytes()), Some(&[0xff, 0]), None]);
    let answer = [message(b'1', &[]), message(b'2', &[]), columns, complete("SELECT 1"), server::ready(b'I')];
    connection.received(&answer.concat());
    let Outcome::Done(replies) = &outcomes(&mut connection)[0] else { panic!() };
    let row = &replies[0].rows[0];
    assert_eq!((row.int(0), row.text(1), row.bytes(2)), (Ok(42), Ok("Straße"), Ok(&[0xff, 0][..])));
    assert_eq!(row.int(1).unwrap_err().to_string(), "column 1 of a row is no bigint");
    assert!(row.text(2).is_err() && row.bytes(3).is_err() && row.bytes(4).is_err());
}

#[test]
fn a_server_that_says_why_it_leaves_is_heard_while_nothing_is_under_way() {
    let mut connection = ready("");
    connection.received(&error("FATAL", "57P01"));
    let events = events(&mut connection);
    let [Event::Failed(Failure::Refused(error))] = &events[..] else { panic!("{events:?}") };
    assert_eq!(error.class(), Class::Leave);
}

#[test]
fn a_flight_that_is_submitted_before_the_driver_hears_of_the_end_is_lost() {
    let mut connection = connect(&config(URL));
    let start = [server::admission(), server::settings(&["off", "on", "on"])].concat();
    connection.received(&[start, error("FATAL", "57P01")].concat());
    assert_eq!(connection.next_event(), Some(Event::Ready));
    connection.take_output();
    connection.submit(read());
    assert!(connection.take_output().is_empty());
    let events = events(&mut connection);
    assert!(matches!(&events[..], [Event::Failed(_), Event::Ended(_, Outcome::Lost)]), "{events:?}");
}

#[test]
fn a_flight_whose_statements_are_known_brings_no_text() {
    let mut connection = ready("");
    connection.submit(transaction());
    connection.received(&success().concat());
    said(&mut connection);
    connection.submit(transaction());
    let expected = ["P  BEGIN", "B ", "E", "B read", "E", "B write", "E", "S", "P  COMMIT", "B ", "E", "S"];
    assert_eq!(said(&mut connection), expected);
    let statements = [parsed(&[], "BEGIN"), known(&[&NUMBER], "SELECT 1"), known(&[], "UPDATE 1")].concat();
    let [_, commit] = success();
    connection.received(&[statements, server::ready(b'T'), commit].concat());
    assert!(matches!(outcomes(&mut connection)[1], Outcome::Done(_)));
}

#[test]
fn a_goodbye_is_said() {
    let mut connection = ready("");
    connection.finish();
    assert_eq!(said(&mut connection), ["X"]);
    assert_eq!(events(&mut connection), []);
}

#[test]
fn a_server_that_is_asked_again_whether_it_takes_changes_says_so_to_nobody_else() {
    let mut connection = ready("");
    connection.ask_again();
    assert_eq!(said(&mut connection), ["P  SHOW", "B ", "E", "S"]);
    assert!(connection.is_owed());
    let ticket = connection.submit(read());
    connection.received(&server::settings(&["off"]));
    assert_eq!(events(&mut connection), []);
    connection.received(&[parsed(&[], "SELECT 0"), server::ready(b'I')].concat());
    assert_eq!(events(&mut connection), [Event::Ended(ticket, Outcome::Done(vec![Reply::default()]))]);
    assert!(!connection.is_owed());

    connection.ask_again();
    let ticket = connection.submit(read());
    connection.received(&server::settings(&["on"]));
    let failed = Event::Failed(Failure::ReadOnly);
    assert_eq!(events(&mut connection), [Event::Ended(ticket, Outcome::Unknown), failed]);

    let mut connection = ready("");
    connection.ask_again();
    connection.lost();
    assert_eq!(events(&mut connection), []);
}
