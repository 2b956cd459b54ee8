//! Databases in SQLite, each in one file: opened as the [`Storage`](crate::Storage) of a service, backed up and restored.
//!
//! Here is `Store`, which commits groups of rows, each with one flush. How rows lie in the file is the knowledge of its
//! `Schema`, and when to commit is that of its caller. Its write-ahead log is brought into the file elsewhere, see
//! `maintenance`, and what makes a storage of it is in `storage`.

mod admit;
mod backup;
mod check;
mod commits;
mod connection;
mod copy;
mod customer;
mod databases;
mod error;
mod file;
#[cfg(test)]
mod forge;
mod json;
mod maintenance;
mod product;
mod reader;
mod restore;
mod schema;
mod seal;
mod stopped;
mod storage;
mod values;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use net::Work;
use rusqlite::config::DbConfig;

use self::admit::admit;
use self::commits::{Mark, SUFFIX};
use self::connection::{Files, Log, SharedFile, configure, connect, log_of};
use self::error::{failure, io_failure};
use self::file::{DatabaseFile, file_in};
use self::maintenance::Maintainer;
use self::reader::Reader;
use self::schema::{LINEAGE, Schema};
use self::seal::Seal;
use crate::engine::storage::{Group, StorageError};

pub use self::backup::BackedUp;
pub use self::copy::Copied;
pub use self::databases::{
    DESCRIPTORS, backup, files, open_customer, open_product, restore, stopped_customer, stopped_product,
};
pub use self::error::StoreError;
pub use self::file::create_directory;
pub use self::restore::Restored;
pub use self::stopped::Stopped;

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
    seal: Seal,
    /// Where it stands.
    mark: Mark,
    durability: Durability,
    path: PathBuf,
    /// Whether a commit has failed.
    has_failed: bool,
    schema: PhantomData<S>,
}

/// What a commit reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// That of the group.
    sequence: u64,
    log: Log,
}

impl<S: Schema> Store<S> {
    /// Opens the store in a directory; makes what is missing, readable by this user alone, and brings an
    /// older file up to date.
    ///
    /// # Errors
    /// See [`StoreError`]. The file is left as it was.
    pub(crate) fn open(directory: &Path, durability: Durability) -> Result<Self, StoreError> {
        restore::check_ended(&file_in(directory, S::NAME))?;
        let mut database = DatabaseFile::open(directory, S::NAME)?;
        let path = database.path().to_owned();
        let mut connection = connect(&path)?;
        let seal = Seal::default();
        let sql_failed = |error| failure(&path, error);
        seal.install(&connection).map_err(sql_failed)?;
        // The log of a file that is refused is left as it was.
        let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(no_checkpoint, true).map_err(sql_failed)?;
        let (mark, commits_file) = admit::<S>(&database, &mut connection, &seal, durability)?;
        connection.set_db_config(no_checkpoint, false).map_err(sql_failed)?;
        database.remove_old_lock();
        let files = Arc::new(Files::open(database, commits_file)?);
        let connection = SharedFile::new(connection, files);
        if durability == Durability::NoFlush {
            let path = path.display();
            log::warn!("event=unsafe_no_flush path={path} a power cut may lose acknowledged writes");
        }
        Ok(Self { connection, seal, mark, durability, path, has_failed: false, schema: PhantomData })
    }

    /// Reads what is stored.
    #[cfg(test)]
    fn reader(&self) -> Reader<'_> {
        Reader::new(&self.connection, &self.path)
    }

    /// Stores a group; when this returns, it is on disk, unless nothing is to be flushed.
    ///
    /// # Errors
    /// What SQLite says, or that one of the files is there no more. The group may or may not be on disk.
    pub(crate) fn commit(&mut self, group: &Group<S::Row>) -> Result<Committed, StoreError> {
        self.write(group).map_err(|error| failure(&self.path, error))?;
        let files = &self.connection.files;
        files.check_places()?;
        let state = self.seal.after(self.mark.state);
        if state != self.mark.state {
            self.mark.state = state;
            let written = files.commits.write(self.mark);
            written.map_err(|error| io_failure(&files.database.beside(SUFFIX), error))?;
        }
        Ok(Committed { sequence: group.sequence, log: log_of(&self.connection) })
    }

    fn write(&mut self, group: &Group<S::Row>) -> rusqlite::Result<()> {
        self.seal.begin(self.mark.state);
        let transaction = self.connection.transaction()?;
        for row in &group.rows {
            S::write(&transaction, row)?;
        }
        if self.seal.has_removed() {
            let sql =
                "UPDATE lineage SET commit_number = commit_number(), checksum = sealed(checksum, id, number)";
            transaction.prepare_cached(sql)?.execute([])?;
        }
        transaction.commit()
    }

    /// Another connection to the file.
    fn connect_again(&self) -> Result<SharedFile, StoreError> {
        Ok(SharedFile::new(connect(&self.path)?, Arc::clone(&self.connection.files)))
    }

    /// What maintains the file, with a connection of its own.
    fn maintainer(&self) -> Result<Maintainer, StoreError> {
        let connection = self.connect_again()?;
        configure(&connection, &self.path, self.durability)?;
        Ok(Maintainer::new(connection, self.durability))
    }
}

/// The store on its thread.
impl<S: Schema> Work for Store<S> {
    type Job = Group<S::Row>;
    type Done = Result<Committed, StorageError>;

    /// Groups that wait share a commit, and with it a flush.
    fn join(group: &mut Group<S::Row>, next: Group<S::Row>) -> Option<Group<S::Row>> {
        group.sequence = next.sequence;
        group.rows.extend(next.rows);
        None
    }

    /// Commits a group, unless one before it has failed: none is stored without those before it.
    fn run(&mut self, group: Group<S::Row>) -> Result<Committed, StorageError> {
        let committed = match self.has_failed {
            false => self.commit(&group).map_err(Into::into),
            true => Err("a commit before it has failed".into()),
        };
        committed.map_err(|cause| {
            self.has_failed = true;
            self.connection.files.give_up();
            StorageError::Commit { place: self.path.display().to_string(), cause }
        })
    }
}

#[cfg(test)]
mod tests;
