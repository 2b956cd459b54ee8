//! The four services as subcommands: logging, signals, and the reactors that run a service.

mod settings;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use net::reactor::{Handle, Reactor, RunError};
use net::{Target, Threads, no_thread};
use services::{Backends, Deadlines, Secrets, StorageError, sqlite};

use crate::command_line::{FAILED, report};
use crate::process::stop::{Stop, StopSignals};
use crate::process::{limits, logging, memory, parent, status};
use crate::secret_file::SecretFile;
use crate::service::{Kind, Service};
use crate::subcommand::{Group, Subcommand};
use crate::tls::ServerFiles;
use crate::usage::Usage;

pub(crate) use settings::{REACTORS_MAX, SECONDS_MAX, Settings, Store, options};

/// The subcommand that is this service.
pub(crate) fn subcommand(service: Service) -> Subcommand {
    Subcommand::new(Group::Start, service.name(), move || usage(service), move |args| run(service, args))
}

fn usage(service: Service) -> Usage {
    let path = format!("marketplace {service}");
    let brief = format!("Usage: {path} [OPTION]…\n\nRuns {} until it is told to stop.", service.summary());
    Usage::new(&path, service.summary(), &brief, options(service))
}

/// Runs `service` until a signal asks it to end.
fn run(service: Service, args: &[String]) -> ExitCode {
    parent::end_with_parent();
    // From the start, so that a signal to a service that is not yet ready ends it in order as well.
    let signals = match StopSignals::catch() {
        Ok(signals) => signals,
        Err(error) => {
            report(&format!("error: cannot catch signals: {error}"));
            return ExitCode::from(FAILED);
        }
    };
    let usage = usage(service);
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let mut settings = match Settings::read(service, &matches) {
        Ok(settings) => settings,
        Err(message) => return usage.error(&message),
    };
    if let Err(error) = logging::init(settings.log_level) {
        report(&format!("error: cannot log: {error}"));
        return ExitCode::from(FAILED);
    }
    settings.secret_file.iter().for_each(SecretFile::warn_if_weak);
    settings.server_files.iter().for_each(ServerFiles::warn_if_open);
    let signals = match reloading(signals, &settings) {
        Ok(signals) => signals,
        Err(error) => {
            log::error!("event=failed service={service} error=\"cannot watch signals and files: {error}\"");
            return ExitCode::from(FAILED);
        }
    };
    limits::raise_descriptor_limit();
    let needs = settings.needs();
    if let Err(error) = limits::fit_connections(service, &mut settings.limits, needs) {
        log::error!("event=failed service={service} error=\"{error}\"");
        return ExitCode::from(FAILED);
    }
    let served = match service {
        Service::DbCustomer => serve_customer(&settings, signals),
        Service::DbProduct => serve_product(&settings, signals),
        Service::ServerBuyer => serve_frontend(&settings, signals, |deadlines, secrets, backends| {
            Box::new(services::server_buyer(deadlines, secrets, backends))
        }),
        Service::ServerSeller => serve_frontend(&settings, signals, |deadlines, secrets, backends| {
            Box::new(services::server_seller(deadlines, secrets, backends))
        }),
    };
    match served {
        Ok(()) => {
            log::info!("event=stopped service={service}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            log_failure(service, &*error);
            ExitCode::from(FAILED)
        }
    }
}

/// Has SIGHUP read files again, where there are some, and a change of them do the same.
fn reloading(signals: StopSignals, settings: &Settings) -> io::Result<StopSignals> {
    let reloads = settings.reloads();
    if reloads.is_empty() {
        return Ok(signals);
    }
    let files = Arc::clone(&settings.watched_files);
    let seen = Arc::clone(&files);
    // One at a time, so that what was read earlier does not replace what was read later.
    let reloads = Mutex::new(reloads);
    let reload = Arc::new(move || {
        let reloads = reloads.lock().unwrap_or_else(PoisonError::into_inner);
        seen.look();
        reloads.iter().for_each(|reload| reload());
    });
    let on_change = Arc::clone(&reload);
    files.on_change(move || on_change())?;
    signals.reload_on_hangup(move || reload())
}

/// Says why a service ends. What a storage ran into while the service ran is told as an event of its own.
fn log_failure(service: Service, error: &(dyn Error + 'static)) {
    let failure = match error.downcast_ref() {
        Some(RunError::Service(failure)) => failure.downcast_ref(),
        _ => None,
    };
    match failure {
        Some(StorageError::Commit { place, cause }) => {
            log::error!("event=commit_failed path={place} error=\"{cause}\" action=exit");
        }
        Some(StorageError::Maintenance { place, task, cause }) => {
            log::error!("event=maintenance_failed path={place} what={task} error=\"{cause}\" action=exit");
        }
        Some(StorageError::Load(_)) | None => log::error!("event=failed service={service} error=\"{error}\""),
    }
}

fn serve_customer(settings: &Settings, signals: StopSignals) -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::bind(&settings.listen)?;
    equip(settings, slice::from_mut(&mut reactor))?;
    drain_on_signal(signals, vec![reactor.handle()])?;
    let mut threads = Threads::new(reactor.handle().waker());
    let (options, secrets) = (settings.customer, settings.secrets());
    match &settings.store {
        Store::Files(files) => {
            let storage = sqlite::open_customer(&files.data, files.durability, &mut threads)?;
            let room = memory::room(files.memory_max_mib);
            let service = services::db_customer(storage, options, room, secrets, random, &mut threads)?;
            serve_database(settings, reactor, Box::new(service), Vec::new(), threads)
        }
        Store::Engine(engine) => {
            let config = engine.config.clone();
            let service = services::db_customer_on(config, options, secrets, random, &mut threads)?;
            serve_database(settings, reactor, Box::new(service), engine.targets(), threads)
        }
    }
}

fn serve_product(settings: &Settings, signals: StopSignals) -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::bind(&settings.listen)?;
    equip(settings, slice::from_mut(&mut reactor))?;
    drain_on_signal(signals, vec![reactor.handle()])?;
    let mut threads = Threads::new(reactor.handle().waker());
    match &settings.store {
        Store::Files(files) => {
            let storage = sqlite::open_product(&files.data, files.durability, &mut threads)?;
            let room = memory::room(files.memory_max_mib);
            let service = services::db_product(storage, room, settings.secrets())?;
            serve_database(settings, reactor, Box::new(service), Vec::new(), threads)
        }
        Store::Engine(engine) => {
            let service = services::db_product_on(engine.config.clone(), settings.secrets(), seed());
            serve_database(settings, reactor, Box::new(service), engine.targets(), threads)
        }
    }
}

