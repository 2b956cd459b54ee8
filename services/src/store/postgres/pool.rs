//! [`Pool`]: carries transactions out over the connections to an engine, and answers each of them once, by its deadline.
//!
//! ```text
//!            Lane, by the key                Place, one for each connection
//!  ask ───► waits its turn ───► leaves ───► under way ───► the engine
//!                 ▲          alone or in a group │
//!                 └────────── again ◄────────────┤ outcome
//!  Ended ◄───────────────────────────────────────┘
//! ```
//!
//! It makes no connection of bytes and encrypts nothing, which is its driver's; it knows neither APIs nor statements. What
//! cannot be carried out in time is never cancelled: a CancelRequest that comes while a commit waits for its replica makes
//! the server report success. It is answered, and its late outcome swallowed.

mod asked;
mod commits;
mod departures;
mod lane;
mod metrics;
mod outcomes;
mod place;
mod starts;
mod watch;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use net::Time;

use self::asked::Asked;
use self::commits::Commits;
use self::lane::Lane;
use self::metrics::PoolMetrics;
use self::place::{Due, Happened, Place};
use self::starts::Starts;
use self::watch::Watch;
use super::config::Config;
use super::operation::{Answer, Transaction};
use super::wire::Flight;
use crate::api::error::Error;

pub(super) use self::lane::Lanes;

/// The most transactions that wait in all: a second of them at the pace of a slow engine, and no client waits longer.
const WAITING_MAX: usize = 4096;
/// The most statements that these have, because a purchase of a thousand lines has thousands: some dozen megabytes.
const WAITING_CALLS_MAX: usize = 65_536;
/// The most writes that share a transaction. More gain little, and all of them have to be carried out singly if one fails.
const GROUP_MAX: usize = 32;

/// Carries transactions out over the connections to an engine.
///
/// Its driver keeps a connection of bytes for each place, tells what happens, and after any of that takes
/// [`next_action`](Self::next_action) until there is none.
pub(super) struct Pool {
    config: Config,
    /// The place of each connection.
    places: Vec<Place>,
    /// A lane that is at home at each of these, and behind them two that are at home nowhere: one for what has no key, and one
    /// for what is asked for first.
    lanes: Vec<Lane>,
    /// Whether all may leave. Before, only what is asked for first does.
    is_open: bool,
    /// Whether that was carried out, and a connection has been ready ever since.
    is_first_done: bool,
    starts: Starts,
    /// How often a lane has sent something.
    departures: u64,
    /// Deadlines, with the number of the transaction, and the ends of pauses.
    alarms: BTreeSet<(Time, u64)>,
    /// How many transactions were asked for so far, and how many of them are not answered.
    asked: u64,
    unanswered: usize,
    group_max: usize,
    chance: Chance,
    /// The time of what happened last.
    now: Time,
    /// Whether something may leave since it was looked for last.
    is_stirred: bool,
    actions: VecDeque<Action>,
    commits: Commits,
    watch: Watch,
    metrics: Arc<PoolMetrics>,
}

/// What the driver is to do.
#[derive(Debug)]
pub(super) enum Action {
    /// Go on with what was asked for under this number. An error is worded for clients.
    Ended(u64, Result<Answer, Error>),
    /// Write these bytes to the connection of this place.
    Write(usize, Bytes),
    /// Shake hands over it, say [`encrypted`](Pool::encrypted), and encrypt all that comes and goes from then on.
    Encrypt(usize),
    /// Close it, for this reason, and connect again. What still comes of the old one is ignored.
    Reset(usize, String),
    /// It is ready, so the pause before it is made again may be short again.
    Works(usize),
}

/// A source of numbers that need not surprise anybody (SplitMix64).
struct Chance(u64);

impl Pool {
    /// A pool without connections, which is not [open](Self::open). `seed` is what its pauses depend on; no two processes should have the same.
    pub(super) fn new(config: Config, seed: u64) -> Self {
        let count = config.connections;
        Self {
            places: (0..count).map(|_| Place::default()).collect(),
            lanes: (0..count + 2).map(|_| Lane::default()).collect(),
            is_open: false,
            is_first_done: false,
            starts: Starts::default(),
            departures: 0,
            alarms: BTreeSet::new(),
            asked: 0,
            unanswered: 0,
            group_max: GROUP_MAX,
            chance: Chance(seed),
            now: Time::default(),
            is_stirred: false,
            actions: VecDeque::new(),
            commits: Commits::default(),
            watch: Watch::new(&config.hosts),
            metrics: Arc::default(),
            config,
        }
    }

    /// What it counts.
    pub(super) fn metrics(&self) -> Arc<PoolMetrics> {
        Arc::clone(&self.metrics)
    }

