//! `marketplace migrate`: makes the tables of both databases in a store that is no file, or brings them up to date.

use std::process::ExitCode;

use services::postgres::{Migrated, Migration};

use crate::command_line::{print, reject_arguments};
use crate::options::Options;
use crate::store_option::{self, Engine};
use crate::store_session::{Session, Trouble, over};
use crate::subcommand::{Group, Subcommand};
use crate::usage::Usage;

const BRIEF: &str = "\
Usage: marketplace migrate --store URL [OPTION]…

Makes the tables of db_customer and db_product in PostgreSQL, or in what speaks its protocol, or brings them
up to date. What is up to date is left as it is, so it may be run at any time, also while services run.
Of several hosts, the first one that takes changes is asked.
Exit status: 0 done, 1 refused or failed, 2 usage, 3 cannot connect.";

/// The subcommand.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Data, "migrate", usage, run)
}

fn usage() -> Usage {
    let mut options = Options::new();
    store_option::add_options(&mut options);
    Usage::new("marketplace migrate", "make or update the tables of a store that is no file", BRIEF, options)
}

fn run(args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let engine = match reject_arguments(&matches).and_then(|()| Engine::needed(&matches)) {
        Ok(engine) => engine,
        Err(message) => return usage.error(&message),
    };
    match tables(&engine) {
        Ok(migrated) => print(&migrated.iter().map(|one| format!("{one}\n")).collect::<String>()),
        Err(trouble) => trouble.report(),
    }
}

/// Makes the tables in an engine, or brings them up to date.
///
/// # Errors
/// It cannot be reached, or refuses.
pub(crate) fn tables(engine: &Engine) -> Result<Vec<Migrated>, Trouble> {
    over(engine, migrate)
}

fn migrate(session: &mut Session) -> Result<Vec<Migrated>, Trouble> {
    let mut migration = Migration::new();
    while let Some(flight) = migration.flight() {
        let outcome = session.run(flight)?;
        migration.answered(outcome).map_err(|error| Trouble::Refused(error.to_string()))?;
    }
    Ok(migration.migrated().to_vec())
}