fn serve_database(
    settings: &Settings,
    reactor: Reactor,
    service: Box<dyn net::Service>,
    backends: Vec<Target>,
    threads: Threads,
) -> Result<(), Box<dyn Error>> {
    log_listening(settings.service.name(), reactor.local_addr()?);
    reactor.run(service, settings.limits.clone(), backends)?;
    // The last commit is on disk before the process ends.
    threads.join();
    Ok(())
}

fn serve_frontend(
    settings: &Settings,
    signals: StopSignals,
    service: fn(Deadlines, Option<Secrets>, &Backends) -> Box<dyn net::Service>,
) -> Result<(), Box<dyn Error>> {
    let mut reactors = Reactor::bind_set(&settings.listen, settings.reactors)?;
    equip(settings, &mut reactors)?;
    if settings.backends.are_several() {
        reactors.iter_mut().for_each(|reactor| reactor.spread_links(settings.backends.groups()));
    }
    drain_on_signal(signals, reactors.iter().map(Reactor::handle).collect())?;
    log_listening(settings.service.name(), reactors[0].local_addr()?);
    let handles: Vec<Handle> = reactors.iter().map(Reactor::handle).collect();
    let backends = || settings.backends.addresses().into_iter().map(Target::Lines).collect();
    let run = |reactor: Reactor| {
        let service = service(settings.deadlines, settings.secrets(), &settings.backends);
        let result = reactor.run(service, settings.limits.clone(), backends()).map(|_| ());
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

/// Encrypts what is to be encrypted. Gathers what all reactors of the process count and, if that was asked for, has the
/// first one answer for them all.
fn equip(settings: &Settings, reactors: &mut [Reactor]) -> io::Result<()> {
    reactors.iter_mut().for_each(|reactor| reactor.encrypt(settings.encryption()));
    let files = match &settings.store {
        Store::Files(files) if settings.service.kind() == Kind::Database => Some(files),
        _ => None,
    };
    let data = files.map(|files| &*files.data);
    let registry = status::registry(settings.service, data, files.map(|files| files.memory_max_mib));
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
            warn_untold(status::stopping());
            handles.iter().for_each(Handle::drain);
        }
        Stop::AtOnce if parent::has_parent() => log::info!("event=still_draining signal={signal}"),
        Stop::AtOnce => {
            log::warn!("event=killed signal={signal}");
            log::logger().flush();
            process::exit(i32::from(FAILED));
        }
    })
}

pub(crate) fn log_listening(service: &str, address: SocketAddr) {
    log::info!("event=ready service={service} listening on {address}");
    warn_untold(status::ready());
}

fn warn_untold(told: io::Result<()>) {
    if let Err(error) = told {
        log::warn!("event=systemd_not_told error=\"{error}\"");
    }
}

/// A number that no other process has.
fn seed() -> u64 {
    u64::try_from(random() >> 64).expect("half of the bits are left")
}

/// Unpredictable bits of the system's.
fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system has random bits");
    u128::from_ne_bytes(bytes)
}
