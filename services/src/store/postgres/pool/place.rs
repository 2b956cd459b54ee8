//! [`Place`]: the place of one connection of the pool: the connection, if there is one, and what is under way over it.
//!
//! It decides nothing about transactions; it brings outcomes and what was sent together again.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use net::Time;

use super::super::config::Config;
use super::super::wire::{Call, Connection, Event, Failure, Flight, Outcome, Ticket};
use super::asked::Asked;
use super::lane::Room;

/// The most reads under way over a connection. With the one transaction of writes they are fewer than a connection takes,
/// so that these find room; and what is lost with a connection, and has to be asked for again, stays little.
const READS_MAX: usize = 32;
/// How long a connection may take until it is ready: some round trips, and the slowest proof of a password.
const START_MAX: Duration = Duration::from_secs(10);
/// How long a connection may say nothing while it owes an answer. No statement takes that long; a host that is gone says
/// nothing at all.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How long nothing is heard of a connection that owes nothing until it is asked whether it is still of use. An engine that
/// hangs, or a way to it that is gone, shows in nothing else; a small question each few seconds is no load.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// The place of a connection.
#[derive(Default)]
pub(super) struct Place(Option<Live>);

struct Live {
    connection: Connection,
    /// Which of the configured hosts it leads to.
    host: usize,
    state: State,
    /// In the order in which they were sent, which is that of their outcomes.
    flights: VecDeque<Sent>,
    /// When it last said something, or owed an answer after it had owed none.
    silent_since: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its connection of bytes stands, and nothing was said over it.
    Waiting,
    Starting {
        give_up_at: Time,
    },
    Encrypting {
        give_up_at: Time,
    },
    Ready,
}

/// What is under way together.
#[derive(Debug)]
pub(super) struct Sent {
    ticket: Ticket,
    /// The lane of all of them.
    pub(super) lane: usize,
    pub(super) members: Vec<Asked>,
    pub(super) is_write: bool,
    /// How often the time has doubled that it is waited for.
    doublings: u32,
}

/// What is to be done about a connection over which nothing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is to be asked whether it is still of use.
    Question,
    /// It is to be given up: its start has taken too long.
    StartEnd,
    /// It is to be given up: it owes an answer, and was silent for so long.
    End(Duration),
}

/// What a connection has led to.
pub(super) enum Happened {
    Encrypt,
    Ready,
    Ended(Sent, Outcome),
    Failed(Failure),
}

/// How long a connection may say nothing that owes an answer, once that time has doubled so often.
pub(super) fn silence_max(doublings: u32) -> Duration {
    SILENCE_MAX * 2_u32.pow(doublings)
}

impl Place {
    /// A new connection of bytes to this host stands. It waits for its [start](Self::start).
    pub(super) fn up(&mut self, now: Time, config: &Config, host: usize) {
        self.0 = Some(Live {
            connection: Connection::new(config, &config.hosts[host]),
            host,
            state: State::Waiting,
            flights: VecDeque::new(),
            silent_since: now,
        });
    }

    /// Its turn to start has come.
    pub(super) fn start(&mut self, now: Time) {
        let live = self.0.as_mut().expect("it waits");
        live.state = State::Starting { give_up_at: now + START_MAX };
        live.silent_since = now;
    }

    /// The connection of bytes is encrypted.
    pub(super) fn encrypted(&mut self) {
        if let Some(live) = &mut self.0
            && let State::Encrypting { give_up_at } = live.state
        {
            live.state = State::Starting { give_up_at };
            live.connection.encrypted();
        }
    }

    /// These bytes have come.
    ///
    /// # Errors
    /// They cannot come now.
    pub(super) fn received(&mut self, now: Time, bytes: &[u8]) -> Result<(), Failure> {
        if self.is_waiting() {
            // Whoever speaks first has something to say: mostly, that it takes nobody.
            self.start(now);
        }
        let Some(live) = &mut self.0 else { return Ok(()) };
        if matches!(live.state, State::Encrypting { .. }) {
            return Err(Failure::Malformed("it speaks before the handshake"));
        }
        live.silent_since = now;
        live.connection.received(bytes);
        Ok(())
    }

    /// The connection is of no use any more. What has become of what was under way follows, if there was a connection;
    /// then it is to be [forgotten](Self::forget).
    pub(super) fn lose(&mut self) {
        if let Some(live) = &mut self.0 {
            live.connection.lost();
        }
    }

    /// There is no connection any more.
    pub(super) fn forget(&mut self) {
        let live = self.0.take();
        assert!(live.is_none_or(|live| live.flights.is_empty()), "each flight has its outcome");
    }

