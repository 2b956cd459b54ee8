//! `marketplace bench`: the command line of the load generator, which lives in the crate `bench`.

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitCode};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bench::results::Results;
use bench::{Failure, GrowthPlan, Mix, Part, Plan, Scenario, ServiceOptions, Services, show};
use getopts::{Matches, Options};
use log::LevelFilter;
use net::reactor::Reactor;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::client::check_address;
use crate::command_line::{
    CANNOT_CONNECT, FAILED, given, nothing_more, number, parse, print, report, usage_error, write_out,
};
use crate::up::PARENT_VARIABLE;
use crate::{descriptors, logging, serve, up};

const BRIEF: &str = "\
Usage: marketplace bench [OPTION]…
       marketplace bench growth [OPTION]…
       marketplace bench compare A.json B.json

Measures a marketplace: its own on fresh data, or one that runs elsewhere. Each scenario has so many buyers and
sellers, each with one connection; all begin together, and each makes its calls one after another. By default, buyers
search and sellers change the price of their item.
Exit status: 0 all replies were right, 1 a reply was wrong, 2 usage, 3 cannot connect.";

const GROWTH_BRIEF: &str = "\
Usage: marketplace bench growth [OPTION]…

Measures how costs grow with the catalogue and with idle connections, on marketplaces of its own.";

const COMPARE_BRIEF: &str = "\
Usage: marketplace bench compare A.json B.json

Sets two results that `bench --json` has written side by side.";

/// Runs the subcommand.
pub(crate) fn run(args: &[String]) -> ExitCode {
    match args.split_first() {
        Some((word, rest)) if word == "relay" => relay(rest),
        Some((word, rest)) if word == "compare" => compare(rest),
        Some((word, rest)) if word == "growth" => growth(rest),
        _ => measure(args),
    }
}

fn options() -> Options {
    let mut options = Options::new();
    options.optopt("", "buyer", "a server_buyer that runs already; needs --seller", "HOST:PORT");
    options.optopt("", "seller", "a server_seller that runs already; needs --buyer", "HOST:PORT");
    options.optopt("", "scenario", "buyers and sellers, several with commas (1+1,10+10,100+100)", "B+S[,…]");
    options.optopt("", "clients", "the same, for a single scenario", "B+S");
    options.optopt("", "runs", "runs of each scenario (10)", "N");
    options.optopt("", "calls", "measured calls of each client in a run (1000)", "N");
    options.optopt("", "warmup", "calls of each client before those (100)", "N");
    options.optopt("", "mix", "what is called: default, shopping, or the name of an API (default)", "NAME");
    options.optopt("", "rate", "calls a second of all clients together, sent on schedule", "R");
    options.optopt("", "seed", "decides what the clients choose (1)", "N");
    options.optflag("", "retry", "make calls whose connection was cut again, unless that would act twice");
    options.optflag("", "floor", "measure a bare relay of the same bytes in turn");
    options.optopt("", "reactors", "event loops of each frontend that is started (1)", "N");
    options.optflag("", "unsafe-no-flush", "start databases that do not flush, to see what flushing costs");
    options.optopt("", "json", "write the results to a file", "FILE");
    options.optopt("", "csv", "write each run's figures to a file", "FILE");
    options.optopt("", "svg", "draw pictures into a folder", "DIR");
    options.optopt("", "report", "rewrite a section of a Markdown file (scenarios)", "FILE[#SECTION]");
    options
}

