//! [`Clock`]: where the reactor's [`Time`] comes from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Time;

/// A step of the wall clock by less is not logged: no two clocks agree to the millisecond.
const LOGGED_STEP_MIN: Duration = Duration::from_secs(1);

/// The wall clock as it was at the start, carried on by one that nobody sets, and that goes on while the machine is
/// suspended: a session that nobody used meanwhile was idle all the same.
#[derive(Clone, Copy)]
pub(super) struct Clock {
    start: Time,
    uptime_at_start: Duration,
}

impl Clock {
    /// Starts at the time of the wall clock, or at `floor`, if the wall clock is behind it.
    pub(super) fn start(floor: Time) -> Self {
        let wall = Time::default() + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let behind = floor.since(wall);
        if behind >= LOGGED_STEP_MIN {
            log::warn!(
                "event=clock_set_back by_ms={} action=\"time goes on from the last that was stored\"",
                behind.as_millis()
            );
        }
        Self { start: wall.max(floor), uptime_at_start: uptime() }
    }

    pub(super) fn now(&self) -> Time {
        self.start + uptime().saturating_sub(self.uptime_at_start)
    }
}

/// How long the machine has been up, suspended or not.
#[cfg(target_os = "linux")]
fn uptime() -> Duration {
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(since_boot).expect("no machine is up since before its boot")
}

/// How long the process has run; where suspended machines stop their clocks, without that.
#[cfg(not(target_os = "linux"))]
fn uptime() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_starts_at_the_floor_if_the_wall_clock_is_behind_it_and_goes_on() {
        let wall = Clock::start(Time::default()).now();
        let floor = wall + Duration::from_secs(2 * 24 * 3600);
        let clock = Clock::start(floor);
        let (first, second) = (clock.now(), clock.now());
        assert!(floor <= first && first <= second && second < floor + Duration::from_secs(3600));
        assert!(Clock::start(Time::from_millis(1)).now() >= wall, "a floor long ago changes nothing");
    }
}
