//! Copies databases into a folder, also while services write to them.
//!
//! SQLite copies a database as it is at one moment. Its writers go on, but their log cannot begin anew until the
//! copy is made, so it may outgrow its maximum meanwhile. The source is read as any other program would read it: its
//! service's lock is not needed, and nothing in its folder changes.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::admit::compare;
use super::commits::{Acknowledged, Mark, SUFFIX};
use super::connection::connect;
use super::copy::{Copied, Copy, Kind, PARTIAL, exists, names, not_copied};
use super::error::{failure, io_failure};
use super::file::{beside, create_directory};
use super::restore::check_ended;

/// A backup that was made.
#[derive(Clone, Debug)]
pub struct BackedUp {
    /// The copies of the databases that there are.
    pub copies: Vec<Copied>,
    /// The databases that are not there.
    pub missing: Vec<PathBuf>,
}

/// Copies the databases of `kinds` that are in `data` into the folder `destination`, which is made if it is missing.
///
/// They are copied as they are at almost the same moment, one after another in the order of `kinds`. All are checked
/// before any of them gets its name.
///
/// # Errors
/// There is no database in `data` or a backup in `destination` already, one cannot be read or is damaged, or there is no
/// space. Then no backup is left.
pub(crate) fn backup(kinds: &[Kind], data: &Path, destination: &Path) -> Result<BackedUp, StoreError> {
    let (present, missing): (Vec<&Kind>, Vec<&Kind>) =
        kinds.iter().partition(|kind| exists(&kind.file(data)));
    let missing: Vec<PathBuf> = missing.into_iter().map(|kind| kind.file(data)).collect();
    missing.iter().try_for_each(|file| check_ended(file))?;
    if present.is_empty() {
        return Err(StoreError::Failed(data.into(), format!("there is no {} in it", names(kinds))));
    }
    for kind in &present {
        let place = kind.file(destination);
        if exists(&place) {
            let what = "a backup is not written over what is there: name another folder".to_owned();
            return Err(StoreError::Failed(place, what));
        }
    }
    // From here on they stand still for us.
    let sources: Vec<Source> =
        present.iter().map(|kind| Source::open(kind, data)).collect::<Result<_, _>>()?;
    let is_new = !destination.exists();
    create_directory(destination).map_err(|error| io_failure(destination, error))?;
    let copies = copy_all(&sources, destination);
    if copies.is_err() && is_new {
        // It is empty, unless somebody else uses it.
        let _ = fs::remove_dir(destination);
    }
    Ok(BackedUp { copies: copies?, missing })
}

fn copy_all(sources: &[Source], destination: &Path) -> Result<Vec<Copied>, StoreError> {
    let mut copies: Vec<(Copy, Copied)> =
        sources.iter().map(|source| source.copy_into(destination)).collect::<Result<_, _>>()?;
    for (copy, copied) in &mut copies {
        copy.rename(&copied.path)?;
    }
    copies.iter_mut().for_each(|(copy, _)| copy.keep());
    Ok(copies.into_iter().map(|(_, copied)| copied).collect())
}

/// A database that is read at one moment of its life, until this is dropped.
struct Source {
    kind: Kind,
    path: PathBuf,
    /// The file beside it, and what it told before.
    commits: (PathBuf, Acknowledged),
    connection: Connection,
}

impl Source {
    fn open(kind: &Kind, data: &Path) -> Result<Self, StoreError> {
        let path = kind.file(data);
        let real_path = fs::canonicalize(&path).map_err(|error| io_failure(&path, error))?;
        let (log, commits_path) = (beside(&real_path, "-wal"), beside(&real_path, SUFFIX));
        let acknowledged =
            Acknowledged::read(&commits_path).map_err(|error| io_failure(&commits_path, error))?;
        // SQLite makes the files of the log, if the service does not run, and removes them in the end. That takes
        // permission to write.
        let connection = connect(&path)?;
        let begin = || {
            // But the log of a service that was killed is left for its next start.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, exists(&log))?;
            connection.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
        };
        begin().map_err(|error| failure(&path, error))?;
        Ok(Self { kind: *kind, path, commits: (commits_path, acknowledged), connection })
    }

    /// Makes a checked copy that has everything but its name.
    fn copy_into(&self, destination: &Path) -> Result<(Copy, Copied), StoreError> {
        let path = self.kind.file(destination);
        let copy = Copy::begin(beside(&path, PARTIAL))?;
        self.copy_to(copy.path())?;
        let mark = self.check(copy.path()).map_err(|error| error.about(&self.path))?;
        let bytes = copy.flush()?;
        Ok((copy, Copied { path, bytes, commits: mark.map(|mark| mark.state.commits) }))
    }

    fn check(&self, copy: &Path) -> Result<Option<Mark>, StoreError> {
        let mark = (self.kind.check)(copy)?;
        if let (commits_path, Acknowledged::Mark(acknowledged)) = &self.commits {
            compare(&self.path, commits_path, mark, *acknowledged)?;
        }
        // Rows that tell that they are as they were written need not be loaded, which takes the memory of a service, and
        // perhaps of the container that has one.
        if mark.is_none() {
            (self.kind.load)(copy)?;
        }
        Ok(mark)
    }

    fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        let step = || {
            let mut copy = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
            // All at once: SQLite would begin anew whenever another process has written between two steps.
            let step = Backup::new(&self.connection, &mut copy)?.step(-1)?;
            copy.close().map_err(|(_, error)| error)?;
            Ok(step)
        };
        match step() {
            Ok(StepResult::Done) => Ok(()),
            Ok(_) => Err(StoreError::InUse(self.path.clone())),
            Err(error) => Err(match failure(path, error) {
                StoreError::Failed(_, what) => not_copied(&self.path, path, what),
                error => error.about(&self.path),
            }),
        }
    }
}
