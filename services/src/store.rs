//! [`Store`]: a database's rows in one SQLite file. It commits groups of rows, each with one flush; what the
//! rows mean is its [`Schema`]'s knowledge, and when to commit is its caller's. Its write-ahead log is brought
//! into the file elsewhere, see [`maintenance`].

pub(crate) mod backup;
pub(crate) mod copy;
mod maintenance;
pub(crate) mod restore;

use std::error::Error;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use net::{Work, Workers};
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use self::maintenance::{LOG_PAGE_BYTES, LOG_PAGES_MAX, Maintainer, StoreWorker};
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

/// When a commit is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Once it is flushed to the disk, so that it outlasts a power cut.
    #[default]
    Flush,
    /// Once the system has it. For measurement only: it outlasts the process, but a power cut may undo it or
    /// damage the file.
    NoFlush,
}

/// An open file, locked against other processes.
pub(crate) struct Store<S> {
    connection: SharedFile,
    durability: Durability,
    path: PathBuf,
    schema: PhantomData<S>,
}

/// A connection to a database that has others in this process.
///
/// SQLite brings the log into the database file when the last connection is closed. Of two that are closed at the same
/// time none would be the last, so they are closed one after another.
struct SharedFile {
    /// Always there until the end.
    connection: Option<Connection>,
    files: Arc<Files>,
}

/// What outlasts every connection to the database.
struct Files {
    /// Locked until the last connection is closed.
    _lock: File,
    /// The database once more, to flush it. If it were closed before the last connection, the system would
    /// take the locks of all connections of this process away.
    database: File,
    /// Held while a connection is closed.
    closing: Mutex<()>,
}

impl Deref for SharedFile {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is open until the end")
    }
}

impl DerefMut for SharedFile {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is open until the end")
    }
}

impl Drop for SharedFile {
    fn drop(&mut self) {
        let _one_at_a_time = self.files.closing.lock();
        self.connection = None;
    }
}

/// What a commit reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The number of the group.
    number: u64,
    log: Log,
}

/// How long the write-ahead log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Log {
    pages: u32,
    /// Those of them that are in the database file.
    checkpointed_pages: u32,
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
    /// It is missing, and a restore of it did not end.
    Unfinished {
        /// The file that is missing.
        path: PathBuf,
        /// What is there in place of it.
        left: PathBuf,
    },
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
                write!(
                    f,
                    "{} is damaged ({what}): restore it from a backup with `marketplace restore`",
                    path.display()
                )
            }
            Self::Unfinished { path, left } => write!(
                f,
                "{} is missing, but {} is there: a restore did not end; run `marketplace restore` again",
                path.display(),
                left.display()
            ),
            Self::Failed(path, what) => write!(f, "{} cannot be used: {what}", path.display()),
        }
    }
}

impl Error for StoreError {}

impl StoreError {
    /// The same of another file, of which the first one is a copy.
    fn about(self, path: &Path) -> Self {
        let path = path.to_owned();
        match self {
            Self::Damaged(_, what) => Self::Damaged(path, what),
            Self::Foreign(_) => Self::Foreign(path),
            Self::Newer { found, known, .. } => Self::Newer { path, found, known },
            error @ (Self::InUse(_) | Self::Failed(..) | Self::Unfinished { .. }) => error,
        }
    }
}

impl<S: Schema> Store<S> {
    /// Opens the store in a directory; makes what is missing, readable by this user alone, and brings an
    /// older file up to date.
    ///
    /// # Errors
    /// See [`StoreError`]. The file is left as it was.
    pub(crate) fn open(directory: &Path, durability: Durability) -> Result<Self, StoreError> {
        let path = directory.join(S::NAME).with_extension("db");
        let io_failed = |error: io::Error| StoreError::Failed(path.clone(), error.to_string());
        create_directory(directory).map_err(io_failed)?;
        let lock = create_private(&path.with_extension("lock")).map_err(io_failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse(path.clone()),
            TryLockError::Error(error) => io_failed(error),
        })?;
        if let Some(left) = restore::unfinished(&path) {
            return Err(StoreError::Unfinished { path, left });
        }
        let database = create_private(&path).map_err(io_failed)?;
        // The file's entry in its directory must outlast a power cut like what is in it.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(io_failed)?;

