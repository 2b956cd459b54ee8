//! [`Counters`]: what runs have met. A proof by runs that never meet what they are about would be none.

use std::fmt;
use std::ops::AddAssign;

use services::CrashPoints;

/// How often something was met, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests whose outcome their clients did not learn.
    pub answers_lost: u64,
    /// Commits that were caught by crashes, by how far they had come.
    pub crash_points: CrashPoints,
    /// Databases that ended because of their disks.
    pub disk_failures: u64,
}

impl Counters {
    /// Each of them, with its name for people.
    pub fn named(&self) -> Vec<(&'static str, u64)> {
        let CrashPoints { accepted, written, flushed, reported } = self.crash_points;
        vec![
            ("answers lost", self.answers_lost),
            ("crashes with a commit accepted", accepted),
            ("written", written),
            ("flushed", flushed),
            ("reported", reported),
            ("disks failed", self.disk_failures),
        ]
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        self.answers_lost += other.answers_lost;
        self.crash_points = self.crash_points + other.crash_points;
        self.disk_failures += other.disk_failures;
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, number)) in self.named().into_iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{name}: {number}")?;
        }
        Ok(())
    }
}
