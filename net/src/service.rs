//! [`Service`]: a state machine that answers lines, and [`Out`], through which it acts. What it is told, `event.rs`
//! says.

use core::net::SocketAddr;
use std::borrow::Cow;
use std::sync::Arc;

use crate::connections::Connections;
use crate::event::{Backend, Call, Conn, Event, Failure};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::time::Time;

/// A state machine that answers lines. It reads no clock, socket, file or random source.
pub trait Service {
    /// Reacts to an event. Must not panic on anything that came from the network.
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>);

    /// Called once after the events of a turn: the place for work that is shared between them. Connections
    /// that break while the turn's output is written are reported after it, and belong to the next turn.
    fn end_turn(&mut self, _now: Time, _out: &mut Out<'_>) {}

    /// A time that has been: the driver starts at no earlier one, whatever the wall clock says. Asked once, at the
    /// start. It is for a service that has stored times, none of which may lie in the future.
    fn clock_floor(&self) -> Time {
        Time::default()
    }

    /// A line of the greeting with which each connection to a backend begins, without its end. They are numbered from 0,
    /// and each leaves when the one before is answered. None: there is no such line, and calls, which have waited for
    /// that, leave.
    fn greeting(&self, _backend: Backend, _number: usize) -> Option<Cow<'static, [u8]>> {
        None
    }

    /// Whether a line of a backend is the answer to the line of the greeting that has this number.
    ///
    /// # Errors
    /// Why not, for people. The connection ends.
    fn check_greeting(
        &self,
        _backend: Backend,
        _number: usize,
        _line: &[u8],
    ) -> Result<(), Cow<'static, str>> {
        Ok(())
    }

    /// Whether a line is the reply to this call, which is the one that it must answer by its place. If not, the
    /// connection ends, and all calls that were handed to it are lost, for a backend that has skipped or added a line
    /// would answer each call with the reply to another.
    fn is_reply(&self, _call: Call, _line: &[u8]) -> bool {
        true
    }

    /// Whether a line of a backend, which is not of its greeting, is the last one of the connection, by which the backend
    /// says that it has answered all that it has seen of it. The connection ends, and calls without a reply are
    /// [`Lost::Returned`](crate::Lost::Returned).
    fn is_end(&self, _backend: Backend, _line: &[u8]) -> bool {
        false
    }

    /// What the service counts, if anything. Asked once, when its node is made.
    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        None
    }

    /// Whether it can do what it is there for, as far as it depends on others: `/readyz` says so. It may be asked at any
    /// time, and changes nothing.
    fn is_ready(&self) -> bool {
        true
    }

    /// Whether nothing is in flight. It may be asked at any time, and changes nothing; the node ends by it only after
    /// [`Event::Drain`].
    fn is_drained(&self) -> bool;
}

/// A service whose type is not known when the program is compiled: a node of it is one piece of code, whatever services
/// there are.
impl Service for Box<dyn Service> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        (**self).handle(now, event, out);
    }

    fn end_turn(&mut self, now: Time, out: &mut Out<'_>) {
        (**self).end_turn(now, out);
    }

    fn clock_floor(&self) -> Time {
        (**self).clock_floor()
    }

    fn greeting(&self, backend: Backend, number: usize) -> Option<Cow<'static, [u8]>> {
        (**self).greeting(backend, number)
    }

    fn check_greeting(&self, backend: Backend, number: usize, line: &[u8]) -> Result<(), Cow<'static, str>> {
        (**self).check_greeting(backend, number, line)
    }

    fn is_reply(&self, call: Call, line: &[u8]) -> bool {
        (**self).is_reply(call, line)
    }

    fn is_end(&self, backend: Backend, line: &[u8]) -> bool {
        (**self).is_end(backend, line)
    }

    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        (**self).metrics()
    }

    fn is_ready(&self) -> bool {
        (**self).is_ready()
    }

    fn is_drained(&self) -> bool {
        (**self).is_drained()
    }
}

/// The connections of a node, as its service may use them. It has no state of its own.
pub struct Out<'a> {
    connections: &'a mut Connections,
}

impl<'a> Out<'a> {
    pub(crate) fn new(connections: &'a mut Connections) -> Self {
        Self { connections }
    }

    /// Sends a line, without its end, to a client: the answer to one line of its. Dropped if the client
    /// is gone.
    ///
    /// # Panics
    /// Every line of the client was answered before.
    pub fn send(&mut self, conn: Conn, line: &[u8]) {
        self.connections.send(conn, &[line]);
    }

    /// Sends a line that lies in several parts.
    ///
    /// # Panics
    /// Every line of the client was answered before.
    pub fn send_vectored(&mut self, conn: Conn, parts: &[&[u8]]) {
        self.connections.send(conn, parts);
    }

    /// Delivers no further line of this client, and closes the connection once everything owed is sent.
    pub fn close(&mut self, conn: Conn) {
        self.connections.close(conn);
    }

    /// Promises a client a last line: where a drain ends the connection, the service is told so
    /// ([`Reject::Drained`](crate::Reject::Drained)) once it has answered all that was delivered, and its answer to that
    /// is the end. What is left of a client's lines was not delivered.
    pub fn announce_end(&mut self, conn: Conn) {
        self.connections.announce_end(conn);
    }

    /// Sends a line, without its end, to a backend. Exactly one [`Event::Reply`] with the number of the call follows,
    /// at the deadline at the latest, and not before this returns.
    pub fn call(&mut self, backend: Backend, call: Call, line: &[u8], deadline: Time) {
        self.connections.call(backend, call, line, deadline);
    }

