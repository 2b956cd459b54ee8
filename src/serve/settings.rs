//! [`Settings`]: what the command line of a service asks it to be. Nothing is started here.

use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use getopts::Matches;
use log::LevelFilter;
use net::{Encryption, Limits};
use services::sqlite::{self, Durability};
use services::{Backends, CustomerOptions, Deadlines, HashCost, Secrets};

use super::page::{self, Peers};
use crate::client::{check_address, check_addresses};
use crate::command_line::{given, number, reject_arguments};
use crate::options::Options;
use crate::process::limits::Needs;
use crate::process::memory;
use crate::process::watched_files::WatchedFiles;
use crate::secret_file::{self, SecretFile};
use crate::service::{Kind, Service};
use crate::store_option::{self, Engine};
use crate::tls::{self, ClientFiles, ServerFiles};

/// The most reactors of a frontend.
pub(crate) const REACTORS_MAX: usize = 64;

/// The most addresses of a database, and the most connections of a kind to each.
const REPLICAS_MAX: usize = 16;
const LINKS_MAX: usize = 16;
/// The most connections that can be asked for.
const CONNECTIONS_MAX: usize = 1 << 24;
/// The most memory for buffers that can be asked for, and its unit.
const BUFFERS_MAX_MIB: usize = 1 << 20;
const MIB: usize = 1024 * 1024;
/// The most memory for the replies of a connection that can be asked for, and its unit.
const UNREAD_MAX_KIB: usize = 1 << 20;
const KIB: usize = 1024;
/// The most requests or calls in flight that can be asked for.
const IN_FLIGHT_MAX: usize = 1 << 20;
/// The longest time limit that can be asked for in milliseconds, an hour.
const TIMEOUT_MAX_MS: u64 = 3_600_000;
/// The longest time that can be asked for, some 136 years.
pub(crate) const SECONDS_MAX: u64 = 1 << 32;
/// The most memory that a database may be told to fill: a pebibyte.
const MEMORY_MAX_MIB: u64 = 1 << 30;
/// The most threads that hash passwords.
const HASH_THREADS_MAX: usize = 256;

/// What a service was asked to be.
pub(crate) struct Settings {
    pub(super) service: Service,
    pub(super) listen: String,
    /// Where the process is watched, if it is.
    pub(super) admin: Option<String>,
    pub(super) peers: Peers,
    pub(super) limits: Limits,
    pub(super) log_level: LevelFilter,
    /// Of a database.
    pub(crate) store: Store,
    /// Of `db_customer`.
    pub(super) customer: CustomerOptions,
    /// Of a frontend.
    pub(super) backends: Backends,
    pub(super) deadlines: Deadlines,
    pub(super) reactors: usize,
    /// What a database demands, and a frontend shows.
    pub(crate) secret_file: Option<SecretFile>,
    /// How connections of clients are encrypted, and those of a frontend to the databases.
    pub(crate) server_files: Option<ServerFiles>,
    pub(crate) client_files: Option<ClientFiles>,
    /// All files of these, as they were before they were read: they may be replaced while the service runs, and before.
    pub(super) watched_files: Arc<WatchedFiles>,
}

/// Where a database keeps what it knows.
pub(crate) enum Store {
    Files(Files),
    Engine(Engine),
}

/// A file in a folder, and what of it is in memory.
pub(crate) struct Files {
    pub(crate) data: PathBuf,
    pub(super) durability: Durability,
    pub(super) memory_max_mib: u64,
}

