//! Whatever a client makes the engine keep has a maximum.

use super::client::{bind, execute, message, parse, sync};
use super::{Isolation, accounts};

const STATEMENTS_MAX: usize = 10_000;
const MESSAGE_BYTES_MAX: usize = 16 << 20;
const INPUT_BYTES_MAX: usize = 64 << 20;

#[test]
fn so_many_statements_are_prepared_and_no_more() {
    let mut clients = accounts(Isolation::ReadCommitted);
    let session = clients.session(1);
    let named: Vec<u8> =
        (1..STATEMENTS_MAX).flat_map(|number| parse(&number.to_string(), "SELECT 1")).collect();
    clients.send(session, &[named, parse("", "SELECT 2"), sync()].concat());
    assert!(clients.take(session).ends_with("1 1 Z I"));
    clients.send(session, &[parse("more", "SELECT 3"), sync()].concat());
    assert!(clients.take(session).starts_with("E 54000"));
    // The one without a name takes the place of another, and what is closed leaves one.
    let close = message(b'C', b"S7\0");
    let rest = [parse("", "SELECT 4"), bind(""), execute(), close, parse("more", "SELECT 3"), sync()];
    clients.send(session, &rest.concat());
    assert_eq!(clients.take(session), "1 2 (4) SELECT 1 3 1 Z I");
}

#[test]
fn a_message_may_be_so_long_and_no_longer() {
    // A text that is a single literal, in a message whose length counts itself.
    let sql_of = |message_bytes: usize| {
        let around = "SELECT ''".len() + b"\0\0\0\0".len() + 4;
        format!("SELECT '{}'", "a".repeat(message_bytes - around))
    };
    for (message_bytes, expected) in [(MESSAGE_BYTES_MAX, "1 Z I"), (MESSAGE_BYTES_MAX + 1, "E 08P01")] {
        let mut clients = accounts(Isolation::ReadCommitted);
        let session = clients.session(1);
        clients.send(session, &[parse("", &sql_of(message_bytes)), sync()].concat());
        let told = clients.take(session);
        assert!(told.starts_with(expected), "{message_bytes}: {told}");
    }
}

#[test]
fn who_sends_too_much_while_a_statement_waits_is_thrown_out() {
    let mut clients = accounts(Isolation::ReadCommitted);
    let change = "UPDATE accounts SET balance = balance + 1 WHERE id = ";
    for client in [1, 2] {
        clients.run(client, "BEGIN");
        clients.run(client, &format!("{change}{client}"));
    }
    clients.waits(2, &format!("{change}1"));
    let session = clients.session(2);
    let piece = vec![b'S'; 1 << 20];
    for _ in 1..INPUT_BYTES_MAX / piece.len() {
        clients.send(session, &piece);
        assert!(clients.is_waiting(2));
    }
    clients.send(session, &piece);
    let told = clients.told(2);
    assert!(told.starts_with("1 2 E 08P01"), "{told}");
    assert_eq!(clients.ended, [session]);
    // What it had locked is free.
    assert_eq!(clients.run(3, &format!("{change}2 RETURNING balance")), "(21) UPDATE 1");
}
