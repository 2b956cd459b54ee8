//! [`Link`]: the connection to one backend. Calls leave in order and replies come back in order, so the
//! oldest call in flight is the one that a line must answer.
//!
//! A link reconnects for ever, and never repeats a call: whether that is safe is the service's knowledge. So is
//! whether a line is the reply that it must be; a connection that carries another one is of no further use.

use std::collections::VecDeque;
use std::mem;

use crate::channel::Channel;
use crate::dialer::{Action, Dialer, within};
use crate::event::{Call, Lost};
use crate::limits::Limits;
use crate::time::{Time, earlier};

/// Calls that will not be answered, and why.
pub(crate) type LostCalls = Vec<(Call, Lost)>;

/// `Greeting → Up`. Without a greeting, a connection that stands is up at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The backend has yet to say what it is. Calls wait as if the connection did not stand.
    Greeting {
        give_up_at: Time,
        /// The line of the greeting that is to be answered.
        number: usize,
    },
    Up,
}

/// What the next line of the backend must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The reply to the line of the greeting that has this number.
    Greeting(usize),
    /// The reply to this call.
    Reply(Call),
    /// The late reply to a call that was given up.
    LateReply,
    /// No line at all.
    Nothing,
}

/// A call that was handed to the connection. Once its deadline has passed it is a tombstone: it keeps its
/// place in the order, to swallow its late reply.
#[derive(Debug)]
struct InFlight {
    call: Option<Call>,
    since: Time,
    deadline: Time,
    bytes: usize,
}

/// A call that waits for the connection, for a part of its time at most.
#[derive(Debug)]
struct Waiting {
    call: Call,
    waits_until: Time,
    deadline: Time,
    line: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Link {
    dialer: Dialer<Phase>,
    pub(crate) channel: Channel,
    /// For the host of this address, written `HOST:PORT`, a certificate of the backend must be valid.
    address: String,
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// No call has an earlier deadline than this. It may lag behind, as calls are answered.
    earliest: Option<Time>,
    /// Since when the backend says nothing, if it owes anything.
    silent_since: Time,
    /// The backend has said that it has seen nothing of what it has not answered.
    has_ended: bool,
}

impl Link {
    /// A link that wants to connect at once.
    pub(crate) fn new(address: String, limits: &Limits) -> Self {
        Self {
            dialer: Dialer::new(limits),
            channel: Channel::new(limits.link_retained_bytes_max),
            address,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            earliest: None,
            silent_since: Time::default(),
            has_ended: false,
        }
    }

    /// Whether calls leave at once.
    pub(crate) fn is_up(&self) -> bool {
        self.dialer.phase() == Some(Phase::Up)
    }

    /// Whether the connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        self.dialer.is_connected()
    }

    /// Whether there is neither a connection nor one that is being made.
    pub(crate) fn is_down(&self) -> bool {
        self.dialer.is_down()
    }

    /// Where the backend is.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Since when the oldest call that was handed over waits for its reply, whether or not anybody still does.
    pub(crate) fn owes_since(&self) -> Option<Time> {
        self.in_flight.front().map(|in_flight| in_flight.since)
    }

    /// Takes a call: it leaves if the connection stands, else it waits for it. True: the driver is to be told to write.
    ///
    /// # Errors
    /// There is no room for it.
    pub(crate) fn call(
        &mut self,
        now: Time,
        call: Call,
        line: &[u8],
        deadline: Time,
        limits: &Limits,
    ) -> Result<bool, Lost> {
        let calls = self.in_flight.len() + self.waiting.len();
        let bytes = self.in_flight_bytes + self.waiting_bytes;
        if calls >= limits.calls_max || bytes >= limits.link_bytes_max {
            return Err(Lost::Overloaded);
        }
        let (due, is_to_write) = if self.is_up() {
            (deadline, self.hand_over(now, call, line, deadline))
        } else {
            let waits_until = deadline.min(now + limits.waiting_timeout);
            self.waiting_bytes += line.len();
            self.waiting.push_back(Waiting { call, waits_until, deadline, line: line.to_vec() });
            (waits_until, false)
        };
        self.earliest = earlier(self.earliest, Some(due));
        self.invariants();
        Ok(is_to_write)
    }

