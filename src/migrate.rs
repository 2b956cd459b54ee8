//! `marketplace migrate`: makes the tables of both databases in a store that is no file, or brings them up to date.

mod session;

use std::fmt;
use std::process::ExitCode;

use getopts::Options;
use services::postgres::{Host, Migrated, Migration};

use self::session::Session;
use crate::command_line::{CANNOT_CONNECT, FAILED, parse, print, reject_arguments, report, usage_error};
use crate::store_option::{self, Engine};

const BRIEF: &str = "\
Usage: marketplace migrate --store URL [OPTION]…

Makes the tables of db_customer and db_product in PostgreSQL, or in what speaks its protocol, or brings them
up to date. What is up to date is left as it is, so it may be run at any time, also while services run.
Of several hosts, the first one that takes changes is asked.
Exit status: 0 done, 1 refused or failed, 2 usage, 3 cannot connect.";

/// Why it was not done.
enum Trouble {
    /// There is no connection.
    CannotConnect(String),
    /// The server says no, or what it says is of no use.
    Refused(String),
}

/// Runs the subcommand.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let mut options = Options::new();
    store_option::add_option(&mut options);
    let help = "take a server that acknowledges what it has not flushed; for tests and measurement only";
    options.optflag("", "unsafe-no-flush", help);
    let matches = match parse(&mut options, BRIEF, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let engine = reject_arguments(&matches).and_then(|()| Engine::given(&matches));
    let engine = match engine.and_then(|engine| engine.ok_or_else(|| "--store is missing".to_owned())) {
        Ok(engine) => engine,
        Err(message) => return usage_error(&message, BRIEF),
    };
    match migrate(&engine) {
        Ok(migrated) => print(&migrated.iter().map(|one| format!("{one}\n")).collect::<String>()),
        Err(trouble) => {
            report(&format!("error: {trouble}"));
            ExitCode::from(trouble.code())
        }
    }
}

/// Asks the hosts in turn.
fn migrate(engine: &Engine) -> Result<Vec<Migrated>, Trouble> {
    let mut troubles = Vec::new();
    for host in &engine.config.hosts {
        match Session::open(&engine.config, host, engine.tls(host)) {
            Ok(session) => return migrate_over(session).map_err(|trouble| trouble.of(host)),
            Err(trouble) => troubles.push(trouble.of(host)),
        }
    }
    Err(Trouble::all(&troubles))
}

fn migrate_over(mut session: Session) -> Result<Vec<Migrated>, Trouble> {
    let mut migration = Migration::new();
    while let Some(flight) = migration.flight() {
        let outcome = session.run(flight)?;
        migration.answered(outcome).map_err(|error| Trouble::Refused(error.to_string()))?;
    }
    session.finish();
    Ok(migration.migrated().to_vec())
}

impl Trouble {
    fn of(self, host: &Host) -> Self {
        let place = |message| format!("{}: {message}", host.address());
        match self {
            Self::CannotConnect(message) => Self::CannotConnect(place(message)),
            Self::Refused(message) => Self::Refused(place(message)),
        }
    }

    /// That of all hosts together. It is one of connections if no host has said anything.
    fn all(troubles: &[Self]) -> Self {
        let message = troubles.iter().map(Self::to_string).collect::<Vec<_>>().join("; ");
        match troubles.iter().all(|trouble| matches!(trouble, Self::CannotConnect(_))) {
            true => Self::CannotConnect(message),
            false => Self::Refused(message),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Self::CannotConnect(_) => CANNOT_CONNECT,
            Self::Refused(_) => FAILED,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::CannotConnect(message) | Self::Refused(message)) = self;
        f.write_str(message)
    }
}
