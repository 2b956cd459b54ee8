//! [`Client`]: a node of the simulated network at which a [`User`] asks a service one request after another.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use net::{Backend, Call, Event, Lost, Out, Service, Time};
use serde_json::{Value, json};

use crate::script::Request;

/// How long a client waits for an answer: longer than any frontend takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody who asks.
pub(crate) trait User {
    /// The next request; none if the user has finished.
    fn next(&mut self, now: Time) -> Option<Request>;

    /// What came of the last request.
    fn answered(&mut self, span: Span, outcome: Outcome);
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

    /// Reads the reply to the request with this ID.
    fn read(line: &[u8], id: u64) -> Self {
        let reply: Value = serde_json::from_slice(line).expect("a reply is JSON");
        assert_eq!(reply["request_id"], json!(id), "the reply answers this request");
        if reply["ok"] == json!(true) {
            return Self::Done(reply["data"].clone());
        }
        let code = reply["error"]["code"].as_str().expect("an error has a code");
        let message = reply["error"]["message"].as_str().expect("an error has a message");
        match code {
            "UNAVAILABLE" if message.ends_with("; nothing was changed") => Self::NotDone,
            "UNAVAILABLE" => Self::Unknown,
            _ => Self::Refused(code.to_owned()),
        }
    }
}

pub(crate) struct Client<U> {
    user: U,
    /// The requests so far; their IDs.
    count: u64,
    asked_at: Option<Time>,
    done: Rc<Cell<bool>>,
}

impl<U: User> Client<U> {
    /// A client, and whether it is done.
    pub(crate) fn new(user: U) -> (Self, Rc<Cell<bool>>) {
        let done = Rc::new(Cell::new(false));
        (Self { user, count: 0, asked_at: None, done: Rc::clone(&done) }, done)
    }

    fn ask(&mut self, now: Time, out: &mut Out<'_>) {
        let Some(Request { api, data }) = self.user.next(now) else {
            return self.done.set(true);
        };
        self.count += 1;
        self.asked_at = Some(now);
        let request = json!({"type": "Request", "request_id": self.count, "api": api, "data": data});
        out.call(Backend(0), Call(0), request.to_string().as_bytes(), now + PATIENCE);
    }
}

impl<U: User> Service for Client<U> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        let Event::Reply(_, result) = event else { return };
        let outcome = match result {
            Ok(line) => Outcome::read(line, self.count),
            Err(Lost::Unsent | Lost::Overloaded) => Outcome::NotDone,
            Err(Lost::Unanswered) => Outcome::Unknown,
        };
        let start = self.asked_at.expect("a reply answers a request");
        self.user.answered(Span { start, end: now }, outcome);
        self.ask(now, out);
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        if self.asked_at.is_none() && !self.done.get() {
            self.ask(now, out);
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}
