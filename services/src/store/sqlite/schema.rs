//! [`Schema`]: what is in a database's file, how a file is told from others, and how an older one is brought up to date.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;
use super::commits::Mark;
use super::error::{failure, unreadable};
use super::reader::Reader;
use super::seal::survey;

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
    ///
    /// [`LINEAGE`] is one of them. With it, or after it, each table gets the columns that [`seal`](super::seal) tells
    /// of; an entry that changes rows seals them anew.
    const MIGRATIONS: &'static [&'static str];
    /// The tables, but for that of [`LINEAGE`].
    const TABLES: &'static [&'static str];

    /// Gives a connection the functions that [`Schema::MIGRATIONS`] call, but for those that seal rows.
    ///
    /// # Errors
    /// What SQLite says.
    fn install(_connection: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }

    /// Stores a row.
    ///
    /// # Errors
    /// What SQLite says.
    fn write(connection: &Connection, row: &Self::Row) -> rusqlite::Result<()>;

    /// Shows all rows to `visit`, as [`Storage::load`](crate::engine::storage::Storage::load) does.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    fn read(reader: &Reader<'_>, visit: &mut dyn FnMut(Self::Row) -> bool) -> Result<(), StoreError>;
}

/// The table of which database this is, with one row: a number, by chance. When rows are removed, it gets the number of
/// that commit, so that the greatest number of all rows is always that of the last commit.
pub(crate) const LINEAGE: &str = "
    CREATE TABLE lineage (
        id            INTEGER PRIMARY KEY CHECK (id = 1),
        number        INTEGER NOT NULL,
        commit_number INTEGER NOT NULL,
        checksum      INTEGER NOT NULL
    ) STRICT;
    INSERT INTO lineage VALUES (1, random(), commit_number(), 0);
    UPDATE lineage SET checksum = sealed(NULL, id, number);
";

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

/// Reads all that is in a file, and returns where it stands; `None` if it is empty, or of a version that did not tell.
///
/// # Errors
/// It is damaged.
pub(super) fn examine<S: Schema>(connection: &Connection, path: &Path) -> Result<Option<Mark>, StoreError> {
    let read = || {
        let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'lineage'";
        if connection.query_row(sql, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(None);
        }
        let tables = [S::TABLES, &["lineage"]].concat();
        let state = survey(connection, &tables)?;
        let lineage = connection.query_row("SELECT number FROM lineage", [], |row| row.get(0))?;
        Ok(Some(state.map(|state| Mark { lineage, state })))
    };
    let mark = read().map_err(|error| unreadable(path, error))?;
    mark.transpose().map_err(|what| StoreError::Damaged(path.into(), what))
}

/// Checks the pages of a file by one of SQLite's checks: it may be damaged where nothing is read. A page that is in use
/// could be counted among the free ones, and be overwritten later.
///
/// # Errors
/// It is damaged.
pub(super) fn check_pages(connection: &Connection, path: &Path, check: &str) -> Result<(), StoreError> {
    let said = connection.query_row(&format!("PRAGMA {check}(1)"), [], |row| row.get::<_, String>(0));
    match said.map_err(|error| failure(path, error))? {
        sound if sound == "ok" => Ok(()),
        damage => Err(StoreError::Damaged(path.into(), damage.replace('\n', " "))),
    }
}

/// Brings a file of version `found` up to date, all at once.
///
/// # Errors
/// What SQLite says.
pub(super) fn migrate<S: Schema>(connection: &mut Connection, found: usize) -> rusqlite::Result<()> {
    let known = S::MIGRATIONS.len();
    if found == known {
        return Ok(());
    }
    // What is replaced must not be left where the file is free.
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.transaction()?;
    apply::<S>(&transaction, found)?;
    transaction.pragma_update(None, "application_id", S::APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", i64::try_from(known).expect("they are few"))?;
    transaction.commit()
}

/// Carries out the migrations from version `found` on.
///
/// # Errors
/// What SQLite says.
pub(super) fn apply<S: Schema>(connection: &Connection, found: usize) -> rusqlite::Result<()> {
    S::install(connection)?;
    S::MIGRATIONS.iter().skip(found).try_for_each(|statements| connection.execute_batch(statements))
}
