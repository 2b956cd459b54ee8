//! The target [`engine`]: what a PostgreSQL says to a connection of ours, or what calls itself one.

use services::postgres::{Config, Connection, Event, Flight, Outcome, Password, Statement, Value};

/// The ways of a connection. The first byte of an input chooses.
const URLS: [&str; 4] = [
    "postgres://market@localhost/shop",
    "postgres://market@localhost/shop?pipeline=off",
    "postgres://market@localhost/shop?statements=unnamed",
    "postgres://market@engine/shop?sslmode=require",
];
const LOOK: Statement = Statement::kept("look", "SELECT quantity FROM items WHERE item_id = $1");
const TAKE: Statement =
    Statement::kept("take", "UPDATE items SET quantity = quantity - 1 WHERE item_id = $1");

/// A server says anything, byte by byte, so that each of our answers finds its place in it. Once the connection is ready, a
/// transaction and a single statement are sent, again and again.
///
/// # Panics
/// The connection does, or it takes a transaction for done without an answer to its commit.
pub fn engine(input: &[u8]) {
    let Some((&way, stream)) = input.split_first() else { return };
    let password = Password::new("hush").expect("it is one");
    let config = Config::parse(URLS[usize::from(way) % URLS.len()], Some(password)).expect("they are right");
    let mut connection = Connection::new(&config, &config.hosts[0]);
    for (count, byte) in (1..).zip(stream) {
        connection.received(std::slice::from_ref(byte));
        while let Some(event) = connection.next_event() {
            match event {
                Event::Encrypt => connection.encrypted(),
                Event::Ready => submit(&mut connection),
                Event::Ended(_, outcome) => {
                    check(&outcome, &stream[..count]);
                    if connection.has_room() {
                        submit(&mut connection);
                    }
                }
                Event::Failed(_) => assert!(!connection.has_room(), "what has failed is of no use"),
            }
        }
        connection.take_output();
    }
    connection.lost();
    while let Some(event) = connection.next_event() {
        assert!(!matches!(event, Event::Ended(_, Outcome::Done(_))), "nothing is done behind the end");
    }
}

fn submit(connection: &mut Connection) {
    let item = || vec![Value::Int(7)];
    connection.submit(Flight::transaction(vec![LOOK.with(item()), TAKE.with(item())]));
    connection.submit(Flight::single(LOOK.with(item())));
}

/// Checks what has become of a flight. The transaction is the one with two statements.
fn check(outcome: &Outcome, said: &[u8]) {
    let Outcome::Done(replies) = outcome else { return };
    let commit = b"COMMIT\0";
    assert!(replies.len() == 1 || said.windows(commit.len()).any(|word| word == commit));
    for row in replies.iter().flat_map(|reply| &reply.rows) {
        let _ = (row.int(0), row.text(0), row.bytes(usize::MAX));
    }
}
