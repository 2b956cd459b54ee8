//! `simulate`: runs seeds of the simulation, tells the story of one, or shows that the simulation notices mistakes.

use std::env;
use std::io::{self, Write};
use std::ops::{ControlFlow, Range};
use std::process::ExitCode;
use std::time::Instant;

use getopts::{Matches, Options};
use simulation::{Counters, Isolation, Keep, SCENARIOS, Scenario, Story, run_seeds, self_test};

const USAGE: &str = "Usage: simulate [--seeds N] [--first N] [--until-failure] [--only NAME] [--store STORE]
       simulate --seed N [--trace] [--only NAME] [--store STORE]
       simulate --self-test [--seeds N] [--fault TEXT] [--store STORE]";
/// So many seeds unless others are asked for.
const SEEDS_DEFAULT: u64 = 100;
/// So many seeds are run without a fault, and at most with each, unless others are asked for.
const SELF_TEST_SEEDS_DEFAULT: u64 = 500;
/// The exit code for options that cannot be understood.
const WRONG_USAGE: u8 = 2;

/// What is to be done.
enum Task {
    Run(Seeds),
    SelfTest { seeds: u64, store: Option<String>, only: Option<String> },
}

/// What is to be run.
struct Seeds {
    seeds: Range<u64>,
    is_told: bool,
    until_failure: bool,
    scenarios: Vec<Scenario>,
    /// Each seed is run on all of these.
    stores: Vec<Keep>,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut options = options();
    options.optflag("h", "help", "print this help");
    let task = match options.parse(&args) {
        Ok(matches) if matches.opt_present("help") => {
            say(&options.usage(USAGE));
            return ExitCode::SUCCESS;
        }
        Ok(matches) => task(&matches),
        Err(error) => Err(error.to_string()),
    };
    let passed = task.and_then(|task| match task {
        Task::Run(seeds) => Ok(simulate(seeds)),
        Task::SelfTest { seeds, store, only } => self_test(seeds, store.as_deref(), only.as_deref(), &say)
            .map_err(|error| format!("--self-test: {error}")),
    });
    match passed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            complain(&format!("error: {message} (-h explains the options)"));
            ExitCode::from(WRONG_USAGE)
        }
    }
}

fn options() -> Options {
    let mut options = Options::new();
    options.optopt("", "seeds", "run so many seeds (100 by default)", "N");
    options.optopt("", "first", "begin with this seed (0 by default)", "N");
    options.optopt("", "seed", "run this seed alone", "N");
    options.optflag("", "trace", "tell what happens in it, in virtual time");
    options.optflag("", "until-failure", "begin no further seed when one has failed");
    options.optflag("", "self-test", "plant faults in a copy of the sources, each of which must be noticed");
    options.optopt(
        "",
        "fault",
        "plant those alone that have this in their names, without the seeds of none",
        "TEXT",
    );
    options.optopt(
        "",
        "store",
        "keep rows on disks (the default), in an engine, or have each seed do both; with --self-test, plant the faults of \
         disks, of engine, or of the fake engine itself, which tests beside a PostgreSQL must notice",
        "STORE",
    );
    options.optopt(
        "",
        "isolation",
        "have an engine isolate transactions by rc, rr or ser, not by the seed",
        "LEVEL",
    );
    options.optopt("", "only", "run this scenario alone: market, glimpses or shop", "NAME");
    options
}

fn task(matches: &Matches) -> Result<Task, String> {
    if let Some(word) = matches.free.first() {
        return Err(format!("unexpected argument {word:?}"));
    }
    if !matches.opt_present("self-test") {
        if matches.opt_present("fault") {
            return Err("--fault belongs to --self-test".to_owned());
        }
        return seeds(matches).map(Task::Run);
    }
    let others = ["seed", "first", "trace", "only", "until-failure", "isolation"];
    if let Some(other) = others.into_iter().find(|other| matches.opt_present(other)) {
        return Err(format!("--self-test goes without --{other}"));
    }
    let seeds = number(matches, "seeds")?.unwrap_or(SELF_TEST_SEEDS_DEFAULT);
    // Faults are planted for one of them each, or in the fake engine itself.
    let store = match matches.opt_str("store") {
        Some(store) if ["disks", "engine", "fake"].contains(&&*store) => Some(store),
        Some(store) => {
            return Err(format!("--store: {store:?} is not disks, engine or fake, as for --self-test"));
        }
        None => None,
    };
    Ok(Task::SelfTest { seeds, store, only: matches.opt_str("fault") })
}

