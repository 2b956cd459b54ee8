//! [`Connection`]: one client's connection, from the first byte to the last. No syscalls, no clock.

use core::net::SocketAddr;
use std::mem;
use std::time::Duration;

use crate::channel::{Channel, Received};
use crate::detect;
use crate::event::Reject;
use crate::limits::Limits;
use crate::metrics::Closed;
use crate::time::{Time, earlier, restart};
use crate::tls::Session;

/// What the passing of a deadline means for a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Tell the client why, then close.
    Reject(Reject),
    /// Close at once. Why is told where it is not the end that was under way.
    Close(Option<Closed>),
}

/// How far a connection has come on its way to the end.
///
/// `Open → HalfClosed → gone` when the client ends first, `Open → Closing → Lingering → gone` when we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Lines are read and delivered.
    Open,
    /// The client has sent all it wants to send. What it sent is still answered.
    HalfClosed,
    /// No further line is delivered. What is owed is answered; what arrives is discarded.
    Closing,
    /// Everything is sent and our side is shut. What arrives is discarded until the client closes too:
    /// closing a socket with unread bytes would reset it, and take our last reply with it.
    Lingering,
}

#[derive(Debug)]
pub(crate) struct Connection {
    /// Where the client connects from.
    address: SocketAddr,
    pub(crate) channel: Channel,
    state: State,
    /// No line was delivered yet: the first one may show that the client speaks another protocol.
    is_new: bool,
    /// Lines that were delivered and not answered.
    in_flight: usize,
    /// When the client was last seen to do anything but send: it came, was answered, or took a part of an answer. A
    /// drain begins anew.
    used_at: Time,
    /// The buffer holds no whole line: delivering must wait for more bytes of the client.
    needs_input: bool,
    /// The connection stands in the node's ready queue.
    ready: bool,
    /// The buffer is out on loan while its lines are delivered.
    delivering: bool,
    /// The driver may read from the socket.
    reading: bool,
    /// The client has shut its side.
    peer_finished: bool,
    /// Why the client is turned away, as long as the service was not told: it is when it has answered every
    /// earlier line, so that replies stay in order.
    rejected: Option<Reject>,
    /// Since when the client owes the rest of a line.
    partial_since: Option<Time>,
    /// Since when the client has taken none of the bytes that wait for it.
    stalled_since: Option<Time>,
    lingering_since: Option<Time>,
    /// When a client must have introduced itself, if the connection is encrypted.
    handshake_due: Option<Time>,
    /// Where a drain ends the connection, the service says so in its last line.
    pub(crate) announces_end: bool,
}

impl Connection {
    pub(crate) fn new(now: Time, address: SocketAddr, limits: &Limits) -> Self {
        Self {
            address,
            channel: Channel::new(limits.retained_bytes_max),
            state: State::Open,
            is_new: true,
            in_flight: 0,
            used_at: now,
            needs_input: true,
            ready: false,
            delivering: false,
            reading: true,
            peer_finished: false,
            rejected: None,
            partial_since: None,
            stalled_since: None,
            lingering_since: None,
            handshake_due: None,
            announces_end: false,
        }
    }

    /// The connection, which has just begun, is encrypted.
    pub(crate) fn encrypt(&mut self, now: Time, session: Session, limits: &Limits) {
        self.channel.encrypt(session);
        self.handshake_due = Some(now + limits.handshake_timeout);
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes bytes of the client. Those of one that is being closed are discarded.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        if self.state == State::Open {
            self.channel.receive(bytes);
            self.needs_input = false;
            self.look_at_stream();
        }
    }

    /// Takes bytes of a handshake, which wait for their turn. False if it waits already.
    pub(crate) fn hold(&mut self, bytes: &[u8]) -> bool {
        let is_first = !self.channel.is_holding();
        self.channel.hold(bytes);
        is_first
    }