    /// Have this carried out. An [`Action::Ended`] with this number follows, as soon as [`expire`](Self::expire) is called
    /// after the deadline at the latest. No other that is unanswered has the number.
    pub(super) fn ask(&mut self, now: Time, number: u64, transaction: Transaction, deadline: Time) {
        let count = transaction.calls.len();
        self.happens(now);
        let waiting: usize = self.lanes.iter().map(Lane::len).sum();
        let calls: usize = self.lanes.iter().map(Lane::calls).sum();
        if waiting >= WAITING_MAX || calls + count > WAITING_CALLS_MAX {
            self.actions.push_back(Action::Ended(number, Err(asked::refused_early())));
            return;
        }
        self.wait(self.lane(transaction.key), number, transaction, deadline);
    }

    /// The same, for what is carried out before the pool is [opened](Self::open): whatever else is asked for waits meanwhile,
    /// as it does for connections.
    pub(super) fn ask_first(&mut self, now: Time, number: u64, transaction: Transaction, deadline: Time) {
        self.happens(now);
        self.wait(self.lane_of_first(), number, transaction, deadline);
    }

    /// Let all be carried out, now that what was asked for first was. In vain, if no connection was ready since: what was told
    /// then need not hold of where the next ones lead.
    pub(super) fn open(&mut self) {
        self.is_open = self.is_first_done;
        self.is_stirred = true;
    }

    /// Whether all is carried out. It no longer is once no connection is ready.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The connection of bytes of this place stands, to this host of the configuration.
    pub(super) fn up(&mut self, now: Time, connection: usize, host: usize) {
        self.happens(now);
        self.lose(connection, "it is replaced");
        self.places[connection].up(now, &self.config, host);
        self.settle(connection);
    }

    /// It is encrypted, as [`Action::Encrypt`] has demanded.
    pub(super) fn encrypted(&mut self, now: Time, connection: usize) {
        self.happens(now);
        self.places[connection].encrypted();
        self.settle(connection);
    }

    /// These bytes have come over it.
    pub(super) fn received(&mut self, now: Time, connection: usize, bytes: &[u8]) {
        self.happens(now);
        match self.places[connection].received(now, bytes) {
            Ok(()) => self.settle(connection),
            Err(failure) => self.refused(connection, failure.to_string()),
        }
    }

    /// It is lost, or could not be made, for this reason.
    pub(super) fn down(&mut self, now: Time, connection: usize, reason: &str) {
        self.happens(now);
        self.lose(connection, reason);
        if !self.is_ready() {
            self.watch.is_away(now, reason, false);
        }
    }

    /// Takes note of what has not happened in time.
    pub(super) fn expire(&mut self, now: Time) {
        self.happens(now);
        let doublings = self.commits.doublings();
        for place in 0..self.places.len() {
            match self.places[place].due().filter(|(at, _)| *at <= now) {
                Some((_, Due::Question)) => self.places[place].ask(now),
                Some((_, Due::StartEnd)) => self.reset(place, "the start has taken 10 s".to_owned(), false),
                Some((_, Due::End(silence))) => self.give_up(place, silence),
                None => {}
            }
        }
        if self.commits.doublings() > doublings {
            self.watch.commits_stall(now, self.commits.abandoned(), place::silence_max(doublings));
        }
        if self.alarms.first().is_some_and(|(at, _)| *at <= now) {
            self.alarms = self.alarms.split_off(&(now, u64::MAX));
            self.answer_late();
        }
    }

    /// When that is to be done.
    pub(super) fn next_at(&self) -> Option<Time> {
        let alarm = self.alarms.first().map(|(at, _)| *at);
        let start = self.starts.next_at(&self.places);
        self.places.iter().filter_map(|place| Some(place.due()?.0)).chain(alarm).chain(start).min()
    }

    /// Whether there is a connection to an engine that takes changes. One that says nothing for some seconds is asked, and
    /// given up if it owes an answer for some seconds.
    pub(super) fn is_ready(&self) -> bool {
        self.places.iter().any(Place::is_ready)
    }

    /// What is to be done next.
    pub(super) fn next_action(&mut self) -> Option<Action> {
        if std::mem::take(&mut self.is_stirred) {
            self.starts.start(self.now, &mut self.places);
            self.dispatch();
        }
        self.actions.pop_front()
    }

