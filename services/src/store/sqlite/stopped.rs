//! [`Stopped`]: all rows of a database whose service does not run, for whoever takes them elsewhere. Nothing in its folder is
//! changed, and no service starts on it before this is dropped.

use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use siphasher::sip::SipHasher13;

use super::StoreError;
use super::admit::compare;
use super::commits::{Acknowledged, Mark, SUFFIX};
use super::connection::connect;
use super::copy::exists;
use super::error::{failure, io_failure};
use super::file::DatabaseFile;
use super::reader::Reader;
use super::schema::{Schema, check_pages, examine, identify};

/// A database with rows of type `R` that no service uses.
pub struct Stopped<R> {
    connection: Connection,
    path: PathBuf,
    mark: Mark,
    read: Read<R>,
    /// Locked until the end. It is closed last: with it, the system takes the locks of the connection away.
    _database: DatabaseFile,
}

/// [`Schema::read`].
type Read<R> = fn(&Reader<'_>, &mut dyn FnMut(R) -> bool) -> Result<(), StoreError>;

impl<R> Stopped<R> {
    /// Locks the database in a directory and checks it as a start of its service does; `None` if there is none.
    ///
    /// # Errors
    /// Its service runs, it is of an older version, or it is not what it should be.
    pub(super) fn open<S: Schema<Row = R>>(directory: &Path) -> Result<Option<Self>, StoreError> {
        let Some(database) = DatabaseFile::lock(directory, S::NAME)? else { return Ok(None) };
        let path = database.path().to_owned();
        let connection = connect(&path)?;
        let begin = || {
            // The log of a service that was killed is left for its next start.
            let is_kept = exists(&database.beside("-wal"));
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_kept)?;
            connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
        };
        begin().map_err(|error| failure(&path, error))?;
        let version = identify::<S>(&connection, &path)?;
        check_pages(&connection, &path, "quick_check")?;
        let mark = examine::<S>(&connection, &path)?.filter(|_| version == S::MIGRATIONS.len());
        let Some(mark) = mark else {
            let needed = S::MIGRATIONS.len();
            let what = format!(
                "it has version {version}, and {needed} is needed: start its service once, which brings it up to date"
            );
            return Err(StoreError::Failed(path, what));
        };
        let commits_path = database.beside(SUFFIX);
        let acknowledged = Acknowledged::read(&commits_path);
        if let Acknowledged::Mark(acknowledged) =
            acknowledged.map_err(|error| io_failure(&commits_path, error))?
        {
            compare(&path, &commits_path, Some(mark), acknowledged)?;
        }
        Ok(Some(Self { connection, path, mark, read: S::read, _database: database }))
    }

    /// Shows all rows to `visit`, in the order in which a service loads them. It says false of one that makes no sense,
    /// which ends this.
    ///
    /// # Errors
    /// The file cannot be read, or `visit` has said false.
    pub fn read(&self, visit: &mut dyn FnMut(R) -> bool) -> Result<(), StoreError> {
        (self.read)(&Reader::new(&self.connection, &self.path), visit)
    }

    /// A number that tells these rows from all others, and from themselves before or after any commit.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        let Mark { lineage, state } = self.mark;
        (lineage, state.commits, state.checksum).hash(&mut hasher);
        hasher.finish()
    }
}