    /// The connection stands. It begins with `greeting`, the first line that the backend is to answer, or is up at once.
    /// True: the driver is to be told to write.
    ///
    /// # Panics
    /// The link has not asked for a connection.
    #[must_use]
    pub(crate) fn connected(&mut self, now: Time, greeting: Option<&[u8]>, limits: &Limits) -> bool {
        let give_up_at = now + limits.connect_timeout;
        self.dialer.connected(Phase::Greeting { give_up_at, number: 0 });
        self.greet(now, give_up_at, 0, greeting)
    }

    /// The backend has answered a line of the greeting as it must. `next` is the one after it; if there is none, the
    /// backend is the right one. True: the driver is to be told to write.
    ///
    /// # Panics
    /// It has not said a line of its greeting.
    #[must_use]
    pub(crate) fn greeted(&mut self, now: Time, next: Option<&[u8]>) -> bool {
        let Some(Phase::Greeting { give_up_at, number }) = self.dialer.phase() else {
            panic!("a greeting is answered that was not sent")
        };
        self.greet(now, give_up_at, number + 1, next)
    }

    fn greet(&mut self, now: Time, give_up_at: Time, number: usize, line: Option<&[u8]>) -> bool {
        let Some(line) = line else { return self.go_up(now) };
        self.dialer.enter(Phase::Greeting { give_up_at, number });
        let is_to_write = self.channel.send_line(&[line]);
        self.invariants();
        is_to_write
    }

    /// The backend is the right one: what waited for it leaves. True: the driver is to be told to write.
    fn go_up(&mut self, now: Time) -> bool {
        self.dialer.enter(Phase::Up);
        let mut is_to_write = false;
        while let Some(waiting) = self.waiting.pop_front() {
            is_to_write |= self.hand_over(now, waiting.call, &waiting.line, waiting.deadline);
        }
        self.waiting_bytes = 0;
        self.invariants();
        is_to_write
    }

    /// Something arrived: the backend is alive.
    pub(crate) fn heard(&mut self, now: Time) {
        self.silent_since = now;
    }

    /// What the next line must be.
    pub(crate) fn expected(&self) -> Expected {
        match (self.dialer.phase(), self.in_flight.front()) {
            (Some(Phase::Greeting { number, .. }), _) => Expected::Greeting(number),
            (_, None) => Expected::Nothing,
            (_, Some(InFlight { call: Some(call), .. })) => Expected::Reply(*call),
            (_, Some(InFlight { call: None, .. })) => Expected::LateReply,
        }
    }

    /// The oldest call is answered.
    pub(crate) fn answered(&mut self, limits: &Limits) {
        if let Some(in_flight) = self.in_flight.pop_front() {
            self.in_flight_bytes -= in_flight.bytes;
            if in_flight.call.is_some() {
                self.dialer.works(limits);
            }
        }
        self.invariants();
    }

    /// The backend has said its last line, and the connection is to be closed.
    pub(crate) fn ended(&mut self) {
        self.has_ended = true;
    }

    /// The connection is gone, or could not be made. Calls that were handed to it are lost; those that
    /// wait go on waiting. True: before it is closed, the driver is to write why.
    #[must_use]
    pub(crate) fn disconnected(&mut self, now: Time, limits: &Limits, lost: &mut LostCalls) -> bool {
        self.dialer.disconnected(now, limits);
        let has_last_words = self.channel.reset();
        self.in_flight_bytes = 0;
        let has_ended = mem::replace(&mut self.has_ended, false);
        let why = if has_ended { Lost::Returned } else { Lost::Unanswered };
        let calls = self.in_flight.drain(..);
        lost.extend(calls.filter_map(|in_flight| Some((in_flight.call?, why))));
        self.invariants();
        has_last_words
    }

    /// Another connection takes the place of the one that stands, over which nobody waits for a reply. Late replies to calls
    /// that were given up are not waited for. True: before it is closed, the driver is to write last words.
    ///
    /// # Panics
    /// Somebody waits for a reply, or no connection stands.
    #[must_use]
    pub(crate) fn renew(&mut self, now: Time, limits: &Limits) -> bool {
        assert!(self.in_flight.iter().all(|in_flight| in_flight.call.is_none()), "a call would be lost");
        self.in_flight.clear();
        self.in_flight_bytes = 0;
        self.dialer.renew(now, limits);
        let has_last_words = self.channel.reset();
        self.invariants();
        has_last_words
    }

