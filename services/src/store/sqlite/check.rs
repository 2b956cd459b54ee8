//! Checks a copy of a database's file as a service does at its start, and leaves what is in it as it is.

use std::path::Path;

use super::StoreError;
use super::commits::Mark;
use super::connection::connect;
use super::error::failure;
use super::reader::Reader;
use super::schema::{Schema, apply, check_pages, examine, identify};
use super::seal::{Seal, State};

/// Checks each page and each row of a file that nobody uses, and makes it complete in itself. Takes next to no memory.
/// Returns where it stands; `None` if it is of a version that did not tell.
///
/// # Errors
/// It is damaged, another's, or too new.
pub(crate) fn check<S: Schema>(path: &Path) -> Result<Option<Mark>, StoreError> {
    let connection = connect(path)?;
    identify::<S>(&connection, path)?;
    check_pages(&connection, path, "integrity_check")?;
    // A file that says that it has a log would need one.
    let mode = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()));
    mode.map_err(|error| failure(path, error))?;
    examine::<S>(&connection, path)
}

/// Shows the rows of a file that was checked to `load`, as to the memory of a service.
///
/// # Errors
/// It is damaged.
pub(crate) fn check_load<S: Schema>(
    path: &Path,
    mut load: impl FnMut(S::Row) -> bool,
) -> Result<(), StoreError> {
    let connection = connect(path)?;
    let version = identify::<S>(&connection, path)?;
    // An older file is brought up to date in a transaction that is never committed.
    let migrate = || {
        let seal = Seal::default();
        seal.install(&connection)?;
        seal.begin(State::default());
        connection.execute_batch("BEGIN")?;
        apply::<S>(&connection, version)
    };
    migrate().map_err(|error| failure(path, error))?;
    S::read(&Reader::new(&connection, path), &mut load)
}
