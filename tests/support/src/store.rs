//! [`Store`]: where the databases of a test keep what they know: in files of their own or, with `MARKETPLACE_TEST_STORE` in
//! the environment, in a database of their own at the PostgreSQL that this names.
//!
//! It is the URL of a server (`postgres://USER@HOST:PORT/postgres`) where databases may be made, and `psql` must be
//! installed.

use std::env;
use std::process::{self, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::installed::ask_psql;
use crate::program::Program;

const SERVER: &str = "MARKETPLACE_TEST_STORE";
/// Connections of each database: few, for many tests run side by side.
const CONNECTIONS: usize = 3;

/// Where the databases of a test keep what they know. Dropped, it is gone.
pub enum Store {
    /// Files in this folder.
    Files(TempDir),
    /// Tables in a database of an engine.
    Engine(EngineDatabase),
}

/// A database of an engine, with all tables.
pub struct EngineDatabase {
    name: String,
    /// Where it is.
    pub url: String,
}

impl Store {
    /// An empty one, whose tables are made by this program.
    pub fn new(program: Program) -> Self {
        match server() {
            Some(server) => Self::Engine(EngineDatabase::new(server, program)),
            None => Self::files(),
        }
    }

    /// An empty folder, whatever the environment says.
    pub fn files() -> Self {
        Self::Files(tempfile::tempdir().expect("a directory can be made"))
    }

    /// Whether those that are made are in an engine, if nothing else is asked for.
    pub fn is_engine() -> bool {
        server().is_some()
    }

    /// Brings its tables up to date by this program, if it has some.
    #[track_caller]
    pub(crate) fn migrate(&self, program: Program) {
        if let Self::Engine(database) = self {
            migrate(program, &database.url);
        }
    }

    /// The option of a database that keeps there what it knows.
    pub(crate) fn arg(&self) -> String {
        match self {
            Self::Files(folder) => format!("--data={}", folder.path().display()),
            Self::Engine(database) => format!("--store={}", database.url),
        }
    }
}

impl EngineDatabase {
    fn new(server: &str, program: Program) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        sql(server, &format!("CREATE DATABASE {name} TEMPLATE {}", template(server, program)));
        let url = format!("{}?connections={CONNECTIONS}", of_database(server, &name));
        Self { name, url }
    }
}

impl Drop for EngineDatabase {
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
fn template(server: &str, program: Program) -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let name = format!("test_{}", process::id());
        sql(server, &format!("CREATE DATABASE {name}"));
        migrate(program, &of_database(server, &name));
        name
    })
}

/// The URL of another database of the server.
fn of_database(server: &str, name: &str) -> String {
    let (place, _) = server.rsplit_once('/').expect("a URL ends with the name of a database");
    format!("{place}/{name}")
}

#[track_caller]
fn migrate(program: Program, url: &str) {
    let output = program.command(&["migrate", "--store", url]).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[track_caller]
fn sql(server: &str, statement: &str) {
    ask_psql(&mut Command::new("psql"), server, statement);
}
