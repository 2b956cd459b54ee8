//! [`Pace`]: how fast something goes, measured while it is busy. It has no clock.

use std::time::Duration;

use net::Time;

/// The pace is that of so many last completions, about.
const PACE_SAMPLES_MAX: u32 = 64;

/// What takes longer than anybody waits for it says nothing of the pace: the machine was suspended meanwhile.
const PLAUSIBLE_MAX: Duration = Duration::from_secs(10);

/// What the pace is taken for before anything was completed.
const PACE_GUESS: Duration = Duration::from_millis(15);

/// The time from one completion to the next while there is always something to do.
#[derive(Default)]
pub(super) struct Pace {
    busy: Duration,
    completions: u32,
    /// When something was completed last, or begun after there was nothing.
    busy_since: Time,
}

impl Pace {
    /// Something was completed.
    pub(super) fn completed(&mut self, now: Time) {
        let took = now.since(std::mem::replace(&mut self.busy_since, now));
        if took > PLAUSIBLE_MAX {
            return;
        }
        self.busy += took;
        self.completions += 1;
        if self.completions >= PACE_SAMPLES_MAX {
            (self.busy, self.completions) = (self.busy / 2, self.completions / 2);
        }
    }

    /// Something begins after there was nothing, or nobody knows how long what was under way would have taken.
    pub(super) fn resumed(&mut self, now: Time) {
        self.busy_since = now;
    }

    /// How long so many completions take.
    pub(super) fn duration(&self, count: usize) -> Duration {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match self.completions {
            0 => PACE_GUESS.saturating_mul(count),
            completions => self.busy.saturating_mul(count) / completions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_than_anybody_waits_says_nothing_of_the_pace() {
        let at = |ms: u64| Time::from_millis(1_000_000 + ms);
        let mut pace = Pace::default();
        pace.resumed(at(0));
        pace.completed(at(20));
        pace.completed(at(40));
        // The machine was suspended.
        pace.completed(at(600_040));
        assert_eq!(pace.duration(3), Duration::from_millis(60));
        pace.completed(at(600_060));
        assert_eq!(pace.duration(3), Duration::from_millis(60));
    }
}
