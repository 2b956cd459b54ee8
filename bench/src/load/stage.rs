//! The stages of a run, and what its load generator exchanges with whoever watches it.

use std::time::Duration;

use crate::length::Length;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Accounts are opened and items put up for sale.
    Setup,
    Warmup,
    Measure,
    /// The catalogue is left as it was found.
    Teardown,
    Done,
}

/// Is told how a run goes on.
pub(crate) trait Observer {
    /// A stage begins. A run that is broken off goes on with its teardown, or is done at once.
    fn stage(&mut self, stage: Stage);

    /// So many calls are measured.
    fn progress(&mut self, calls: usize) -> Verdict;
}

/// What is to become of a run under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    GoOn,
    /// The run ends, but leaves the catalogue as it was found.
    BreakOff,
    /// The run ends at once.
    GiveUp,
}

/// How many calls, and when.
#[derive(Clone, Copy)]
pub(crate) struct Workload {
    /// How long it is measured.
    pub(crate) length: Length,
    /// Calls of each client before those.
    pub(crate) warmup: usize,
    /// Calls a second of all clients together; `None`: a closed loop.
    pub(crate) rate: Option<f64>,
    /// Whether a call whose connection was cut is made again.
    pub(crate) retry: bool,
    /// How long the teardown of a run that is broken off may take.
    pub(crate) cleanup_max: Duration,
}
