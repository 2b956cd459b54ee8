//! The four services under the simulator, in virtual time: users at work while connections break and
//! services crash.
//!
//! A seed decides all that happens. `SIM_SEEDS=1000` runs so many instead of a few, and `SIM_SEED=42` runs
//! only that one, which is how a run that failed is looked at again.

mod account;
mod buyer;
mod client;
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

/// Runs unless the environment asks for others.
const SEEDS: u64 = 30;

#[test]
fn no_crash_undoes_what_was_acknowledged_or_shown() {
    for seed in seeds() {
        let _named = NameOnPanic(seed);
        run::run(seed);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let first = run::run(1);
    assert_eq!(run::run(1), first);
    assert_ne!(run::run(2).trace, first.trace);
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