fn measure(args: &[String]) -> ExitCode {
    let matches = match parse(&mut options(), BRIEF, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let (plan, services) = match (plan(&matches), services(&matches)) {
        (Ok(plan), Ok(services)) => (plan, services),
        (Err(message), _) | (_, Err(message)) => return usage_error(&message, BRIEF),
    };
    finish(with_services(|launch, interrupted| {
        check_outputs(&matches, "scenarios")?;
        let results = bench::run(&plan, &services, launch, interrupted)?;
        print_out(&show::table(&results))?;
        write_results(&results, &matches)?;
        if results.is_right() { Ok(()) } else { Err(Failure::Failed("not every reply was right".into())) }
    }))
}

fn growth(args: &[String]) -> ExitCode {
    let mut options = Options::new();
    options.optopt("", "items", "sizes of the catalogue (1000,100000,1000000)", "N[,…]");
    options.optopt("", "idle", "numbers of idle connections (0,1000,10000)", "N[,…]");
    options.optopt("", "json", "write the results to a file", "FILE");
    options.optopt("", "report", "rewrite a section of a Markdown file (growth)", "FILE[#SECTION]");
    let matches = match parse(&mut options, GROWTH_BRIEF, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    if let Err(message) = nothing_more(&matches) {
        return usage_error(&message, GROWTH_BRIEF);
    }
    let plan = match (
        numbers(&matches, "items", "1000,100000,1000000"),
        numbers(&matches, "idle", "0,1000,10000"),
    ) {
        (Ok(items), Ok(idle)) => GrowthPlan { items, idle },
        (Err(message), _) | (_, Err(message)) => return usage_error(&message, GROWTH_BRIEF),
    };
    finish(with_services(|launch, interrupted| {
        check_outputs(&matches, "growth")?;
        let growth = bench::grow(&plan, launch, interrupted)?;
        print_out(&show::growth_table(&growth))?;
        write_json(&growth, &matches)?;
        match section(&matches, "growth") {
            Some((file, section)) => show::growth_report(&file, &section, &growth).map_err(Failure::Failed),
            None => Ok(()),
        }
    }))
}

fn compare(args: &[String]) -> ExitCode {
    let matches = match parse(&mut Options::new(), COMPARE_BRIEF, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let [a, b] = matches.free.as_slice() else {
        return usage_error("compare takes two files", COMPARE_BRIEF);
    };
    match (read_results(a), read_results(b)) {
        (Ok(a), Ok(b)) => print(&show::compare(&a, &b)),
        (Err(message), _) | (_, Err(message)) => finish(Err(Failure::Failed(message))),
    }
}

/// Measures, with what that takes: a way to start services, and a flag that is set when a signal asks to end.
fn with_services(
    measure: impl FnOnce(bench::Launch<'_>, &AtomicBool) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let failed = |what: &str, error: &dyn Display| Failure::Failed(format!("{what}: {error}"));
    // Each lost call is counted; the event loop need not report it as well.
    logging::init(LevelFilter::Error).map_err(|error| failed("cannot log", &error))?;
    descriptors::raise_descriptor_limit();
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let caught = signal_hook::flag::register(signal, Arc::clone(&interrupted));
        caught.map_err(|error| failed("cannot catch signals", &error))?;
    }
    let program = env::current_exe().map_err(|error| failed("cannot find this program", &error))?;
    measure(&|subcommand| start(&program, subcommand), &interrupted)
}

fn finish(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    report(&format!("error: {failure}"));
    ExitCode::from(match failure {
        Failure::CannotConnect(_) => CANNOT_CONNECT,
        Failure::Failed(_) | Failure::Interrupted => FAILED,
    })
}

/// A service that ends with this process, and that a Ctrl-C reaches through it alone.
fn start(program: &Path, subcommand: &str) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    command.arg(subcommand).env(PARENT_VARIABLE, process::id().to_string()).process_group(0);
    command
}

fn plan(matches: &Matches) -> Result<Plan, String> {
    nothing_more(matches)?;
    let scenarios = match (matches.opt_str("scenario"), matches.opt_str("clients")) {
        (Some(_), Some(_)) => return Err("--scenario and --clients are the same: give one".into()),
        (None, None) => Scenario::STANDARD.to_vec(),
        (Some(list), None) => list.split(',').map(str::parse).collect::<Result<_, _>>()?,
        (None, Some(clients)) => vec![clients.parse()?],
    };
    let mix = matches.opt_str("mix").unwrap_or_else(|| "default".to_owned());
    let unknown = || format!("--mix: {mix:?} is not one of {}, nor an API", Mix::NAMES.join(", "));
    let mix = Mix::from_name(&mix).ok_or_else(unknown)?;
    let plan = Plan {
        scenarios,
        runs: number(matches, "runs", 10, 1, 10_000)?,
        calls: number(matches, "calls", 1000, 1, 100_000_000)?,
        warmup: number(matches, "warmup", 100, 0, 100_000_000)?,
        mix,
        rate: match matches.opt_present("rate") {
            true => Some(number(matches, "rate", 0.0, 0.1, 1e7)?),
            false => None,
        },
        floor: matches.opt_present("floor"),
        retry: matches.opt_present("retry"),
        seed: number(matches, "seed", 1, 0, u64::MAX)?,
    };
    plan.check()?;
    Ok(plan)
}

fn services(matches: &Matches) -> Result<Services, String> {
    match (matches.opt_str("buyer"), matches.opt_str("seller")) {
        (None, None) => {
            let reactors: usize = number(matches, "reactors", 1, 1, serve::REACTORS_MAX)?;
            let frontends = match reactors {
                1 => Vec::new(),
                several => vec!["--reactors".to_owned(), several.to_string()],
            };
            let unsafe_no_flush = matches.opt_present("unsafe-no-flush");
            let databases = unsafe_no_flush.then(|| "--unsafe-no-flush".to_owned()).into_iter().collect();
            Ok(Services::Own(ServiceOptions { databases, frontends }))
        }
        (Some(buyer), Some(seller)) => {
            check_address(&buyer)?;
            check_address(&seller)?;
            match ["reactors", "unsafe-no-flush"].into_iter().find(|name| matches.opt_present(name)) {
                Some(option) => Err(format!("--{option} is for services that the benchmark starts itself")),
                None => Ok(Services::Running { buyer, seller }),
            }
        }
        _ => Err("--buyer and --seller belong together".into()),
    }
}

/// Finds out whether the results can be written before minutes are spent on them.
fn check_outputs(matches: &Matches, default_section: &str) -> Result<(), Failure> {
    for path in ["json", "csv"].into_iter().filter_map(|option| given(matches, option)) {
        let folder = Path::new(&path).parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(Failure::Failed(format!("cannot write {path}: its folder does not exist")));
        }
    }
    match section(matches, default_section) {
        Some((file, section)) => show::check_report(&file, &section).map_err(Failure::Failed),
        None => Ok(()),
    }
}

fn write_results(results: &Results, matches: &Matches) -> Result<(), Failure> {
    write_json(results, matches)?;
    if let Some(path) = matches.opt_str("csv") {
        write_file(&path, &show::csv(results))?;
    }
    let pictures = matches.opt_str("svg").map(PathBuf::from);
    if let Some(folder) = &pictures {
        let failed = |error| Failure::Failed(format!("cannot draw into {}: {error}", folder.display()));
        show::draw(results, folder).map_err(failed)?;
    }
    match section(matches, "scenarios") {
        // What is not right stays out of a report that was.
        Some((file, section)) if results.is_right() => {
            show::report(&file, &section, results, pictures.as_deref()).map_err(Failure::Failed)
        }
        _ => Ok(()),
    }
}

fn write_json(results: &impl Serialize, matches: &Matches) -> Result<(), Failure> {
    let Some(path) = matches.opt_str("json") else { return Ok(()) };
    let json = serde_json::to_string_pretty(results).expect("results are JSON");
    write_file(&path, &(json + "\n"))
}

fn write_file(path: &str, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::Failed(format!("cannot write {path}: {error}")))
}

