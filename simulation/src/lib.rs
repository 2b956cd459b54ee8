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
mod story;
#[cfg(test)]
mod tests;
mod weather;
mod world;

pub use self::counters::Counters;
pub use self::record::Record;
pub use self::seeds::{Failed, run_seeds};
pub use self::self_test::self_test;
pub use self::story::Story;

/// What users do in a run.
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Runs it from a seed, and panics if something is answered that cannot be true.
    pub run: fn(u64, &Story) -> Counters,
}

/// All scenarios that need no files.
pub const SCENARIOS: [Scenario; 3] = [
    Scenario { name: "market", run: |seed, story| market(seed, story).counters },
    Scenario { name: "glimpses", run: glimpses },
    Scenario { name: "shop", run: |seed, story| shop(seed, story).counters },
];

/// Users search, register, save and vote on simulated disks.
///
/// # Panics
/// Something was answered that cannot be true.
pub fn market(seed: u64, story: &Story) -> Record {
    market::run(world::World::new, seed, story)
}

/// The same with SQLite and its files, which takes longer.
///
/// # Panics
/// Something was answered that cannot be true.
pub fn market_in_files(seed: u64, story: &Story) -> Record {
    market::run(world::World::in_files, seed, story)
}

/// Buyers buy, and nothing is bought twice, oversold or lost.
///
/// # Panics
/// Something was answered that cannot be true.
pub fn shop(seed: u64, story: &Story) -> Record {
    shop::run(world::World::new, seed, story)
}

/// The same with SQLite and its files, which takes longer.
///
/// # Panics
/// Something was answered that cannot be true.
pub fn shop_in_files(seed: u64, story: &Story) -> Record {
    shop::run(world::World::in_files, seed, story)
}

/// Many eyes on one price.
///
/// # Panics
/// Something was shown that cannot be true.
pub fn glimpses(seed: u64, story: &Story) -> Counters {
    glimpse::run(seed, story)
}
