//! [`Client`]: a client of the marketplace, to copy and to change. It needs the standard library and `serde_json`.
//!
//! It connects when it has something to say, to the next address where one is away. It sends a request again where that can
//! do no harm, and says of any other that its outcome is open ([`Error::OutcomeUnknown`]). When its session is over, it logs
//! in again. It knows what `services/README.md` says of all APIs, and the fields of none: data is JSON. It neither encrypts
//! nor does two things at a time: whoever wants that has several clients.

use std::fmt;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::connection::Connection;
use super::effect;

/// For how long a call is tried again: long enough for a service to be restarted.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How many requests are sent before their replies are read. A frontend reads no more of them while many replies wait, so
/// who only sends may come to wait for a frontend that waits for them.
const PIPELINED_MAX: usize = 64;

/// Why a call brought no data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Error {
    /// The service said no, with a code for programs and a message for people. Nothing was changed.
    Refused { code: String, message: String },
    /// Nobody could be reached, or had time. Nothing was changed.
    Unavailable(String),
    /// It was carried out, or was not, or will be within seconds: look before you call again.
    OutcomeUnknown(String),
    /// The session was over. There is a new one, whose cart is the saved one. Nothing was changed.
    CartReplaced,
}

/// A client of one kind of frontend.
pub(crate) struct Client {
    /// Where frontends of this kind are, `HOST:PORT`. The one that is used comes first.
    addresses: Vec<String>,
    /// Whether nobody else changes the prices, carts and votes of this account, so that such changes may be sent again.
    pub(crate) is_alone: bool,
    connection: Option<Connection>,
    account: Option<(String, String)>,
    session: Option<String>,
}

/// A call that has no result yet.
struct Pending {
    data: Value,
    /// An earlier attempt may have been carried out.
    is_open: bool,
}

/// What came of one attempt.
enum Attempt {
    Done(Value),
    Refused {
        code: String,
        message: String,
    },
    /// Certainly nothing was changed, and a later attempt may do better.
    InVain(String),
    /// Nobody knows.
    Lost(String),
}

impl Client {
    /// A client of the frontend that is found at any of these addresses. Nothing is connected yet.
    pub(crate) fn new(addresses: &[String]) -> Client {
        Client {
            addresses: addresses.to_vec(),
            is_alone: false,
            connection: None,
            account: None,
            session: None,
        }
    }

    /// Logs in. From now on calls have the session, and another one when that is over: so the password is kept.
    pub(crate) fn log_in(&mut self, username: &str, password: &str) -> Result<(), Error> {
        let reply = self.call("Login", json!({"username": username, "password": password}))?;
        self.session = reply["session_id"].as_str().map(str::to_owned);
        self.account = Some((username.to_owned(), password.to_owned()));
        Ok(())
    }

    /// Buys what is in the cart. The key is the order's: whoever writes it down before the first call, and calls again with
    /// it after whatever has happened, buys once and gets the same receipt.
    pub(crate) fn purchase(&mut self, key: &str) -> Result<Value, Error> {
        self.call("MakePurchase", json!({"idempotency_key": key}))
    }

    /// Calls an API with the fields in `data`, and returns those of the reply.
    pub(crate) fn call(&mut self, api: &str, data: Value) -> Result<Value, Error> {
        self.call_all(api, vec![data]).pop().expect("a call has a result")
    }

