//! [`Faults`]: what an engine may do although nothing is in the way, because some do.

use fastrand::Rng;

use crate::error::SqlError;

/// How often an engine fails by chance: chances in 1,000, at each statement and at each commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// 40001: the transaction is undone, as if others had been in its way.
    pub serialization_failures: u32,
    /// 40P01: the same, as if it had waited in a circle.
    pub deadlocks: u32,
    /// 40003, at a commit only: it has taken place or not, and nobody says which.
    pub unknown_completions: u32,
}

impl Faults {
    /// What goes wrong with a statement or a commit, if anything does.
    pub(crate) fn strike(&self, random: &mut Rng) -> Result<(), SqlError> {
        if strikes(self.serialization_failures, random) {
            return Err(SqlError::concurrent_update());
        }
        if strikes(self.deadlocks, random) {
            return Err(SqlError::deadlock());
        }
        Ok(())
    }

    /// Whether it is left open what has become of a commit.
    pub(crate) fn leaves_open(&self, random: &mut Rng) -> bool {
        strikes(self.unknown_completions, random)
    }
}

/// Where there is no chance, none is drawn, so that runs without faults do not depend on them.
fn strikes(chance: u32, random: &mut Rng) -> bool {
    chance > 0 && random.u32(..1000) < chance
}
