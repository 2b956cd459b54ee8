//! The options of `marketplace bench`, and what they ask for.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bench::{GrowthPlan, Length, Mix, Place, Plan, Scenario, ServiceOptions, Services};
use getopts::Matches;

use crate::client::check_address;
use crate::command_line::{number, reject_arguments};
use crate::options::Options;
use crate::serve;
use crate::tls::{self, ClientFiles};

const DATA_HELP: &str =
    "a folder that the data lie in meanwhile, beside what is there (that of temporary files)";
/// The least that a run measures: what begins and ends it would be much of anything shorter.
const DURATION_S_MIN: f64 = 0.1;
/// The most: a day.
const DURATION_S_MAX: f64 = 86_400.0;
/// The most items of a catalogue, far beyond what memory holds.
const ITEMS_MAX: u64 = 10_000_000_000;
/// The most items that are bought: one seller may have so many.
const BOUGHT_ITEMS_MAX: usize = 100_000;
/// The most idle connections: a frontend takes 16384, and some work beside them.
const IDLE_MAX: usize = 16_000;

pub(super) fn options() -> Options {
    let mut options = Options::new();
    options.value("buyer", "a server_buyer that runs already; needs --seller", "HOST:PORT");
    options.value("seller", "a server_seller that runs already; needs --buyer", "HOST:PORT");
    options.value("scenario", "buyers and sellers, several with commas (1+1,10+10,100+100)", "B+S[,…]");
    options.value("clients", "the same, for a single scenario", "B+S");
    options.value("runs", "runs of each scenario (10)", "N");
    options.value("calls", "measured calls of each client in a run (1000)", "N");
    options.value("duration", "seconds that each run measures, rather than a number of calls", "SECONDS");
    options.value("warmup", "calls of each client before those (100)", "N");
    let mix = "what is called: default, shopping, purchase, or the name of an API (default)";
    options.choice("mix", mix, "NAME", &Mix::NAMES);
    options.value("items", "items that are bought, of the mix purchase (1000)", "N");
    options.value("rate", "calls a second of all clients together, sent on schedule", "R");
    options.value("seed", "decides what the clients choose (1)", "N");
    options.flag("retry", "make calls whose connection was cut again, unless that would act twice");
    options.flag("floor", "measure a bare relay of the same bytes in turn");
    options.flag("floor-flush", "measure a relay in turn that flushes what databases would flush");
    options.value("against", "measure the services of another build of this program in turn", "FILE");
    options.value("reactors", "event loops of each frontend that is started (1)", "N");
    options.value("data", DATA_HELP, "DIR");
    options.flag("unsafe-no-flush", "start databases that do not flush, to see what flushing costs");
    tls::add_client_option(&mut options);
    tls::add_identity_options(
        &mut options,
        "start services that show this certificate, to see what TLS costs",
    );
    options.value("json", "write the results to a file; - is standard output", "FILE");
    options.value("csv", "write each run's figures to a file; - is standard output", "FILE");
    options.value("svg", "draw pictures into a folder", "DIR");
    options.value("html", "write a page with all figures and pictures to a file", "FILE");
    options.value("report", "rewrite a section of a Markdown file (scenarios)", "FILE[#SECTION]");
    options
}

/// Those of `bench growth`.
pub(super) fn growth_options() -> Options {
    let mut options = Options::new();
    options.value("items", "sizes of the catalogue (1000,100000,1000000)", "N[,…]");
    options.value("idle", "numbers of idle connections (0,1000,10000)", "N[,…]");
    options.value("data", DATA_HELP, "DIR");
    options.value("json", "write the results to a file; - is standard output", "FILE");
    options.value("report", "rewrite a section of a Markdown file (growth)", "FILE[#SECTION]");
    options
}

/// What is to be measured.
///
/// # Errors
/// The command line makes no sense.
pub(super) fn plan(matches: &Matches) -> Result<Plan, String> {
    reject_arguments(matches)?;
    let scenarios = match (matches.opt_str("scenario"), matches.opt_str("clients")) {
        (Some(_), Some(_)) => return Err("--scenario and --clients are the same: give one".into()),
        (None, None) => Scenario::STANDARD.to_vec(),
        (Some(list), None) => list.split(',').map(str::parse).collect::<Result<_, _>>()?,
        (None, Some(clients)) => vec![clients.parse()?],
    };
    let mix = matches.opt_str("mix").unwrap_or_else(|| "default".to_owned());
    let unknown = || format!("--mix: {mix:?} is not one of {}, nor an API", Mix::NAMES.join(", "));
    let mix = Mix::from_name(&mix).ok_or_else(unknown)?;
    let items = match mix.is_purchase() {
        true => Some(number(matches, "items", 1000, 1, BOUGHT_ITEMS_MAX)?),
        false if matches.opt_present("items") => return Err("--items is for --mix purchase".into()),
        false => None,
    };
    let plan = Plan {
        scenarios,
        runs: number(matches, "runs", 10, 1, 10_000)?,
        length: length(matches)?,
        warmup: number(matches, "warmup", 100, 0, 100_000_000)?,
        mix,
        items,
        rate: match matches.opt_present("rate") {
            true => Some(number(matches, "rate", 0.0, 0.1, 1e7)?),
            false => None,
        },
        floor: matches.opt_present("floor"),
        flushed_floor: matches.opt_present("floor-flush").then(|| place(matches)),
        against: matches.opt_str("against").map(|file| program(&file)),
        retry: matches.opt_present("retry"),
        seed: number(matches, "seed", 1, 0, u64::MAX)?,
    };
    if plan.flushed_floor.is_some() && matches.opt_present("unsafe-no-flush") {
        return Err("a floor that flushes is none of databases that do not: leave out --floor-flush or --unsafe-no-flush".into());
    }
    plan.check()?;
    Ok(plan)
}

