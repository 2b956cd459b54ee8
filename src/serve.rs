//! The four services as subcommands: options, logging, signals, and the reactors that run a service.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::slice;
use std::thread;
use std::time::Duration;

use getopts::{Matches, Options};
use log::LevelFilter;
use net::reactor::{Handle, Reactor};
use net::{Limits, Threads, no_thread};
use services::{CustomerOptions, Deadlines, Durability, HashCost};

use crate::client::check_address;
use crate::command_line::{FAILED, given, number, parse, reject_arguments, report, usage_error};
use crate::process::limits::{self, Needs};
use crate::process::stop::{Stop, StopSignals};
use crate::process::{logging, parent, status};
use crate::service::{Kind, Service};

/// The most reactors of a frontend.
pub(crate) const REACTORS_MAX: usize = 64;

/// Runs `service` until a signal asks it to end.
pub(crate) fn run(service: Service, args: &[String]) -> ExitCode {
    parent::end_with_parent();
    // From the start, so that a signal to a service that is not yet ready ends it in order as well.
    let signals = match StopSignals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            report(&format!("error: cannot catch signals: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let brief = format!("Usage: marketplace {service} [OPTION]…");
    let matches = match parse(&mut options(service), &brief, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let mut settings = match Settings::read(service, &matches) {
        Ok(settings) => settings,
        Err(message) => return usage_error(&message, &brief),
    };
    if let Err(error) = logging::init(settings.log_level) {
        report(&format!("error: cannot log: {error}"));
        return ExitCode::from(FAILED);
    }
    limits::raise_descriptor_limit();
    let needs = settings.needs();
    if let Err(error) = limits::fit_connections(service, &mut settings.limits, needs) {
        log::error!("event=failed service={service} error=\"{error}\"");
        return ExitCode::from(FAILED);
    }
    let served = match service {
        Service::DbCustomer => serve_customer(&settings, signals),
        Service::DbProduct => serve_product(&settings, signals),
        Service::ServerBuyer => serve_frontend(&settings, signals, services::server_buyer),
        Service::ServerSeller => serve_frontend(&settings, signals, services::server_seller),
    };
    match served {
        Ok(()) => {
            log::info!("event=stopped service={service}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            log::error!("event=failed service={service} error=\"{error}\"");
            ExitCode::from(FAILED)
        }
    }
}

/// What a service was asked to be.
struct Settings {
    service: Service,
    listen: String,
    /// Where the process is watched, if it is.
    admin: Option<String>,
    limits: Limits,
    log_level: LevelFilter,
    /// Of a database.
    data: PathBuf,
    durability: Durability,
    /// Of `db_customer`.
    customer: CustomerOptions,
    /// Of a frontend: the addresses of the databases.
    backends: Vec<String>,
    deadlines: Deadlines,
    reactors: usize,
}

fn options(service: Service) -> Options {
    let mut options = Options::new();
    let listen = format!("the address to listen on, port 0 for a free one ({})", service.default_address());
    options.optopt("", "listen", &listen, "HOST:PORT");
    match service.kind() {
        Kind::Database => {
            options.optopt("", "data", "the folder of the database's file (./data)", "DIR");
            let help = "for measurement only: do not flush commits, so that a power cut may lose them";
            options.optflag("", "unsafe-no-flush", help);
        }
        Kind::Frontend => {
            for (option, database) in [("customer", Service::DbCustomer), ("product", Service::DbProduct)] {
                let help = format!("where {database} listens ({})", database.default_address());
                options.optopt("", option, &help, "HOST:PORT");
            }
            options.optopt("", "reactors", "event loops that share the port, a thread each (1)", "N");
            options.optopt("", "call-timeout-ms", "time limit of a call to a database (2000)", "MS");
        }
    }
    if service == Service::DbCustomer {
        options.optopt("", "session-timeout", "how long a session may be idle (300)", "SECONDS");
        options.optopt("", "hash-memory-kib", "memory that hashing a password takes (7168)", "KIB");
        options.optopt("", "hash-passes", "passes over that memory (5)", "N");
    }
    options.optopt("", "connections-max", "connections at the same time (16384)", "N");
    let line = format!("the longest request line ({})", service.limits().line_bytes_max);
    options.optopt("", "line-bytes-max", &line, "BYTES");
    let admin = "where /livez, /readyz and /metrics are, over HTTP (nowhere)";
    options.optopt("", "admin", admin, "HOST:PORT");
    options.optopt("", "slow-ms", "log requests that take longer (none)", "MS");
    options.optopt("", "log", "error, warn, info or debug (info)", "LEVEL");
    options
}

impl Settings {
    fn read(service: Service, matches: &Matches) -> Result<Self, String> {
        reject_arguments(matches)?;
        let listen = address(matches, "listen", service)?;
        let customer_address = address(matches, "customer", Service::DbCustomer)?;
        let product_address = address(matches, "product", Service::DbProduct)?;

        let mut limits = service.limits();
        limits.connections_max = number(matches, "connections-max", limits.connections_max, 1, 1 << 24)?;
        limits.line_bytes_max =
            number(matches, "line-bytes-max", limits.line_bytes_max, 128, service.line_bytes_max())?;

        let admin = given(matches, "admin");
        if let Some(admin) = &admin {
            check_address(admin).map_err(|error| format!("--admin: {error}"))?;
        }
        if given(matches, "slow-ms").is_some() {
            limits.slow_after = Some(Duration::from_millis(number(matches, "slow-ms", 0, 1, 3_600_000)?));
        }

        let mut customer = CustomerOptions::default();
        let seconds = customer.session_timeout.as_secs();
        customer.session_timeout =
            Duration::from_secs(number(matches, "session-timeout", seconds, 1, 1 << 32)?);
        let HashCost { memory_kib, passes } = customer.hash_cost;
        customer.hash_cost = HashCost {
            memory_kib: number(matches, "hash-memory-kib", memory_kib, 8, 1 << 20)?,
            passes: number(matches, "hash-passes", passes, 1, 1000)?,
        };

        let call_timeout = Duration::from_millis(number(matches, "call-timeout-ms", 2000, 1, 3_600_000)?);
        limits.waiting_timeout = call_timeout;
        Ok(Self {
            service,
            listen,
            admin,
            limits,
            log_level: log_level(matches)?,
            data: given(matches, "data").unwrap_or_else(|| "./data".to_owned()).into(),
            durability: durability(matches),
            customer,
            backends: services::backends(&customer_address, &product_address),
            deadlines: Deadlines { call: call_timeout, ..Deadlines::default() },
            reactors: number(matches, "reactors", 1, 1, REACTORS_MAX)?,
        })
    }

    /// The descriptors that the service will need.
    fn needs(&self) -> Needs {
        let (backends, files) = match self.service.kind() {
            Kind::Database => (0, services::DATABASE_DESCRIPTORS),
            Kind::Frontend => (self.backends.len(), 0),
        };
        Needs { reactors: self.reactors, backends, files, is_watched: self.admin.is_some() }
    }
}

fn serve_customer(settings: &Settings, signals: StopSignals) -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::bind(&settings.listen)?;
    watch(settings, slice::from_mut(&mut reactor))?;
    drain_on_signal(signals, vec![reactor.handle()])?;
    let mut threads = Threads::new(reactor.handle().waker());
    let Settings { data, durability, customer, .. } = settings;
    let service = services::db_customer(data, *durability, *customer, random, &mut threads)?;
    serve_database(settings, reactor, service, threads)
}

fn serve_product(settings: &Settings, signals: StopSignals) -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::bind(&settings.listen)?;
    watch(settings, slice::from_mut(&mut reactor))?;
    drain_on_signal(signals, vec![reactor.handle()])?;
    let mut threads = Threads::new(reactor.handle().waker());
    let service = services::db_product(&settings.data, settings.durability, &mut threads)?;
    serve_database(settings, reactor, service, threads)
}

fn serve_database(
    settings: &Settings,
    reactor: Reactor,
    service: impl net::Service,
    threads: Threads,
) -> Result<(), Box<dyn Error>> {
    log_listening(settings.service.name(), reactor.local_addr()?);
    reactor.run(service, settings.limits.clone(), Vec::new())?;
    // The last commit is on disk before the process ends.
    threads.join();
    Ok(())
}

fn serve_frontend<S: net::Service>(
    settings: &Settings,
    signals: StopSignals,
    service: impl Fn(Deadlines, &[String]) -> S + Sync,
) -> Result<(), Box<dyn Error>> {
    let mut reactors = Reactor::bind_set(&settings.listen, settings.reactors)?;
    watch(settings, &mut reactors)?;
    drain_on_signal(signals, reactors.iter().map(Reactor::handle).collect())?;
    log_listening(settings.service.name(), reactors[0].local_addr()?);
    let handles: Vec<Handle> = reactors.iter().map(Reactor::handle).collect();
    let run = |reactor: Reactor| {
        let service = service(settings.deadlines, &settings.backends);
        let result = reactor.run(service, settings.limits.clone(), settings.backends.clone()).map(|_| ());
        // A set that has lost one is no set: if one fails, all end.
        handles.iter().for_each(Handle::drain);
        result
    };
    let run = &run;
    thread::scope(|scope| {
        let start = |reactor| {
            let thread = thread::Builder::new().name("reactor".into());
            let started = thread.spawn_scoped(scope, move || run(reactor));
            // Those that run already end with it.
            started.inspect_err(|_| handles.iter().for_each(Handle::drain))
        };
        let threads: Vec<_> = reactors.into_iter().map(start).collect();
        for thread in threads {
            let thread = thread.map_err(|error| no_thread("reactor", &error))?;
            thread.join().expect("a reactor panicked")?;
        }
        Ok(())
    })
}

/// Gathers what all reactors of the process count and, if that was asked for, has the first one answer for them all.
fn watch(settings: &Settings, reactors: &mut [Reactor]) -> io::Result<()> {
    let registry = status::registry(settings.service, &settings.data);
    reactors.iter_mut().for_each(|reactor| reactor.register(&registry));
    if let Some(admin) = &settings.admin {
        let address = reactors[0].bind_admin(admin)?;
        log::info!("event=watched service={} admin={address}", settings.service);
    }
    Ok(())
}

/// Lets a signal drain the reactors, and a later one end the process at once. Where another process started this one,
/// it alone does the latter: what it passes on may come late.
pub(crate) fn drain_on_signal(signals: StopSignals, handles: Vec<Handle>) -> io::Result<()> {
    signals.watch(move |stop, signal| match stop {
        Stop::InOrder => {
            log::info!("event=draining signal={signal}");
            status::stopping();
            handles.iter().for_each(Handle::drain);
        }
        Stop::AtOnce if parent::has_parent() => log::info!("event=still_draining signal={signal}"),
        Stop::AtOnce => {
            log::warn!("event=killed signal={signal}");
            process::exit(i32::from(FAILED));
        }
    })
}

pub(crate) fn log_listening(service: &str, address: SocketAddr) {
    log::info!("event=ready service={service} listening on {address}");
    status::ready();
}

/// Unpredictable bits of the system's.
fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random bits");
    u128::from_ne_bytes(bytes)
}

/// The address of `service` that an option was given, or the default.
fn address(matches: &Matches, option: &str, service: Service) -> Result<String, String> {
    let address = given(matches, option).unwrap_or_else(|| service.default_address());
    check_address(&address).map_err(|error| format!("--{option}: {error}"))?;
    Ok(address)
}

fn durability(matches: &Matches) -> Durability {
    let unflushed = matches.opt_defined("unsafe-no-flush") && matches.opt_present("unsafe-no-flush");
    if unflushed { Durability::NoFlush } else { Durability::Flush }
}

fn log_level(matches: &Matches) -> Result<LevelFilter, String> {
    match given(matches, "log").as_deref() {
        Some("error") => Ok(LevelFilter::Error),
        Some("warn") => Ok(LevelFilter::Warn),
        None | Some("info") => Ok(LevelFilter::Info),
        Some("debug") => Ok(LevelFilter::Debug),
        Some(other) => Err(format!("--log: {other:?} is not error, warn, info or debug")),
    }
}
