//! [`Schema`]: what is in a database's file, how a file is told from others, and how an older one is brought up to date.

use std::path::Path;

use rusqlite::Connection;

use super::{StoreError, failure};

/// How the rows of a database lie in its file.
pub(crate) trait Schema: Send + 'static {
    /// A row to be stored.
    type Row: Send + 'static;

    /// The name of the file, without its extension.
    const NAME: &'static str;
    /// Marks the file as that of this database (`PRAGMA application_id`).
    const APPLICATION_ID: i32;
    /// The statements that bring a file from each version to the next. A new file has version 0; the version
    /// is kept as `PRAGMA user_version`. Entries are appended, never changed.
    const MIGRATIONS: &'static [&'static str];

    /// Stores a row.
    ///
    /// # Errors
    /// What SQLite says.
    fn write(connection: &Connection, row: &Self::Row) -> rusqlite::Result<()>;
}

/// The version of the file at `path`, which is 0 if it is new. Nothing is written to it: it may be another's.
///
/// # Errors
/// It is another's, or too new.
pub(super) fn identify<S: Schema>(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let read = || {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let count = "SELECT count(*) FROM sqlite_schema";
        let tables: i64 = connection.query_row(count, [], |row| row.get(0))?;
        Ok((pragma("application_id")?, pragma("user_version")?, tables))
    };
    let (application_id, version, tables) = read().map_err(|error| failure(path, error))?;
    let is_new = (application_id, version, tables) == (0, 0, 0);
    if !is_new && application_id != i64::from(S::APPLICATION_ID) {
        return Err(StoreError::Foreign(path.into()));
    }
    let (found, known) = (usize::try_from(version).unwrap_or(usize::MAX), S::MIGRATIONS.len());
    if found > known {
        return Err(StoreError::Newer { path: path.into(), found, known });
    }
    Ok(found)
}

/// Brings a file of version `found` up to date.
///
/// # Errors
/// What SQLite says.
pub(super) fn migrate<S: Schema>(
    connection: &mut Connection,
    path: &Path,
    found: usize,
) -> Result<(), StoreError> {
    for (version, statements) in (1..).zip(S::MIGRATIONS).skip(found) {
        step::<S>(connection, version, statements).map_err(|error| failure(path, error))?;
    }
    Ok(())
}

fn step<S: Schema>(connection: &mut Connection, version: i32, statements: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(statements)?;
    transaction.pragma_update(None, "application_id", S::APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", version)?;
    transaction.commit()
}
