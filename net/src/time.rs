//! [`Time`]: the only notion of time that services and nodes have. It comes in from the driver.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment, in nanoseconds since the Unix epoch.
///
/// Within one run of a driver it never goes backwards: the reactor reads the wall clock once, at
/// start, and from then on a clock that nobody sets, so that a step of the wall clock ends no session. That clock
/// counts the time for which the machine is suspended, too. Nor does it go backwards from one run to the next, as
/// far as a service has stored what time it was: see [`Service::clock_floor`](crate::Service::clock_floor).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The moment so many nanoseconds after the Unix epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The moment so many milliseconds after the Unix epoch, saturating in the year 2554.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The earlier of two moments, each of which may never come.
pub(crate) fn earlier(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// Starts, restarts or stops a clock.
pub(crate) fn restart(since: &mut Option<Time>, now: Time, runs: bool, anew: bool) {
    *since = match (runs, *since) {
        (false, _) => None,
        (true, Some(since)) if !anew => Some(since),
        (true, _) => Some(now),
    };
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, duration: Duration) -> Time {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Time(self.0.saturating_sub(nanos))
    }
}
