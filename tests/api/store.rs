//! [`Store`]: where the databases of a test keep what they know: in files of their own or, with `MARKETPLACE_TEST_STORE` in
//! the environment, in a database of their own at the PostgreSQL that this names.
//!
//! It is the URL of a server (`postgres://USER@HOST:PORT/postgres`) where databases may be made, and `psql` must be
//! installed. Each service then has three
//! replicas, and each call goes to one of them by chance.

use std::env;
use std::path::Path;
use std::process::{self, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use services::postgres::Config;
use tempfile::TempDir;

const SERVER: &str = "MARKETPLACE_TEST_STORE";
/// Connections of each replica: few, for many tests run side by side.
const CONNECTIONS: usize = 3;
/// Replicas of each service, where there can be more than one.
const REPLICAS: usize = 3;

/// Where the databases of a test keep what they know. Dropped, it is gone.
pub(crate) enum Store {
    Files(TempDir),
    Engine(Engine),
}

/// A database of an engine.
pub(crate) struct Engine {
    name: String,
    pub(crate) config: Config,
}

impl Store {
    /// An empty one.
    pub(crate) fn new() -> Store {
        match server() {
            Some(server) => Store::Engine(Engine::new(server)),
            None => Store::files(),
        }
    }

    /// An empty folder, whatever the environment says.
    pub(crate) fn files() -> Store {
        Store::Files(tempfile::tempdir().unwrap())
    }

    /// Whether those that are made are in an engine, if nothing else is asked for.
    pub(crate) fn is_engine() -> bool {
        server().is_some()
    }

    /// How many of each service there may be.
    pub(crate) fn replicas(&self) -> usize {
        match self {
            Store::Files(_) => 1,
            Store::Engine(_) => REPLICAS,
        }
    }
}

impl Engine {
    fn new(server: &str) -> Engine {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        sql(server, &format!("CREATE DATABASE {name} TEMPLATE {}", template(server)));
        let url = format!("{}?connections={CONNECTIONS}", of_database(server, &name));
        Engine { name, config: Config::parse(&url, None).unwrap() }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let server = server().expect("it was made there");
        sql(server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

fn server() -> Option<&'static str> {
    static URL: OnceLock<Option<String>> = OnceLock::new();
    URL.get_or_init(|| env::var(SERVER).ok()).as_deref()
}

/// A database with empty tables, which all others are copies of.
fn template(server: &str) -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = format!("test_{}", process::id());
        sql(server, &format!("CREATE DATABASE {name}"));
        let mut migrate = Command::new(Path::new(env!("CARGO_BIN_EXE_marketplace")));
        let output = migrate.args(["migrate", "--store", &of_database(server, &name)]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        name
    })
}

/// The URL of another database of the server.
fn of_database(server: &str, name: &str) -> String {
    let (place, _) = server.rsplit_once('/').expect("a URL ends with the name of a database");
    format!("{place}/{name}")
}

#[track_caller]
fn sql(server: &str, statement: &str) {
    let mut psql = Command::new("psql");
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--set=ON_ERROR_STOP=1",
        "--dbname",
        server,
        "--command",
        statement,
    ]);
    let output = psql.output().expect("psql is installed");
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
}