/// How long each run measures.
fn length(matches: &Matches) -> Result<Length, String> {
    match (matches.opt_present("calls"), matches.opt_present("duration")) {
        (true, true) => Err("--calls and --duration both say how long a run is: give one".into()),
        (false, true) => {
            let seconds = number(matches, "duration", 0.0, DURATION_S_MIN, DURATION_S_MAX)?;
            Ok(Length::Time(Duration::from_secs_f64(seconds)))
        }
        (_, false) => Ok(Length::Calls(number(matches, "calls", 1000, 1, 100_000_000)?)),
    }
}

/// Which services are to be measured.
///
/// # Errors
/// As [`plan`].
pub(super) fn services(matches: &Matches) -> Result<Services, String> {
    let tls = ClientFiles::given(matches)?.map(|files| files.tls);
    match (matches.opt_str("buyer"), matches.opt_str("seller")) {
        (None, None) => {
            let reactors: usize = number(matches, "reactors", 1, 1, serve::REACTORS_MAX)?;
            let mut frontends = tls_options(matches, &["tls-cert", "tls-key", "tls-ca"])?;
            if reactors > 1 {
                frontends.push(format!("--reactors={reactors}"));
            }
            let mut databases = tls_options(matches, &["tls-cert", "tls-key"])?;
            if matches.opt_present("unsafe-no-flush") {
                databases.push("--unsafe-no-flush".to_owned());
            }
            let data = place(matches);
            Ok(Services::Own(ServiceOptions { data, program: None, databases, frontends, tls }))
        }
        (Some(buyer), Some(seller)) => {
            check_address(&buyer)?;
            check_address(&seller)?;
            // The floor is on this machine all the same.
            let data = if matches.opt_present("floor-flush") { None } else { Some("data") };
            let of_own = ["reactors", "against", "unsafe-no-flush", "tls-cert", "tls-key"];
            match of_own.into_iter().chain(data).find(|name| matches.opt_present(name)) {
                Some(option) => Err(format!("--{option} is for services that the benchmark starts itself")),
                None => Ok(Services::Running { buyer, seller, tls }),
            }
        }
        _ => Err("--buyer and --seller belong together".into()),
    }
}

/// Where the data lie of what the benchmark starts.
fn place(matches: &Matches) -> Place {
    Place::new(matches.opt_str("data").map(PathBuf::from))
}

/// A program by its file. Without a folder it lies in this one, and is not looked for elsewhere.
fn program(file: &str) -> PathBuf {
    if file.contains('/') { file.into() } else { Path::new(".").join(file) }
}

/// Those of the options of TLS that services which are started are given as they are: all of them, or none.
fn tls_options(matches: &Matches, names: &[&str]) -> Result<Vec<String>, String> {
    let given = ["tls-cert", "tls-key", "tls-ca"].map(|name| matches.opt_str(name));
    if given.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    let option = |name: &&str| matches.opt_str(name).map(|file| format!("--{name}={file}"));
    let missing = "services that the benchmark starts itself need --tls-ca, --tls-cert and --tls-key";
    if given.iter().any(Option::is_none) {
        return Err(missing.to_owned());
    }
    Ok(names.iter().filter_map(option).collect())
}

/// What `bench growth` is to measure.
///
/// # Errors
/// As [`plan`].
pub(super) fn growth_plan(matches: &Matches) -> Result<GrowthPlan, String> {
    reject_arguments(matches)?;
    Ok(GrowthPlan {
        items: numbers(matches, "items", "1000,100000,1000000", 1, ITEMS_MAX)?,
        idle: numbers(matches, "idle", "0,1000,10000", 0, IDLE_MAX)?,
        data: place(matches),
    })
}

/// The numbers of an option, between commas; those of `default` if it was not given.
fn numbers<N>(matches: &Matches, option: &str, default: &str, min: N, max: N) -> Result<Vec<N>, String>
where
    N: FromStr + PartialOrd + Display,
{
    let list = matches.opt_str(option).unwrap_or_else(|| default.to_owned());
    let read = |text: &str| {
        let number = text.parse().ok().filter(|number| (&min..=&max).contains(&number));
        number.ok_or_else(|| format!("--{option}: {text:?} is not a number from {min} to {max}"))
    };
    list.split(',').map(read).collect()
}
