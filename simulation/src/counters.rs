//! [`Counters`]: what runs have met. A proof by runs that never meet what they are about would be none.

use std::fmt;
use std::ops::AddAssign;

use services::CrashPoints;

use crate::engine::EngineCounters;

/// How often something was met, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Purchases whose receipt a buyer had.
    pub purchases_made: u64,
    /// Purchases of which nothing was bought for certain.
    pub purchases_refused: u64,
    /// Purchases that frontends brought to their end for others that went away.
    pub purchases_recovered: u64,
    /// Purchases whose frontend crashed while their stock was taken, so that another one had to finish them.
    pub purchases_orphaned: u64,
    /// Purchases that had not ended when faults stopped, and ended by themselves.
    pub purchases_unfinished: u64,
    /// Requests that got the receipt of a purchase that another one had begun, by its key.
    pub purchases_joined: u64,
    /// Clients that vanished in the middle of a purchase.
    pub clients_vanished: u64,
    /// Frontends that crashed and never started again.
    pub frontends_killed: u64,
    /// Connections of which one side was not told that the other is gone.
    pub half_open: u64,
    /// Clocks that were set forwards, or back.
    pub clock_jumps: u64,
    /// Requests that were refused because their session had been idle for too long.
    pub session_timeouts: u64,
    /// Requests whose outcome their clients did not learn.
    pub answers_lost: u64,
    /// Commits that were caught by crashes, by how far they had come.
    pub crash_points: CrashPoints,
    /// Disks that were full for a while.
    pub disks_full: u64,
    /// Databases that ended because of their disks.
    pub disk_failures: u64,
    /// What an engine has done, where one keeps the rows.
    pub engine: EngineCounters,
}

impl Counters {
    /// Each of them, with its name for people.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        let CrashPoints { accepted, written, flushed, reported } = self.crash_points;
        vec![
            ("purchases made", self.purchases_made),
            ("refused", self.purchases_refused),
            ("recovered", self.purchases_recovered),
            ("orphaned", self.purchases_orphaned),
            ("left unfinished", self.purchases_unfinished),
            ("joined by key", self.purchases_joined),
            ("clients vanished", self.clients_vanished),
            ("frontends killed for good", self.frontends_killed),
            ("connections half-open", self.half_open),
            ("clock jumps", self.clock_jumps),
            ("sessions timed out", self.session_timeouts),
            ("answers lost", self.answers_lost),
            ("crashes with a commit accepted", accepted),
            ("written", written),
            ("flushed", flushed),
            ("reported", reported),
            ("disks full", self.disks_full),
            ("disks failed", self.disk_failures),
        ]
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.purchases_made += other.purchases_made;
        self.purchases_refused += other.purchases_refused;
        self.purchases_recovered += other.purchases_recovered;
        self.purchases_orphaned += other.purchases_orphaned;
        self.purchases_unfinished += other.purchases_unfinished;
        self.purchases_joined += other.purchases_joined;
        self.clients_vanished += other.clients_vanished;
        self.frontends_killed += other.frontends_killed;
        self.half_open += other.half_open;
        self.clock_jumps += other.clock_jumps;
        self.session_timeouts += other.session_timeouts;
        self.answers_lost += other.answers_lost;
        self.crash_points = self.crash_points + other.crash_points;
        self.disks_full += other.disks_full;
        self.disk_failures += other.disk_failures;
        self.engine += other.engine;
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_engine =
            if self.engine == EngineCounters::default() { Vec::new() } else { self.engine.named() };
        for (place, (name, number)) in self.named().into_iter().chain(of_engine).enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{name}: {number}")?;
        }
        Ok(())
    }
}
