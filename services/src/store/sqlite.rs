//! [`Store`]: a database's rows in one SQLite file. It commits groups of rows, each with one flush; what the
//! rows mean is its [`Schema`]'s knowledge, and when to commit is its caller's. Its write-ahead log is brought
//! into the file elsewhere, see [`maintenance`].

mod admit;
pub(crate) mod backup;
pub(crate) mod check;
mod commits;
mod connection;
pub(crate) mod copy;
pub(crate) mod customer;
mod error;
pub(crate) mod file;
#[cfg(test)]
pub(crate) mod forge;
mod maintenance;
pub(crate) mod product;
mod reader;
pub(crate) mod restore;
mod schema;
mod seal;
mod values;

use std::error::Error;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;

use net::{Work, Workers};
use rusqlite::config::DbConfig;

use self::admit::admit;
use self::commits::{Mark, SUFFIX};
use self::connection::{Files, Log, SharedFile, configure, connect, log_of};
pub use self::error::StoreError;
use self::error::{failure, io_failure};
use self::file::DatabaseFile;
pub(crate) use self::file::{beside, file_in};
use self::maintenance::{Maintainer, StoreWorker};
pub(crate) use self::reader::Reader;
pub(crate) use self::schema::{LINEAGE, Schema};
use self::seal::Seal;
use crate::engine::domain::Group;

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
    schema: PhantomData<S>,
}

/// What a commit reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The number of the group.
    number: u64,
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
        Ok(Self { connection, seal, mark, durability, path, schema: PhantomData })
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

    /// Reads what is stored.
    pub(crate) fn reader(&self) -> Reader<'_> {
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
        Ok(Committed { number: group.number, log: log_of(&self.connection) })
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

    /// A second connection to the file.
    fn maintainer(&self) -> Result<Maintainer, StoreError> {
        let connection = connect(&self.path)?;
        configure(&connection, &self.path, self.durability)?;
        let connection = SharedFile::new(connection, Arc::clone(&self.connection.files));
        Ok(Maintainer::new(connection, self.durability))
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

#[cfg(test)]
mod tests;
