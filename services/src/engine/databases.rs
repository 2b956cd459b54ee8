//! [`Databases`]: which databases a frontend reaches, for its log and its metrics. In the log, all connections to an
//! address count as one; in metrics, all those to a database. It decides nothing: the node connects by itself, again and
//! again.

use std::sync::Arc;
use std::time::Duration;

use net::{Backend, Time};

use super::backends::Backends;
use super::links::Links;
use crate::api::Database;
use crate::engine::metrics::{DatabaseLinks, LineLimit};

/// A database that stays away is mentioned so often.
const REMINDER: Duration = Duration::from_secs(60);
/// A database that comes and goes is mentioned so often in a minute.
const WARNINGS_PER_MINUTE_MAX: u32 = 5;

pub(super) struct Databases {
    /// By the numbers of the addresses.
    replicas: Vec<Watched>,
    metrics: [Arc<DatabaseLinks>; Database::ALL.len()],
}

/// A database at one address.
struct Watched {
    database: Database,
    address: String,
    state: State,
    /// Connections that were lost or could not be made since a line last said so.
    failures: u64,
    warnings: LineLimit,
}

enum State {
    /// No connection was up yet or failed.
    New,
    Up,
    /// A connection is down, since then. `warned_at`: when a line said so, if one did.
    Down {
        since: Time,
        warned_at: Option<Time>,
    },
}

impl Databases {
    pub(super) fn new(backends: &Backends, metrics: &[Arc<DatabaseLinks>; Database::ALL.len()]) -> Self {
        let replicas =
            backends.replicas().map(|(database, address)| Watched::new(database, address.to_owned()));
        Self { replicas: replicas.collect(), metrics: metrics.clone() }
    }

    /// A connection stands; `links` knows already.
    pub(super) fn link_is_up(&mut self, now: Time, backend: Backend, links: &Links) {
        let number = links.replica(backend);
        let replica = &mut self.replicas[number];
        let metrics = &self.metrics[replica.database as usize];
        metrics.connects.add(1);
        metrics.up.set(u64::from(links.reach(replica.database)));
        if links.all_are_up(number) {
            replica.is_back(now);
        }
    }

    /// A connection is gone, or could not be made if it was not up; `links` knows already.
    pub(super) fn link_is_down(
        &mut self,
        now: Time,
        backend: Backend,
        was_up: bool,
        reason: &str,
        links: &Links,
    ) {
        let replica = &mut self.replicas[links.replica(backend)];
        let metrics = &self.metrics[replica.database as usize];
        if !was_up {
            metrics.failures.add(1);
        }
        metrics.up.set(u64::from(links.reach(replica.database)));
        replica.has_failed(now, reason);
    }
}

impl Watched {
    fn new(database: Database, address: String) -> Self {
        let warnings = LineLimit::new(Duration::from_secs(60), WARNINGS_PER_MINUTE_MAX);
        Self { database, address, state: State::New, failures: 0, warnings }
    }

    fn is_back(&mut self, now: Time) {
        let (name, address) = (self.database.name(), &self.address);
        match std::mem::replace(&mut self.state, State::Up) {
            State::New => log::info!("event=backend_up backend={name} address={address}"),
            State::Down { since, warned_at: Some(_) } => {
                let away_ms = now.since(since).as_millis();
                log::info!("event=backend_up backend={name} address={address} away_ms={away_ms}");
            }
            State::Down { warned_at: None, .. } | State::Up => {}
        }
    }

    /// Warns at once, and then now and then, because links try again many times a second. Returns whether it did.
    fn has_failed(&mut self, now: Time, reason: &str) -> bool {
        self.failures += 1;
        let (since, warned_at) = match self.state {
            State::New | State::Up => (now, None),
            State::Down { since, warned_at } => (since, warned_at),
        };
        let is_due = warned_at.is_none_or(|at| now.since(at) >= REMINDER) && self.warnings.next(now);
        let Self { database, address, failures, .. } = self;
        let name = database.name();
        log::log!(
            if is_due { log::Level::Warn } else { log::Level::Debug },
            "event=backend_down backend={name} address={address} reason=\"{reason}\" failures={failures} away_ms={}",
            now.since(since).as_millis()
        );
        if is_due {
            self.failures = 0;
        }
        self.state = State::Down { since, warned_at: if is_due { Some(now) } else { warned_at } };
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(200);

    fn watched() -> Watched {
        Watched::new(Database::Product, "127.0.0.1:6002".to_owned())
    }

    /// The warnings of ten minutes in which the database fails again and again, and is back each time if it `flaps`.
    fn warnings(flaps: bool) -> usize {
        let mut database = watched();
        let mut now = Time::from_millis(1_000_000);
        let mut warnings = 0;
        while now < Time::from_millis(1_600_000) {
            warnings += usize::from(database.has_failed(now, "it closed the connection"));
            if flaps {
                database.is_back(now);
            }
            now = now + PAUSE;
        }
        warnings
    }

    #[test]
    fn a_database_that_stays_away_is_mentioned_once_a_minute() {
        assert_eq!(warnings(false), 10);
    }

    #[test]
    fn a_database_that_comes_and_goes_is_mentioned_so_often_and_no_more() {
        let minutes = 11;
        assert!((10..=minutes * WARNINGS_PER_MINUTE_MAX as usize).contains(&warnings(true)));
    }

    #[test]
    fn each_of_a_few_outages_is_mentioned() {
        let mut database = watched();
        let now = Time::from_millis(1_000_000);
        for _ in 0..3 {
            assert!(database.has_failed(now, "refused"));
            assert!(!database.has_failed(now, "refused"), "once");
            database.is_back(now);
        }
    }
}
