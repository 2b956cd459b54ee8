//! What clients may say, in which order, and what they are told of the rest.

use std::slice;

use super::client::{Clients, bind, execute, message, parse, start, statement, sync};
use super::{Isolation, accounts};
use crate::Session;

const ADD: &str = "UPDATE accounts SET balance = balance + 5 WHERE id = 1";
const READ: &str = "SELECT balance FROM accounts WHERE id = 1";

/// What a client is told to these messages.
fn say(clients: &mut Clients, session: Session, messages: &[Vec<u8>]) -> String {
    clients.send(session, &messages.concat());
    clients.take(session)
}

/// The same, of a client that has just come.
fn told(messages: &[Vec<u8>]) -> String {
    let mut clients = accounts(Isolation::ReadCommitted);
    let session = clients.session(1);
    say(&mut clients, session, messages)
}

/// A statement with one parameter, which is a number.
fn parse_with_number(name: &str, sql: &str) -> Vec<u8> {
    let types = [&[0, 1][..], &20u32.to_be_bytes()].concat();
    message(b'P', &[name.as_bytes(), b"\0", sql.as_bytes(), b"\0", &types].concat())
}

/// Values for a statement, as text.
fn bind_texts(name: &str, values: &[&str]) -> Vec<u8> {
    let count = u16::try_from(values.len()).unwrap().to_be_bytes();
    let values = values.iter().flat_map(|value| {
        let length = u32::try_from(value.len()).unwrap().to_be_bytes();
        [&length[..], value.as_bytes()].concat()
    });
    let head = [b"\0", name.as_bytes(), b"\0\0\0", &count].concat();
    message(b'B', &head.into_iter().chain(values).chain([0, 0]).collect::<Vec<u8>>())
}

#[test]
fn after_an_error_all_is_skipped_up_to_the_next_sync() {
    let told = told(&[
        statement("SELECT nothing FROM accounts"),
        statement(ADD),
        // Not even that it is no Bind is noticed.
        message(b'B', b"?"),
        sync(),
        statement(READ),
        sync(),
    ]);
    assert_eq!(told, "E 42703 column \"nothing\" does not exist Z I 1 2 (10) SELECT 1 Z I");
}

#[test]
fn all_up_to_a_sync_is_one_transaction_where_none_is_open() {
    let mut clients = accounts(Isolation::ReadCommitted);
    let session = clients.session(1);
    let failed = say(&mut clients, session, &[statement(ADD), statement("SELECT 1 / 0"), sync()]);
    assert_eq!(failed, "1 2 UPDATE 1 1 2 E 22012 division by zero Z I");
    assert_eq!(clients.run(2, READ), "(10) SELECT 1");
    say(&mut clients, session, &[statement(ADD), statement(ADD)]);
    assert_eq!(clients.run(2, READ), "(10) SELECT 1");
    say(&mut clients, session, &[sync()]);
    assert_eq!(clients.run(2, READ), "(20) SELECT 1");
}

#[test]
fn a_flight_commits_behind_the_sync_of_its_statements() {
    let flight =
        |sql: &str| [statement("BEGIN"), statement(sql), sync(), statement("COMMIT"), sync()].concat();
    let told = told(&[
        flight("UPDATE accounts SET balance = -1 WHERE id = 1"),
        flight(ADD),
        flight("SELECT nothing FROM accounts"),
        statement(READ),
        sync(),
    ]);
    let expected = "1 2 BEGIN 1 2 E 23514 new row for relation \"accounts\" violates check constraint \"solvent\" \
                    Z E 1 2 ROLLBACK Z I \
                    1 2 BEGIN 1 2 UPDATE 1 Z T 1 2 COMMIT Z I \
                    1 2 BEGIN E 42703 column \"nothing\" does not exist Z E 1 2 ROLLBACK Z I \
                    1 2 (15) SELECT 1 Z I";
    assert_eq!(told, expected);
}

#[test]
fn a_transaction_that_has_failed_does_nothing_but_end() {
    let mut clients = accounts(Isolation::ReadCommitted);
    clients.run(1, "BEGIN");
    clients.fails(1, "SELECT 1 / 0");
    assert_eq!(clients.fails(1, READ), "25P02");
    // Nobody looks there what a statement is about, but whether it is one is seen.
    assert_eq!(clients.fails(1, "SELECT nothing FROM nowhere"), "25P02");
    assert_eq!(clients.fails(1, "SELECT ("), "42601");
    assert_eq!(clients.run(1, "COMMIT"), "ROLLBACK");
    assert_eq!(clients.run(1, READ), "(10) SELECT 1");
    // That a COMMIT is at hand does not mean that it has been carried out.
    let session = clients.session(1);
    let told = say(
        &mut clients,
        session,
        &[statement("BEGIN"), parse("", "COMMIT"), bind(""), parse("", "SELECT ("), sync()],
    );
    assert!(told.ends_with("Z E"), "{told}");
}

