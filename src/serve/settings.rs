//! [`Settings`]: what the command line of a service asks it to be. Nothing is started here.

use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use getopts::{Matches, Options};
use log::LevelFilter;
use net::Limits;
use services::sqlite::{self, Durability};
use services::{CustomerOptions, Deadlines, HashCost};

use crate::client::check_address;
use crate::command_line::{given, number, reject_arguments};
use crate::process::limits::Needs;
use crate::service::{Kind, Service};

/// The most reactors of a frontend.
pub(crate) const REACTORS_MAX: usize = 64;

/// The most threads that hash passwords.
const HASH_THREADS_MAX: usize = 256;

/// What a service was asked to be.
pub(super) struct Settings {
    pub(super) service: Service,
    pub(super) listen: String,
    /// Where the process is watched, if it is.
    pub(super) admin: Option<String>,
    pub(super) limits: Limits,
    pub(super) log_level: LevelFilter,
    /// Of a database.
    pub(super) data: PathBuf,
    pub(super) durability: Durability,
    /// Of `db_customer`.
    pub(super) customer: CustomerOptions,
    /// Of a frontend: the addresses of the databases.
    pub(super) backends: Vec<String>,
    pub(super) deadlines: Deadlines,
    pub(super) reactors: usize,
}

/// The options of `service`.
pub(super) fn options(service: Service) -> Options {
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
        let threads = format!("threads that hash passwords ({})", hash_threads());
        options.optopt("", "hash-threads", &threads, "N");
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
    /// Reads the options that were given.
    ///
    /// # Errors
    /// The command line makes no sense.
    pub(super) fn read(service: Service, matches: &Matches) -> Result<Self, String> {
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

        customer.hash_threads = number(matches, "hash-threads", hash_threads(), 1, HASH_THREADS_MAX)?;

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
    pub(super) fn needs(&self) -> Needs {
        let (backends, files) = match self.service.kind() {
            Kind::Database => (0, sqlite::DESCRIPTORS),
            Kind::Frontend => (self.backends.len(), 0),
        };
        Needs { reactors: self.reactors, backends, files, is_watched: self.admin.is_some() }
    }
}

/// As many threads as leave the event loop a processor of its own.
fn hash_threads() -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    (processors - 1).clamp(1, HASH_THREADS_MAX)
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
