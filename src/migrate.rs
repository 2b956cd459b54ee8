//! `marketplace migrate`: makes the tables of both databases in a store that is no file, or brings them up to date.

use std::process::ExitCode;

use getopts::Options;
use services::postgres::{Migrated, Migration};

use crate::command_line::{parse, print, reject_arguments, usage_error};
use crate::store_option::{self, Engine};
use crate::store_session::{Session, Trouble, over};

const BRIEF: &str = "\
Usage: marketplace migrate --store URL [OPTION]…

Makes the tables of db_customer and db_product in PostgreSQL, or in what speaks its protocol, or brings them
up to date. What is up to date is left as it is, so it may be run at any time, also while services run.
Of several hosts, the first one that takes changes is asked.
Exit status: 0 done, 1 refused or failed, 2 usage, 3 cannot connect.";

/// Runs the subcommand.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let mut options = Options::new();
    store_option::add_options(&mut options);
    let matches = match parse(&mut options, BRIEF, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let engine = match reject_arguments(&matches).and_then(|()| Engine::needed(&matches)) {
        Ok(engine) => engine,
        Err(message) => return usage_error(&message, BRIEF),
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