    /// Whether all that was asked for is answered.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.unanswered == 0
    }

    fn happens(&mut self, now: Time) {
        self.now = now;
        self.is_stirred = true;
    }

    /// Lets a transaction wait in this lane.
    fn wait(&mut self, lane: usize, number: u64, transaction: Transaction, deadline: Time) {
        let count = transaction.calls.len();
        assert!((1..=Flight::CALLS_MAX).contains(&count), "a transaction has 1 to 4096 statements");
        self.alarms.insert((deadline, number));
        self.lanes[lane].wait(Asked::new(number, self.asked, transaction, deadline));
        self.asked += 1;
        self.unanswered += 1;
    }

    /// Answers those whose deadline has passed.
    fn answer_late(&mut self) {
        let hindrance = self.hindrance();
        let mut answers = Vec::new();
        for asked in self.lanes.iter_mut().flat_map(|lane| lane.expire(self.now)) {
            answers.push((asked.number, asked.deadline, asked.late(hindrance)));
        }
        for asked in self.places.iter_mut().flat_map(Place::unanswered) {
            if asked.deadline <= self.now {
                asked.is_answered = true;
                answers.push((asked.number, asked.deadline, asked.unanswered()));
            }
        }
        for (number, deadline, error) in answers {
            self.answer(number, deadline, Err(error));
        }
    }

    /// Why what waits has not been sent.
    fn hindrance(&self) -> &'static str {
        match (self.is_ready(), self.is_open) {
            (false, _) => "cannot be reached",
            (true, false) => "has not told the version of its tables",
            (true, true) => "answers too slowly",
        }
    }

    fn answer(&mut self, number: u64, deadline: Time, answer: Result<Answer, Error>) {
        self.alarms.remove(&(deadline, number));
        self.unanswered -= 1;
        self.actions.push_back(Action::Ended(number, answer));
    }

    /// Does what follows from what a connection has led to.
    fn settle(&mut self, place: usize) {
        // Why the connection is to be closed.
        let mut reason = None;
        while let Some(happened) = self.places[place].next() {
            match happened {
                Happened::Encrypt => self.actions.push_back(Action::Encrypt(place)),
                Happened::Ready => self.works(place),
                Happened::Ended(sent, outcome) => reason = self.ended(sent, outcome).or(reason),
                Happened::Failed(failure) => return self.refused(place, failure.to_string()),
            }
        }
        if let Some(reason) = reason {
            return self.refused(place, reason);
        }
        let output = self.places[place].take_output();
        if !output.is_empty() {
            self.actions.push_back(Action::Write(place, output));
        }
    }

    fn works(&mut self, place: usize) {
        self.count_ready();
        let host = self.places[place].host().expect("it leads somewhere");
        self.watch.is_up(self.now, host);
        self.actions.push_back(Action::Works(place));
    }

    /// The engine is not, or no longer, what it has to be.
    fn refused(&mut self, place: usize, reason: String) {
        let is_told = self.places[place].host().is_some_and(|host| {
            self.watch.is_refused(self.now, host, &reason) || self.watch.has_told(self.now, host, &reason)
        });
        self.reset(place, reason, is_told);
    }

    /// `is_told`: the log says it already.
    fn reset(&mut self, place: usize, reason: String, is_told: bool) {
        self.lose(place, &reason);
        if !self.is_ready() {
            self.watch.is_away(self.now, &reason, is_told);
        }
        self.actions.push_back(Action::Reset(place, reason));
    }

    /// Gives a connection up that owes an answer, and was silent for so long. Where it was not for a change, its host is silent
    /// altogether, and then a change that is tried there has nothing to wait for.
    fn give_up(&mut self, place: usize, silence: Duration) {
        let host = self.places[place].host();
        let is_host_silent = self.places[place].doublings().is_none();
        let is_vain = |other: &Place| is_host_silent && other.is_doubtful() && other.host() == host;
        for given_up in 0..self.places.len() {
            if given_up != place && !is_vain(&self.places[given_up]) {
                continue;
            }
            if let Some(doublings) = self.places[given_up].doublings() {
                self.commits.abandon(self.now, doublings);
                self.metrics.abandoned.set(self.commits.abandoned());
            }
            self.reset(given_up, format!("nothing was heard of it for {} s", silence.as_secs()), false);
        }
    }

    /// Gives a connection up, if there is one: what was under way over it has its outcome.
    fn lose(&mut self, place: usize, reason: &str) {
        if self.places[place].host().is_none() {
            return;
        }
        log::debug!("event=store_connection_lost connection={place} reason=\"{reason}\"");
        self.places[place].lose();
        while let Some(happened) = self.places[place].next() {
            if let Happened::Ended(sent, outcome) = happened {
                self.ended(sent, outcome);
            }
        }
        self.places[place].forget();
        self.count_ready();
        if !self.is_ready() {
            (self.is_open, self.is_first_done) = (false, false);
        }
    }

    fn count_ready(&self) {
        let ready = self.places.iter().filter(|place| place.is_ready()).count();
        self.metrics.ready.set(ready as u64);
    }

    /// The lane of a key, or that of what has none.
    fn lane(&self, key: Option<u64>) -> usize {
        let count = self.places.len();
        key.map_or(count, |key| Lanes(count).of(key))
    }

    /// That of what is asked for first, whatever its key.
    fn lane_of_first(&self) -> usize {
        self.places.len() + 1
    }
}

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests;
