//! [`Admin`]: the HTTP connections through which a process is watched. They are sessions beside those of clients: no
//! system calls, no clock. Each asks once, is answered, and ends; all of it within one deadline.
//!
//! | path | says |
//! | --- | --- |
//! | `/livez` | 200 while the event loops of the process turn |
//! | `/readyz` | 200, and 503 once the process is draining |
//! | `/metrics` | what the process counts |

mod http;

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use slab::Slab;

use self::http::{Head, Response};
use crate::buffer::{Outbox, Transmit, after_write};
use crate::event::Conn;
use crate::io::{Output, Peer};
use crate::limits::Limits;
use crate::metrics::Registry;
use crate::time::Time;

/// The HTTP connections of a node.
pub(crate) struct Admin {
    registry: Arc<Registry>,
    connections: Slab<Connection>,
    generation: u32,
    is_draining: bool,
}

struct Connection {
    generation: u32,
    state: State,
    /// What arrived of the request's head.
    head: Vec<u8>,
    outbox: Outbox,
    transmit: Transmit,
    /// The client has shut its side.
    peer_finished: bool,
}

/// How far a connection has come. What arrives after the first request is discarded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Asking,
    Answered,
    /// Our side is shut. Closing a socket with unread bytes would reset it, and take the response with it.
    Lingering,
}

impl Admin {
    pub(crate) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, connections: Slab::new(), generation: 0, is_draining: false }
    }

    /// Takes a new connection. `None`: drop it, there are too many. The node is to call [`Admin::close`] when the
    /// connection's time is over.
    pub(crate) fn open(&mut self, limits: &Limits) -> Option<Conn> {
        if self.connections.len() >= limits.admin_connections_max {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let slot = self.connections.insert(Connection {
            generation,
            state: State::Asking,
            head: Vec::new(),
            outbox: Outbox::new(0),
            transmit: Transmit::Idle,
            peer_finished: false,
        });
        Some(Conn { slot: u32::try_from(slot).expect("the maximum fits in 32 bits"), generation })
    }

    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    pub(crate) fn received(
        &mut self,
        now: Time,
        conn: Conn,
        bytes: &[u8],
        limits: &Limits,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(connection) = self.connection(conn).filter(|connection| connection.state == State::Asking)
        else {
            return;
        };
        let room = limits.admin_request_bytes_max - connection.head.len();
        connection.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let head = mem::take(&mut connection.head);
        let (response, with_body) = match http::parse(&head) {
            Some(Ok(head)) => (self.answer(now, &head), head.method != "HEAD"),
            Some(Err(refusal)) => (refusal, true),
            None if head.len() >= limits.admin_request_bytes_max => (Response::TOO_LONG, true),
            None => {
                self.connections[conn.slot()].head = head;
                return;
            }
        };
        let connection = &mut self.connections[conn.slot()];
        connection.state = State::Answered;
        connection.outbox.append(response.encode(with_body).as_bytes());
        connection.transmit = Transmit::Queued;
        outputs.push_back(Output::Transmit(Peer::Admin(conn)));
    }

    pub(crate) fn sent(&mut self, conn: Conn, count: usize, outputs: &mut VecDeque<Output>) {
        let Some(connection) = self.connection(conn) else {
            return;
        };
        connection.outbox.advance(count);
        connection.transmit = after_write(connection.outbox.is_empty());
        if !connection.outbox.is_empty() {
            return;
        }
        if connection.peer_finished {
            return self.close(conn, outputs);
        }
        connection.state = State::Lingering;
        outputs.push_back(Output::Finish(Peer::Admin(conn)));
    }

    pub(crate) fn writable(&mut self, conn: Conn, outputs: &mut VecDeque<Output>) {
        if let Some(connection) = self.connection(conn)
            && connection.transmit == Transmit::Blocked
        {
            connection.transmit = Transmit::Queued;
            outputs.push_back(Output::Transmit(Peer::Admin(conn)));
        }
    }

    /// The client has shut its side. If it asked before, it is still answered.
    pub(crate) fn peer_finished(&mut self, conn: Conn, outputs: &mut VecDeque<Output>) {
        if let Some(connection) = self.connection(conn) {
            connection.peer_finished = true;
            if connection.state != State::Answered {
                self.close(conn, outputs);
            }
        }
    }

    /// Forgets a connection at once, if it is still there.
    pub(crate) fn close(&mut self, conn: Conn, outputs: &mut VecDeque<Output>) {
        if self.connection(conn).is_some() {
            self.connections.remove(conn.slot());
            outputs.push_back(Output::Close(Peer::Admin(conn)));
        }
    }

    pub(crate) fn outbox(&self, conn: Conn) -> &[u8] {
        match self.connections.get(conn.slot()) {
            Some(connection) if connection.generation == conn.generation => connection.outbox.unsent(),
            _ => &[],
        }
    }

    pub(crate) fn wants_read(&mut self, conn: Conn) -> bool {
        self.connection(conn).is_some_and(|connection| !connection.peer_finished)
    }

    fn answer(&self, now: Time, head: &Head<'_>) -> Response {
        if !matches!(head.method, "GET" | "HEAD") {
            return Response::new("405 Method Not Allowed", "GET is all there is\n");
        }
        match head.path {
            "/livez" if self.registry.hangs(now) => {
                Response::new("503 Service Unavailable", "an event loop hangs\n")
            }
            "/readyz" if self.is_draining => Response::new("503 Service Unavailable", "draining\n"),
            "/livez" | "/readyz" => Response::new("200 OK", "ok\n"),
            "/metrics" => Response::metrics(self.registry.text()),
            _ => Response::new("404 Not Found", "there are /livez, /readyz and /metrics\n"),
        }
    }

    fn connection(&mut self, conn: Conn) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(conn.slot())?;
        (connection.generation == conn.generation).then_some(connection)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::LoopMetrics;

    #[test]
    fn a_loop_of_the_process_that_hangs_is_told_of_by_another() {
        let registry = Arc::new(Registry::new("shop"));
        let other = Arc::new(LoopMetrics::default());
        registry.add_loop(Arc::clone(&other));
        let admin = Admin::new(registry);
        let began = Time::from_millis(1000);
        other.turn_begins(began);
        for (seconds, status) in [(1, "200"), (60, "503")] {
            let head = Head { method: "GET", path: "/livez" };
            let response = admin.answer(began + Duration::from_secs(seconds), &head).encode(true);
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        }
    }
}
