//! [`SharedFile`]: a connection to a database that has others in this process, and [`Files`], what all of them need.

use std::fs::{File, OpenOptions};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, OpenFlags};

use super::commits::{CommitsFile, SUFFIX};
use super::error::{failure, io_failure};
use super::file::{DatabaseFile, Place};
use super::{Durability, StoreError};

/// The pages of the log, 16 MiB, at which a commit makes the checkpoint itself. The log is longer only while the
/// last checkpoint beside commits ends, or while another program's reader needs it.
pub(super) const LOG_PAGES_MAX: u32 = 4000;
/// The bytes of a page in the log, with its header.
pub(super) const LOG_PAGE_BYTES: u64 = 4096 + 24;

/// How long a commit waits for another program that writes to the file, such as a database shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that are kept: more than any schema has.
const STATEMENTS_MAX: usize = 32;

/// A connection to a database that has others in this process.
///
/// SQLite brings the log into the database file when the last connection is closed. Of two that are closed at the same
/// time none would be the last, so they are closed one after another.
pub(super) struct SharedFile {
    /// Always there until the end.
    connection: Option<Connection>,
    pub(super) files: Arc<Files>,
}

impl SharedFile {
    pub(super) fn new(connection: Connection, files: Arc<Files>) -> Self {
        Self { connection: Some(connection), files }
    }
}

/// What outlasts every connection to the database. All of it is opened at the start, so that a process that is at its
/// limit of open files goes on.
pub(super) struct Files {
    /// Locked until the last connection is closed. If it were closed before, the system would take the locks of all
    /// connections of this process away.
    pub(super) database: DatabaseFile,
    /// The log, to make it longer.
    pub(super) log: File,
    log_place: Place,
    /// What the connections and other programs share; it is locked under its name as well.
    shared_place: Place,
    pub(super) commits: CommitsFile,
    commits_place: Place,
    /// Held while a connection is closed.
    closing: Mutex<()>,
    is_given_up: AtomicBool,
}

impl Files {
    /// Opens what SQLite has beside a database that it has read.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn open(database: DatabaseFile, commits: CommitsFile) -> Result<Self, StoreError> {
        let path = database.beside("-wal");
        let log = OpenOptions::new().append(true).open(&path);
        let log = log.map_err(|error| io_failure(&path, error))?;
        let log_place = Place::of(path)?;
        let shared_place = Place::of(database.beside("-shm"))?;
        let commits_place = Place::of(database.beside(SUFFIX))?;
        Ok(Self {
            database,
            log,
            log_place,
            shared_place,
            commits,
            commits_place,
            closing: Mutex::new(()),
            is_given_up: AtomicBool::new(false),
        })
    }

    /// Leaves the files as they are after a failure: when the connections are closed, the log is not brought into the
    /// database.
    pub(super) fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Relaxed);
    }

    /// Checks that all files are still where they were: what is in one that nobody finds is lost. That takes a few
    /// microseconds, so that it can be done after each commit.
    ///
    /// # Errors
    /// One is not.
    pub(super) fn check_places(&self) -> Result<(), StoreError> {
        let places = [self.database.place(), &self.log_place, &self.shared_place, &self.commits_place];
        places.into_iter().try_for_each(Place::check)
    }
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
        if self.files.is_given_up.load(Ordering::Relaxed) {
            // It fails for no connection that is open.
            let _ = self.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        self.connection = None;
    }
}

/// Opens the database at `path`, which must be there.
///
/// # Errors
/// SQLite cannot open it.
pub(super) fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connect = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // What SQLite keeps in a temporary file otherwise, it would open while the store runs.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    };
    connect().map_err(|error| failure(path, error))
}

/// Lets a connection use the log, and opens that.
///
/// # Errors
/// The log cannot be used here.
pub(super) fn configure(
    connection: &Connection,
    path: &Path,
    durability: Durability,
) -> Result<(), StoreError> {
    let configure = || {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
        // What another program's long read has made longer than its maximum becomes as short again.
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
        let bytes_max = i64::from(LOG_PAGES_MAX) * LOG_PAGE_BYTES as i64;
        connection.pragma_update_and_check(None, "journal_size_limit", bytes_max, |_| Ok(()))?;
        let synchronous = match durability {
            Durability::Flush => "FULL",
            Durability::NoFlush => "OFF",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // The log is opened by the first that reads.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        Ok(mode)
    };
    let mode: String = configure().map_err(|error| failure(path, error))?;
    if mode != "wal" {
        let what = format!("SQLite keeps the journal mode {mode} here, and needs WAL");
        return Err(StoreError::Failed(path.into(), what));
    }
    Ok(())
}

/// How long the write-ahead log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) pages: u32,
    /// Those of them that are in the database file.
    pub(super) checkpointed_pages: u32,
}

/// The log as it is. What another program's write hides just now counts as nothing, and is seen next time.
pub(super) fn log_of(connection: &Connection) -> Log {
    let pages = connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP);
    let (pages, checkpointed) = pages.unwrap_or_default();
    let count = |pages| u32::try_from(pages).unwrap_or(0);
    Log { pages: count(pages), checkpointed_pages: count(checkpointed) }
}
