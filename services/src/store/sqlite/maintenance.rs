//! What the store's file needs beside commits, done on a thread of its own so that they do not wait for it.
//!
//! Checkpoints bring SQLite's write-ahead log into the database file. SQLite begins the log anew once all of it is in
//! the file. While commits follow one another closely, a checkpoint beside them never catches up, so the log grows. At
//! its maximum a commit makes the last step itself, which is short, because little is left to do.
//!
//! The log's file is also made longer before the log needs it: flushing a write into a file takes half as long again
//! when the file grows with it. What is added are zeros, which to SQLite are no pages of the log.

use std::error::Error;
use std::io::Write;
use std::process;
use std::time::Duration;

use net::{Work, Worker};
use rusqlite::ErrorCode;
use rusqlite::wal::CheckpointMode;

use super::connection::{Files, LOG_PAGE_BYTES, LOG_PAGES_MAX, Log, SharedFile};
use super::{Committed, Durability};
use crate::engine::domain::Group;

/// The pages that are in the log only, at which a checkpoint is made.
pub(super) const CHECKPOINT_PAGES: u32 = 1000;

/// The pages by which the log's file is made longer.
pub(super) const EXTENSION_PAGES: u32 = 500;
/// The file is made longer when the log has less room in it than this.
const ROOM_PAGES_MIN: u32 = 250;

/// How often the files of a database that has nothing to do are looked at.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// The worker of a store: its commits on one thread, its maintenance on another.
pub(crate) struct StoreWorker<R> {
    commits: Box<dyn Worker<Group<R>, Committed>>,
    maintenance: Box<dyn Worker<Maintenance, ()>>,
    /// Whether maintenance is under way.
    is_maintaining: bool,
    /// The length that the log's file was given.
    file_pages: u32,
}

/// Something to be done beside commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maintenance {
    Checkpoint,
    /// Make the log's file so long.
    Extend {
        pages: u32,
    },
}

impl<R> StoreWorker<R> {
    pub(super) fn new(
        commits: Box<dyn Worker<Group<R>, Committed>>,
        maintenance: Box<dyn Worker<Maintenance, ()>>,
    ) -> Self {
        Self { commits, maintenance, is_maintaining: false, file_pages: 0 }
    }

    fn next_maintenance(&mut self, log: Log) -> Option<Maintenance> {
        if self.file_pages < LOG_PAGES_MAX && self.file_pages < log.pages + ROOM_PAGES_MIN {
            self.file_pages += EXTENSION_PAGES;
            return Some(Maintenance::Extend { pages: self.file_pages });
        }
        is_due(log).then_some(Maintenance::Checkpoint)
    }
}

impl<R> Worker<Group<R>, u64> for StoreWorker<R> {
    fn submit(&mut self, group: Group<R>) {
        self.commits.submit(group);
    }

    fn poll(&mut self) -> Option<u64> {
        if self.maintenance.poll().is_some() {
            self.is_maintaining = false;
        }
        let Committed { number, log } = self.commits.poll()?;
        if !self.is_maintaining
            && let Some(maintenance) = self.next_maintenance(log)
        {
            self.maintenance.submit(maintenance);
            self.is_maintaining = true;
        }
        Some(number)
    }
}

/// Whether it is time for a checkpoint beside commits. At the log's maximum it would only be in the way of the one
/// that a commit makes.
fn is_due(log: Log) -> bool {
    log.pages.saturating_sub(log.checkpointed_pages) >= CHECKPOINT_PAGES && log.pages < LOG_PAGES_MAX
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
    fn checkpoint(&self) -> Result<(), Box<dyn Error>> {
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
    fn extend(&self, pages: u32) -> Result<(), Box<dyn Error>> {
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

    fn flush_commits(&self) -> Result<(), Box<dyn Error>> {
        match self.durability {
            Durability::Flush => Ok(self.connection.files.commits.flush()?),
            Durability::NoFlush => Ok(()),
        }
    }

    fn fail(&self, what: &str, error: &dyn Error) -> ! {
        let path = self.connection.files.database.path().display();
        log::error!("event=maintenance_failed path={path} what={what} error=\"{error}\" action=exit");
        process::exit(1);
    }
}

impl Work for Maintainer {
    type Job = Maintenance;
    type Done = ();
    const IDLE_AFTER: Option<Duration> = Some(WATCH_INTERVAL);

    /// Does what is due. A failure ends the process at once, as that of a commit does.
    fn run(&mut self, maintenance: Maintenance) {
        let done = match maintenance {
            Maintenance::Checkpoint => self.checkpoint(),
            Maintenance::Extend { pages } => self.extend(pages),
        };
        if let Err(error) = done.and_then(|()| self.flush_commits()) {
            self.fail(&format!("{maintenance:?}"), &*error);
        }
    }

    /// Sees that the files are still there, also while nothing is committed.
    fn idle(&mut self) {
        let watched = self.connection.files.check_places().map_err(Into::into);
        if let Err(error) = watched.and_then(|()| self.flush_commits()) {
            self.fail("Watch", &*error);
        }
    }
}