#[test]
fn names_that_nobody_has_given_are_unknown() {
    assert!(told(&[bind("s"), sync()]).starts_with("E 26000"));
    assert!(told(&[execute(), sync()]).starts_with("E 34000"));
    // What is to be carried out is forgotten with its transaction.
    assert!(told(&[statement(READ), sync(), execute(), sync()]).contains("Z I E 34000"));
    assert!(told(&[parse("s", READ), parse("s", READ), sync()]).starts_with("1 E 42P05"));
    let close = message(b'C', b"Ss\0");
    let closed =
        told(&[parse("s", READ), close.clone(), close, parse("s", READ), bind("s"), execute(), sync()]);
    assert_eq!(closed, "1 3 3 1 2 (10) SELECT 1 Z I");
    assert!(told(&[message(b'B', b"portal\0\0\0\0\0\0\0\0"), sync()]).starts_with("E 0A000"));
}

#[test]
fn a_statement_is_given_as_many_values_as_it_has_parameters() {
    let sql = "SELECT balance FROM accounts WHERE id = $1";
    let told_with = |values: &[&str]| {
        told(&[
            parse_with_number("s", sql),
            bind_texts("s", values),
            execute(),
            sync(),
            statement("SELECT 1"),
            sync(),
        ])
    };
    assert_eq!(told_with(&["2"]), "1 2 (20) SELECT 1 Z I 1 2 (1) SELECT 1 Z I");
    for values in [&[][..], &["1", "2"]] {
        let told = told_with(values);
        assert!(told.starts_with("1 E 08P01") && told.ends_with("Z I 1 2 (1) SELECT 1 Z I"), "{told}");
    }
    assert!(told_with(&["two"]).starts_with("1 E 22P02"));
    assert!(told(&[parse("", sql), bind(""), execute(), sync()]).starts_with("1 2 E 42P02"));
}

#[test]
fn what_is_not_supported_is_refused_and_the_connection_goes_on() {
    for unsupported in [message(b'D', b"S\0"), message(b'D', b"P\0"), message(b'Q', b"SELECT 1\0")] {
        let told = told(&[parse("", READ), unsupported, sync(), statement(READ), sync()]);
        assert!(told.starts_with("1 E 0A000") && told.ends_with("Z I 1 2 (10) SELECT 1 Z I"), "{told}");
    }
}

#[test]
fn who_breaks_the_protocol_is_thrown_out_with_what_it_has_not_committed() {
    let too_long = [&b"P"[..], &(17u32 << 20).to_be_bytes()].concat();
    let too_short = [&b"S"[..], &3u32.to_be_bytes()].concat();
    let negative = [&b"S"[..], &[0xFF; 4]].concat();
    for broken in [too_long, too_short, negative, message(b'z', b""), message(b'R', b"\0")] {
        let mut clients = accounts(Isolation::ReadCommitted);
        let session = clients.session(1);
        clients.run(1, "BEGIN");
        clients.run(1, ADD);
        // Nothing behind it is carried out.
        let told = say(&mut clients, session, &[broken, statement(ADD), sync()]);
        assert!(told.starts_with("E 08P01") && !told.contains(" Z"), "{told}");
        assert_eq!(clients.ended, [session]);
        assert_eq!(clients.run(2, &format!("{ADD} RETURNING balance")), "(15) UPDATE 1");
    }
}

#[test]
fn who_says_farewell_takes_what_it_has_not_committed_along() {
    let mut clients = accounts(Isolation::ReadCommitted);
    let session = clients.session(1);
    // Also where all else is skipped.
    let farewell = message(b'X', &[]);
    let told = say(&mut clients, session, &[statement("BEGIN"), statement(ADD), bind("s"), farewell, sync()]);
    assert_eq!(told, "1 2 BEGIN 1 2 UPDATE 1 E 26000 prepared statement \"s\" does not exist");
    assert_eq!(clients.ended, [session]);
    assert_eq!(clients.run(2, &format!("{ADD} RETURNING balance")), "(15) UPDATE 1");
}

#[test]
fn a_connection_begins_with_a_version_and_without_encryption() {
    let first = |code: u32| [&8u32.to_be_bytes()[..], &code.to_be_bytes()].concat();
    let mut clients = accounts(Isolation::ReadCommitted);
    let session = clients.engine.open();
    clients.send(session, &first(80_877_103));
    assert_eq!(clients.take_bytes(session), b"N");
    assert!(say(&mut clients, session, &[start(), statement(READ), sync()]).ends_with("(10) SELECT 1 Z I"));
    for (code, expected) in [(80_877_102, ""), (2 << 16, "E 0A000"), (0, "E 0A000")] {
        let session = clients.engine.open();
        assert!(say(&mut clients, session, &[first(code), start()]).starts_with(expected), "{code}");
        assert_eq!(clients.ended.pop(), Some(session), "{code}");
    }
}

