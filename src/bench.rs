//! `marketplace bench`: the command line of the load generator, which lives in the crate `bench`.

mod arguments;
mod interrupt;
mod launch;
mod outputs;
mod render;

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use bench::results::Results;
use bench::{Failure, Flusher, Interrupt, Launch, Outcome, Part, show};
use log::LevelFilter;
use net::Limits;
use net::reactor::Reactor;

use crate::command_line::{CANNOT_CONNECT, FAILED, columns, report};
use crate::options::Options;
use crate::process::stop::StopSignals;
use crate::process::{limits, logging, parent};
use crate::serve;
use crate::service::Service;
use crate::subcommand::{Group, Subcommand};
use crate::text::escape;
use crate::usage::{Usage, Words};
use interrupt::InterruptOnSignal;
use outputs::{OutputOptions, Render};

/// A signal has ended the benchmark early.
const INTERRUPTED: u8 = 130;

const BRIEF: &str = "\
Usage: marketplace bench [OPTION]…
       marketplace bench growth [OPTION]…
       marketplace bench compare A.json B.json

Measures a marketplace: its own on fresh data, or one that runs elsewhere. Each scenario has so many buyers and
sellers, each with one connection; all begin together, and each makes its calls one after another. By default, buyers
search and sellers change the price of their item.
Ctrl-C shows and writes the runs that are complete; a second one, a second later, does not wait until the items of the
run under way are off the market.
Exit status: 0 all replies were right and all was written, 1 failure, 2 usage, 3 cannot connect, 130 interrupted.";

const GROWTH_BRIEF: &str = "\
Usage: marketplace bench growth [OPTION]…

Measures how costs grow with the catalogue and with idle connections, on marketplaces of its own.";

const COMPARE_BRIEF: &str = "\
Usage: marketplace bench compare A.json B.json

Sets two results that `bench --json` has written side by side.";

/// The subcommand.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Measure, "bench", usage, run)
}

fn usage() -> Usage {
    let usage = Usage::new("marketplace bench", "the load generator", BRIEF, arguments::options());
    Usage { commands: vec![growth_usage(), compare_usage()], ..usage }
}

fn growth_usage() -> Usage {
    let summary = "how costs grow with the catalogue and with idle connections";
    Usage::new("marketplace bench growth", summary, GROWTH_BRIEF, arguments::growth_options())
}

fn compare_usage() -> Usage {
    let summary = "set two results side by side";
    let usage = Usage::new("marketplace bench compare", summary, COMPARE_BRIEF, Options::new());
    Usage { operands: Words::Files, ..usage }
}

fn run(args: &[String]) -> ExitCode {
    match args.split_first() {
        Some((word, rest)) if word == "relay" => relay(rest),
        Some((word, rest)) if word == "compare" => compare(rest),
        Some((word, rest)) if word == "growth" => growth(rest),
        _ => measure(args),
    }
}

fn measure(args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let read = || -> Result<_, String> {
        let (plan, services) = (arguments::plan(&matches)?, arguments::services(&matches)?);
        Ok((plan, services, OutputOptions::read(&matches, "scenarios")?))
    };
    match read() {
        Ok((plan, services, outputs)) => {
            carry_out(outputs, |launch, interrupt| bench::run(&plan, &services, launch, interrupt))
        }
        Err(message) => usage.error(&message),
    }
}

fn growth(args: &[String]) -> ExitCode {
    let usage = growth_usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let read = || -> Result<_, String> {
        Ok((arguments::growth_plan(&matches)?, OutputOptions::read(&matches, "growth")?))
    };
    match read() {
        Ok((plan, outputs)) => carry_out(outputs, |launch, interrupt| bench::grow(&plan, launch, interrupt)),
        Err(message) => usage.error(&message),
    }
}

fn compare(args: &[String]) -> ExitCode {
    let usage = compare_usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let [a, b] = matches.free.as_slice() else {
        return usage.error("compare takes two files");
    };
    let compared = read_results(a).and_then(|a| {
        let b = read_results(b)?;
        let width = columns(&io::stdout()).map(usize::from);
        // What is in the files may be anybody's.
        let shown = show::compare(&a, &b, width);
        outputs::print(&shown.lines().map(|line| escape(line) + "\n").collect::<String>())?;
        a.in_both(&b).next().map(|_| ()).ok_or_else(|| "nothing was compared".to_owned())
    });
    match compared {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => failed(FAILED, &[message]),
    }
}

