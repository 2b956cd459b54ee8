//! Messages as bytes, by the codec of `postgres-protocol`: the next one that has come, and those that are sent.

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{Header, Message};
use postgres_protocol::message::frontend;

use super::error::Failure;
use super::row::Value;

/// The longest message that is taken, in bytes: a row with the longest history that a reply may have.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Takes the next message off what has come, if it is there as a whole.
///
/// # Errors
/// It is no message, or too long. The length is looked at first, because the codec makes room for all of it.
pub(super) fn next(input: &mut BytesMut) -> Result<Option<Message>, Failure> {
    let header = Header::parse(input).map_err(|_| Failure::Malformed("a message has no length"))?;
    let Some(header) = header else { return Ok(None) };
    if usize::try_from(header.len()).is_ok_and(|bytes| bytes > MESSAGE_BYTES_MAX) {
        return Err(Failure::Malformed("a message has more than 16 MiB"));
    }
    Message::parse(input).map_err(|_| Failure::Malformed("a message is none that is known"))
}

/// Who we are and what we want. The names hold no NUL: [`Config`](super::super::Config) sees to it.
pub(super) fn start(user: &str, database: &str, out: &mut BytesMut) {
    let parameters = [
        ("user", user),
        ("database", database),
        ("client_encoding", "UTF8"),
        ("application_name", "marketplace"),
    ];
    frontend::startup_message(parameters, out).expect("names hold no NUL");
}

/// Tells the server a statement, and its name if it has one.
pub(super) fn parse(name: &str, sql: &str, values: &[Value], out: &mut BytesMut) {
    frontend::parse(name, sql, values.iter().map(Value::oid), out)
        .expect("statements are short, without NUL");
}

/// Carries a statement out, once it was parsed.
pub(super) fn execute(name: &str, values: &[Value], out: &mut BytesMut) {
    let write = |value: &Value, out: &mut BytesMut| {
        value.write(out);
        Ok(IsNull::No)
    };
    let bound = frontend::bind("", name, [BINARY], values, write, [BINARY], out);
    assert!(bound.is_ok(), "a statement has few parameters, and none of 2 GiB");
    frontend::execute("", ALL_ROWS, out).expect("the portal has no name");
}

const BINARY: i16 = 1;
const ALL_ROWS: i32 = 0;
