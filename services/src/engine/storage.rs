//! [`Storage`]: where a database keeps its rows. It is told what to commit and reports what is stored; what rows mean is
//! the knowledge of the database's rules, and how they lie there that of whoever implements it.
//!
//! Whatever fails goes up to the driver of the service as a [`StorageError`]. Nothing is tried again: memory is ahead of
//! what is stored then, and after a flush that failed nobody knows what a second one would prove.

use std::error::Error;
use std::fmt;

/// Rows that are committed together, under the commit sequence that is reported when they are stored.
#[derive(Clone, Debug)]
pub struct Group<R> {
    /// Counts up by one from group to group, from 1.
    pub sequence: u64,
    /// The rows, in the order in which they are to be stored.
    pub rows: Vec<R>,
}

/// A row. Of each key, the row that was committed last is stored.
pub trait Row: Clone {
    /// Which row it is. Keys order rows as they are loaded: what a row needs to make sense comes before it.
    type Key: Ord;

    /// Which row it is.
    fn key(&self) -> Self::Key;

    /// Whether it says that none is stored under its key any more.
    fn is_removal(&self) -> bool;
}

/// Where a database keeps its rows of type `R`. It outlasts the process: the next one loads what this one committed.
///
/// What is stored is always what the groups up to some commit sequence have led to: after a crash, a group is there as a
/// whole or not at all, and none is there without those before it. A group that was reported is there.
pub trait Storage<R> {
    /// Shows everything that is stored to `visit`, in the order of the rows' keys. It says false of a row that makes no
    /// sense, which ends this. Called once, before the first commit.
    ///
    /// # Errors
    /// [`StorageError::Load`].
    fn load(&mut self, visit: &mut dyn FnMut(R) -> bool) -> Result<(), StorageError>;

    /// Hands over the next group, and does not wait for it: the node is woken when there is something to
    /// [`poll`](Storage::poll). As many groups may be under way as whoever commits lets wait.
    fn commit(&mut self, group: Group<R>);

    /// Takes the next report: all groups up to this commit sequence are stored. Groups that were under way together may
    /// be reported as one. `None`: there is no news.
    ///
    /// # Errors
    /// The storage cannot go on. Which of the groups that were not reported are stored, the next load tells. Nothing
    /// else may be asked of it any more.
    fn poll(&mut self) -> Result<Option<u64>, StorageError>;

    /// Whether something is under way that the storage does for itself beside commits. If it were dropped meanwhile, a
    /// failure of that would go unnoticed.
    fn is_maintaining(&self) -> bool {
        false
    }
}

/// What the system, or whoever else there is beneath, has said.
pub type Cause = Box<dyn Error + Send + Sync>;

/// Why a storage cannot go on. Each ends the process; what was reported is stored.
#[derive(Debug)]
pub enum StorageError {
    /// What is stored cannot be read, or makes no sense.
    Load(Cause),
    /// A group could not be committed.
    Commit {
        /// Where, for people.
        place: String,
        /// Why.
        cause: Cause,
    },
    /// Something that the storage does for itself beside commits has failed.
    Maintenance {
        /// Where, for people.
        place: String,
        /// What it was, for people.
        task: String,
        /// Why.
        cause: Cause,
    },
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load(cause) => cause.fmt(f),
            Self::Commit { place, cause } => write!(f, "a commit to {place} failed: {cause}"),
            Self::Maintenance { place, task, cause } => write!(f, "{task} of {place} failed: {cause}"),
        }
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let (Self::Load(cause) | Self::Commit { cause, .. } | Self::Maintenance { cause, .. }) = self;
        Some(&**cause)
    }
}
