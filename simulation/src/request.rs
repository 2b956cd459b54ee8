//! A request of a user, and what comes of it.

use std::fmt;

use net::Time;
use serde_json::{Value, json};

/// What a user asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) api: &'static str,
    pub(crate) data: Value,
}

/// From when a request was made until it was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) start: Time,
    pub(crate) end: Time,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// It was carried out; with the `data` of the reply.
    Done(Value),
    /// It was refused, with this code.
    Refused(String),
    /// It was certainly not carried out, because something cannot be reached.
    NotDone,
    /// Nobody knows whether it was, or will still be, carried out.
    Unknown,
}

impl Outcome {
    pub(crate) fn data(&self) -> Option<&Value> {
        match self {
            Self::Done(data) => Some(data),
            _ => None,
        }
    }

    /// Whether a line is the reply to the request with this ID, whose turn it is. Otherwise it must say that the
    /// connection ends.
    pub(crate) fn is_of(line: &[u8], id: u64) -> bool {
        let reply: Value = serde_json::from_slice(line).expect("a reply is JSON");
        let is_reject = reply["request_id"].is_null() && reply["ok"] == json!(false);
        assert!(is_reject || reply["request_id"] == json!(id), "{reply} answers another request than {id}");
        !is_reject
    }

    /// Reads a reply.
    pub(crate) fn read(line: &[u8]) -> Self {
        let reply: Value = serde_json::from_slice(line).expect("a reply is JSON");
        if reply["ok"] == json!(true) {
            return Self::Done(reply["data"].clone());
        }
        let code = reply["error"]["code"].as_str().expect("an error has a code");
        let message = reply["error"]["message"].as_str().expect("an error has a message");
        match code {
            "UNAVAILABLE" | "RESOURCE_EXHAUSTED" if message.ends_with("; nothing was changed") => {
                Self::NotDone
            }
            // Where an engine was slow, what waits behind it would be too late.
            "RESOURCE_EXHAUSTED" if message.starts_with("too many passwords wait") => Self::NotDone,
            "UNAVAILABLE" => Self::Unknown,
            _ => Self::Refused(code.to_owned()),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(data) => write!(f, "{data}"),
            Self::Refused(code) => write!(f, "refused with {code}"),
            Self::NotDone => f.write_str("certainly not done"),
            Self::Unknown => f.write_str("no answer"),
        }
    }
}

/// A price of a reply, in cents.
pub(crate) fn cents(price: &Value) -> u64 {
    (price.as_f64().expect("a price is a number") * 100.0).round() as u64
}