    /// Has another connection take the place of the one to a backend, when the service's turn has ended: that one is closed,
    /// and the name of the backend is looked up again. [`Event::Up`](crate::Event::Up) follows when the new one stands, or
    /// [`Event::Down`](crate::Event::Down) if it could not be made. Nothing happens if there is none that is up by then.
    ///
    /// # Panics
    /// Bytes are exchanged with the backend, or a call over the connection has no reply by then.
    pub fn renew(&mut self, backend: Backend) {
        self.connections.renewals.push(backend);
    }

    /// Since when the oldest call in flight to a backend waits for its reply. One whose deadline has passed counts as
    /// well, until its late reply comes; one that waits for the connection does not. `None`: the backend owes nothing.
    pub fn owes_since(&self, Backend(link): Backend) -> Option<Time> {
        self.connections.upstreams[link].link().owes_since()
    }

    /// Appends bytes to what is to be sent to a backend with which bytes are exchanged. Dropped if the connection does not
    /// stand. If more than `stream_unsent_bytes_max` wait then, it is ended, as by [`Out::reset`].
    ///
    /// # Panics
    /// Lines are exchanged with the backend; so of those that follow.
    pub fn write(&mut self, backend: Backend, bytes: &[u8]) {
        self.connections.write(backend, bytes);
    }

    /// Encrypts the connection from here on: bytes that were written already leave before that as they are, and those
    /// that are written from now on once the backend has proved who it is, of which
    /// [`StreamEvent::Encrypted`](crate::StreamEvent::Encrypted) tells. If it does not, in `connect_timeout`, the
    /// connection ends. Nothing happens if it does not stand.
    ///
    /// # Panics
    /// It is encrypted already, or its address came without a word of how.
    pub fn encrypt(&mut self, backend: Backend) {
        self.connections.encrypt(backend);
    }

    /// Ends the connection, or the attempt to make one, and drops what has not left.
    /// [`StreamEvent::Down`](crate::StreamEvent::Down) follows, with this reason, and not before this returns; nothing
    /// that has come is delivered before it. Nothing happens if there is no connection.
    pub fn reset(&mut self, backend: Backend, reason: &str) {
        self.connections.reset(backend, reason.to_owned().into());
    }

    /// The backend has proved to be of use: the pause before the next attempt is short again. A link learns that from a
    /// reply; of bytes, only the service knows what they are worth.
    pub fn works(&mut self, backend: Backend) {
        self.connections.works(backend);
    }

    /// Where a client connects from; nowhere once it is gone.
    pub fn peer_address(&self, conn: Conn) -> Option<SocketAddr> {
        self.connections.peer_address(conn)
    }

    /// The time of the turn, as far as it is known to have come.
    pub fn now(&self) -> Time {
        self.connections.now
    }

    /// The time as it is by now, from which the turn goes on. For what follows work that may have taken long: a turn
    /// does not know by itself how long it has lasted.
    pub fn read_clock(&mut self) -> Time {
        self.connections.read_clock()
    }

    /// Asks for an [`Event::Timer`] at this time, or as soon as possible if it is past, in place of what was asked for
    /// before. It comes once.
    pub fn wake_at(&mut self, at: Option<Time>) {
        self.connections.wake_at = at;
    }

    /// The service cannot go on. It is told of nothing more, and nothing more is sent, not even a reply that it has
    /// given already and that was not yet written. The driver ends, with this error. Of several, the first one counts.
    pub fn fail(&mut self, error: impl Into<Failure>) {
        self.connections.fail(error.into());
    }

    /// The limits of the node.
    pub fn limits(&self) -> &Limits {
        &self.connections.limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It answers everything otherwise than a service does by itself.
    struct Contrary;

    impl Service for Contrary {
        fn handle(&mut self, _: Time, _: Event<'_>, out: &mut Out<'_>) {
            out.wake_at(Some(Time::from_millis(1)));
        }

        fn end_turn(&mut self, _: Time, out: &mut Out<'_>) {
            out.wake_at(Some(Time::from_millis(2)));
        }

        fn clock_floor(&self) -> Time {
            Time::from_millis(3)
        }

        fn greeting(&self, _: Backend, _: usize) -> Option<Cow<'static, [u8]>> {
            Some(Cow::Borrowed(b"hello"))
        }

        fn check_greeting(&self, _: Backend, _: usize, _: &[u8]) -> Result<(), Cow<'static, str>> {
            Err("no".into())
        }

        fn is_reply(&self, _: Call, _: &[u8]) -> bool {
            false
        }

        fn is_end(&self, _: Backend, _: &[u8]) -> bool {
            true
        }

        fn is_ready(&self) -> bool {
            false
        }

        fn is_drained(&self) -> bool {
            true
        }
    }

    #[test]
    fn a_boxed_service_answers_everything_as_the_one_in_the_box_does() {
        let mut service: Box<dyn Service> = Box::new(Contrary);
        let registry = Arc::new(crate::Registry::new("net"));
        let mut connections = Connections::new(Limits::default(), 1, registry);
        let asked = |connections: &mut Connections| connections.wake_at.take();
        Service::handle(&mut service, Time::default(), Event::Wake, &mut Out::new(&mut connections));
        assert_eq!(asked(&mut connections), Some(Time::from_millis(1)));
        Service::end_turn(&mut service, Time::default(), &mut Out::new(&mut connections));
        assert_eq!(asked(&mut connections), Some(Time::from_millis(2)));
        assert_eq!(Service::clock_floor(&service), Time::from_millis(3));
        assert!(Service::greeting(&service, Backend(0), 0).is_some());
        assert!(Service::check_greeting(&service, Backend(0), 0, b"").is_err());
        assert!(!Service::is_reply(&service, Call(0), b""));
        assert!(Service::is_end(&service, Backend(0), b""));
        assert!(!Service::is_ready(&service));
        assert!(Service::is_drained(&service));
    }
}