        let files = Arc::new(Files { _lock: lock, database, closing: Mutex::new(()) });
        let connection = connect(&path, files)?;
        let mut store = Self { connection, durability, path, schema: PhantomData };
        let version = store.identify()?;
        store.configure()?;
        store.migrate(version)?;
        Ok(store)
    }

    /// Looks whether a service could serve a file that nobody uses, by what it would do at its start, and leaves the
    /// file complete in itself. `load` reads what a service needs of it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) fn examine(
        path: &Path,
        load: impl FnOnce(&Self) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let failed = |error: io::Error| StoreError::Failed(path.into(), error.to_string());
        let lock = File::open(path).map_err(failed)?;
        let database = File::open(path).map_err(failed)?;
        let files = Arc::new(Files { _lock: lock, database, closing: Mutex::new(()) });
        let connection = connect(path, files)?;
        let store =
            Self { connection, durability: Durability::Flush, path: path.into(), schema: PhantomData };
        let version = store.identify()?;
        store.check_pages()?;
        // An older file is brought up to date in a transaction that is never committed.
        let begin = |connection: &Connection| {
            connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
            connection.execute_batch("BEGIN")?;
            S::MIGRATIONS.iter().skip(version).try_for_each(|statements| connection.execute_batch(statements))
        };
        begin(&store.connection).map_err(|error| failure(path, error))?;
        load(&store)?;
        Ok(0)
    }

    /// Looks at the structure of the file, page by page.
    fn check_pages(&self) -> Result<(), StoreError> {
        let check = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
        match check.map_err(|error| failure(&self.path, error))?.as_str() {
            "ok" => Ok(()),
            fault => Err(StoreError::Damaged(self.path.clone(), fault.to_owned())),
        }
    }

    /// Lets the store commit on a thread of its own, and does what its file needs beside that on another.
    ///
    /// # Errors
    /// The file cannot be opened again, or a worker cannot be started.
    pub(crate) fn start<W: Workers>(self, workers: &mut W) -> Result<StoreWorker<S::Row>, Box<dyn Error>> {
        let maintainer = self.maintainer()?;
        let maintenance = workers.start("maintenance", maintainer)?;
        Ok(StoreWorker::new(workers.start("store", self)?, maintenance))
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

    /// Stores a group; when this returns, it is on disk, unless nothing is to be flushed.
    ///
    /// # Errors
    /// What SQLite says. The group may or may not be on disk.
    pub(crate) fn commit(&mut self, group: &Group<S::Row>) -> rusqlite::Result<Committed> {
        let transaction = self.connection.transaction()?;
        for row in &group.rows {
            S::write(&transaction, row)?;
        }
        transaction.commit()?;
        Ok(Committed { number: group.number, log: self.log() })
    }

    /// The log as it is. What another program's write hides just now counts as nothing, and is seen next time.
    fn log(&self) -> Log {
        let pages = self.connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP);
        let (pages, checkpointed) = pages.unwrap_or_default();
        let count = |pages| u32::try_from(pages).unwrap_or(0);
        Log { pages: count(pages), checkpointed_pages: count(checkpointed) }
    }

    /// A second connection to the file.
    fn maintainer(&self) -> Result<Maintainer, StoreError> {
        let connection = connect(&self.path, Arc::clone(&self.connection.files))?;
        set_durability(&connection, self.durability).map_err(|error| failure(&self.path, error))?;
        Ok(Maintainer::new(connection, self.durability, self.path.clone()))
    }

    fn configure(&self) -> Result<(), StoreError> {
        self.connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let wal = self.connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
        let mode: String = wal.map_err(|error| failure(&self.path, error))?;
        if mode != "wal" {
            let what = format!("SQLite keeps the journal mode {mode} here, and needs WAL");
            return Err(StoreError::Failed(self.path.clone(), what));
        }
        if self.durability == Durability::NoFlush {
            let path = self.path.display();
            log::warn!("event=unsafe_no_flush path={path} a power cut may lose acknowledged writes");
        }
        self.limit_log().map_err(|error| failure(&self.path, error))
    }

    /// What another program's long read has made longer than its maximum becomes as short again.
    fn limit_log(&self) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
        let bytes_max = i64::from(LOG_PAGES_MAX) * LOG_PAGE_BYTES as i64;
        self.connection.pragma_update_and_check(None, "journal_size_limit", bytes_max, |_| Ok(()))?;
        set_durability(&self.connection, self.durability)
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
    type Done = Committed;

    /// Groups that wait share a commit, and with it a flush.
    fn join(group: &mut Group<S::Row>, next: Group<S::Row>) -> Option<Group<S::Row>> {
        group.number = next.number;
        group.rows.extend(next.rows);
        None
    }

    /// Commits a group.
    ///
    /// A failure ends the process at once: memory is ahead of the disk, and after a failed flush nobody
    /// knows what a second one would prove. What was acknowledged is on disk.
    fn run(&mut self, group: Group<S::Row>) -> Committed {
        self.commit(&group).unwrap_or_else(|error| {
            log::error!("event=commit_failed path={} error=\"{error}\" action=exit", self.path.display());
            process::exit(1);
        })
    }
}

fn connect(path: &Path, files: Arc<Files>) -> Result<SharedFile, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| failure(path, error))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failure(path, error))?;
    Ok(SharedFile { connection: Some(connection), files })
}

fn set_durability(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    let synchronous = match durability {
        Durability::Flush => "FULL",
        Durability::NoFlush => "OFF",
    };
    connection.pragma_update(None, "synchronous", synchronous)
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
