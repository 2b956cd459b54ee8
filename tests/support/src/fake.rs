//! [`FakeService`]: a service that answers from a script and remembers what it was asked.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::Value;

use crate::wait::{PATIENCE, wait_until};

/// Any port of this host that is free.
pub const ANY_PORT: &str = "127.0.0.1:0";

/// What the service does about one request.
#[derive(Clone)]
pub enum Act {
    /// Answers with this `data`.
    Reply(&'static str),
    /// Answers with this error code.
    Error(&'static str),
    /// Sends this line.
    Line(&'static str),
    /// Sends these bytes.
    Bytes(Vec<u8>),
    /// Answers nothing and keeps the connection. The test may answer, by [`FakeService::next_call`].
    Ignore,
    /// Closes the connection without an answer.
    Close,
    /// Closes all connections without an answer, and takes no more.
    Die,
}

/// The service. Dropped, it dies.
pub struct FakeService {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    unanswered: Receiver<Call>,
}

/// A call that was not answered.
pub struct Call {
    /// What was called.
    pub api: String,
    /// The ID of the request, as JSON.
    id: String,
    connection: TcpStream,
}

struct State {
    address: SocketAddr,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    connections: Vec<TcpStream>,
    is_dead: bool,
}

impl FakeService {
    /// A service that does one thing after another about the requests that come, over whichever connection. It refuses
    /// what comes after the script with `INTERNAL`.
    pub fn start(script: &[Act]) -> Self {
        let script = Arc::new(Mutex::new(VecDeque::from(script.to_vec())));
        Self::serve(ANY_PORT, move || {
            let script = Arc::clone(&script);
            move |_| script.lock().expect("nobody panicked").pop_front().unwrap_or(Act::Error("INTERNAL"))
        })
    }

    /// A service that tells whoever pings it that it is `db_product`, and does `act` about everything else.
    pub fn db_product(listen: impl ToSocketAddrs, act: Act) -> Self {
        const PONG: Act = Act::Reply(r#"{"service":"db_product","version":"0","commits":0}"#);
        Self::serve(listen, move || {
            let act = act.clone();
            move |line| if parse(line)["api"] == "Ping" { PONG } else { act.clone() }
        })
    }

    /// A service that does about each line of a connection what a function says, which `connect` makes for it.
    pub fn serve<F>(listen: impl ToSocketAddrs, connect: impl Fn() -> F + Send + 'static) -> Self
    where
        F: FnMut(&str) -> Act + Send + 'static,
    {
        let listener = TcpListener::bind(listen).expect("the address is free");
        let address = listener.local_addr().expect("it listens");
        let state = Arc::new(State { address, seen: Mutex::default() });
        let (unanswered_in, unanswered) = channel();
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("the system has descriptors");
                if !shared.keep(&stream) {
                    return;
                }
                let (state, unanswered, act) = (Arc::clone(&shared), unanswered_in.clone(), connect());
                thread::spawn(move || converse(&stream, &state, &unanswered, act));
            }
        });
        Self { address, state, unanswered }
    }

    /// The lines received so far.
    pub fn lines(&self) -> Vec<String> {
        self.state.seen().requests.clone()
    }

    /// The APIs called so far.
    pub fn apis(&self) -> Vec<String> {
        self.lines().iter().map(|line| api(&parse(line))).collect()
    }

    /// The requests received so far.
    pub fn requests(&self) -> Vec<Value> {
        self.lines().iter().map(|line| parse(line)).collect()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn wait_for_requests(&self, count: usize) {
        wait_until(&format!("{count} requests"), || self.lines().len() >= count);
    }

    /// Waits for the next call that the service does not answer.
    #[track_caller]
    pub fn next_call(&self) -> Call {
        self.unanswered.recv_timeout(PATIENCE).expect("a call")
    }

    /// Ends all connections, as a restart of the service would.
    pub fn close_connections(&self) {
        self.state.seen().close_connections();
    }
}

impl Drop for FakeService {
    fn drop(&mut self) {
        self.state.die();
    }
}

impl Call {
    /// Answers with this data. A client that has gone does not want to know.
    pub fn answer(mut self, data: impl Display) {
        let _ = self.connection.write_all(success(&self.id, data).as_bytes());
    }
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panicked")
    }

    /// Keeps a new connection, so that it can be closed; returns `false` if it is to be dropped.
    fn keep(&self, stream: &TcpStream) -> bool {
        let mut seen = self.seen();
        if !seen.is_dead {
            seen.connections.push(stream.try_clone().expect("the system has descriptors"));
        }
        !seen.is_dead
    }

    fn die(&self) {
        let mut seen = self.seen();
        seen.close_connections();
        let was_dead = std::mem::replace(&mut seen.is_dead, true);
        drop(seen);
        if !was_dead {
            // This wakes who accepts connections, and so lets go of the port.
            let _ = TcpStream::connect(self.address);
        }
    }
}

impl Seen {
    fn close_connections(&mut self) {
        for connection in self.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// Serves a connection to its end.
fn converse(
    mut stream: &TcpStream,
    state: &State,
    unanswered: &Sender<Call>,
    mut act: impl FnMut(&str) -> Act,
) {
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        state.seen().requests.push(line.clone());
        let request = parse(&line);
        let id = request["request_id"].to_string();
        let act = act(&line);
        let bytes = match act {
            Act::Reply(data) => success(&id, data).into_bytes(),
            Act::Error(code) => refusal(&id, code).into_bytes(),
            Act::Line(line) => format!("{line}\n").into_bytes(),
            Act::Bytes(bytes) => bytes,
            Act::Ignore | Act::Close | Act::Die => {
                let connection = stream.try_clone().expect("the system has descriptors");
                // It fails when the test is over.
                let _ = unanswered.send(Call { api: api(&request), id, connection });
                match act {
                    Act::Ignore => continue,
                    Act::Close => drop(stream.shutdown(Shutdown::Both)),
                    _ => state.die(),
                }
                return;
            }
        };
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn success(id: &str, data: impl Display) -> String {
    format!("{{\"type\":\"Response\",\"request_id\":{id},\"ok\":true,\"error\":null,\"data\":{data}}}\n")
}

/// The message has a control character that must not reach a terminal.
fn refusal(id: &str, code: &str) -> String {
    let error = format!(r#"{{"code":"{code}","message":"a \u001b[31mmessage"}}"#);
    format!("{{\"type\":\"Response\",\"request_id\":{id},\"ok\":false,\"error\":{error},\"data\":null}}\n")
}

fn api(request: &Value) -> String {
    request["api"].as_str().expect("a request has it").to_owned()
}

fn parse(line: &str) -> Value {
    serde_json::from_str(line).expect("a request is JSON")
}
