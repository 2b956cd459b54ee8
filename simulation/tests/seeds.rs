//! Some hundred and fifty runs. More of them: `cargo run --release -p simulation --bin simulate -- --seeds 1000`.

use std::ops::{ControlFlow, Range};

use services::CrashPoints;
use simulation::{Counters, Isolation, Keep, Record, Story, glimpses, market, run_seeds, shop};

const MARKET_SEEDS: Range<u64> = 0..30;
/// Runs with real files take longer.
const FILE_SEEDS: Range<u64> = 0..4;
const GLIMPSE_SEEDS: Range<u64> = 0..30;
const SHOP_SEEDS: Range<u64> = 0..80;
/// Runs over an engine take longer, too. None of these is encrypted.
const LEVELS: [(Isolation, u64); 3] =
    [(Isolation::ReadCommitted, 2), (Isolation::RepeatableRead, 12), (Isolation::Serializable, 18)];
const SHOP_SEEDS_ON_ENGINE: u64 = 3;
/// What an engine does in so few runs only by luck.
const RARE: [&str; 3] = ["too many connections", "timed out", "slow for a while"];
const MARKET_SEEDS_ON_ENGINE: u64 = 1;
const GLIMPSE_SEEDS_ON_ENGINE: u64 = 1;

#[test]
fn no_crash_undoes_what_was_acknowledged_or_shown() {
    let met = pass(MARKET_SEEDS, |seed| market(Keep::Disks, seed, &Story::silent()).counters);
    let CrashPoints { accepted, written, flushed, reported } = met.crash_points;
    let all = [accepted, written, flushed, reported, met.disk_failures, met.answers_lost];
    assert!(!all.contains(&0), "something is never met: {met}");
}

#[test]
fn nothing_is_bought_twice_oversold_or_lost() {
    let met = pass(SHOP_SEEDS, |seed| shop(Keep::Disks, seed, &Story::silent()).counters);
    println!("{met}");
    let missing: Vec<_> = met.named().into_iter().filter(|(_, number)| *number == 0).collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
}

#[test]
fn no_crash_undoes_what_was_written_to_files() {
    pass(FILE_SEEDS, |seed| market(Keep::Files, seed, &Story::silent()).counters);
}

#[test]
fn nothing_is_bought_twice_oversold_or_lost_with_files() {
    pass(FILE_SEEDS, |seed| shop(Keep::Files, seed, &Story::silent()).counters);
}

#[test]
fn no_crash_undoes_what_anyone_has_seen() {
    pass(GLIMPSE_SEEDS, |seed| glimpses(Keep::Disks, seed, &Story::silent()));
}

#[test]
fn nothing_is_bought_twice_oversold_or_lost_on_an_engine() {
    let met = pass_on_engine(SHOP_SEEDS_ON_ENGINE, |keep, seed| shop(keep, seed, &Story::silent()).counters);
    println!("{met}");
    let is_missing = |(name, number): &(&str, u64)| *number == 0 && !RARE.contains(name);
    let missing: Vec<_> = met.engine.named().into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "never met: {missing:?}");
    let purchases = [met.purchases_made, met.purchases_recovered, met.purchases_joined];
    assert!(!purchases.contains(&0), "something is never met: {met}");
}

#[test]
fn no_crash_undoes_what_was_acknowledged_or_shown_on_an_engine() {
    pass_on_engine(MARKET_SEEDS_ON_ENGINE, |keep, seed| market(keep, seed, &Story::silent()).counters);
    pass_on_engine(GLIMPSE_SEEDS_ON_ENGINE, |keep, seed| glimpses(keep, seed, &Story::silent()));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for (run, keep) in [(market as Run, Keep::Disks), (shop, Keep::Disks), (shop, Keep::Engine(None))] {
        let first = run(keep, 1, &Story::silent());
        assert_eq!(run(keep, 1, &Story::silent()), first);
        assert_ne!(run(keep, 2, &Story::silent()).trace, first.trace);
    }
}

#[test]
fn a_story_changes_nothing() {
    let told = shop(Keep::Disks, 1, &Story::told_to(|line| assert!(!line.contains('\n'))));
    assert_eq!(told, shop(Keep::Disks, 1, &Story::silent()));
}

#[test]
fn a_panic_fails_its_seed_alone() {
    let run = |seed| if seed == 3 { panic!("three") } else { Counters::default() };
    let (_, failed) = run_seeds(0..6, run, |_| ControlFlow::Continue(()));
    assert_eq!(
        failed.iter().map(|failed| (failed.seed, &*failed.message)).collect::<Vec<_>>(),
        [(3, "three")]
    );
}

#[test]
fn no_seed_begins_after_a_failure_that_ends_it() {
    let run = |seed| if seed >= 3 { panic!("{seed}") } else { Counters::default() };
    let (_, failed) = run_seeds(0..u64::MAX, run, |_| ControlFlow::Break(()));
    assert_eq!(failed.first().map(|failed| failed.seed), Some(3), "no earlier one is left out");
}

/// Runs all of these; none may fail.
fn pass(seeds: Range<u64>, run: impl Fn(u64) -> Counters + Sync) -> Counters {
    let (met, failed) = run_seeds(seeds, run, |_| ControlFlow::Continue(()));
    assert!(failed.is_empty(), "{failed:#?}");
    met
}

type Run = fn(Keep, u64, &Story) -> Record;

/// Runs so many seeds at each level of isolation; none may fail.
fn pass_on_engine(seeds: u64, run: impl Fn(Keep, u64) -> Counters + Sync) -> Counters {
    let mut met = Counters::default();
    for (isolation, first) in LEVELS {
        met += pass(first..first + seeds, |seed| run(Keep::Engine(Some(isolation)), seed));
    }
    met
}
