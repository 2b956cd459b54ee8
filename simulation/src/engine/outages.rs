//! [`Outages`]: what befalls an engine as a whole, one thing after another. It only says what and when.

use std::time::Duration;

use net::Time;

use super::weather::up_to;

/// The longest time between two outages: one of these in each run, or none happen.
const CALMS_MAX: [Duration; 3] =
    [Duration::from_millis(800), Duration::from_millis(2500), Duration::from_millis(6000)];
/// In one run of so many, there are none.
const QUIET_RUNS: u8 = 4;
/// The longest that an engine is away.
const AWAY_MAX: Duration = Duration::from_millis(2500);
/// The longest that it is in a bad mood.
const MOOD_MAX: Duration = Duration::from_millis(2500);
/// The most that its answers are late, where it is merely slow and where it seems to hang: more than databases wait.
const LATE_MAX: [Duration; 2] = [Duration::from_millis(400), Duration::from_secs(7)];

/// What befalls an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// Its primary dies, and is back after so long.
    Crash(Duration),
    /// Its primary dies, and its standby takes its place after so long.
    FailOver(Duration),
    /// Its standby takes the place of its primary, whose sessions are ended in order.
    SwitchOver(Duration),
    /// All sessions are ended by an administrator.
    Termination,
    /// It takes no changes for so long.
    ReadOnly(Duration),
    /// It takes no further connections for so long, and ends those that there are.
    Full(Duration),
    /// Its answers are late by as much for so long.
    Slow(Duration, Duration),
}

pub(super) struct Outages {
    rng: fastrand::Rng,
    calm_max: Duration,
    /// When something befalls it next, unless nothing does.
    pub(super) next_at: Option<Time>,
}

impl Outages {
    /// Those of a run that begins now, if it has any.
    pub(super) fn begin(mut rng: fastrand::Rng, now: Time) -> Self {
        let calm_max = rng.choice(CALMS_MAX).expect("there are some");
        let next_at = (rng.u8(0..QUIET_RUNS) > 0).then(|| now + up_to(calm_max, &mut rng));
        Self { rng, calm_max, next_at }
    }

    /// What befalls it now. The next thing follows after it.
    pub(super) fn next(&mut self, now: Time) -> Outage {
        let away = up_to(AWAY_MAX, &mut self.rng);
        // Most are over at once.
        let away = if self.rng.u8(0..4) > 0 { away / 16 } else { away };
        let mood = up_to(MOOD_MAX, &mut self.rng);
        let late_max = self.rng.choice(LATE_MAX).expect("there are some");
        let (outage, lasts) = match self.rng.u8(0..12) {
            0 | 1 => (Outage::Crash(away), away),
            2..=4 => (Outage::FailOver(away), away),
            5 => (Outage::SwitchOver(away), away),
            6 => (Outage::Termination, Duration::ZERO),
            7 => (Outage::ReadOnly(mood), mood),
            8 | 9 => (Outage::Full(mood), mood),
            _ => (Outage::Slow(mood, late_max), mood),
        };
        self.next_at = Some(now + lasts + up_to(self.calm_max, &mut self.rng));
        outage
    }
}
