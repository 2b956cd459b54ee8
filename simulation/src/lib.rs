//! The four services under the simulator, in virtual time: users at work while connections break, disks fail and
//! services crash. Whatever they are answered is checked against what may be true.
//!
//! A seed decides all that happens, so a run that fails is run again by its seed. The services are those that run in
//! production; only the driver below them and the disks are others.

#![forbid(unsafe_code)]

mod account;
mod client;
mod counters;
mod disks;
mod encryption;
mod engine;
mod faults;
mod glimpse;
mod history;
mod journal;
mod linearizability;
mod market;
mod place;
mod record;
mod request;
mod script;
mod seeds;
mod self_test;
mod shop;
mod store;
mod story;
#[cfg(test)]
mod tests;
mod weather;
mod world;

pub use self::counters::Counters;
pub use self::engine::EngineCounters;
pub use self::record::Record;
pub use self::seeds::{Failed, run_seeds};
pub use self::self_test::self_test;
pub use self::store::Keep;
pub use self::story::Story;
pub use fake_postgres::Isolation;

/// What users do in a run.
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Runs it from a seed, and panics if something is answered that cannot be true.
    pub run: fn(Keep, u64, &Story) -> Counters,
}

/// All scenarios.
pub const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "market", run: |keep, seed, story| market(keep, seed, story).counters },
    Scenario { name: "glimpses", run: glimpses },
    Scenario { name: "shop", run: |keep, seed, story| shop(keep, seed, story).counters },
];

/// Users search, register, save and vote.
///
/// # Panics
/// Something was answered that cannot be true.
pub fn market(keep: Keep, seed: u64, story: &Story) -> Record {
    market::run(keep, seed, story)
}

/// Buyers buy, and nothing is bought twice, oversold or lost.
///
/// # Panics
/// Something was answered that cannot be true.
pub fn shop(keep: Keep, seed: u64, story: &Story) -> Record {
    shop::run(keep, seed, story)
}

/// Many eyes on one price.
///
/// # Panics
/// Something was shown that cannot be true.
pub fn glimpses(keep: Keep, seed: u64, story: &Story) -> Counters {
    glimpse::run(keep, seed, story)
}
