//! [`Admin`]: the HTTP connections through which a process is watched. They stand beside those of clients: no
//! system calls, no clock. Each asks once, is answered, and ends; all of it within one deadline.
//!
//! | path | says |
//! | --- | --- |
//! | `/livez` | 200 while the event loops of the process turn |
//! | `/readyz` | 200 while the service is ready, and 503 otherwise or once the process is draining |
//! | `/metrics` | what the process counts |
//! | of a document | that document, see [`Site`] |

mod http;
mod site;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::http::{Head, Response};
use crate::channel::Channel;
use crate::event::Conn;
use crate::io::{Output, Peer};
use crate::limits::Limits;
use crate::metrics::Registry;
use crate::places::Places;
use crate::slots::Slots;
use crate::time::Time;
use crate::timers::Timers;

pub use self::site::{Document, Site};

/// The HTTP connections of a node.
pub(crate) struct Admin {
    registry: Arc<Registry>,
    site: Site,
    connections: Slots<Connection>,
    places: Places,
    /// Those that came in this turn and were not read yet.
    came: usize,
    is_draining: bool,
}

struct Connection {
    state: State,
    /// What has arrived is the request's head, or a part of it.
    channel: Channel,
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
        let (connections, places) = (Slots::new(), Places::default());
        Self { registry, site: Site::default(), connections, places, came: 0, is_draining: false }
    }

    /// Shows this to browsers.
    pub(crate) fn show(&mut self, site: Site) {
        self.site = site;
    }

    /// Takes a new connection, which is to be forgotten when its only deadline comes. `None`: there are too many.
    pub(crate) fn open(
        &mut self,
        now: Time,
        limits: &Limits,
        timers: &mut Timers<Peer>,
        outputs: &mut VecDeque<Output>,
    ) -> Option<Conn> {
        if self.places.len() >= limits.admin_connections_max && !self.make_room(now, outputs) {
            return None;
        }
        let channel = Channel::new(0);
        let conn =
            self.connections.insert(Connection { state: State::Asking, channel, peer_finished: false });
        self.places.take(now, conn);
        self.came += 1;
        let connection = self.connections.get_mut(conn)?;
        connection.channel.arm(timers, now + limits.admin_timeout, Peer::Admin(conn));
        connection.invariants();
        Some(conn)
    }

    /// Whether a further one should be taken in this turn. Where one must make room for it, only one is, so that each is
    /// read before it makes room, and there is one socket at most that is still to be closed.
    pub(crate) fn may_open(&self, limits: &Limits) -> bool {
        self.came == 0 || self.places.len() < limits.admin_connections_max
    }

    pub(crate) fn end_turn(&mut self) {
        self.came = 0;
    }

    pub(crate) fn drain(&mut self) {
        self.is_draining = true;
    }

    pub(crate) fn channel(&self, conn: Conn) -> Option<&Channel> {
        self.connections.get(conn).map(|connection| &connection.channel)
    }

    pub(crate) fn channel_mut(&mut self, conn: Conn) -> Option<&mut Channel> {
        self.connections.get_mut(conn).map(|connection| &mut connection.channel)
    }

    pub(crate) fn wants_read(&self, conn: Conn) -> bool {
        self.connections.get(conn).is_some_and(|connection| !connection.peer_finished)
    }

    /// Answers a request once its head is whole.
    pub(crate) fn received(
        &mut self,
        now: Time,
        conn: Conn,
        bytes: &[u8],
        is_ready: bool,
        limits: &Limits,
        outputs: &mut VecDeque<Output>,
    ) {
        let is_asking = |connection: &&mut Connection| connection.state == State::Asking;
        let Some(connection) = self.connections.get_mut(conn).filter(is_asking) else {
            return;
        };
        let room = limits.admin_request_bytes_max - connection.channel.received().len();
        connection.channel.receive(&bytes[..bytes.len().min(room)]);
        let received = self.connections.get(conn).expect("it was there").channel.received();
        let answer = match http::parse(received) {
            Some(Ok(head)) => Some(self.answer(now, &head, is_ready, limits).encode(head.method != "HEAD")),
            Some(Err(refusal)) => Some(refusal.encode(true)),
            None if received.len() >= limits.admin_request_bytes_max => Some(Response::TOO_LONG.encode(true)),
            None => None,
        };
        let connection = self.connections.get_mut(conn).expect("it was there");
        if let Some(response) = answer {
            connection.state = State::Answered;
            connection.channel.discard_received();
            if connection.channel.send(response.as_bytes()) {
                outputs.push_back(Output::Transmit(Peer::Admin(conn)));
            }
        }
        connection.invariants();
    }

    /// Follows up on a write: once the response has left, the connection ends as soon as the client agrees.
    pub(crate) fn settle(&mut self, conn: Conn, outputs: &mut VecDeque<Output>) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        if connection.state != State::Answered || !connection.channel.is_idle() {
            return;
        }
        if connection.peer_finished {
            return self.forget(conn, outputs);
        }
        connection.state = State::Lingering;
        connection.invariants();
        outputs.push_back(Output::Finish(Peer::Admin(conn)));
    }

    /// The client has shut its side. If it asked before, it is still answered.
    pub(crate) fn peer_finished(&mut self, conn: Conn, outputs: &mut VecDeque<Output>) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.peer_finished = true;
            if connection.state != State::Answered {
                return self.forget(conn, outputs);
            }
            connection.invariants();
        }
    }

    /// Closes a connection at once, if it is still there.
    pub(crate) fn forget(&mut self, conn: Conn, outputs: &mut VecDeque<Output>) {
        if self.connections.remove(conn).is_some() {
            self.places.leave(conn);
            outputs.push_back(Output::Close(Peer::Admin(conn)));
        }
    }

    /// Closes the oldest connection that has sent no whole request, or has its response. Whoever asks sends his request as soon
    /// as he is connected, and closes when he has read what comes.
    fn make_room(&mut self, now: Time, outputs: &mut VecDeque<Output>) -> bool {
        let Self { places, connections, .. } = self;
        let waits =
            |conn| connections.get(conn).is_some_and(|connection| connection.state != State::Answered);
        // It has waited since it came, which is what stands in the order.
        let waits_since = |conn| waits(conn).then(Time::default);
        let longest = places.longest_idle(now, Duration::from_nanos(1), waits_since);
        longest.into_iter().for_each(|conn| self.forget(conn, outputs));
        longest.is_some()
    }

    fn answer<'a>(&'a self, now: Time, head: &Head<'a>, is_ready: bool, limits: &Limits) -> Response<'a> {
        if !matches!(head.method, "GET" | "HEAD") {
            return Response::new("405 Method Not Allowed", "GET is all there is\n");
        }
        match head.path {
            "/livez" if self.registry.hangs(now, limits.hang_timeout) => {
                Response::new("503 Service Unavailable", "an event loop hangs\n")
            }
            "/readyz" if self.is_draining => Response::new("503 Service Unavailable", "draining\n"),
            "/readyz" if !is_ready => Response::new("503 Service Unavailable", "not ready\n"),
            "/livez" | "/readyz" => Response::new("200 OK", "ok\n"),
            "/metrics" => Response::metrics(self.registry.text(), self.site.reader(head.origin)),
            path => match self.site.document(path) {
                Some(document) => Response::document(document, &self.site.policy),
                None => Response::not_found(&self.site),
            },
        }
    }
}

impl Connection {
    fn invariants(&self) {
        let Self { state, channel, .. } = self;
        assert!(*state == State::Answered || channel.is_idle(), "one response to one request");
        assert!(
            *state == State::Asking || channel.received().is_empty(),
            "what follows a request is discarded"
        );
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
            let head = Head { method: "GET", path: "/livez", origin: None };
            let now = began + Duration::from_secs(seconds);
            let response = admin.answer(now, &head, true, &Limits::default()).encode(true);
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        }
    }

    #[test]
    fn a_service_that_is_not_ready_lives() {
        let admin = Admin::new(Arc::new(Registry::new("shop")));
        for (path, is_ready, status) in [
            ("/readyz", true, "200"),
            ("/readyz", false, "503"),
            ("/livez", false, "200"),
            ("/metrics", false, "200"),
        ] {
            let head = Head { method: "GET", path, origin: None };
            let response = admin.answer(Time::default(), &head, is_ready, &Limits::default()).encode(true);
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {response}");
        }
    }
}
