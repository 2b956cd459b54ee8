//! [`Client`]: a client of a service that says how a call failed: whether it may have been carried out.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::process::{PATIENCE, POLL};

/// Calls one service, over a new connection when the last one broke.
pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
    calls: u64,
}

/// Why a call brought no data.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There was no connection.
    NotConnected(io::ErrorKind),
    /// The connection broke before the reply came.
    Broken,
    /// The service answered with this code and message.
    Refused(String, String),
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, connection: None, calls: 0 }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls once.
    pub(crate) fn call(&mut self, api: &str, data: &Value) -> Result<Value, Failure> {
        self.calls += 1;
        let request = json!({"type": "Request", "request_id": self.calls, "api": api, "data": data});
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(self.address).map_err(|error| Failure::NotConnected(error.kind()))?),
        };
        let Some(reply) = exchange(connection, &format!("{request}\n")) else {
            self.connection = None;
            return Err(Failure::Broken);
        };
        assert_eq!(reply["request_id"], self.calls, "{api}: the reply is another request's: {reply}");
        let text = |field: &str| reply["error"][field].as_str().expect("an error has it").to_owned();
        match reply["ok"].as_bool().expect("a reply has it") {
            true => Ok(reply["data"].clone()),
            false => Err(Failure::Refused(text("code"), text("message"))),
        }
    }

    /// Calls, which must succeed at once.
    #[track_caller]
    pub(crate) fn must(&mut self, api: &str, data: Value) -> Value {
        self.call(api, &data).unwrap_or_else(|failure| panic!("{api} {data}: {failure}"))
    }

    /// Calls, which must be refused with this code; returns the message.
    #[track_caller]
    pub(crate) fn must_refuse(&mut self, api: &str, data: Value, code: &str) -> String {
        match self.call(api, &data) {
            Err(Failure::Refused(refused, message)) if refused == code => message,
            other => panic!("{api} {data}: {other:?} in place of {code}"),
        }
    }

    /// Calls again and again until the service has recovered and answers with data. Each failure is shown to
    /// `observe`.
    #[track_caller]
    pub(crate) fn insist(&mut self, api: &str, data: &Value, mut observe: impl FnMut(&Failure)) -> Value {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            match self.call(api, data) {
                Ok(data) => return data,
                Err(failure) => {
                    assert!(failure.is_outage(), "{api} {data}: {failure}");
                    assert!(Instant::now() < give_up_at, "{api} {data} in vain, at last: {failure}");
                    observe(&failure);
                    thread::sleep(POLL);
                }
            }
        }
    }

    /// Opens an account and a session.
    #[track_caller]
    pub(crate) fn log_in(&mut self, name: &str) -> String {
        self.must("CreateAccount", json!({"name": name, "password": super::PASSWORD}));
        let login = self.must("Login", json!({"name": name, "password": super::PASSWORD}));
        login["session_id"].as_str().expect("a login has it").to_owned()
    }
}

impl Failure {
    /// Whether the call may have been carried out, by what the contract says.
    pub(crate) fn is_unknown(&self) -> bool {
        match self {
            Self::NotConnected(_) => false,
            Self::Broken => true,
            Self::Refused(code, message) => {
                code == "UNAVAILABLE" && !message.ends_with("; nothing was changed")
            }
        }
    }

    /// Whether it is one that a process that is down accounts for.
    pub(crate) fn is_outage(&self) -> bool {
        !matches!(self, Self::Refused(code, _) if code != "UNAVAILABLE")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(kind) => write!(f, "{kind}"),
            Self::Broken => write!(f, "connection broke"),
            Self::Refused(code, message) => write!(f, "{code}: {message}"),
        }
    }
}

/// Connects; what is read from the connection must come within the test's patience.
pub(crate) fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// Sends a request; `None` if the connection broke before the whole reply came.
fn exchange(connection: &mut BufReader<TcpStream>, request: &str) -> Option<Value> {
    connection.get_mut().write_all(request.as_bytes()).ok()?;
    read_reply(connection)
}

/// Reads one reply; `None` if the connection ended before.
pub(crate) fn read_reply(connection: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut line = String::new();
    match connection.read_line(&mut line) {
        Ok(_) if line.ends_with('\n') => Some(serde_json::from_str(&line).expect("a reply is JSON")),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("no reply in time"),
        _ => None,
    }
}