    /// What has followed.
    pub(super) fn next(&mut self) -> Option<Happened> {
        let live = self.0.as_mut()?;
        Some(match live.connection.next_event()? {
            Event::Encrypt => {
                let State::Starting { give_up_at } = live.state else { unreachable!("it comes first") };
                live.state = State::Encrypting { give_up_at };
                Happened::Encrypt
            }
            Event::Ready => {
                live.state = State::Ready;
                Happened::Ready
            }
            Event::Ended(ticket, outcome) => {
                let sent = live.flights.pop_front().expect("it was sent");
                assert_eq!(sent.ticket, ticket, "outcomes come in the order of their flights");
                Happened::Ended(sent, outcome)
            }
            Event::Failed(failure) => Happened::Failed(failure),
        })
    }

    /// What is to be written.
    pub(super) fn take_output(&mut self) -> Bytes {
        let live = self.0.as_mut().filter(|live| live.state != State::Waiting);
        live.map(|live| live.connection.take_output()).unwrap_or_default()
    }

    /// Which host it leads to, if anywhere.
    pub(super) fn host(&self) -> Option<usize> {
        self.0.as_ref().map(|live| live.host)
    }

    /// Whether its turn to start has not come.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.as_ref().is_some_and(|live| live.state == State::Waiting)
    }

    /// Whether it has begun to start, and is not ready.
    pub(super) fn is_starting(&self) -> bool {
        let starts = |state| matches!(state, State::Starting { .. } | State::Encrypting { .. });
        self.0.as_ref().is_some_and(|live| starts(live.state))
    }

    /// Whether flights may be sent, if there is room.
    pub(super) fn is_ready(&self) -> bool {
        self.0.as_ref().is_some_and(|live| live.state == State::Ready)
    }

    /// How many flights are under way.
    pub(super) fn load(&self) -> usize {
        self.0.as_ref().map_or(0, |live| live.flights.len())
    }

    /// What it takes: at most one transaction of writes, of so many, so that those that come meanwhile gather.
    pub(super) fn room(&self, group_max: usize) -> Room {
        let Some(live) = self.0.as_ref().filter(|live| live.connection.has_room()) else {
            return Room { reads: 0, writes: 0 };
        };
        let has_writes = live.flights.iter().any(|sent| sent.is_write);
        let reads = live.flights.iter().filter(|sent| !sent.is_write).map(|sent| sent.members.len());
        Room { reads: READS_MAX - reads.sum::<usize>(), writes: if has_writes { 0 } else { group_max } }
    }

    /// Sends these together. Of writes, the time that they are waited for has doubled so often.
    pub(super) fn send(&mut self, now: Time, lane: usize, members: Vec<Asked>, doublings: u32) {
        let live = self.0.as_mut().expect("it has room");
        let calls: Vec<Call> = members.iter().flat_map(|asked| &asked.transaction.calls).cloned().collect();
        let is_write = members.iter().any(|asked| asked.transaction.effect.is_write());
        let are_lookups = members.iter().all(Asked::is_lookup);
        // One statement is a transaction of its own.
        let flight = match <[Call; 1]>::try_from(calls) {
            Ok([call]) => Flight::single(call),
            Err(calls) if are_lookups => Flight::lookups(calls),
            Err(calls) => Flight::transaction(calls),
        };
        if !live.connection.is_owed() {
            live.silent_since = now;
        }
        let ticket = live.connection.submit(flight);
        let doublings = if is_write { doublings } else { 0 };
        live.flights.push_back(Sent { ticket, lane, members, is_write, doublings });
    }

    /// How often the time has doubled that the writes under way over it are waited for, if there are any.
    pub(super) fn doublings(&self) -> Option<u32> {
        let live = self.0.as_ref()?;
        live.flights.iter().find(|sent| sent.is_write).map(|sent| sent.doublings)
    }

    /// Whether a write is under way over it that may not be answered for long, because others were not.
    pub(super) fn is_doubtful(&self) -> bool {
        self.doublings().is_some_and(|doublings| doublings > 0)
    }

    /// Asks whether it is still of use. Nothing is under way over it.
    pub(super) fn ask(&mut self, now: Time) {
        let live = self.0.as_mut().expect("it stands");
        live.connection.ask_again();
        live.silent_since = now;
    }

    /// What is under way and not answered.
    pub(super) fn unanswered(&mut self) -> impl Iterator<Item = &mut Asked> {
        let flights = self.0.iter_mut().flat_map(|live| &mut live.flights);
        flights.flat_map(|sent| &mut sent.members).filter(|asked| !asked.is_answered)
    }

    /// What is to be done if nothing comes of it until then.
    pub(super) fn due(&self) -> Option<(Time, Due)> {
        let live = self.0.as_ref()?;
        Some(match live.state {
            State::Waiting => return None,
            State::Starting { give_up_at } | State::Encrypting { give_up_at } => (give_up_at, Due::StartEnd),
            State::Ready if live.connection.is_owed() => {
                let silence_max = silence_max(self.doublings().unwrap_or(0));
                (live.silent_since + silence_max, Due::End(silence_max))
            }
            State::Ready => (live.silent_since + QUIET_MAX, Due::Question),
        })
    }
}
