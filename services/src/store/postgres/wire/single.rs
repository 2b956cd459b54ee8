//! Statements one by one, for tests that carry out the parts of several transactions in turn.

use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::error::ServerError;
use super::flight::{Call, Reply};
use super::messages;
use super::row::Row;

/// What a server says to one statement.
#[derive(Clone, Debug)]
pub(in super::super) struct Told {
    pub(in super::super) reply: Reply,
    /// The rows as they came, in an order of their own.
    pub(in super::super) rows: Vec<Vec<u8>>,
    /// The tag, or the code of the error.
    end: Result<String, String>,
}

impl Told {
    /// The tag, or the code of the error.
    pub(in super::super) fn end(&self) -> Result<&str, &str> {
        self.end.as_deref().map_err(String::as_str)
    }

    /// A statement that has failed with this code.
    pub(in super::super) fn failed(code: &str) -> Self {
        Self { reply: Reply::default(), rows: Vec::new(), end: Err(code.to_owned()) }
    }
}

/// What begins a connection.
pub(in super::super) fn start(user: &str, database: &str) -> BytesMut {
    let mut out = BytesMut::new();
    messages::start(user, database, &mut out);
    out
}

/// A statement with its Sync.
pub(in super::super) fn asked(call: &Call) -> BytesMut {
    let mut out = BytesMut::new();
    messages::parse("", call.statement.sql, &call.values, &mut out);
    messages::execute("", &call.values, &mut out);
    frontend::sync(&mut out);
    out
}

/// What has come up to the server's readiness, if all of it has.
pub(in super::super) fn told(input: &mut BytesMut) -> Option<Told> {
    let mut whole = input.clone();
    let mut told = Told { reply: Reply::default(), rows: Vec::new(), end: Ok(String::new()) };
    loop {
        match messages::next(&mut whole).expect("it keeps to the protocol")? {
            Message::DataRow(body) => {
                told.rows.push(body.buffer_bytes().to_vec());
                told.reply.rows.push(Row::read(&body).expect("it is a row"));
            }
            Message::CommandComplete(body) => told.end = Ok(body.tag().expect("it is text").to_owned()),
            Message::ErrorResponse(body) => {
                told.end = Err(ServerError::read(body.fields()).expect("it has fields").code);
            }
            Message::ReadyForQuery(_) => break,
            _ => {}
        }
    }
    *input = whole;
    told.rows.sort();
    Some(told)
}
