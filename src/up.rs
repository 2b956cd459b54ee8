//! `marketplace up`: the four services as child processes on one machine.
//!
//! Databases are started before the frontends that call them, and stopped after them. To systemd they are one service.

mod deployment;
mod options;

use std::env;
use std::io;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use net::spawn_thread;

use crate::child::{START_MAX, STOP_MAX, this_program};
use crate::children::{Children, End, POLL};
use crate::client::CallError;
use crate::combined_log::CombinedLog;
use crate::command_line::{FAILED, report, write_out};
use crate::migrate;
use crate::ping;
use crate::process::status;
use crate::process::stop::StopSignals;
use crate::service::{Kind, Service};
use crate::store_session::Trouble;
use crate::subcommand::{Group, Subcommand};
use crate::text;
use crate::usage::Usage;
use deployment::{Deployment, Known};
use options::{options, reject_connecting};

const BRIEF: &str = "\
Usage: marketplace up [OPTION]…

Starts db_customer, db_product, server_buyer and server_seller on this machine, on the ports 6001 to 6004.
Ctrl-C stops them in order; another one, a second later or more, kills them. If one of them ends by itself,
the others are stopped.

Most options are those of the services, and each goes to all of them that have it. With --store, the tables are made or
brought up to date first.";

const PROBE_MAX: Duration = Duration::from_secs(1);
/// From this length on, what a frontend frees goes back to the system, so that buffers of a burst do not stay: without it,
/// the C library keeps what lies below anything that is still in use. A database would pay for it with its speed.
const GIVEN_BACK_FROM: (&str, &str) = ("MALLOC_MMAP_THRESHOLD_", "32768");

/// The subcommand.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Start, "up", usage, run)
}

fn usage() -> Usage {
    Usage::new("marketplace up", "all four services on this machine, until Ctrl-C", BRIEF, options())
}

fn run(args: &[String]) -> ExitCode {
    let usage = usage();
    if let Err(message) = reject_connecting(args) {
        return usage.error(&message);
    }
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let (deployment, known) = match Deployment::read(matches) {
        Ok(read) => read,
        Err(message) => return usage.error(&message),
    };
    let log = match CombinedLog::start(io::stderr()) {
        Ok(log) => log,
        Err(error) => {
            report(&format!("error: cannot log: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let result = up(&deployment, &known, &log);
    if let Err(Failure { message, .. }) = &result {
        log.line(&format!("error: {message}"));
    }
    log.finish();
    result.map_or_else(|Failure { code, .. }| ExitCode::from(code), |()| ExitCode::SUCCESS)
}

/// Why the marketplace is not up, and the exit code that says so.
struct Failure {
    code: u8,
    message: String,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self { code: FAILED, message }
    }
}

fn up(deployment: &Deployment, known: &Known, log: &CombinedLog) -> Result<(), Failure> {
    deployment.check_ports()?;
    // Nothing runs yet, so a signal may simply end this: what is broken off here is made good by the next migration.
    migrate(known, log)?;
    let (stops_in, stops) = channel();
    // It fails when nobody waits for a stop any more.
    let caught =
        StopSignals::catch().and_then(|signals| signals.watch(move |stop, _| _ = stops_in.send(stop)));
    caught.map_err(|error| format!("cannot catch signals: {error}"))?;
    let mut children = Children::new(STOP_MAX, &stops, log);
    let end = match start(deployment, known, &mut children) {
        Ok(()) => {
            tell_systemd(status::ready(), log);
            tell(deployment.summary(known), log);
            watch(&mut children)
        }
        Err(end) => end,
    };
    if let End::Failed(message) = &end {
        log.line(&format!("error: {message}"));
    }
    tell_systemd(status::stopping(), log);
    let frontends_stopped = children.stop(is_frontend);
    let databases_stopped = children.stop(|_| true);
    match end {
        End::Signalled if frontends_stopped && databases_stopped => Ok(()),
        End::Signalled => Err("not all services stopped by themselves".to_owned().into()),
        End::Failed(_) => Err("the marketplace is down".to_owned().into()),
    }
}

/// Makes the tables or brings them up to date, where an engine keeps what the databases know.
fn migrate(known: &Known, log: &CombinedLog) -> Result<(), Failure> {
    let Some(engine) = &known.engine else { return Ok(()) };
    let mut write = log.writer("migrate");
    let failed = |trouble: Trouble| Failure { code: trouble.code(), message: trouble.to_string() };
    let migrated = migrate::tables(engine).map_err(failed)?;
    migrated.iter().for_each(|one| write(one.to_string().as_bytes()));
    Ok(())
}

/// Starts the services one by one, each when those before it answer.
fn start(deployment: &Deployment, known: &Known, children: &mut Children<'_>) -> Result<(), End> {
    for service in Service::ALL {
        let mut command = this_program(deployment.service_args(service)).map_err(End::Failed)?;
        status::silence(&mut command);
        let (variable, bytes) = GIVEN_BACK_FROM;
        if service.kind() == Kind::Frontend && env::var_os(variable).is_none() {
            command.env(variable, bytes);
        }
        children.start(service.name(), command)?;
        let give_up_at = Instant::now() + START_MAX;
        while let Err(error) = ask(deployment, known, service) {
            children.check()?;
            if Instant::now() > give_up_at {
                let (after_s, why) = (START_MAX.as_secs(), text::escape(&error.to_string()));
                return Err(End::Failed(format!("{service} does not answer after {after_s} s: {why}")));
            }
            thread::sleep(POLL);
        }
    }
    Ok(())
}

fn ask(deployment: &Deployment, known: &Known, service: Service) -> Result<(), CallError> {
    let secrets = known.secrets.as_ref().filter(|_| service.kind() == Kind::Database);
    ping::probe(&deployment.connect_address(service), known.tls.clone(), secrets, PROBE_MAX).map(|_| ())
}

/// Says what there is. The services are there whether or not anybody reads this, so nothing waits for it.
fn tell(summary: String, log: &CombinedLog) {
    if let Err(error) = spawn_thread("summary", move || _ = write_out(&summary)) {
        log.line(&format!("error: {error}"));
    }
}

fn watch(children: &mut Children<'_>) -> End {
    loop {
        if let Err(end) = children.check() {
            return end;
        }
        thread::sleep(POLL);
    }
}

fn is_frontend(name: &str) -> bool {
    Service::from_name(name).is_some_and(|service| service.kind() == Kind::Frontend)
}

fn tell_systemd(told: io::Result<()>, log: &CombinedLog) {
    if let Err(error) = told {
        log.line(&format!("error: systemd cannot be told: {error}"));
    }
}
