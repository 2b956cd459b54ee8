//! What clients know of the state that their calls have led to, and what came of checking it.

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Failure;

/// A number that one client alone changes: every value that it may have, given what was acknowledged and what
/// has an unknown outcome.
#[derive(Clone, Debug)]
pub struct Known(BTreeSet<u64>);

/// What a run of clients has come to.
#[derive(Debug, Default)]
pub struct Report {
    /// Writes that were acknowledged; the state is checked against all of them.
    pub acknowledged: u64,
    /// Calls that failed, by why.
    pub failures: BTreeMap<String, u64>,
    /// What is not as it was acknowledged.
    pub lost: Vec<String>,
}

impl Known {
    /// It has this value.
    pub fn exactly(value: u64) -> Self {
        Self(BTreeSet::from([value]))
    }

    /// The number was to grow by `delta`, and nobody knows whether it did.
    pub fn may_have_grown(&mut self, delta: u64) {
        let grown: Vec<_> = self.0.iter().map(|value| value + delta).collect();
        self.0.extend(grown);
    }

    /// The number has grown by `delta`, and is `value` now. Returns whether that is possible.
    #[must_use]
    pub fn has_grown(&mut self, delta: u64, value: u64) -> bool {
        let possible = value.checked_sub(delta).is_some_and(|before| self.allows(before));
        *self = Self::exactly(value);
        possible
    }

    /// Whether it may have this value.
    pub fn allows(&self, value: u64) -> bool {
        self.0.contains(&value)
    }
}

impl Report {
    pub(crate) fn failed(&mut self, failure: &Failure) {
        *self.failures.entry(failure.to_string()).or_default() += 1;
    }

    /// Notes a loss unless `holds`.
    pub(crate) fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.lost.push(what());
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.lost.extend(other.lost);
        for (why, count) in other.failures {
            *self.failures.entry(why).or_default() += count;
        }
    }
}

#[test]
fn an_unknown_outcome_leaves_both_values_possible_until_the_next_reply() {
    let mut units = Known::exactly(10);
    units.may_have_grown(3);
    assert!(units.allows(10) && units.allows(13) && !units.allows(16));
    assert!(!units.clone().has_grown(1, 12), "a delta was lost, or counted twice");
    assert!(units.has_grown(1, 14));
    assert!(units.allows(14) && !units.allows(11));
}
