//! [`Commits`]: whether the engine answers commits, and how long one is waited for that it may not answer.
//!
//! A commit that waits for a replica, or for a lock, goes on in the engine when its connection is given up: the process that
//! serves it looks at its client only when it has something to say. If connections were made in place of those as fast as they
//! are given up, the engine would have no room left, and then no administrator has. So after the first that is given up, one
//! change at a time is tried, which is waited for twice as long each time, until a commit is answered: whatever lasts for an
//! hour leaves behind as many as there are connections, and some eight more.
//!
//! It has no clock and counts nothing under way.

use std::time::Duration;

use net::Time;

/// It is waited twice as long so often at most, which is some weeks.
const DOUBLINGS_MAX: u32 = 20;

/// What is known of commits.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// Connections that were given up while a commit was not answered, since one was answered last.
    abandoned: u64,
    /// How often the time that the next one is waited for has doubled.
    doublings: u32,
    /// When the first of these was given up.
    since: Time,
}

impl Commits {
    /// Whether none was answered since a connection was given up for it.
    pub(super) fn are_stalled(&self) -> bool {
        self.doublings > 0
    }

    /// How many connections were given up since.
    pub(super) fn abandoned(&self) -> u64 {
        self.abandoned
    }

    /// How often the time has doubled that the next one is waited for.
    pub(super) fn doublings(&self) -> u32 {
        self.doublings
    }

    /// A connection was given up that had not answered one whose time had doubled so often.
    pub(super) fn abandon(&mut self, now: Time, doublings: u32) {
        if !self.are_stalled() {
            self.since = now;
        }
        self.abandoned += 1;
        self.doublings = self.doublings.max((doublings + 1).min(DOUBLINGS_MAX));
    }

    /// One was answered that has changed something. Returns for how long none was, if connections were given up.
    pub(super) fn answered(&mut self, now: Time) -> Option<Duration> {
        let before = std::mem::take(self);
        before.are_stalled().then(|| now.since(before.since))
    }
}