#[test]
fn bytes_may_come_one_by_one() {
    let conversation = [
        parse_with_number("s", "UPDATE accounts SET balance = balance + $1 WHERE id = 1 RETURNING balance"),
        statement("BEGIN"),
        bind_texts("s", &["3"]),
        execute(),
        sync(),
        statement("COMMIT"),
        sync(),
    ];
    let at_once = told(&conversation);
    assert!(at_once.contains("(13) UPDATE 1 Z T 1 2 COMMIT Z I"), "{at_once}");
    let mut clients = accounts(Isolation::ReadCommitted);
    let session = clients.session(1);
    conversation.concat().iter().for_each(|byte| clients.send(session, &[*byte]));
    assert_eq!(clients.take(session), at_once);
}

/// A transaction of one change, with its end.
fn addition() -> Vec<u8> {
    [statement("BEGIN"), statement(ADD), sync(), statement("COMMIT"), sync()].concat()
}

#[test]
fn messages_may_be_cut_anywhere() {
    let whole = addition();
    let at_once = told(slice::from_ref(&whole));
    for cut in 0..=whole.len() {
        let mut clients = accounts(Isolation::ReadCommitted);
        let session = clients.session(1);
        let (first, second) = whole.split_at(cut);
        clients.send(session, first);
        clients.send(session, second);
        assert_eq!(clients.take(session), at_once, "cut at {cut}");
    }
}

#[test]
fn a_connection_may_break_anywhere() {
    let whole = addition();
    // From its last Execute on, a COMMIT is carried out.
    let committed_from = whole.len() - sync().len();
    for cut in 0..=whole.len() {
        let mut clients = accounts(Isolation::ReadCommitted);
        let session = clients.session(1);
        clients.send(session, &whole[..cut]);
        clients.engine.close(session);
        clients.settle();
        let expected = if cut < committed_from { "(10) SELECT 1" } else { "(15) SELECT 1" };
        assert_eq!(clients.run(2, READ), expected, "broken at {cut}");
    }
}

#[test]
fn a_message_that_says_less_or_more_than_it_must_is_refused() {
    let bodies =
        [parse_with_number("s", READ), bind_texts("s", &["3", "four"]), execute(), message(b'C', b"Ss\0")];
    for whole in bodies {
        let (tag, body) = (whole[0], &whole[5..]);
        let longer = [body, b"\0"].concat();
        for body in (0..body.len()).map(|end| &body[..end]).chain([&longer[..]]) {
            let told = told(&[message(tag, body), sync(), statement(READ), sync()]);
            assert!(told.starts_with("E 08P01"), "{body:?}: {told}");
            assert!(told.ends_with("Z I 1 2 (10) SELECT 1 Z I"), "{body:?}: {told}");
        }
    }
    // Only one length below 0 means NULL.
    let negative = [&b"\0s\0\0\0\0\x01"[..], &(-2i32).to_be_bytes(), b"\0\0"].concat();
    assert!(told(&[parse_with_number("s", READ), message(b'B', &negative), sync()]).starts_with("1 E 08P01"));
    assert!(told(&[message(b'C', b"?s\0"), sync()]).starts_with("E 08P01"));
}

#[test]
fn a_connection_that_begins_with_anything_else_comes_to_its_end() {
    let length = |bytes: u32| [&bytes.to_be_bytes()[..], &start()[4..]].concat();
    let unfinished = [&10u32.to_be_bytes()[..], &(3u32 << 16).to_be_bytes(), b"us"].concat();
    for first in [length(0), length(3), length(4), length(7), length(17 << 20), length(u32::MAX), unfinished]
    {
        let mut clients = accounts(Isolation::ReadCommitted);
        let session = clients.engine.open();
        let told = say(&mut clients, session, &[first.clone(), statement(ADD), sync()]);
        assert!(told.starts_with("E 08P01") && !told.contains('Z'), "{first:?}: {told}");
        assert_eq!(clients.ended, [session], "{first:?}");
        assert_eq!(clients.run(1, READ), "(10) SELECT 1");
    }
}

#[test]
fn a_statement_without_a_name_is_gone_with_the_next() {
    let told = told(&[statement(READ), parse("", "SELECT nothing FROM accounts"), sync(), bind(""), sync()]);
    assert!(told.starts_with("1 2 (10) SELECT 1 E 42703") && told.contains("Z I E 26000"), "{told}");
}

#[test]
fn while_a_commit_is_on_its_way_to_disk_what_follows_waits() {
    let mut clients = accounts(Isolation::ReadCommitted);
    clients.is_slow = true;
    let session = clients.session(1);
    let told = say(&mut clients, session, &[statement(ADD), sync(), statement(READ), sync()]);
    assert!(!told.contains('Z') && !told.contains("(15)"), "{told}");
    clients.flush();
    assert!(clients.told(1).ends_with("Z I 1 2 (15) SELECT 1 Z I"));
}