/// The options of `service`.
pub(crate) fn options(service: Service) -> Options {
    let mut options = Options::new();
    let listen = format!("the address to listen on, port 0 for a free one ({})", service.default_address());
    options.value("listen", &listen, "HOST:PORT");
    match service.kind() {
        Kind::Database => {
            options.value("data", "the folder of the database's file (./data)", "DIR");
            store_option::add_option(&mut options);
            let memory = format!("memory at which nothing new is kept ({})", memory::default_max_mib());
            options.value("memory-max-mib", &memory, "MIB");
            let help = "for measurement only: do not flush commits, so that a power cut may lose them";
            options.flag("unsafe-no-flush", help);
            let help = format!("requests of a connection in flight ({})", service.limits().in_flight_max);
            options.value("in-flight-max", &help, "N");
        }
        Kind::Frontend => {
            for (option, database) in [("customer", Service::DbCustomer), ("product", Service::DbProduct)] {
                let help = format!("where {database} listens, once or more ({})", database.default_address());
                options.value(option, &help, "HOST:PORT,…");
            }
            let help = "connections to each address of a database, for each kind of call (1)";
            options.value("links", help, "N");
            let help = "how long a connection of several to an address is used until it is made anew (120)";
            options.value("link-lifetime", help, "SECONDS");
            options.value("reactors", "event loops that share the port, a thread each (1)", "N");
            options.value("call-timeout-ms", "time limit of a call to a database (2000)", "MS");
            let help = "age of the oldest call at which a database is behind and requests are refused (half of that)";
            options.value("behind-after-ms", help, "MS");
            let Limits { calls_max, link_bytes_max, .. } = service.limits();
            let help = format!("calls to a database in flight, for each kind of call ({calls_max})");
            options.value("calls-max", &help, "N");
            let help = format!("the memory of those calls ({})", link_bytes_max / MIB);
            options.value("calls-max-mib", &help, "MIB");
        }
    }
    if service == Service::DbCustomer {
        options.value("session-timeout", "how long a session may be idle (300)", "SECONDS");
        options.value("hash-memory-kib", "memory that hashing a password takes (7168)", "KIB");
        let threads = format!("threads that hash passwords ({})", hash_threads());
        options.value("hash-threads", &threads, "N");
        options.value("hash-passes", "passes over that memory (5)", "N");
    }
    secret_file::add_option(&mut options);
    tls::add_server_options(&mut options);
    if service.kind() == Kind::Frontend {
        tls::add_client_option(&mut options);
    }
    options.value("connections-max", "connections at the same time (16384)", "N");
    options.value("address-connections-max", "those from one address or IPv6 network (any number)", "N");
    options.value("idle-timeout", "how long a connection may be idle (for ever)", "SECONDS");
    options.value("line-timeout", "how long a request line may take to arrive (30)", "SECONDS");
    options.value("stall-timeout", "how long a client may leave replies unread (60)", "SECONDS");
    let line = format!("the longest request line ({})", service.limits().line_bytes_max);
    options.value("line-bytes-max", &line, "BYTES");
    let mib = service.limits().buffer_bytes_max / MIB;
    let buffers = format!("memory that the buffers of all connections take ({mib})");
    options.value("buffers-max-mib", &buffers, "MIB");
    let kib = service.limits().outbox_bytes_max / KIB;
    let unread = format!("replies that a connection may leave unread before it is read on ({kib})");
    options.value("unread-max-kib", &unread, "KIB");
    page::add_options(&mut options);
    options.value("slow-ms", "log requests that take longer (none)", "MS");
    options.choice("log", "error, warn, info or debug (info)", "LEVEL", &["error", "warn", "info", "debug"]);
    options
}

impl Settings {
    /// What a service would be with these options.
    ///
    /// # Errors
    /// They make no sense to it.
    pub(crate) fn of(service: Service, args: &[String]) -> Result<Self, String> {
        Self::read(service, &options(service).parse(args)?)
    }

