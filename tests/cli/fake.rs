//! A service that answers from a script and remembers what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// What the service does about one request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers with this `data`.
    Reply(&'static str),
    /// Answers with this error code.
    Error(&'static str),
    /// Sends this line.
    Line(&'static str),
    /// Closes the connection without an answer.
    Close,
    /// Answers nothing and keeps the connection.
    Ignore,
    /// Answers with this `data` when the test says so.
    Late(&'static str),
}

/// The service. It goes on until the process ends.
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    script: VecDeque<Act>,
    requests: Vec<String>,
    connections: Vec<TcpStream>,
    goes_on: bool,
}

impl FakeServer {
    pub(crate) fn start(script: &[Act]) -> FakeServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            Arc::new(Mutex::new(State { script: script.iter().cloned().collect(), ..State::default() }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                shared.lock().unwrap().connections.push(stream.try_clone().unwrap());
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        FakeServer { address, state }
    }

    /// The lines received so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The APIs called so far.
    pub(crate) fn apis(&self) -> Vec<String> {
        self.requests().iter().map(|request| request["api"].as_str().unwrap().to_owned()).collect()
    }

    /// The requests received so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.lines().len() < count {
            assert!(Instant::now() < deadline, "{:?} is all that came", self.lines());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets late answers go.
    pub(crate) fn go_on(&self) {
        self.state.lock().unwrap().goes_on = true;
    }

    /// Ends all connections, as a restart of the service would.
    pub(crate) fn close_connections(&self) {
        for connection in self.state.lock().unwrap().connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>) {
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { return };
        let act = {
            let mut state = state.lock().unwrap();
            state.requests.push(line.clone());
            state.script.pop_front().unwrap_or(Act::Error("INTERNAL"))
        };
        let request_id = serde_json::from_str::<Value>(&line).unwrap()["request_id"].to_string();
        let head = format!(r#"{{"type":"Response","request_id":{request_id},"ok""#);
        let answer = match act {
            Act::Reply(data) => format!(r#"{head}:true,"error":null,"data":{data}}}"#),
            Act::Error(code) => {
                format!(
                    r#"{head}:false,"error":{{"code":"{code}","message":"a \u001b[31mmessage"}},"data":null}}"#
                )
            }
            Act::Line(line) => line.to_owned(),
            Act::Close => {
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Act::Ignore => continue,
            Act::Late(data) => {
                while !state.lock().unwrap().goes_on {
                    thread::sleep(Duration::from_millis(2));
                }
                format!(r#"{head}:true,"error":null,"data":{data}}}"#)
            }
        };
        let mut stream = stream;
        if stream.write_all(format!("{answer}\n").as_bytes()).is_err() {
            return;
        }
    }
}
