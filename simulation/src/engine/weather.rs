//! [`Weather`]: what an engine does to what it is asked, at any moment.

use std::time::Duration;

use fake_postgres::Faults;
use net::Time;
use services::DiskFaults;

/// The longest that a flush takes: with what else may hold a commit up, less than a lost request may live on.
const FLUSH_MAX: Duration = Duration::from_millis(1200);

/// What may become of a piece that comes. All but a part of it is not read, or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The rest is read a moment later.
    Pause,
    /// Then the connection ends.
    Cut,
    /// Nothing passes over the connection from then on, in either direction.
    Silence,
    /// A moment later, an administrator ends the session.
    Termination,
}

/// How much better the disk of an engine is than that of a database.
const FAILURES_RATIO: u32 = 8;

/// Chances are per million.
#[derive(Clone, Debug, Default)]
pub(super) struct Weather {
    /// What a flush takes, and how often it fails.
    pub(super) disk: DiskFaults,
    /// Of pieces that come, by what may become of them.
    pub(super) pauses: u32,
    pub(super) cuts: u32,
    pub(super) silences: u32,
    pub(super) terminations: u32,
    /// Of commits, to be flushed and not told.
    pub(super) cuts_after_commit: u32,
    /// What statements and commits fail with.
    pub(super) faults: Faults,
    /// The most that an answer is late.
    pub(super) late_max: Duration,
    /// An administrator ends each session that was made by then, when it is asked for something.
    pub(super) ends_older_than: Option<Time>,
    /// It takes no changes.
    pub(super) is_read_only: bool,
    /// It takes no further connections.
    pub(super) is_full: bool,
}

impl Weather {
    /// Some of everything that happens to single connections and transactions.
    pub(super) fn rough(rng: &mut fastrand::Rng) -> Self {
        let faults = Faults {
            serialization_failures: rng.u32(0..20),
            deadlocks: rng.u32(0..8),
            unknown_completions: rng.u32(0..20),
        };
        Self {
            pauses: rng.u32(0..60_000),
            cuts: rng.u32(0..8000),
            cuts_after_commit: rng.u32(0..20_000),
            silences: rng.u32(0..4000),
            terminations: rng.u32(0..8000),
            faults,
            ..Self::default()
        }
    }

    /// What becomes of the next piece, if it is not simply read.
    pub(super) fn trouble(&self, rng: &mut fastrand::Rng) -> Option<Trouble> {
        let chances = [
            (self.pauses, Trouble::Pause),
            (self.cuts, Trouble::Cut),
            (self.silences, Trouble::Silence),
            (self.terminations, Trouble::Termination),
        ];
        chances.into_iter().find(|(chance, _)| happens(*chance, rng)).map(|(_, trouble)| trouble)
    }

    /// How long the next flush takes, or none if it fails.
    pub(super) fn flush(&self, rng: &mut fastrand::Rng) -> Option<Duration> {
        let DiskFaults { step_max, slow_per_million, slow_step_max, failures_per_million } = self.disk;
        // A server takes more with it than a database does, so its disk fails less often, unless it is full.
        let is_full = failures_per_million == 1_000_000;
        if is_full || happens(failures_per_million / FAILURES_RATIO, rng) {
            return None;
        }
        let longest = if happens(slow_per_million, rng) { slow_step_max.min(FLUSH_MAX) } else { step_max };
        Some(up_to(longest, rng))
    }
}

/// Where there is no chance, none is drawn.
pub(super) fn happens(per_million: u32, rng: &mut fastrand::Rng) -> bool {
    per_million > 0 && rng.u32(0..1_000_000) < per_million
}

pub(super) fn up_to(longest: Duration, rng: &mut fastrand::Rng) -> Duration {
    Duration::from_micros(rng.u64(0..=longest.as_micros() as u64))
}