/// Measures, and shows and keeps what has come of it, as long as anything has.
fn carry_out<R: Render>(
    outputs: OutputOptions,
    measure: impl FnOnce(Launch<'_>, &Interrupt) -> Outcome<R>,
) -> ExitCode {
    let outputs = match outputs.probe() {
        Ok(outputs) => outputs,
        Err(errors) => return failed(FAILED, &errors),
    };
    let (outcome, signals) = match with_services(measure) {
        Ok(measured) => measured,
        Err(message) => return failed(FAILED, &[message]),
    };
    signals.measured();
    let Outcome { results, failure } = outcome;
    let mut errors = if results.is_empty() { Vec::new() } else { outputs.write(&results) };
    let Some(failure) = failure else {
        return if errors.is_empty() { ExitCode::SUCCESS } else { failed(FAILED, &errors) };
    };
    errors.push(results.incomplete().map_or_else(|| failure.to_string(), str::to_owned));
    let code = match failure {
        Failure::CannotConnect(_) => CANNOT_CONNECT,
        Failure::Failed(_) => FAILED,
        Failure::Interrupted => INTERRUPTED,
    };
    failed(code, &errors)
}

/// Measures, with what that takes: a way to start services, and signals that ask to end.
fn with_services<R>(
    measure: impl FnOnce(Launch<'_>, &Interrupt) -> Outcome<R>,
) -> Result<(Outcome<R>, InterruptOnSignal), String> {
    // Each lost call is counted; the event loop need not report it as well.
    logging::init(LevelFilter::Error).map_err(|error| format!("cannot log: {error}"))?;
    limits::raise_descriptor_limit();
    let signals = InterruptOnSignal::start().map_err(|error| format!("cannot catch signals: {error}"))?;
    let outcome = measure(&launch::launch, &signals.interrupt);
    Ok((outcome, signals))
}

/// Reports errors, and says how the program should end.
fn failed(code: u8, errors: &[String]) -> ExitCode {
    errors.iter().for_each(|error| report(&format!("error: {error}")));
    ExitCode::from(code)
}

fn read_results(path: &str) -> Result<Results, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{path} holds no results: {error}"))
}

/// One process of the relay that `--floor` measures. It is not for people, so the help does not name it.
fn relay(args: &[String]) -> ExitCode {
    parent::end_with_parent();
    let mut options = Options::new();
    options.value("listen", "", "HOST:PORT");
    options.value("customer", "", "HOST:PORT");
    options.value("product", "", "HOST:PORT");
    options.value("flush", "", "FILE");
    let usage =
        Usage::new("marketplace bench relay", "", "Usage: marketplace bench relay [OPTION]…", options);
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let (part, limits) = match (matches.opt_str("customer"), matches.opt_str("product")) {
        (Some(customer), Some(product)) => {
            (Part::Frontend { customer, product }, Service::ServerBuyer.limits())
        }
        _ => match matches.opt_str("flush").map(|file| flusher(Path::new(&file))).transpose() {
            Ok(flusher) => (Part::Database { flusher }, Service::DbCustomer.limits()),
            Err(message) => return failed(FAILED, &[message]),
        },
    };
    let listen = matches.opt_str("listen").unwrap_or_else(|| "127.0.0.1:0".to_owned());
    match serve_relay(&listen, part, limits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(FAILED, &[error.to_string()]),
    }
}

fn flusher(file: &Path) -> Result<Flusher, String> {
    Flusher::create(file).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn serve_relay(listen: &str, part: Part, limits: Limits) -> Result<(), Box<dyn Error>> {
    logging::init(LevelFilter::Info)?;
    limits::raise_descriptor_limit();
    let signals = StopSignals::catch()?;
    let reactor = Reactor::bind(listen)?;
    serve::drain_on_signal(signals, vec![reactor.handle()])?;
    serve::log_listening("relay", reactor.local_addr()?);
    Ok(bench::serve_relay(reactor, part, limits)?)
}
