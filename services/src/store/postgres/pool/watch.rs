//! [`Watch`]: what the log says about an engine: whether it is there, why not, and what it takes for mistakes. It decides
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use net::Time;

use super::super::config::Host;
use super::super::wire::ServerError;
use crate::engine::metrics::LineLimit;

/// What stays as it is, is mentioned so often.
const REMINDER: Duration = Duration::from_secs(60);
/// Lines of each kind in a minute.
const LINES_PER_MINUTE_MAX: u32 = 10;
/// The reasons that are told apart; engines that word each one differently are told of as often as lines may be.
const REASONS_MAX: usize = 64;

/// What was said about an engine.
pub(super) struct Watch {
    addresses: Vec<String>,
    state: State,
    /// Connections that were lost or could not be made since a line last said so.
    failures: u64,
    away_lines: LineLimit,
    stall_lines: LineLimit,
    /// Whether a line says that commits are not answered, and none since that they are.
    is_stall_told: bool,
    /// Which host refuses us, and why.
    refusals: Told,
    /// What the engine cannot carry out.
    errors: Told,
}

/// When what was last said. Each thing is, now and then.
struct Told {
    last: BTreeMap<String, Time>,
    lines: LineLimit,
}

enum State {
    /// No connection was ready yet or failed.
    New,
    Up,
    /// None is ready, since then. `warned_at`: when a line said so, if one did.
    Away {
        since: Time,
        warned_at: Option<Time>,
    },
}

impl Watch {
    pub(super) fn new(hosts: &[Host]) -> Self {
        Self {
            addresses: hosts.iter().map(Host::address).collect(),
            state: State::New,
            failures: 0,
            away_lines: lines(),
            stall_lines: lines(),
            is_stall_told: false,
            refusals: Told::new(),
            errors: Told::new(),
        }
    }

    /// A connection to this host is ready.
    pub(super) fn is_up(&mut self, now: Time, host: usize) {
        let address = &self.addresses[host];
        match std::mem::replace(&mut self.state, State::Up) {
            State::New => log::info!("event=store_up host={address}"),
            State::Away { since, warned_at: Some(_) } => {
                log::info!("event=store_up host={address} away_ms={}", now.since(since).as_millis());
            }
            State::Away { warned_at: None, .. } | State::Up => {}
        }
    }

    /// A connection was lost or could not be made, and none is ready. Returns whether a line says so, which it does not if
    /// one has just told the reason.
    pub(super) fn is_away(&mut self, now: Time, reason: &str, is_told: bool) -> bool {
        self.failures += 1;
        let (since, warned_at) = match self.state {
            State::New | State::Up => (now, None),
            State::Away { since, warned_at } => (since, warned_at),
        };
        let is_due =
            !is_told && warned_at.is_none_or(|at| now.since(at) >= REMINDER) && self.away_lines.next(now);
        self.state = State::Away { since, warned_at: if is_due || is_told { Some(now) } else { warned_at } };
        if is_due {
            let (failures, away_ms) = (std::mem::take(&mut self.failures), now.since(since).as_millis());
            log::warn!("event=store_down reason=\"{reason}\" failures={failures} away_ms={away_ms}");
        }
        is_due
    }

    /// A host cannot be used, and why. Returns whether a line says so.
    pub(super) fn is_refused(&mut self, now: Time, host: usize, reason: &str) -> bool {
        let address = &self.addresses[host];
        let is_due = self.refusals.is_due(now, format!("{address} {reason}"));
        if is_due {
            log::warn!("event=store_refused host={address} reason=\"{reason}\"");
        }
        is_due
    }

    /// Whether a line has said so lately.
    pub(super) fn has_told(&self, now: Time, host: usize, reason: &str) -> bool {
        self.refusals.has_told(now, &format!("{} {reason}", self.addresses[host]))
    }

    /// So many connections were given up because no commit was answered, the last one after this time.
    pub(super) fn commits_stall(&mut self, now: Time, connections: u64, waited: Duration) {
        if self.stall_lines.next(now) {
            self.is_stall_told = true;
            let waited_ms = waited.as_millis();
            log::warn!("event=store_commits_stalled connections={connections} waited_ms={waited_ms}");
        }
    }

