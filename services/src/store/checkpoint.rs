//! Checkpoints bring SQLite's write-ahead log into the database file. They are made on a thread of their own,
//! so that commits do not wait while many pages are written and flushed.
//!
//! SQLite begins the log anew once all of it is in the file. While commits follow one another closely, a
//! checkpoint beside them never catches up, so the log grows. At its maximum a commit makes the last step itself,
//! which is short, because little is left to do.

use std::path::PathBuf;
use std::process;
use std::sync::Arc;

use net::{Work, Worker};
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};

use super::{Committed, Durability, Files, Log};
use crate::database::Group;

/// The pages that are in the log only, at which a checkpoint is made.
pub(super) const CHECKPOINT_PAGES: u32 = 1000;
/// The pages of the log, 16 MiB, at which a commit makes the checkpoint itself. The log is longer only while the
/// last checkpoint beside commits ends, or while another program's reader needs it.
pub(super) const LOG_PAGES_MAX: u32 = 4000;

/// The worker of a store: its commits on one thread, its checkpoints on another.
pub(crate) struct StoreWorker<R> {
    commits: Box<dyn Worker<Group<R>, Committed>>,
    checkpoints: Box<dyn Worker<(), ()>>,
    /// Whether a checkpoint is under way.
    is_checkpointing: bool,
}

impl<R> StoreWorker<R> {
    pub(super) fn new(
        commits: Box<dyn Worker<Group<R>, Committed>>,
        checkpoints: Box<dyn Worker<(), ()>>,
    ) -> Self {
        Self { commits, checkpoints, is_checkpointing: false }
    }
}

impl<R> Worker<Group<R>, u64> for StoreWorker<R> {
    fn submit(&mut self, group: Group<R>) {
        self.commits.submit(group);
    }

    fn poll(&mut self) -> Option<u64> {
        if self.checkpoints.poll().is_some() {
            self.is_checkpointing = false;
        }
        let Committed { number, log } = self.commits.poll()?;
        if is_due(log) && !self.is_checkpointing {
            self.checkpoints.submit(());
            self.is_checkpointing = true;
        }
        Some(number)
    }
}

/// Whether it is time for a checkpoint beside commits. At the log's maximum it would only be in the way of the one
/// that a commit makes.
fn is_due(log: Log) -> bool {
    log.pages.saturating_sub(log.checkpointed_pages) >= CHECKPOINT_PAGES && log.pages < LOG_PAGES_MAX
}

/// A connection that makes checkpoints.
pub(super) struct Checkpointer {
    pub(super) connection: Connection,
    durability: Durability,
    path: PathBuf,
    files: Arc<Files>,
}

impl Checkpointer {
    pub(super) fn new(
        connection: Connection,
        durability: Durability,
        path: PathBuf,
        files: Arc<Files>,
    ) -> Self {
        Self { connection, durability, path, files }
    }

    /// Brings what is committed into the file, without getting in the way of commits.
    fn checkpoint(&self) -> Result<(), Box<dyn std::error::Error>> {
        let (logged, checkpointed) =
            match self.connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
                // Somebody else makes one.
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => return Ok(()),
                pages => pages?,
            };
        // SQLite flushes the file only after a checkpoint that has caught up. The one that does should find
        // little left to flush.
        if checkpointed < logged && self.durability == Durability::Flush {
            self.files.database.sync_data()?;
        }
        Ok(())
    }
}

impl Work for Checkpointer {
    type Job = ();
    type Done = ();

    /// Makes a checkpoint. A failure ends the process at once, as that of a commit does.
    fn run(&mut self, (): ()) {
        if let Err(error) = self.checkpoint() {
            let path = self.path.display();
            log::error!("event=checkpoint_failed path={path} error=\"{error}\" action=exit");
            process::exit(1);
        }
    }
}