    /// Reads the options that were given.
    ///
    /// # Errors
    /// The command line makes no sense.
    pub(super) fn read(service: Service, matches: &Matches) -> Result<Self, String> {
        reject_arguments(matches)?;
        let replaceable = [secret_file::OPTION].into_iter().chain(tls::FILE_OPTIONS);
        let files = replaceable.filter_map(|option| given(matches, option).map(PathBuf::from));
        let watched_files = Arc::new(WatchedFiles::new(files.collect()));
        let listen = address(matches, "listen", service)?;
        let customer_addresses = addresses(matches, "customer", Service::DbCustomer)?;
        let product_addresses = addresses(matches, "product", Service::DbProduct)?;
        let links = number(matches, "links", 1, 1, LINKS_MAX)?;
        let backends = Backends::new(customer_addresses, product_addresses, links);
        let link_lifetime = seconds(matches, "link-lifetime", backends.link_lifetime())?;
        let backends = backends.with_link_lifetime(link_lifetime);

        let mut limits = limits(service, matches)?;

        let admin = given(matches, "admin");
        if let Some(admin) = &admin {
            check_address(admin).map_err(|error| format!("--admin: {error}"))?;
        }
        let mut customer = CustomerOptions::default();
        customer.session_timeout = seconds(matches, "session-timeout", customer.session_timeout)?;
        let HashCost { memory_kib, passes } = customer.hash_cost;
        customer.hash_cost = HashCost {
            memory_kib: number(matches, "hash-memory-kib", memory_kib, 8, 1 << 20)?,
            passes: number(matches, "hash-passes", passes, 1, 1000)?,
        };

        customer.hash_threads = number(matches, "hash-threads", hash_threads(), 1, HASH_THREADS_MAX)?;

        let deadlines = deadlines(matches)?;
        limits.waiting_timeout = backends.waiting_timeout(deadlines.call);
        Ok(Self {
            service,
            listen,
            admin,
            peers: Peers::given(matches)?,
            limits,
            log_level: log_level(matches)?,
            store: store(matches)?,
            customer,
            backends,
            deadlines,
            reactors: number(matches, "reactors", 1, 1, REACTORS_MAX)?,
            secret_file: SecretFile::given(matches)?,
            server_files: ServerFiles::given(matches)?,
            client_files: ClientFiles::given(matches)?,
            watched_files,
        })
    }

    /// What is encrypted.
    pub(super) fn encryption(&self) -> Encryption {
        Encryption {
            server: self.server_files.as_ref().map(|files| files.tls.clone()),
            client: self.client_files.as_ref().map(|files| files.tls.clone()),
        }
    }

    /// What reads the files again that there are.
    pub(super) fn reloads(&self) -> Vec<Box<dyn Fn() + Send>> {
        let secret = self.secret_file.clone().map(|file| Box::new(move || file.reload()) as _);
        let server = self.server_files.clone().map(|files| Box::new(move || files.reload()) as _);
        let client = self.client_files.clone().map(|files| Box::new(move || files.reload()) as _);
        [secret, server, client].into_iter().flatten().collect()
    }

    /// What a database demands, and a frontend shows.
    pub(super) fn secrets(&self) -> Option<Secrets> {
        self.secret_file.as_ref().map(|file| file.secrets.clone())
    }

    /// The descriptors that the service will need.
    pub(super) fn needs(&self) -> Needs {
        let (backends, files) = match (self.service.kind(), &self.store) {
            (Kind::Database, Store::Engine(engine)) => (engine.config.connections, 0),
            (Kind::Database, Store::Files(_)) => (0, sqlite::DESCRIPTORS + memory::DESCRIPTORS),
            (Kind::Frontend, _) => (self.backends.addresses().len(), 0),
        };
        Needs { reactors: self.reactors, backends, files, is_watched: self.admin.is_some() }
    }
}

/// Where a database is to keep what it knows.
fn store(matches: &Matches) -> Result<Store, String> {
    if let Some(engine) = Engine::given(matches)? {
        let of_files = ["data", "memory-max-mib"].into_iter().find(|option| given(matches, option).is_some());
        return match of_files {
            Some(option) => Err(format!("--store and --{option} exclude each other")),
            None => Ok(Store::Engine(engine)),
        };
    }
    Ok(Store::Files(Files {
        data: given(matches, "data").unwrap_or_else(|| "./data".to_owned()).into(),
        durability: durability(matches),
        memory_max_mib: number(matches, "memory-max-mib", memory::default_max_mib(), 1, MEMORY_MAX_MIB)?,
    }))
}