    /// Commits are answered again, after this time.
    pub(super) fn commits_go_on(&mut self, stalled: Duration) {
        if std::mem::take(&mut self.is_stall_told) {
            log::info!("event=store_commits_answered stalled_ms={}", stalled.as_millis());
        }
    }

    /// The engine cannot carry out a statement, or takes it for a mistake. Returns whether a line says so.
    pub(super) fn cannot(&mut self, now: Time, error: &ServerError) -> bool {
        let is_due = self.errors.is_due(now, error.to_string());
        if is_due {
            log::error!("event=store_error code={} message=\"{}\"", error.code, error.message);
        }
        is_due
    }
}

impl Told {
    fn new() -> Self {
        Self { last: BTreeMap::new(), lines: lines() }
    }

    /// Whether this is to be said now.
    fn is_due(&mut self, now: Time, what: String) -> bool {
        let is_due = !self.has_told(now, &what) && self.lines.next(now);
        if is_due {
            if self.last.len() >= REASONS_MAX {
                self.last.clear();
            }
            self.last.insert(what, now);
        }
        is_due
    }

    fn has_told(&self, now: Time, what: &str) -> bool {
        self.last.get(what).is_some_and(|at| now.since(*at) < REMINDER)
    }
}

fn lines() -> LineLimit {
    LineLimit::new(Duration::from_secs(60), LINES_PER_MINUTE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        let host = |name: &str| Host {
            name: name.to_owned(),
            port: 5432,
            encryption: super::super::super::config::Encryption::None,
        };
        Watch::new(&[host("one"), host("two")])
    }

    #[test]
    fn an_engine_that_stays_away_is_mentioned_once_a_minute_and_one_that_comes_and_goes_not_much_more() {
        for (comes_back, most) in [(false, 10), (true, 110)] {
            let mut watch = watch();
            let mut lines = 0;
            for second in 0..600 {
                let now = Time::from_millis(1_000_000 + second * 1000);
                lines += usize::from(watch.is_away(now, "it closed the connection", false));
                if comes_back {
                    watch.is_up(now, 0);
                }
            }
            assert!((10..=most).contains(&lines), "{lines}");
        }
    }

    #[test]
    fn an_engine_whose_refusal_was_told_is_not_told_to_be_away_as_well() {
        let mut watch = watch();
        let at = |ms| Time::from_millis(ms);
        assert!(watch.is_refused(at(0), 0, "the server is read-only"));
        assert!(watch.has_told(at(1000), 0, "the server is read-only"));
        assert!(!watch.has_told(at(1000), 1, "the server is read-only"));
        assert!(!watch.is_away(at(0), "the server is read-only", true));
        assert!(!watch.is_away(at(59_000), "it closed the connection", false));
        assert!(watch.is_away(at(60_000), "it closed the connection", false));
    }

    #[test]
    fn each_error_of_an_engine_is_mentioned_once_a_minute() {
        let mut watch = watch();
        let error =
            |code: &str| ServerError { code: code.to_owned(), message: String::new(), is_fatal: false };
        let mut lines = |at_ms, code| watch.cannot(Time::from_millis(at_ms), &error(code));
        assert!(lines(0, "55P03"));
        assert!(!lines(1000, "55P03"));
        assert!(lines(1000, "53100"));
        assert!(lines(60_000, "55P03"));
    }

    #[test]
    fn each_host_and_reason_is_mentioned_once_a_minute() {
        let mut watch = watch();
        let mut lines = |at_ms, host, reason: &str| watch.is_refused(Time::from_millis(at_ms), host, reason);
        assert!(lines(0, 0, "the server is read-only"));
        assert!(!lines(1000, 0, "the server is read-only"));
        assert!(lines(1000, 1, "the server is read-only"));
        assert!(lines(1000, 0, "too many connections"));
        assert!(lines(61_000, 0, "the server is read-only"));
        let many = (0..1000).filter(|number| lines(130_000, 0, &number.to_string()));
        assert_eq!(many.count(), LINES_PER_MINUTE_MAX as usize);
    }
}
