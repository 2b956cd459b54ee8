//! [`Record`]: what is left of a run.

use crate::counters::Counters;
use crate::request::Outcome;

/// What a run leaves behind: equal for equal seeds.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// A digest of all that happened.
    pub trace: u64,
    /// What was met.
    pub counters: Counters,
    /// All that the databases told in the end.
    pub(crate) answers: Vec<Outcome>,
}
