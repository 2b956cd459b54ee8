//! [`Session`]: one client connection, from the first byte to the last. No syscalls, no clock.

use core::net::SocketAddr;

use crate::buffer::{Outbox, Transmit};
use crate::event::Reject;
use crate::limits::Limits;
use crate::lines::LineBuffer;
use crate::time::Time;
use crate::timers::Alarm;

/// How far a session has come on its way to the end.
///
/// `Open → HalfClosed → gone` when the client ends first, `Open → Closing → Lingering → gone` when we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
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

/// What the passing of a deadline means for a session.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// Tell the client why, then close.
    Reject(Reject),
    /// Close at once.
    Close,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) generation: u32,
    /// Where the client connects from.
    pub(crate) address: SocketAddr,
    pub(crate) state: State,
    pub(crate) lines: LineBuffer,
    /// No line was delivered yet: the first one may show that the client speaks another protocol.
    pub(crate) is_new: bool,
    pub(crate) outbox: Outbox,
    pub(crate) transmit: Transmit,
    /// Lines that were delivered and not answered.
    pub(crate) in_flight: usize,
    /// When a line was last answered. It counts from the beginning of a drain at the earliest.
    pub(crate) used_at: Time,
    /// The buffer holds no whole line: delivering must wait for more bytes.
    pub(crate) starved: bool,
    /// The session stands in the node's ready queue.
    pub(crate) ready: bool,
    /// The buffer is out on loan while its lines are delivered.
    pub(crate) delivering: bool,
    /// The driver may read from the socket.
    pub(crate) reading: bool,
    /// The client has shut its side.
    peer_finished: bool,
    /// Why the client is turned away, as long as the service was not told: it is when it has answered every
    /// earlier line, so that replies stay in order.
    pub(crate) rejected: Option<Reject>,
    pub(crate) alarm: Alarm,
    /// Since when the client owes the rest of a line.
    partial_since: Option<Time>,
    /// Since when the client has taken none of the bytes that wait for it.
    stalled_since: Option<Time>,
    lingering_since: Option<Time>,
}

impl Session {
    pub(crate) fn new(generation: u32, address: SocketAddr, limits: &Limits) -> Self {
        Self {
            generation,
            address,
            state: State::Open,
            lines: LineBuffer::new(limits.retained_bytes_max),
            is_new: true,
            outbox: Outbox::new(limits.retained_bytes_max),
            transmit: Transmit::Idle,
            in_flight: 0,
            used_at: Time::default(),
            starved: true,
            ready: false,
            delivering: false,
            reading: true,
            peer_finished: false,
            rejected: None,
            alarm: Alarm::default(),
            partial_since: None,
            stalled_since: None,
            lingering_since: None,
        }
    }

    /// Whether the next line may be delivered, if there is one.
    pub(crate) fn may_deliver(&self, limits: &Limits) -> bool {
        self.takes_lines()
            && self.in_flight < limits.in_flight_max
            && self.outbox.len() < limits.outbox_bytes_max
    }

    /// Whether bytes may be read from the socket. An open session reads ahead only until it holds bytes
    /// that it may not deliver yet.
    pub(crate) fn wants_read(&self, limits: &Limits) -> bool {
        match self.state {
            State::Open => {
                self.outbox.len() < limits.outbox_bytes_max
                    && (self.lines.is_empty() || (self.starved && self.may_deliver(limits)))
            }
            State::HalfClosed => false,
            State::Closing | State::Lingering => !self.peer_finished,
        }
    }

    /// Whether nothing is owed to the client any more.
    pub(crate) fn is_answered(&self) -> bool {
        self.in_flight == 0 && self.rejected.is_none() && self.outbox.is_empty()
    }

    /// Whether the session is over, so that its socket can be closed.
    pub(crate) fn is_over(&self) -> bool {
        match self.state {
            State::Open => false,
            State::HalfClosed => self.starved && self.is_answered(),
            State::Closing => self.peer_finished && self.is_answered(),
            State::Lingering => self.peer_finished,
        }
    }

    /// When a drain whose grace ends then ends the session, unless it is ending already: once it holds no whole line
    /// and has had nothing in flight for long enough.
    pub(crate) fn drain_due(&self, grace_until: Time, limits: &Limits) -> Option<Time> {
        let in_use = self.in_flight > 0 || !self.starved;
        let quiet_at = if in_use { grace_until } else { self.used_at + limits.drain_quiet };
        self.takes_lines().then(|| quiet_at.min(grace_until))
    }

    /// Whether lines are still delivered.
    pub(crate) fn takes_lines(&self) -> bool {
        matches!(self.state, State::Open | State::HalfClosed)
    }

    /// Stops delivering lines; the session ends when everything owed is sent.
    pub(crate) fn close(&mut self) {
        if self.takes_lines() {
            self.state = State::Closing;
            self.lines.clear();
        }
    }

    /// Takes note that our side is shut.
    pub(crate) fn linger(&mut self, now: Time) {
        self.state = State::Lingering;
        self.lingering_since = Some(now);
    }

    /// Takes note that the client will send nothing more. What is left is a line, though its end is missing.
    pub(crate) fn peer_finished(&mut self) {
        self.peer_finished = true;
        if self.state == State::Open {
            self.state = State::HalfClosed;
            self.lines.finish();
            self.starved = self.lines.is_empty();
        }
    }

    /// Takes note that a line ended: what follows it in the buffer belongs to another one.
    pub(crate) fn line_ended(&mut self) {
        self.is_new = false;
        self.partial_since = None;
    }

    /// Brings the clocks of what the client owes in line with the session's state. `progress`: the
    /// socket has just taken bytes.
    pub(crate) fn update_clocks(&mut self, now: Time, progress: bool) {
        if !self.ready || self.state != State::Open {
            let owes_bytes =
                self.state == State::Open && self.reading && self.starved && !self.lines.is_empty();
            restart(&mut self.partial_since, now, owes_bytes, false);
        }
        let owes_reading = !self.outbox.is_empty();
        restart(&mut self.stalled_since, now, owes_reading, progress);
    }

    /// When the client's time runs out, if it owes anything.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Time> {
        let stall_due = self.stalled_since.map(|since| since + limits.stall_timeout);
        let linger_due = self.lingering_since.map(|since| since + limits.linger_timeout);
        [self.line_due(limits), stall_due, linger_due].into_iter().flatten().min()
    }

    /// What to do if the deadline has come.
    pub(crate) fn expiry(&self, now: Time, limits: &Limits) -> Option<Expiry> {
        if self.deadline(limits)? > now {
            return None;
        }
        Some(if self.line_due(limits).is_some_and(|due| due <= now) {
            let timeout_ms = u64::try_from(limits.line_timeout.as_millis()).unwrap_or(u64::MAX);
            Expiry::Reject(Reject::LineTimeout(timeout_ms))
        } else {
            Expiry::Close
        })
    }

    /// When a line that was begun must have ended. Bytes that no one has looked at yet may hold its end.
    fn line_due(&self, limits: &Limits) -> Option<Time> {
        let since = self.partial_since.filter(|_| !self.ready)?;
        Some(since + limits.line_timeout)
    }
}

/// Starts, restarts or stops a clock.
fn restart(since: &mut Option<Time>, now: Time, runs: bool, anew: bool) {
    *since = match (runs, *since) {
        (false, _) => None,
        (true, Some(since)) if !anew => Some(since),
        (true, _) => Some(now),
    };
}
