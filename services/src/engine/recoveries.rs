//! [`Recoveries`]: when a frontend begins what it does of itself, and how much of that is under way.
//!
//! It knows neither what is recovered nor how: those are flows.

use std::time::Duration;

use net::Time;

use super::metrics::LineLimit;
use crate::api::error::{Code, Error, excerpt};

/// The time from the end of a recovery that has left nothing to do, or could do nothing, to the next one.
const PAUSE: Duration = Duration::from_secs(1);
/// What cannot be recovered is mentioned so often in a minute.
const WARNINGS_PER_MINUTE_MAX: u32 = 5;
/// The most characters of an error that a log line repeats.
const LOGGED_CHARS_MAX: usize = 200;

/// There is one recovery at a time: a flow, or those that it has gone on as.
pub(super) struct Recoveries {
    /// When the next one begins. `None`: not before the one that is under way has ended, or not at all.
    next_at: Option<Time>,
    /// Its flows that have not ended.
    under_way: usize,
    /// There may be more to recover than it has found.
    is_more: bool,
    /// Nothing new is to be begun.
    is_draining: bool,
    warnings: LineLimit,
}

impl Recoveries {
    /// The first one begins at once, if there are any.
    pub(super) fn new(are_any: bool) -> Self {
        let warnings = LineLimit::new(Duration::from_secs(60), WARNINGS_PER_MINUTE_MAX);
        let next_at = are_any.then(Time::default);
        Self { next_at, under_way: 0, is_more: false, is_draining: false, warnings }
    }

    /// Whether a flow is to begin now. If so, it counts as begun.
    pub(super) fn begin(&mut self, now: Time) -> bool {
        let begins = self.next_at.take_if(|at| *at <= now).is_some();
        if begins {
            self.under_way = 1;
            self.is_more = false;
        }
        begins
    }

    /// A flow goes on as so many; it may be that there is more to recover.
    pub(super) fn fork(&mut self, now: Time, flows: usize, is_more: bool) {
        self.under_way += flows;
        self.is_more = is_more;
        self.end(now);
    }

    /// A flow has ended. The next recovery begins once all have.
    pub(super) fn end(&mut self, now: Time) {
        self.under_way -= 1;
        if self.under_way == 0 && !self.is_draining {
            self.next_at = Some(now + if self.is_more { Duration::ZERO } else { PAUSE });
        }
    }

    /// A flow could not do what it was to do.
    pub(super) fn fail(&mut self, now: Time, error: &Error) {
        if error.code.is_passing() {
            // The database is away, which is in the log already. Others would wait for it in vain.
            self.is_more = false;
        } else if self.warnings.next(now) {
            log::warn!(
                "event=recovery_failed code={} error=\"{}\"",
                Code::NAMES[error.code as usize],
                excerpt(&error.message, LOGGED_CHARS_MAX)
            );
        }
        self.end(now);
    }

    /// The service is to end: none is begun any more. One that is under way may be left wherever it is, for whoever comes
    /// next goes on with it.
    pub(super) fn drain(&mut self) {
        self.is_draining = true;
        self.next_at = None;
    }

    /// When the next one begins, if that is known.
    pub(super) fn next_at(&self) -> Option<Time> {
        self.next_at
    }

    /// How many flows no client waits for.
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    /// What is true between any two events.
    pub(super) fn invariants(&self) {
        assert!(self.next_at.is_none() || self.under_way == 0, "there is one at a time");
    }
}
