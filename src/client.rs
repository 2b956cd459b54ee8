//! A blocking client of any of the services: one request, one reply line.
//!
//! It connects when it is first needed and again after a restart of the service. It never repeats
//! a request that may have been carried out unless its caller says that repeating is harmless.
//! It does not know what any API means, and keeps no session.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The longest reply line that is read, in bytes.
const REPLY_BYTES_MAX: usize = 8 << 20;
/// How long one address may take to accept a connection, unless the reply is due earlier.
const CONNECT_MAX: Duration = Duration::from_secs(3);
/// How long a call is tried again while a service restarts.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// How many requests of one kind are sent before the first reply is read.
const PIPELINED_MAX: usize = 64;
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// The fields of a request's `data`, each as the JSON text that is sent.
pub(crate) type Data = BTreeMap<&'static str, Box<RawValue>>;

/// A connection to one service, made on demand.
pub(crate) struct Client {
    server: String,
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
    /// A client of `server`, written `HOST:PORT`. Nothing is connected yet.
    pub(crate) fn new(server: &str, reply_timeout: Duration) -> Client {
        Client {
            server: server.to_owned(),
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

    /// Once this is set, whichever thread does so, nothing more is sent.
    pub(crate) fn given_up(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.given_up)
    }

    /// Connects unless a living connection is at hand.
    pub(crate) fn connect(&mut self) -> Result<(), CallError> {
        if self.connection.as_ref().is_some_and(Connection::is_alive) {
            return Ok(());
        }
        self.connection = None;
        self.connection = Some(Connection::open(&self.server, self.reply_timeout)?);
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
            let request = Request { r#type: "Request", request_id: &request_id, api, data };
            serde_json::to_writer(&mut lines, &request).expect("a request of JSON texts is JSON");
            lines.push(b'\n');
        }
        if self.given_up.load(Ordering::Relaxed) {
            return Err(CallError::GivenUp);
        }
        let connection = self.connection.as_mut().expect("connect() succeeded");
        connection.send(&lines, self.reply_timeout)?;
        let ids = first_id..self.next_request_id;
        ids.map(|id| parse_reply(&connection.receive(self.reply_timeout)?, &id.to_string())).collect()
    }
}

/// Checks that `text` has the form `HOST:PORT`; whether the host exists shows when connecting.
pub(crate) fn check_address(text: &str) -> Result<(), String> {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(()),
        _ => Err(format!("{text:?} is not HOST:PORT")),
    }
}

#[derive(Serialize)]
struct Request<'a> {
    r#type: &'static str,
    request_id: &'a str,
    api: &'a str,
    data: &'a Data,
}

#[derive(Deserialize)]
struct Reply<'a> {
    request_id: Option<String>,
    ok: bool,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ReplyError {
    code: String,
    message: String,
}

fn parse_reply(line: &[u8], request_id: &str) -> Result<Result<Box<RawValue>, ServiceError>, CallError> {
    let malformed =
        |error: serde_json::Error| CallError::Malformed(format!("the reply makes no sense: {error}"));
    let reply: Reply<'_> = serde_json::from_slice(line).map_err(malformed)?;
    // A request that the service could not read is answered without its ID.
    if reply.request_id.as_deref().is_some_and(|id| id != request_id) {
        return Err(CallError::Malformed("the reply belongs to another request".to_owned()));
    }
    match (reply.ok, reply.data, reply.error) {
        (true, Some(data), _) => Ok(Ok(data.to_owned())),
        (false, _, Some(json)) => {
            let ReplyError { code, message } = serde_json::from_str(json.get()).map_err(malformed)?;
            Ok(Err(ServiceError { code, message, json: json.to_owned() }))
        }
        _ => Err(CallError::Malformed("the reply has neither data nor an error".to_owned())),
    }
}

struct Connection {
    stream: TcpStream,
    /// What was received beyond the replies taken so far.
    received: Vec<u8>,
}

impl Connection {
    /// Tries all addresses of `server` in turn and reports the last failure.
    fn open(server: &str, reply_timeout: Duration) -> Result<Connection, CallError> {
        let failed =
            |error: io::Error| CallError::CannotConnect(format!("cannot connect to {server}: {error}"));
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in server.to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&address, CONNECT_MAX.min(reply_timeout)) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(failed)?;
                    return Ok(Connection { stream, received: Vec::new() });
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// Whether the connection can carry another request, as far as this side can know.
    ///
    /// A service that has gone shows as an end of stream here, before anything is sent that might
    /// not be repeated. Bytes nobody asked for count as broken too.
    fn is_alive(&self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let blocking_again = self.stream.set_nonblocking(false).is_ok();
        let silent = matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        silent && blocking_again && self.received.is_empty()
    }

    fn send(&mut self, lines: &[u8], timeout: Duration) -> Result<(), CallError> {
        let written =
            self.stream.set_write_timeout(Some(timeout)).and_then(|()| self.stream.write_all(lines));
        written.map_err(|error| lost(&error, timeout))
    }

    /// The next line.
    fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, CallError> {
        let deadline = Instant::now() + timeout;
        let lost = |error: io::Error| lost(&error, timeout);
        let mut chunk = [0; 16 << 10];
        let mut searched = 0;
        loop {
            if let Some(end) = self.received[searched..].iter().position(|&byte| byte == b'\n') {
                let rest = self.received.split_off(searched + end + 1);
                return Ok(std::mem::replace(&mut self.received, rest));
            }
            searched = self.received.len();
            if self.received.len() > REPLY_BYTES_MAX {
                return Err(CallError::Malformed(format!(
                    "the reply is longer than {REPLY_BYTES_MAX} bytes"
                )));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(lost(io::ErrorKind::TimedOut.into()));
            }
            self.stream.set_read_timeout(Some(left)).map_err(lost)?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }
}

/// What it means that nothing more was sent or received.
fn lost(error: &io::Error, timeout: Duration) -> CallError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            CallError::TimedOut(format!("no answer within {} ms", timeout.as_millis()))
        }
        _ => CallError::Broken(format!("the connection broke: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
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
        Client::new(&listener.local_addr().unwrap().to_string(), reply_timeout)
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