    /// Goes on with the handshake.
    pub(crate) fn shake_hands(&mut self) {
        if !self.channel.is_handshaking() {
            return;
        }
        self.channel.open_held();
        if !self.channel.is_handshaking() {
            self.handshake_due = None;
        }
        if self.takes_lines() {
            self.needs_input = false;
            self.look_at_stream();
        } else {
            self.channel.discard_received();
        }
    }

    /// The end of an encrypted stream is that of what the client sends.
    fn look_at_stream(&mut self) {
        if self.channel.has_peer_finished() {
            self.peer_finished();
        }
    }

    /// Takes note that the client will send nothing more. What is left is a line, though its end is missing.
    pub(crate) fn peer_finished(&mut self) {
        self.peer_finished = true;
        if self.state == State::Open {
            self.state = State::HalfClosed;
            self.channel.finish();
            self.needs_input = self.channel.received().is_empty();
        }
    }

    /// Begins to deliver lines: lends out what holds them, until [`Connection::end_delivery`].
    pub(crate) fn begin_delivery(&mut self) -> Received<'static> {
        assert!(self.ready, "lines are delivered of those who stand in the ready queue");
        self.ready = false;
        self.delivering = true;
        self.channel.lend(&[])
    }

    /// The next line of what was lent out, which is delivered now. None: no further one may be, or there is
    /// none.
    ///
    /// # Errors
    /// Why the client is to be turned away.
    pub(crate) fn next_line<'a>(
        &mut self,
        received: &'a mut Received<'_>,
        limits: &Limits,
    ) -> Option<Result<&'a [u8], Reject>> {
        if received.is_empty() || !self.may_deliver(limits) {
            return None;
        }
        if self.is_new
            && let Some(protocol) = detect::other_protocol(received.peek_buffered())
        {
            return Some(Err(Reject::OtherProtocol(protocol)));
        }
        match received.next_line(limits.line_bytes_max) {
            None => {
                self.needs_input = true;
                None
            }
            Some(Ok(line)) => {
                self.is_new = false;
                // What follows the line in the buffer belongs to another one.
                self.partial_since = None;
                self.in_flight += 1;
                Some(Ok(line))
            }
            Some(Err(_)) => Some(Err(Reject::LineTooLong(limits.line_bytes_max))),
        }
    }

    /// Takes back what was lent out.
    pub(crate) fn end_delivery(&mut self, received: Received<'_>) {
        self.delivering = false;
        if self.takes_lines() {
            self.needs_input |= received.is_empty();
            self.channel.give_back(received);
        }
    }

    /// Takes the answer to one of its lines. True: the driver is to be told to write.
    ///
    /// # Panics
    /// All of them are answered.
    #[must_use]
    pub(crate) fn answer(&mut self, now: Time, parts: &[&[u8]]) -> bool {
        assert!(self.in_flight > 0, "a service answered a line twice");
        self.in_flight -= 1;
        self.used_at = now;
        self.channel.send_line(parts)
    }

    /// Stops delivering lines; the connection ends when everything owed is sent.
    pub(crate) fn close(&mut self) {
        if self.takes_lines() {
            self.state = State::Closing;
            self.channel.discard_received();
        }
    }

    /// Stops delivering lines, and owes the client the reason.
    pub(crate) fn reject(&mut self, reject: Reject) {
        self.close();
        self.rejected = Some(reject);
    }

    /// The node drains: from now on, only what is answered later shows that the connection is in use.
    pub(crate) fn begin_drain(&mut self, now: Time) {
        self.used_at = now;
    }

    /// Ends our side of an encrypted stream, if nothing else is left to do. True: the driver is to be told to write.
    #[must_use]
    pub(crate) fn says_goodbye(&mut self) -> bool {
        let ends = self.is_over() || (self.state == State::Closing && self.is_answered());
        ends && self.channel.say_goodbye() && self.channel.begin_transmit()
    }

    /// Why the client is turned away, if it is time to tell the service, which owes an answer to that as to a line.
    pub(crate) fn take_reject(&mut self) -> Option<Reject> {
        let reject = self.rejected.take_if(|_| self.in_flight == 0)?;
        self.in_flight = 1;
        Some(reject)
    }

    /// Shuts our side, if nothing is owed any more and it is still open. True: the driver is to do so.
    #[must_use]
    pub(crate) fn begins_to_linger(&mut self, now: Time) -> bool {
        let lingers = self.state == State::Closing && self.is_answered();
        if lingers {
            self.state = State::Lingering;
            self.lingering_since = Some(now);
        }
        lingers
    }

    /// True if lines may be delivered from now on: the connection belongs into the ready queue.
    #[must_use]
    pub(crate) fn becomes_ready(&mut self, limits: &Limits) -> bool {
        let becomes_ready = !self.needs_input && !self.ready && self.may_deliver(limits);
        self.ready |= becomes_ready;
        becomes_ready
    }

    /// Decides anew whether the driver may read. True: it may again.
    #[must_use]
    pub(crate) fn resumes_reading(&mut self, limits: &Limits) -> bool {
        let wants_read = self.wants_read(limits);
        let read_before = mem::replace(&mut self.reading, wants_read);
        wants_read && !read_before
    }

    /// Brings the clocks of what the client owes in line with the connection's state. `progress`: the
    /// socket has just taken bytes.
    pub(crate) fn update_clocks(&mut self, now: Time, progress: bool) {
        if !self.ready || self.state != State::Open {
            let owes_bytes =
                self.state == State::Open && self.reading && self.needs_input && self.channel.has_partial();
            restart(&mut self.partial_since, now, owes_bytes, false);
        }
        if progress {
            self.used_at = now;
        }
        let owes_reading = !self.channel.is_idle();
        restart(&mut self.stalled_since, now, owes_reading, progress);
        self.invariants();
    }

    /// Whether its buffer is out on loan, so that whatever follows from a change must wait.
    pub(crate) fn is_delivering(&self) -> bool {
        self.delivering
    }

    /// Whether the driver may read.
    pub(crate) fn is_reading(&self) -> bool {
        self.reading
    }

    /// Whether the connection is over, so that its socket can be closed.
    pub(crate) fn is_over(&self) -> bool {
        match self.state {
            State::Open => false,
            State::HalfClosed => self.needs_input && self.is_answered(),
            State::Closing => self.peer_finished && self.is_answered(),
            State::Lingering => self.peer_finished,
        }
    }

    /// Whether a drain need not wait for it: nothing is owed to the client, and nothing more is taken from it. A last line
    /// must have been read: the end of the process would reset a connection with unread bytes, and take it along.
    pub(crate) fn is_drained(&self) -> bool {
        self.is_answered() && !self.takes_lines() && !self.announces_end
    }

    /// When a drain whose grace ends then ends the connection, unless it is ending already: once it holds no whole line
    /// and has had nothing in flight for long enough.
    pub(crate) fn drain_due(&self, grace_until: Time, limits: &Limits) -> Option<Time> {
        let in_use = self.in_flight > 0 || !self.needs_input;
        let quiet_at = if in_use { grace_until } else { self.used_at + limits.drain_quiet };
        self.takes_lines().then(|| quiet_at.min(grace_until))
    }

    /// When the client's time runs out, if it owes anything.
    #[inline]
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Time> {
        let stall_due = self.stalled_since.map(|since| since + limits.stall_timeout);
        let linger_due = self.lingering_since.map(|since| since + limits.linger_timeout);
        let due = earlier(self.line_due(limits), earlier(stall_due, linger_due));
        let due = earlier(due, self.handshake_due);
        match limits.idle_timeout {
            None => due,
            Some(timeout) => earlier(due, self.idle_due(timeout)),
        }
    }

    /// What to do if the deadline has come.
    pub(crate) fn expiry(&self, now: Time, limits: &Limits) -> Option<Expiry> {
        if self.deadline(limits)? > now {
            return None;
        }
        Some(if self.line_due(limits).is_some_and(|due| due <= now) {
            let timeout_ms = u64::try_from(limits.line_timeout.as_millis()).unwrap_or(u64::MAX);
            Expiry::Reject(Reject::LineTimeout(timeout_ms))
        } else if self.stalled_since.is_some() {
            Expiry::Close(Some(Closed::Stalled))
        } else {
            Expiry::Close((self.state == State::Open).then_some(Closed::Idle))
        })
    }

    /// Since when nothing has come of the client that must come of it next. `None`: something is under way for it.
    pub(crate) fn idle_since(&self) -> Option<Time> {
        let holds_lines = self.takes_lines() && !self.needs_input;
        if self.in_flight > 0 || self.rejected.is_some() || holds_lines {
            return None;
        }
        let clocks = [self.partial_since, self.stalled_since, self.lingering_since];
        Some(clocks.into_iter().flatten().fold(self.used_at, Time::max))
    }

    /// Whether it holds bytes because the client has owed something since an earlier time than this.
    pub(crate) fn is_waited_for(&self, now: Time) -> bool {
        [self.partial_since, self.stalled_since].into_iter().flatten().any(|since| since < now)
    }

    /// When a client that owes nothing has been idle for too long.
    #[cold]
    fn idle_due(&self, timeout: Duration) -> Option<Time> {
        let is_idle = self.state == State::Open && self.partial_since.is_none() && self.channel.is_idle();
        let since = self.idle_since().filter(|_| is_idle)?;
        Some(since + timeout)
    }

    /// When a line that was begun must have ended. Bytes that no one has looked at yet may hold its end.
    fn line_due(&self, limits: &Limits) -> Option<Time> {
        let since = self.partial_since.filter(|_| !self.ready)?;
        Some(since + limits.line_timeout)
    }

    /// Whether the next line may be delivered, if there is one.
    fn may_deliver(&self, limits: &Limits) -> bool {
        self.takes_lines()
            && self.in_flight < limits.in_flight_max
            && self.channel.unsent_len() < limits.outbox_bytes_max
    }

    /// Whether bytes may be read from the socket: backpressure. An open connection reads ahead only until it holds
    /// bytes that it may not deliver yet.
    fn wants_read(&self, limits: &Limits) -> bool {
        if self.channel.is_handshaking() {
            return !self.channel.is_holding() && !self.peer_finished;
        }
        match self.state {
            State::Open => {
                self.channel.unsent_len() < limits.outbox_bytes_max
                    && (self.channel.received().is_empty() || (self.needs_input && self.may_deliver(limits)))
            }
            State::HalfClosed => false,
            State::Closing | State::Lingering => !self.peer_finished,
        }
    }

    /// Whether nothing is owed to the client any more.
    fn is_answered(&self) -> bool {
        self.in_flight == 0 && self.rejected.is_none() && self.channel.is_idle()
    }

    /// Whether lines are still delivered.
    fn takes_lines(&self) -> bool {
        matches!(self.state, State::Open | State::HalfClosed)
    }

    /// What is true after any change, whatever the client, the driver and the service do. Each change ends with
    /// [`Connection::update_clocks`], which looks, but for one that comes while lines are delivered: then whoever makes
    /// it looks.
    pub(crate) fn invariants(&self) {
        match self.state {
            State::Open => assert!(!self.peer_finished, "a client that has shut its side sends nothing"),
            State::HalfClosed => assert!(self.peer_finished, "only the client can shut its side"),
            State::Closing => {}
            State::Lingering => assert!(self.is_answered(), "our side is shut when everything has left"),
        }
        assert_eq!(self.state == State::Lingering, self.lingering_since.is_some());
        assert!(
            self.rejected.is_none() || self.state == State::Closing,
            "who is turned away is heard no more"
        );
        assert!(
            self.takes_lines() || self.channel.received().is_empty(),
            "lines are kept that nobody will take"
        );
        assert!(!self.delivering || self.channel.received().is_empty(), "the buffer is out on loan");
        assert!(!self.delivering || !self.ready, "what is being delivered need not wait for it");
    }
}
