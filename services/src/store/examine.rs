//! Looks whether a service could serve a copy of a database's file, which it leaves complete in itself, and as it is.

use std::path::Path;

use rusqlite::Connection;

use super::connection::connect;
use super::reader::Reader;
use super::schema::{Schema, identify};
use super::{StoreError, failure};

/// Examines a file that nobody uses, by what a service does at its start. `load` reads what a service needs of it.
/// Returns how many commits it holds.
///
/// # Errors
/// See [`StoreError`].
pub(crate) fn examine<S: Schema>(
    path: &Path,
    load: impl FnOnce(&Reader<'_>) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let connection = connect(path)?;
    let version = identify::<S>(&connection, path)?;
    check_pages(&connection, path)?;
    let migrate = || {
        // A file that says that it has a log would need one.
        connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        // An older file is brought up to date in a transaction that is never committed.
        connection.execute_batch("BEGIN")?;
        S::MIGRATIONS.iter().skip(version).try_for_each(|statements| connection.execute_batch(statements))
    };
    migrate().map_err(|error| failure(path, error))?;
    load(&Reader::new(&connection, path))?;
    Ok(0)
}

/// Looks at the structure of the file, page by page.
fn check_pages(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let check = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
    match check.map_err(|error| failure(path, error))?.as_str() {
        "ok" => Ok(()),
        fault => Err(StoreError::Damaged(path.into(), fault.to_owned())),
    }
}
