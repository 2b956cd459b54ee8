//! Servers that do not keep to the protocol. Nothing that they say may do more than end the connection.

use super::server::{admission, message, parsed, row, settings};
use super::*;

/// Gives a connection these bytes, piece by piece, and does what a driver does.
fn feed(connection: &mut Connection, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        connection.received(piece);
        while let Some(event) = connection.next_event() {
            match event {
                Event::Encrypt => connection.encrypted(),
                Event::Ready => {
                    connection.submit(transaction());
                    connection.submit(read());
                }
                Event::Ended(_, Outcome::Done(replies)) => {
                    for row in replies.iter().flat_map(|reply| &reply.rows) {
                        let _ = (row.int(0), row.text(0), row.bytes(7));
                    }
                }
                Event::Ended(..) | Event::Failed(_) => {}
            }
        }
        connection.take_output();
    }
    connection.lost();
}

/// A whole conversation that goes well.
fn conversation() -> Vec<u8> {
    let number = 42_i64.to_be_bytes();
    let statements = [parsed(&[], "BEGIN"), parsed(&[&number], "SELECT 1"), parsed(&[], "UPDATE 1")].concat();
    let commit = [server::ready(b'T'), parsed(&[], "COMMIT"), server::ready(b'I')].concat();
    let last = [parsed(&[&number, b"text"], "SELECT 2"), server::ready(b'I')].concat();
    [admission(), settings(&["off", "on", "on"]), statements, commit, last].concat()
}

#[test]
fn random_bytes_end_a_connection_at_worst() {
    let mut random = fastrand::Rng::with_seed(12);
    for url in [URL, "postgres://market@db/shop?sslmode=require"] {
        for _ in 0..2000 {
            let bytes: Vec<u8> = (0..random.usize(..200)).map(|_| random.u8(..)).collect();
            feed(&mut connect(&config(url)), &bytes, random.usize(1..50));
        }
    }
}

#[test]
fn a_conversation_with_mistakes_in_it_ends_a_connection_at_worst() {
    let mut random = fastrand::Rng::with_seed(12);
    let whole = conversation();
    for round in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            match random.u8(..4) {
                0 => bytes[at] = random.u8(..),
                1 => _ = bytes.remove(at),
                2 => bytes.insert(at, random.u8(..)),
                _ => bytes.truncate(at.max(4)),
            }
        }
        let parameters = ["", "?pipeline=off", "?statements=unnamed"][round % 3];
        feed(&mut connect(&config(&format!("{URL}{parameters}"))), &bytes, random.usize(1..400));
    }
}

#[test]
fn a_message_that_would_not_end_is_refused_before_there_is_room_for_it() {
    for length in [(16_u32 << 20) + 1, u32::MAX >> 1] {
        let mut connection = connect(&config(URL));
        connection.received(&[&b"S"[..], &length.to_be_bytes()].concat());
        let too_long = Failure::Malformed("a message has more than 16 MiB");
        assert_eq!(events(&mut connection), [Event::Failed(too_long)]);
    }
    for length in [0, 3, u32::MAX] {
        let mut connection = connect(&config(URL));
        connection.received(&[&b"S"[..], &length.to_be_bytes()].concat());
        assert_eq!(events(&mut connection), [Event::Failed(Failure::Malformed("a message has no length"))]);
    }
}

#[test]
fn a_result_that_does_not_end_is_refused() {
    let many = row(&[Some(b"x")]).repeat(100);
    let large = row(&[Some(&vec![0; 8 << 20])]);
    for rows in [many, large] {
        let mut connection = ready("");
        connection.submit(read());
        connection.received(&[message(b'1', &[]), message(b'2', &[])].concat());
        let mut pieces = 0;
        let last = loop {
            connection.received(&rows);
            pieces += 1;
            if let Some(event) = connection.next_event() {
                break event;
            }
            assert!(pieces < 1000);
        };
        assert!(matches!(last, Event::Ended(_, Outcome::Unknown)));
        let too_much = Failure::Malformed("a result has more than 16384 rows or 32 MiB");
        assert_eq!(events(&mut connection), [Event::Failed(too_much)]);
    }
}

#[test]
fn what_nobody_asked_for_ends_the_connection() {
    let mut connection = ready("");
    connection.received(&parsed(&[], "SELECT 0"));
    let nothing = Failure::Malformed("there is an answer to nothing");
    assert_eq!(events(&mut connection), [Event::Failed(nothing)]);
    connection.received(&conversation());
    assert_eq!(events(&mut connection), []);

    let mut connection = ready("");
    connection.submit(read());
    connection.received(&server::ready(b'I'));
    let events = events(&mut connection);
    assert!(matches!(&events[..], [Event::Ended(_, Outcome::Unknown), Event::Failed(_)]), "{events:?}");
}

#[test]
fn an_error_is_kept_short_and_on_one_line() {
    let long = format!("VERROR\0C23505\0M\"a\"\n\u{1b}[2J{}\0Dsecret\0\0", "x".repeat(1000));
    let mut connection = ready("");
    connection.submit(read());
    connection.received(&[message(b'E', long.as_bytes()), server::ready(b'I')].concat());
    let Some(Event::Ended(_, Outcome::Failed { error, .. })) = connection.next_event() else { panic!() };
    let text = error.to_string();
    assert!(text.starts_with("\"a\"\\n\\u{1b}[2Jxxx") && text.ends_with("x (23505)"), "{text}");
    assert!(text.len() < 400 && !text.contains("secret"), "{text}");
}