fn print_out(text: &str) -> Result<(), Failure> {
    write_out(text).map_err(|error| Failure::Failed(format!("cannot write the output: {error}")))
}

fn read_results(path: &str) -> Result<Results, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{path} holds no results: {error}"))
}

/// The file and the section that `--report` names.
fn section(matches: &Matches, default: &str) -> Option<(PathBuf, String)> {
    let report = matches.opt_str("report")?;
    let (file, section) = report.rsplit_once('#').unwrap_or((&report, default));
    Some((file.into(), section.to_owned()))
}

/// The numbers of an option, between commas; `default` if it was not given.
fn numbers<N: FromStr>(matches: &Matches, option: &str, default: &str) -> Result<Vec<N>, String> {
    let list = matches.opt_str(option).unwrap_or_else(|| default.to_owned());
    let read = |number: &str| number.parse().map_err(|_| format!("--{option}: {number:?} is no number"));
    list.split(',').map(read).collect()
}

/// One process of the relay that `--floor` measures. It is not for people, so the help does not name it.
fn relay(args: &[String]) -> ExitCode {
    up::end_with_parent();
    let mut options = Options::new();
    options.optopt("", "listen", "", "HOST:PORT");
    options.optopt("", "customer", "", "HOST:PORT");
    options.optopt("", "product", "", "HOST:PORT");
    let matches = match parse(&mut options, "Usage: marketplace bench relay [OPTION]…", args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let part = match (matches.opt_str("customer"), matches.opt_str("product")) {
        (Some(customer), Some(product)) => Part::Frontend { customer, product },
        _ => Part::Database,
    };
    let listen = matches.opt_str("listen").unwrap_or_else(|| "127.0.0.1:0".to_owned());
    finish(serve_relay(&listen, part).map_err(|error| Failure::Failed(error.to_string())))
}

fn serve_relay(listen: &str, part: Part) -> Result<(), Box<dyn Error>> {
    logging::init(LevelFilter::Info)?;
    descriptors::raise_descriptor_limit();
    let signals = Signals::new([SIGTERM, SIGINT])?;
    let reactor = Reactor::bind(listen)?;
    serve::drain_on_signal(signals, vec![reactor.handle()])?;
    serve::log_listening("relay", reactor.local_addr()?);
    Ok(bench::serve_relay(reactor, part)?)
}