    /// Calls an API with each of `all`, many at a time. What is sent again comes after others, so this is for calls whose
    /// order makes no difference.
    pub(crate) fn call_all(&mut self, api: &str, all: Vec<Value>) -> Vec<Result<Value, Error>> {
        let give_up_at = Instant::now() + PATIENCE;
        let mut pause = PAUSE_MIN;
        let mut results: Vec<Option<Result<Value, Error>>> = all.iter().map(|_| None).collect();
        let mut pending: Vec<Pending> =
            all.into_iter().map(|data| Pending { data, is_open: false }).collect();
        loop {
            let left = (0..results.len()).filter(|&index| results[index].is_none());
            let left: Vec<usize> = left.take(PIPELINED_MAX).collect();
            if left.is_empty() {
                return results.into_iter().flatten().collect();
            }
            let attempts = self.attempt(api, left.iter().map(|&index| &pending[index].data));
            let is_last = Instant::now() + pause > give_up_at;
            let is_renewed = !is_last && attempts.iter().any(Attempt::has_no_session) && self.renew();
            for (&index, attempt) in left.iter().zip(attempts) {
                results[index] = self.judge(api, &mut pending[index], attempt, is_last, is_renewed);
            }
            if left.iter().any(|&index| results[index].is_none()) {
                thread::sleep(pause);
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }

    /// The result of a call after this attempt; `None` if there is to be another one.
    fn judge(
        &self,
        api: &str,
        pending: &mut Pending,
        attempt: Attempt,
        is_last: bool,
        is_renewed: bool,
    ) -> Option<Result<Value, Error>> {
        let (error, is_settled) = match attempt {
            Attempt::Done(data) => return Some(Ok(data)),
            ref over if is_renewed && over.has_no_session() => match effect::is_of_the_cart(api) {
                true => (Error::CartReplaced, false),
                false => return None,
            },
            Attempt::Refused { code, message } => {
                // Of what is bought, this tells that no earlier attempt has bought it either.
                let is_settled = code == "OUT_OF_STOCK" || code == "FAILED_PRECONDITION";
                (Error::Refused { code, message }, is_settled)
            }
            Attempt::InVain(_) if !is_last => return None,
            Attempt::InVain(message) => (Error::Unavailable(message), false),
            Attempt::Lost(_) if !is_last && effect::may_repeat(api, &pending.data, self.is_alone) => {
                pending.is_open = true;
                return None;
            }
            Attempt::Lost(message) => (Error::OutcomeUnknown(message), true),
        };
        // What an earlier attempt has changed, a later one that fails does not undo.
        let is_open = pending.is_open && !is_settled && effect::leaves_something(api);
        Some(Err(if is_open { Error::OutcomeUnknown(error.to_string()) } else { error }))
    }

    /// Logs in again, and returns whether there is a new session.
    fn renew(&mut self) -> bool {
        let Some((username, password)) = self.account.take() else { return false };
        let result = self.log_in(&username, &password);
        self.account = Some((username, password));
        result.is_ok()
    }

    /// Sends a request with each of `all`, and reads the replies.
    fn attempt<'a>(&mut self, api: &str, all: impl Iterator<Item = &'a Value>) -> Vec<Attempt> {
        let all: Vec<Value> = all.map(|data| self.with_session(data)).collect();
        let mut attempts = Vec::with_capacity(all.len());
        let mut connection = match self.connect() {
            Ok(connection) => connection,
            Err(error) => {
                attempts.resize_with(all.len(), || Attempt::InVain(format!("cannot connect: {error}")));
                return attempts;
            }
        };
        let mut result = connection.send(api, &all);
        while result.is_ok() && attempts.len() < all.len() {
            result = connection.receive().map(|reply| attempts.push(Attempt::of(reply)));
        }
        match result {
            Ok(()) => self.connection = Some(connection),
            // Whatever else comes over this connection belongs to no later call.
            Err(error) => attempts.resize_with(all.len(), || Attempt::Lost(error.to_string())),
        }
        attempts
    }

    /// All APIs take a session, needed or not.
    fn with_session(&self, data: &Value) -> Value {
        let mut data = data.clone();
        if let Some(session) = &self.session {
            data["session_id"] = json!(session);
        }
        data
    }

    /// The connection that there is, or one to the first address that can be reached.
    fn connect(&mut self) -> io::Result<Connection> {
        if let Some(connection) = self.connection.take()
            && connection.is_alive()
        {
            return Ok(connection);
        }
        let mut result = Err(io::Error::other("there is no address"));
        for _ in 0..self.addresses.len() {
            result = Connection::open(&self.addresses[0]);
            if result.is_ok() {
                break;
            }
            self.addresses.rotate_left(1);
        }
        result
    }
}

impl Attempt {
    fn of(mut reply: Value) -> Attempt {
        if reply["ok"] == true {
            return Attempt::Done(reply["data"].take());
        }
        let text = |field: &str| reply["error"][field].as_str().unwrap_or_default().to_owned();
        let (code, message) = (text("code"), text("message"));
        match code.as_str() {
            "UNAVAILABLE" | "RESOURCE_EXHAUSTED" if message.ends_with("nothing was changed") => {
                Attempt::InVain(message)
            }
            "UNAVAILABLE" | "INTERNAL" => Attempt::Lost(message),
            _ => Attempt::Refused { code, message },
        }
    }

    fn has_no_session(&self) -> bool {
        matches!(self, Attempt::Refused { code, .. } if code == "SESSION_TIMEOUT" || code == "NOT_LOGGED_IN")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Refused { code, message } => write!(f, "{code}: {message}"),
            Error::Unavailable(message) | Error::OutcomeUnknown(message) => f.write_str(message),
            Error::CartReplaced => f.write_str("the session was over, and the cart with it"),
        }
    }
}
