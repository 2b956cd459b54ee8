//! [`Maintainer`]: does what a store's file needs beside commits, on a thread of its own so that they do not wait for it.
//!
//! Checkpoints bring SQLite's write-ahead log into the database file. SQLite begins the log anew once all of it is in
//! the file. While commits follow one another closely, a checkpoint beside them never catches up, so the log grows. At
//! its maximum a commit makes the last step itself, which is short, because little is left to do.
//!
//! The log's file is also made longer before the log needs it: flushing a write into a file takes half as long again
//! when the file grows with it. What is added are zeros, which to SQLite are no pages of the log.

use std::io::Write;
use std::time::Duration;

use net::Work;
use rusqlite::ErrorCode;
use rusqlite::wal::CheckpointMode;

use super::Durability;
use super::connection::{Files, LOG_PAGE_BYTES, SharedFile};
use crate::engine::storage::{Cause, StorageError};

/// The pages that are in the log only, at which a checkpoint is made.
pub(super) const CHECKPOINT_PAGES: u32 = 1000;

/// The pages by which the log's file is made longer.
pub(super) const EXTENSION_PAGES: u32 = 500;
/// The file is made longer when the log has less room in it than this.
pub(super) const ROOM_PAGES_MIN: u32 = 250;

/// How often the files of a database that has nothing to do are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Something to be done beside commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maintenance {
    Checkpoint,
    /// Make the log's file so long.
    Extend {
        pages: u32,
    },
}

/// Does the maintenance, with a connection of its own.
pub(super) struct Maintainer {
    pub(super) connection: SharedFile,
    durability: Durability,
}

impl Maintainer {
    pub(super) fn new(connection: SharedFile, durability: Durability) -> Self {
        Self { connection, durability }
    }

    /// Brings what is committed into the file, without getting in the way of commits.
    fn checkpoint(&self) -> Result<(), Cause> {
        let (logged, checkpointed) =
            match self.connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
                // Somebody else makes one.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => return Ok(()),
                pages => pages?,
            };
        // SQLite flushes the file only after a checkpoint that has caught up. The one that does should find
        // little left to flush.
        if checkpointed < logged && self.durability == Durability::Flush {
            self.connection.files.database.file().sync_data()?;
        }
        Ok(())
    }

    /// Appends zeros to the log's file until it is so long. A commit that makes it longer meanwhile does no harm: what
    /// is appended comes after it. Where there is too little space, the log makes do with what could be appended.
    fn extend(&self, pages: u32) -> Result<(), Cause> {
        if self.durability == Durability::NoFlush {
            return Ok(());
        }
        let Files { database, log, .. } = &*self.connection.files;
        let missing = (u64::from(pages) * LOG_PAGE_BYTES).saturating_sub(log.metadata()?.len());
        if let Err(error) = (&mut &*log).write_all(&vec![0; usize::try_from(missing)?]) {
            log::warn!("event=log_not_extended path={} error=\"{error}\"", database.path().display());
        }
        Ok(log.sync_data()?)
    }

    fn flush_commits(&self) -> Result<(), Cause> {
        match self.durability {
            Durability::Flush => Ok(self.connection.files.commits.flush()?),
            Durability::NoFlush => Ok(()),
        }
    }

    /// Gives the file up: whatever is in its log stays there.
    fn failed(&self, task: String, cause: Cause) -> StorageError {
        let files = &self.connection.files;
        files.give_up();
        StorageError::Maintenance { place: files.database.path().display().to_string(), task, cause }
    }
}

impl Work for Maintainer {
    type Job = Maintenance;
    type Done = Result<(), StorageError>;
    const IDLE_AFTER: Option<Duration> = Some(WATCH_INTERVAL);

    /// Does what is due.
    fn run(&mut self, maintenance: Maintenance) -> Result<(), StorageError> {
        let done = match maintenance {
            Maintenance::Checkpoint => self.checkpoint(),
            Maintenance::Extend { pages } => self.extend(pages),
        };
        let flushed = done.and_then(|()| self.flush_commits());
        flushed.map_err(|cause| self.failed(format!("{maintenance:?}"), cause))
    }

    /// Sees that the files are still there, also while nothing is committed. Reports only if they are not.
    fn idle(&mut self) -> Option<Result<(), StorageError>> {
        let watched = self.connection.files.check_places().map_err(Into::into);
        let cause = watched.and_then(|()| self.flush_commits()).err()?;
        Some(Err(self.failed("Watch".to_owned(), cause)))
    }
}
