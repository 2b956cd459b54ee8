//! The four services under the simulator, in virtual time: users at work while connections break and
//! services crash.
//!
//! A seed decides all that happens. `SIM_SEEDS=1000` runs so many instead of a few, and `SIM_SEED=42` runs
//! only that one, which is how a run that failed is looked at again.

mod account;
mod buyer;
mod client;
mod disks;
mod glimpse;
mod history;
mod model;
mod patience;
mod run;
mod script;
mod seller;
mod sessions;
mod world;

use std::env;
use std::ops::Range;
use std::thread;

use services::CrashPoints;

use crate::world::World;

/// Runs unless the environment asks for others.
const SEEDS: u64 = 60;
/// So many of them are also made with real files, which takes longer.
const FILE_SEEDS: usize = 5;

#[test]
fn no_crash_undoes_what_was_acknowledged_or_shown() {
    let mut met = CrashPoints::default();
    let mut disk_failures = 0;
    for seed in seeds() {
        let _named = NameOnPanic(seed);
        let record = run::run(World::new, seed);
        met = met + record.crash_points;
        disk_failures += record.disk_failures;
    }
    println!("{met:?}, {disk_failures} failures of disks");
    let CrashPoints { accepted, written, flushed, reported } = met;
    let all = [accepted, written, flushed, reported, disk_failures.into()];
    assert!(
        seeds().count() < SEEDS as usize || !all.contains(&0),
        "{met:?}, {disk_failures} failures of disks"
    );
}

#[test]
fn no_crash_undoes_what_was_written_to_files() {
    for seed in seeds().take(FILE_SEEDS) {
        let _named = NameOnPanic(seed);
        run::run(World::in_files, seed);
    }
}

#[test]
fn no_crash_undoes_what_anyone_has_seen() {
    for seed in seeds() {
        let _named = NameOnPanic(seed);
        glimpse::run(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let first = run::run(World::new, 1);
    assert_eq!(run::run(World::new, 1), first);
    assert_ne!(run::run(World::new, 2).trace, first.trace);
}

fn seeds() -> Range<u64> {
    let number = |name| env::var(name).ok().map(|value| value.parse().expect("a number"));
    match (number("SIM_SEED"), number("SIM_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(SEEDS),
    }
}

/// Says how to repeat a run that fails.
struct NameOnPanic(u64);

impl Drop for NameOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            let Self(seed) = self;
            eprintln!("seed {seed} fails; to run only it: SIM_SEED={seed} cargo test --test simulation");
        }
    }
}