fn seeds(matches: &Matches) -> Result<Seeds, String> {
    let is_told = matches.opt_present("trace");
    let until_failure = matches.opt_present("until-failure");
    let scenarios = scenarios(matches.opt_str("only"))?;
    let stores = stores(matches)?;
    let (first, count) = (number(matches, "first")?, number(matches, "seeds")?);
    if let Some(seed) = number(matches, "seed")? {
        if count.is_some() || first.is_some() {
            return Err("--seed stands alone, without --seeds and --first".to_owned());
        }
        let end = seed.checked_add(1).ok_or_else(|| format!("--seed: {seed} is too large"))?;
        return Ok(Seeds { seeds: seed..end, is_told, until_failure, scenarios, stores });
    }
    if is_told {
        return Err("--trace tells of one --seed".to_owned());
    }
    let (first, count) = (first.unwrap_or(0), count.unwrap_or(SEEDS_DEFAULT));
    let end = first.checked_add(count).ok_or("--first and --seeds are too large together")?;
    Ok(Seeds { seeds: first..end, is_told, until_failure, scenarios, stores })
}

fn number(matches: &Matches, option: &str) -> Result<Option<u64>, String> {
    let Some(text) = matches.opt_str(option) else { return Ok(None) };
    let number = text.parse::<u64>().ok();
    number.map(Some).ok_or_else(|| format!("--{option}: {text:?} is not a number from 0 to {}", u64::MAX))
}

fn stores(matches: &Matches) -> Result<Vec<Keep>, String> {
    let isolation = match matches.opt_str("isolation").as_deref() {
        None => None,
        Some("rc") => Some(Isolation::ReadCommitted),
        Some("rr") => Some(Isolation::RepeatableRead),
        Some("ser") => Some(Isolation::Serializable),
        Some(other) => return Err(format!("--isolation: {other:?} is not rc, rr or ser")),
    };
    let stores = match matches.opt_str("store").as_deref() {
        None | Some("disks") => vec![Keep::Disks],
        Some("engine") => vec![Keep::Engine(isolation)],
        Some("both") => vec![Keep::Disks, Keep::Engine(isolation)],
        Some(other) => return Err(format!("--store: {other:?} is not disks, engine or both")),
    };
    if isolation.is_some() && stores == [Keep::Disks] {
        return Err("--isolation belongs to --store engine".to_owned());
    }
    Ok(stores)
}

fn scenarios(only: Option<String>) -> Result<Vec<Scenario>, String> {
    let Some(only) = only else { return Ok(SCENARIOS.into()) };
    let named: Vec<Scenario> = SCENARIOS.into_iter().filter(|scenario| scenario.name == only).collect();
    if named.is_empty() { Err(format!("--only: there is no scenario {only:?}")) } else { Ok(named) }
}

/// Runs the seeds; returns whether nothing was found.
fn simulate(Seeds { seeds, is_told, until_failure, scenarios, stores }: Seeds) -> bool {
    let started_at = Instant::now();
    let story = || if is_told { Story::told_to(say) } else { Story::silent() };
    let count = seeds.end - seeds.start;
    let runs = || stores.iter().flat_map(|keep| scenarios.iter().map(|scenario| (*keep, scenario)));
    let run = |seed| {
        let mut met = Counters::default();
        for (keep, Scenario { name, run }) in runs() {
            if is_told {
                say(&format!("\n{name}, seed {seed}"));
            }
            met += run(keep, seed, &story());
        }
        met
    };
    let (met, failed) = run_seeds(seeds, run, |failed| {
        let seed = failed.seed;
        complain(&format!(
            "seed {seed} fails; how it comes to that: \
                 cargo run --release -p simulation --bin simulate -- --seed {seed} --trace"
        ));
        if until_failure { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let seconds = started_at.elapsed().as_secs_f64();
    say(&format!("{count} seeds in {seconds:.1} s, {} failed; {met}", failed.len()));
    if !failed.is_empty() {
        let seeds: Vec<String> = failed.iter().map(|failed| failed.seed.to_string()).collect();
        complain(&format!("failed: {}", seeds.join(" ")));
    }
    failed.is_empty()
}

/// Writes a line. A reader that has gone away misses it.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

fn complain(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
