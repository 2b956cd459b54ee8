//! A blocking client of any of the services: one request, one reply line.
//!
//! It connects when it is first needed and again after a restart of the service. It never repeats
//! a request that may have been carried out unless its caller says that repeating is harmless.
//! It does not know what any API means, and keeps no session.

mod connection;
mod message;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::value::{RawValue, to_raw_value};

use connection::Connection;
use net::ClientTls;

/// How long a call is tried again while a service restarts.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How many requests of one kind are sent before the first reply is read.
const PIPELINED_MAX: usize = 64;
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// The fields of a request's `data`, each as the JSON text that is sent.
pub(crate) type Data = BTreeMap<&'static str, Box<RawValue>>;

/// The JSON text of a string.
pub(crate) fn raw<T: serde::Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    to_raw_value(value).expect("strings and flags can be written as JSON")
}

/// A connection to one service, made on demand.
pub(crate) struct Client {
    server: String,
    /// How connections are encrypted, if they are.
    tls: Option<ClientTls>,
    reply_timeout: Duration,
    connection: Option<Connection>,
    /// Whether the service was there at the last call. If so, its absence is taken for a restart.
    was_connected: bool,
    given_up: Arc<AtomicBool>,
    next_request_id: u64,
}

/// Why a call brought no reply data.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The service answered with an error.
    Refused(ServiceError),
    /// No connection could be made, so nothing was carried out.
    CannotConnect(String),
    /// The connection ended after the request may have been sent: the outcome is unknown.
    Broken(String),
    /// No reply came in time: the outcome is unknown.
    TimedOut(String),
    /// The peer does not speak the protocol.
    Malformed(String),
    /// Nobody waits for the reply any more: the outcome is unknown.
    GivenUp,
}

/// The error of a reply.
#[derive(Debug)]
pub(crate) struct ServiceError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The error object as the service sent it.
    pub(crate) json: Box<RawValue>,
}

impl CallError {
    /// Whether it is because nobody is logged in, or no longer.
    pub(crate) fn says_not_logged_in(&self) -> bool {
        matches!(self, CallError::Refused(refusal) if refusal.says_not_logged_in())
    }
}

impl ServiceError {
    /// The same.
    pub(crate) fn says_not_logged_in(&self) -> bool {
        matches!(self.code.as_str(), "NOT_LOGGED_IN" | "SESSION_TIMEOUT")
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Refused(error) => write!(f, "{}: {}", error.code, error.message),
            CallError::CannotConnect(message)
            | CallError::Broken(message)
            | CallError::TimedOut(message)
            | CallError::Malformed(message) => f.write_str(message),
            CallError::GivenUp => f.write_str("given up before the answer came"),
        }
    }
}

impl Client {
    /// A client of `server`, written `HOST:PORT`, whose connections are encrypted so, if at all. Nothing is connected yet.
    pub(crate) fn new(server: &str, tls: Option<ClientTls>, reply_timeout: Duration) -> Client {
        Client {
            server: server.to_owned(),
            tls,
            reply_timeout,
            connection: None,
            was_connected: false,
            given_up: Arc::default(),
            next_request_id: 1,
        }
    }

    /// The address as it was given.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// How connections are encrypted, if they are.
    pub(crate) fn tls(&self) -> Option<ClientTls> {
        self.tls.clone()
    }

