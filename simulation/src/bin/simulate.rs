//! `simulate`: runs seeds of the simulation, or tells the story of one.

use std::env;
use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::time::Instant;

use getopts::Options;
use simulation::{Counters, SCENARIOS, Scenario, Story, run_seeds};

const USAGE: &str =
    "Usage: simulate [--seeds N] [--first N] [--only NAME]\n       simulate --seed N [--trace] [--only NAME]";
/// So many seeds unless others are asked for.
const SEEDS_DEFAULT: u64 = 100;
/// The exit code for options that cannot be understood.
const WRONG_USAGE: u8 = 2;

/// What is to be run.
struct Arguments {
    seeds: Range<u64>,
    is_told: bool,
    scenarios: Vec<Scenario>,
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut options = options();
    options.optflag("h", "help", "print this help");
    let arguments = match options.parse(&args) {
        Ok(matches) if matches.opt_present("help") => {
            say(&options.usage(USAGE));
            return ExitCode::SUCCESS;
        }
        Ok(matches) => arguments(&matches),
        Err(error) => Err(error.to_string()),
    };
    match arguments.map(simulate) {
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
    options.optopt("", "only", "run this scenario alone: market, glimpses or shop", "NAME");
    options
}

fn arguments(matches: &getopts::Matches) -> Result<Arguments, String> {
    if let Some(word) = matches.free.first() {
        return Err(format!("unexpected argument {word:?}"));
    }
    let number = |option: &str| match matches.opt_str(option) {
        Some(text) => {
            let number = text.parse::<u64>().ok();
            number
                .map(Some)
                .ok_or_else(|| format!("--{option}: {text:?} is not a number from 0 to {}", u64::MAX))
        }
        None => Ok(None),
    };
    let is_told = matches.opt_present("trace");
    let scenarios = scenarios(matches.opt_str("only"))?;
    if let Some(seed) = number("seed")? {
        if number("seeds")?.is_some() || number("first")?.is_some() {
            return Err("--seed stands alone, without --seeds and --first".to_owned());
        }
        let end = seed.checked_add(1).ok_or_else(|| format!("--seed: {seed} is too large"))?;
        return Ok(Arguments { seeds: seed..end, is_told, scenarios });
    }
    if is_told {
        return Err("--trace tells of one --seed".to_owned());
    }
    let (first, count) = (number("first")?.unwrap_or(0), number("seeds")?.unwrap_or(SEEDS_DEFAULT));
    let end = first.checked_add(count).ok_or("--first and --seeds are too large together")?;
    Ok(Arguments { seeds: first..end, is_told, scenarios })
}

fn scenarios(only: Option<String>) -> Result<Vec<Scenario>, String> {
    let Some(only) = only else { return Ok(SCENARIOS.into()) };
    let named: Vec<Scenario> = SCENARIOS.into_iter().filter(|scenario| scenario.name == only).collect();
    if named.is_empty() { Err(format!("--only: there is no scenario {only:?}")) } else { Ok(named) }
}

/// Runs the seeds; returns whether nothing was found.
fn simulate(Arguments { seeds, is_told, scenarios }: Arguments) -> bool {
    let started_at = Instant::now();
    let story = || if is_told { Story::told_to(say) } else { Story::silent() };
    let count = seeds.end - seeds.start;
    let run = |seed| {
        let mut met = Counters::default();
        for Scenario { name, run } in &scenarios {
            if is_told {
                say(&format!("\n{name}, seed {seed}"));
            }
            met += run(seed, &story());
        }
        met
    };
    let (met, failed) = run_seeds(seeds, run, |failed| {
        let seed = failed.seed;
        complain(&format!(
            "seed {seed} fails; how it comes to that: \
                 cargo run --release -p simulation --bin simulate -- --seed {seed} --trace"
        ));
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