/// The limits of the service's node that do not follow from its other options.
fn limits(service: Service, matches: &Matches) -> Result<Limits, String> {
    let mut limits = service.limits();
    limits.connections_max = number(matches, "connections-max", limits.connections_max, 1, CONNECTIONS_MAX)?;
    if given(matches, "address-connections-max").is_some() {
        let max = number(matches, "address-connections-max", 0, 1, CONNECTIONS_MAX)?;
        limits.address_connections_max = Some(max);
    }
    limits.line_bytes_max =
        number(matches, "line-bytes-max", limits.line_bytes_max, 128, service.line_bytes_max())?;
    let buffers_mib = limits.buffer_bytes_max / MIB;
    limits.buffer_bytes_max = number(matches, "buffers-max-mib", buffers_mib, 1, BUFFERS_MAX_MIB)? * MIB;
    let unread_kib = limits.outbox_bytes_max / KIB;
    limits.outbox_bytes_max = number(matches, "unread-max-kib", unread_kib, 1, UNREAD_MAX_KIB)? * KIB;
    limits.in_flight_max = number(matches, "in-flight-max", limits.in_flight_max, 1, IN_FLIGHT_MAX)?;
    limits.calls_max = number(matches, "calls-max", limits.calls_max, 1, IN_FLIGHT_MAX)?;
    let calls_mib = limits.link_bytes_max / MIB;
    limits.link_bytes_max = number(matches, "calls-max-mib", calls_mib, 1, BUFFERS_MAX_MIB)? * MIB;
    limits.line_timeout = seconds(matches, "line-timeout", limits.line_timeout)?;
    limits.stall_timeout = seconds(matches, "stall-timeout", limits.stall_timeout)?;
    if given(matches, "idle-timeout").is_some() {
        limits.idle_timeout = Some(seconds(matches, "idle-timeout", Duration::ZERO)?);
    }
    if given(matches, "slow-ms").is_some() {
        limits.slow_after = Some(Duration::from_millis(number(matches, "slow-ms", 0, 1, TIMEOUT_MAX_MS)?));
    }
    Ok(limits)
}

/// How long a frontend waits for the databases.
fn deadlines(matches: &Matches) -> Result<Deadlines, String> {
    let ms = |option: &str, default: Duration| {
        let default_ms = u64::try_from(default.as_millis()).unwrap_or(TIMEOUT_MAX_MS);
        number(matches, option, default_ms, 1, TIMEOUT_MAX_MS).map(Duration::from_millis)
    };
    let deadlines = Deadlines::new(ms("call-timeout-ms", Deadlines::default().call)?);
    // Half of the shortest time limit is less than a millisecond.
    let default = deadlines.behind_after.max(Duration::from_millis(1));
    Ok(Deadlines { behind_after: ms("behind-after-ms", default)?, ..deadlines })
}

/// The duration that an option was given, or the default.
fn seconds(matches: &Matches, option: &str, default: Duration) -> Result<Duration, String> {
    Ok(Duration::from_secs(number(matches, option, default.as_secs(), 1, SECONDS_MAX)?))
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

/// The addresses of `service` that an option was given, separated by commas, or the default.
fn addresses(matches: &Matches, option: &str, service: Service) -> Result<Vec<String>, String> {
    let given = given(matches, option).unwrap_or_else(|| service.default_address());
    let addresses: Vec<String> = given.split(',').map(str::to_owned).collect();
    check_addresses(&addresses, REPLICAS_MAX).map_err(|error| format!("--{option}: {error}"))?;
    Ok(addresses)
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
