//! [`Store`]: a database's rows in one SQLite file. It commits groups of rows, each with one flush; what the
//! rows mean is its [`Schema`]'s knowledge, and when to commit is its caller's.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::marker::PhantomData;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use net::Work;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::database::Group;

/// How long a commit waits for another program that writes to the file, such as a database shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that are kept: more than any schema has.
const STATEMENTS_MAX: usize = 32;

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

/// An open file, locked against other processes.
pub(crate) struct Store<S> {
    connection: Connection,
    path: PathBuf,
    /// Held until the file is closed.
    _lock: File,
    schema: PhantomData<S>,
}

/// Why a store cannot be opened or read.
#[derive(Debug)]
pub enum StoreError {
    /// Another process has it open.
    InUse(PathBuf),
    /// It was written by a newer version of this program.
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// It is a file of something else.
    Foreign(PathBuf),
    /// Its contents make no sense.
    Damaged(PathBuf, String),
    /// The system or SQLite refuses.
    Failed(PathBuf, String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "{} is in use by another process", path.display()),
            Self::Newer { path, found, known } => write!(
                f,
                "{} has version {found}, and this program knows versions up to {known}: use a newer program",
                path.display()
            ),
            Self::Foreign(path) => write!(f, "{} is not a file of this database", path.display()),
            Self::Damaged(path, what) => {
                write!(f, "{} is damaged ({what}): restore it from a backup", path.display())
            }
            Self::Failed(path, what) => write!(f, "{} cannot be used: {what}", path.display()),
        }
    }
}

impl std::error::Error for StoreError {}

impl<S: Schema> Store<S> {
    /// Opens the store in a directory; makes what is missing, readable by this user alone, and brings an
    /// older file up to date.
    ///
    /// # Errors
    /// See [`StoreError`]. The file is left as it was.
    pub(crate) fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(S::NAME).with_extension("db");
        let io_failed = |error: io::Error| StoreError::Failed(path.clone(), error.to_string());
        create_directory(directory).map_err(io_failed)?;
        let lock = create_private(&path.with_extension("lock")).map_err(io_failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse(path.clone()),
            TryLockError::Error(error) => io_failed(error),
        })?;
        create_private(&path).map_err(io_failed)?;
        // The file's entry in its directory must outlast a power cut like what is in it.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(io_failed)?;

        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(|error| failure(&path, error))?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failure(&path, error))?;
        let mut store = Self { connection, path, _lock: lock, schema: PhantomData };
        let version = store.identify()?;
        store.configure()?;
        store.migrate(version)?;
        Ok(store)
    }

    /// Reads rows with a query and shows each to `visit`, which returns `None` for one that makes no sense.
    ///
    /// # Errors
    /// The file is damaged or cannot be read.
    pub(crate) fn read(
        &self,
        query: &str,
        mut visit: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<Option<()>>,
    ) -> Result<(), StoreError> {
        let mut read = || {
            let mut statement = self.connection.prepare(query)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if visit(row)?.is_none() {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        match read() {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err(StoreError::Damaged(self.path.clone(), format!("a row of `{query}` is invalid")))
            }
            Err(error) => Err(failure(&self.path, error)),
        }
    }

    /// Stores a group; when this returns, it is on disk.
    ///
    /// # Errors
    /// What SQLite says. The group may or may not be on disk.
    pub(crate) fn commit(&mut self, group: &Group<S::Row>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for row in &group.rows {
            S::write(&transaction, row)?;
        }
        transaction.commit()
    }

    fn configure(&self) -> Result<(), StoreError> {
        self.connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let wal = self.connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        let mode: String = wal.map_err(|error| failure(&self.path, error))?;
        if mode != "wal" {
            let what = format!("SQLite keeps the journal mode {mode} here, and needs WAL");
            return Err(StoreError::Failed(self.path.clone(), what));
        }
        let synchronous = self.connection.pragma_update(None, "synchronous", "FULL");
        synchronous.map_err(|error| failure(&self.path, error))
    }

    /// The version of the file, which is 0 if it is new. Until then nothing is written to it: it may be another's.
    fn identify(&self) -> Result<usize, StoreError> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let versions = pragma("application_id").and_then(|id| Ok((id, pragma("user_version")?)));
        let (application_id, version) = versions.map_err(|error| failure(&self.path, error))?;
        let known = S::MIGRATIONS.len();
        let is_new = application_id == 0 && version == 0 && self.is_empty()?;
        if !is_new && application_id != i64::from(S::APPLICATION_ID) {
            return Err(StoreError::Foreign(self.path.clone()));
        }
        let found = usize::try_from(version).unwrap_or(usize::MAX);
        if found > known {
            return Err(StoreError::Newer { path: self.path.clone(), found, known });
        }
        Ok(found)
    }

    /// Brings a file of version `found` up to date.
    fn migrate(&mut self, found: usize) -> Result<(), StoreError> {
        for (version, statements) in (1..).zip(S::MIGRATIONS).skip(found) {
            self.step(version, statements).map_err(|error| failure(&self.path, error))?;
        }
        Ok(())
    }

    fn step(&mut self, version: i32, statements: &str) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute_batch(statements)?;
        transaction.pragma_update(None, "application_id", S::APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        let tables = self.connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        tables.map(|tables: i64| tables == 0).map_err(|error| failure(&self.path, error))
    }
}

/// The store on its thread.
impl<S: Schema> Work for Store<S> {
    type Job = Group<S::Row>;
    type Done = u64;

    /// Commits a group and returns its number.
    ///
    /// A failure ends the process at once: memory is ahead of the disk, and after a failed flush nobody
    /// knows what a second one would prove. What was acknowledged is on disk.
    fn run(&mut self, group: Group<S::Row>) -> u64 {
        if let Err(error) = self.commit(&group) {
            log::error!("event=commit_failed path={} error=\"{error}\" action=exit", self.path.display());
            process::exit(1);
        }
        group.number
    }
}

/// Makes a directory and those above it that are missing, so that they outlast a power cut.
fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.exists() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(Path::new(""));
    create_directory(parent)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    File::open(parent)?.sync_all()
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn failure(path: &Path, error: rusqlite::Error) -> StoreError {
    let damaged = match &error {
        rusqlite::Error::SqliteFailure(error, _) => {
            matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        // A column holds something else than our statements put there.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        _ => false,
    };
    if damaged {
        StoreError::Damaged(path.into(), error.to_string())
    } else {
        StoreError::Failed(path.into(), error.to_string())
    }
}

#[cfg(test)]
mod tests;
