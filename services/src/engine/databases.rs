//! [`Databases`]: which databases a frontend reaches, for its log and its metrics. All lanes to a database count as
//! one. It decides nothing: the node connects by itself, again and again.

use std::sync::Arc;
use std::time::Duration;

use net::Time;

use super::lane::Lane;
use crate::api::Database;
use crate::engine::metrics::{DatabaseLinks, LineLimit};

/// A database that stays away is mentioned so often.
const REMINDER: Duration = Duration::from_secs(60);
/// A database that comes and goes is mentioned so often in a minute.
const WARNINGS_PER_MINUTE_MAX: u32 = 5;

pub(super) struct Databases {
    /// By the place of the database.
    databases: [Watched; Database::ALL.len()],
    /// The lanes whose connection stands.
    is_up: [bool; Lane::COUNT],
}

struct Watched {
    name: &'static str,
    address: String,
    state: State,
    /// Connections that were lost or could not be made since a line last said so.
    failures: u64,
    warnings: LineLimit,
    metrics: Arc<DatabaseLinks>,
}

enum State {
    /// No lane was up yet or failed.
    New,
    Up,
    /// A lane is down, since then. `warned_at`: when a line said so, if one did.
    Down {
        since: Time,
        warned_at: Option<Time>,
    },
}

impl Databases {
    /// `addresses` are those of the lanes.
    pub(super) fn new(addresses: &[String], metrics: &[Arc<DatabaseLinks>; Database::ALL.len()]) -> Self {
        let databases = Database::ALL.map(|database| {
            let lane = Lane::all().position(|lane| lane.database() == database);
            Watched {
                name: database.name(),
                address: addresses[lane.expect("each database has lanes")].clone(),
                state: State::New,
                failures: 0,
                warnings: LineLimit::new(Duration::from_secs(60), WARNINGS_PER_MINUTE_MAX),
                metrics: Arc::clone(&metrics[database as usize]),
            }
        });
        Self { databases, is_up: [false; Lane::COUNT] }
    }

    /// The connection of a lane stands.
    pub(super) fn lane_is_up(&mut self, now: Time, lane: Lane) {
        self.is_up[lane as usize] = true;
        let is_up = |other: Lane| other.database() != lane.database() || self.is_up[other as usize];
        let all_are_up = Lane::all().all(is_up);
        let database = &mut self.databases[lane.database() as usize];
        database.metrics.connects.add(1);
        if all_are_up {
            database.is_back(now);
        }
    }

    /// The connection of a lane is gone or could not be made.
    pub(super) fn lane_is_down(&mut self, now: Time, lane: Lane, reason: &str) {
        let was_up = std::mem::replace(&mut self.is_up[lane as usize], false);
        let database = &mut self.databases[lane.database() as usize];
        if !was_up {
            database.metrics.failures.add(1);
        }
        database.has_failed(now, reason);
    }
}

impl Watched {
    fn is_back(&mut self, now: Time) {
        let Self { name, address, .. } = self;
        match std::mem::replace(&mut self.state, State::Up) {
            State::New => log::info!("event=backend_up backend={name} address={address}"),
            State::Down { since, warned_at: Some(_) } => {
                let away_ms = now.since(since).as_millis();
                log::info!("event=backend_up backend={name} address={address} away_ms={away_ms}");
            }
            State::Down { warned_at: None, .. } | State::Up => {}
        }
        self.metrics.up.set(1);
    }

    /// Warns at once, and then now and then, because links try again many times a second. Returns whether it did.
    fn has_failed(&mut self, now: Time, reason: &str) -> bool {
        self.failures += 1;
        self.metrics.up.set(0);
        let (since, warned_at) = match self.state {
            State::New | State::Up => (now, None),
            State::Down { since, warned_at } => (since, warned_at),
        };
        let is_due = warned_at.is_none_or(|at| now.since(at) >= REMINDER) && self.warnings.next(now);
        let Self { name, address, failures, .. } = self;
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
        let metrics = DatabaseLinks::new("db_product");
        let warnings = LineLimit::new(Duration::from_secs(60), WARNINGS_PER_MINUTE_MAX);
        let (address, state) = ("127.0.0.1:6002".to_owned(), State::New);
        Watched { name: "db_product", address, state, failures: 0, warnings, metrics: Arc::new(metrics) }
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