    /// Once this is set, whichever thread does so, nothing more is sent.
    pub(crate) fn given_up(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.given_up)
    }

    /// Connects unless a living connection is at hand.
    pub(crate) fn connect(&mut self) -> Result<(), CallError> {
        if self.connection.as_mut().is_some_and(Connection::is_alive) {
            return Ok(());
        }
        self.connection = None;
        self.connection = Some(Connection::open(&self.server, self.tls.as_ref(), self.reply_timeout)?);
        self.was_connected = true;
        Ok(())
    }

    /// Calls `api` and returns the reply's `data`.
    ///
    /// While the service restarts, the call is tried again for a few seconds, if nothing was sent
    /// yet or if `repeatable` says that carrying it out twice does no harm.
    pub(crate) fn call(
        &mut self,
        api: &str,
        data: &Data,
        repeatable: bool,
    ) -> Result<Box<RawValue>, CallError> {
        let give_up_at = Instant::now() + RETRY_MAX;
        let mut pause = PAUSE_MIN;
        loop {
            let error = match self.attempt(api, data) {
                Ok(reply) => return reply.map_err(CallError::Refused),
                Err(error) => error,
            };
            // Whatever a broken exchange left in the connection belongs to no later call.
            self.connection = None;
            let again = match error {
                CallError::CannotConnect(_) => self.was_connected,
                CallError::Broken(_) => repeatable,
                _ => false,
            };
            if !again || Instant::now() + pause > give_up_at {
                // A service that stays away gets no more patience from the next call.
                self.was_connected &= !matches!(error, CallError::CannotConnect(_));
                return Err(error);
            }
            thread::sleep(pause);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Calls `api` with each of `all` in turn, and waits for no reply before it sends the next few. No call is tried
    /// again.
    pub(crate) fn call_all(
        &mut self,
        api: &str,
        all: &[Data],
    ) -> Result<Vec<Result<Box<RawValue>, ServiceError>>, CallError> {
        let mut replies = Vec::with_capacity(all.len());
        for some in all.chunks(PIPELINED_MAX) {
            match self.exchange(api, some) {
                Ok(some) => replies.extend(some),
                Err(error) => {
                    self.connection = None;
                    return Err(error);
                }
            }
        }
        Ok(replies)
    }

    fn attempt(&mut self, api: &str, data: &Data) -> Result<Result<Box<RawValue>, ServiceError>, CallError> {
        let mut replies = self.exchange(api, std::slice::from_ref(data))?;
        Ok(replies.pop().expect("there is a reply to each request"))
    }

    /// Sends a request with each of `all`, and returns as many replies.
    fn exchange(
        &mut self,
        api: &str,
        all: &[Data],
    ) -> Result<Vec<Result<Box<RawValue>, ServiceError>>, CallError> {
        self.connect()?;
        let first_id = self.next_request_id;
        let mut lines = Vec::new();
        for data in all {
            let request_id = self.next_request_id.to_string();
            self.next_request_id += 1;
            message::write_request(&mut lines, &request_id, api, data);
        }
        if self.given_up.load(Ordering::Relaxed) {
            return Err(CallError::GivenUp);
        }
        let connection = self.connection.as_mut().expect("connect() succeeded");
        connection.send(&lines, self.reply_timeout)?;
        let ids = first_id..self.next_request_id;
        ids.map(|id| message::parse_reply(&connection.receive(self.reply_timeout)?, &id.to_string()))
            .collect()
    }
}

/// Checks that `text` has the form `HOST:PORT`; whether the host exists shows when connecting.
pub(crate) fn check_address(text: &str) -> Result<(), String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(()),
        _ => Err(format!("{text:?} is not HOST:PORT")),
    }
}

/// Checks a list of addresses.
///
/// # Errors
/// They are more than so many, or one of them is no address, or is there twice.
pub(crate) fn check_addresses(addresses: &[String], count_max: usize) -> Result<(), String> {
    if addresses.len() > count_max {
        return Err(format!("{} addresses are more than {count_max}", addresses.len()));
    }
    let mut seen = BTreeSet::new();
    for address in addresses {
        check_address(address)?;
        if !seen.insert(address) {
            return Err(format!("{address} is given twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request over one connection.
    fn answer_once(listener: &TcpListener) {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        let id = &serde_json::from_str::<serde_json::Value>(&line).unwrap()["request_id"];
        let reply = format!("{{\"request_id\":{id},\"ok\":true,\"error\":null,\"data\":{{}}}}\n");
        stream.write_all(reply.as_bytes()).unwrap();
    }

    fn client(listener: &TcpListener, reply_timeout: Duration) -> Client {
        Client::new(&listener.local_addr().unwrap().to_string(), None, reply_timeout)
    }

    #[test]
    fn waits_for_a_service_that_restarts() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = client(&listener, Duration::from_secs(60));
        let service = thread::spawn(move || answer_once(&listener));
        client.call("Write", &Data::new(), false).unwrap();
        service.join().unwrap();
        // Nobody listens now. The next call finds that out before the service is back.
        let service = thread::spawn(move || {
            thread::sleep(PAUSE_MIN * 2);
            answer_once(&TcpListener::bind(address).unwrap());
        });
        client.call("Write", &Data::new(), false).unwrap();
        service.join().unwrap();
    }

    #[test]
    fn a_service_that_never_was_there_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = client(&listener, Duration::from_secs(60));
        drop(listener);
        let error = client.call("Read", &Data::new(), true).unwrap_err();
        assert!(matches!(error, CallError::CannotConnect(_)), "{error:?}");
    }

    #[test]
    fn a_missing_reply_is_a_timeout_and_not_repeated() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error =
            client(&listener, Duration::from_millis(20)).call("Read", &Data::new(), true).unwrap_err();
        assert!(matches!(error, CallError::TimedOut(_)), "{error:?}");
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_ok());
        assert!(listener.accept().is_err(), "there was a second attempt");
    }

    #[test]
    fn a_reply_without_end_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = client(&listener, Duration::from_secs(60));
        let service = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The client hangs up in the middle of this.
            while stream.write_all(&[b' '; 1 << 16]).is_ok() {}
        });
        let error = client.call("Read", &Data::new(), true).unwrap_err();
        assert!(matches!(error, CallError::Malformed(_)), "{error:?}");
        service.join().unwrap();
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        for good in ["127.0.0.1:6003", "[::1]:6003", "localhost:0"] {
            assert_eq!(check_address(good), Ok(()));
        }
        for bad in ["", "localhost", ":6003", "localhost:", "localhost:65536", "localhost:http"] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }
}
