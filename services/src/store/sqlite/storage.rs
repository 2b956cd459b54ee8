//! [`SqliteStorage`]: a database's file as the storage of a running service. Its commits are made on one thread, and its
//! maintenance on another; when which of it is due is decided here.

use std::error::Error;

use net::{Worker, Workers};

use super::connection::{LOG_PAGES_MAX, Log, SharedFile};
use super::maintenance::{CHECKPOINT_PAGES, EXTENSION_PAGES, Maintenance, ROOM_PAGES_MIN};
use super::reader::Reader;
use super::schema::Schema;
use super::{Committed, Store};
use crate::engine::storage::{Group, Storage, StorageError};

/// The commits of a store, handed to its thread.
pub(super) type Commits<R> = Box<dyn Worker<Group<R>, Result<Committed, StorageError>>>;
/// Its maintenance, handed to another.
pub(super) type Maintainers = Box<dyn Worker<Maintenance, Result<(), StorageError>>>;

/// A database's file in use.
pub(crate) struct SqliteStorage<S: Schema> {
    /// What is stored is read with it. Then it is closed.
    connection: Option<SharedFile>,
    commits: Commits<S::Row>,
    maintenance: Maintainers,
    /// Whether maintenance is under way.
    is_maintaining: bool,
    /// The length that the log's file was given.
    file_pages: u32,
}

impl<S: Schema> SqliteStorage<S> {
    /// Lets a store commit on a thread of its own, and does what its file needs beside that on another.
    ///
    /// # Errors
    /// The file cannot be opened again, or a worker cannot be started.
    pub(super) fn start<W: Workers>(store: Store<S>, workers: &mut W) -> Result<Self, Box<dyn Error>> {
        let connection = store.connect_again()?;
        let maintenance = workers.start("maintenance", store.maintainer()?)?;
        Ok(Self::new(Some(connection), workers.start("store", store)?, maintenance))
    }

    pub(super) fn new(
        connection: Option<SharedFile>,
        commits: Commits<S::Row>,
        maintenance: Maintainers,
    ) -> Self {
        Self { connection, commits, maintenance, is_maintaining: false, file_pages: 0 }
    }

    /// What is due after a commit, if something is and nothing else is under way.
    fn maintain(&mut self, log: Log) {
        if !self.is_maintaining
            && let Some(maintenance) = self.next_maintenance(log)
        {
            self.maintenance.submit(maintenance);
            self.is_maintaining = true;
        }
    }

    fn next_maintenance(&mut self, log: Log) -> Option<Maintenance> {
        if self.file_pages < LOG_PAGES_MAX && self.file_pages < log.pages + ROOM_PAGES_MIN {
            self.file_pages += EXTENSION_PAGES;
            return Some(Maintenance::Extend { pages: self.file_pages });
        }
        is_checkpoint_due(log).then_some(Maintenance::Checkpoint)
    }
}

impl<S: Schema> Storage<S::Row> for SqliteStorage<S> {
    fn load(&mut self, visit: &mut dyn FnMut(S::Row) -> bool) -> Result<(), StorageError> {
        let connection = self.connection.take().expect("what is stored is loaded once");
        let reader = Reader::new(&connection, connection.files.database.path());
        S::read(&reader, visit).map_err(|error| StorageError::Load(error.into()))
    }

    fn commit(&mut self, group: Group<S::Row>) {
        self.commits.submit(group);
    }

    fn poll(&mut self) -> Result<Option<u64>, StorageError> {
        if let Some(done) = self.maintenance.poll() {
            done?;
            self.is_maintaining = false;
        }
        let Some(committed) = self.commits.poll() else { return Ok(None) };
        let Committed { sequence, log } = committed?;
        self.maintain(log);
        Ok(Some(sequence))
    }

    fn is_maintaining(&self) -> bool {
        self.is_maintaining
    }
}

/// Whether it is time for a checkpoint beside commits. At the log's maximum it would only be in the way of the one
/// that a commit makes.
fn is_checkpoint_due(log: Log) -> bool {
    log.pages.saturating_sub(log.checkpointed_pages) >= CHECKPOINT_PAGES && log.pages < LOG_PAGES_MAX
}