    /// When [`Link::expire`] should be called next.
    pub(crate) fn deadline(&self, limits: &Limits) -> Option<Time> {
        let step = match self.dialer.phase() {
            None => self.dialer.deadline(),
            Some(Phase::Greeting { give_up_at, .. }) => Some(give_up_at),
            Some(Phase::Up) => self.dead_at(limits),
        };
        earlier(step, self.earliest)
    }

    /// Gives up calls whose deadline has passed, and takes the step that is due.
    pub(crate) fn expire(&mut self, now: Time, limits: &Limits, lost: &mut LostCalls) -> Option<Action> {
        if self.earliest.is_some_and(|earliest| earliest <= now) {
            self.expire_calls(now, lost);
        }
        match self.dialer.phase() {
            None => self.dialer.expire(now, limits),
            Some(Phase::Greeting { give_up_at, .. }) if give_up_at <= now => {
                Some(Action::Close(within("no answer to the greeting", limits.connect_timeout)))
            }
            Some(Phase::Up) if self.dead_at(limits).is_some_and(|at| at <= now) => {
                Some(Action::Close(within("no answer to any call", limits.silence_timeout)))
            }
            Some(_) => None,
        }
    }

    fn hand_over(&mut self, now: Time, call: Call, line: &[u8], deadline: Time) -> bool {
        if self.in_flight.is_empty() {
            self.silent_since = now;
        }
        self.in_flight.push_back(InFlight { call: Some(call), since: now, deadline, bytes: line.len() });
        self.in_flight_bytes += line.len();
        self.channel.send_line(&[line])
    }

    fn expire_calls(&mut self, now: Time, lost: &mut LostCalls) {
        let mut first = None;
        let mut keep = |deadline: Time| {
            first = earlier(first, Some(deadline));
        };
        for in_flight in &mut self.in_flight {
            if in_flight.deadline > now {
                keep(in_flight.deadline);
            } else if let Some(call) = in_flight.call.take() {
                lost.push((call, Lost::Unanswered));
            }
        }
        self.waiting.retain(|waiting| {
            let waits = waiting.waits_until > now;
            if waits {
                keep(waiting.waits_until);
            } else {
                self.waiting_bytes -= waiting.line.len();
                lost.push((waiting.call, Lost::Unsent));
            }
            waits
        });
        self.earliest = first;
        self.invariants();
    }

    /// When the backend counts as a host that vanished without a word, which TCP itself would notice only
    /// after many minutes: a call was given up, and the backend goes on saying nothing.
    fn dead_at(&self, limits: &Limits) -> Option<Time> {
        let overdue = self.in_flight.front()?.call.is_none();
        overdue.then(|| self.silent_since + limits.silence_timeout)
    }

    /// What is true between any two calls, whatever the backend, the driver and the service do.
    fn invariants(&self) {
        let is_up = self.is_up();
        assert!(is_up || self.in_flight.is_empty(), "calls are in flight only over a connection that is up");
        assert!(!is_up || self.waiting.is_empty(), "no call waits for a connection that is up");
        assert!(!self.waiting.is_empty() || self.waiting_bytes == 0);
        let stands = self.is_connected();
        assert!(stands || !self.channel.has_lines(), "nothing leaves without a connection");
        assert!(stands || self.channel.received().is_empty(), "nothing arrives without a connection");
        debug_assert_eq!(self.waiting_bytes, self.waiting.iter().map(|waiting| waiting.line.len()).sum());
        debug_assert_eq!(self.in_flight_bytes, self.in_flight.iter().map(|in_flight| in_flight.bytes).sum());
        let in_flight = self.in_flight.iter().filter(|in_flight| in_flight.call.is_some());
        let dues = in_flight.map(|in_flight| in_flight.deadline);
        let mut dues = dues.chain(self.waiting.iter().map(|waiting| waiting.waits_until));
        debug_assert!(
            dues.all(|due| self.earliest.is_some_and(|earliest| earliest <= due)),
            "a call falls due and nobody looks"
        );
    }
}
