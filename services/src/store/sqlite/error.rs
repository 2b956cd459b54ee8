//! [`StoreError`]: why a database's file cannot be used, in words that say what to do.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a store cannot be opened or read.
#[derive(Debug)]
pub enum StoreError {
    /// Another process has it open.
    InUse(PathBuf),
    /// It was written by a newer version of this program.
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: usize,
        /// The newest version that this program knows.
        known: usize,
    },
    /// It is a file of something else.
    Foreign(PathBuf),
    /// Its contents make no sense.
    Damaged(PathBuf, String),
    /// It holds less than was acknowledged.
    Lost {
        /// The file.
        path: PathBuf,
        /// What there is, and what there was.
        what: String,
        /// The files that tell.
        witnesses: Vec<PathBuf>,
    },
    /// It is missing, and a restore of it did not end.
    Unfinished {
        /// The file that is missing.
        path: PathBuf,
        /// What is there in place of it.
        left: PathBuf,
    },
    /// It was deleted or replaced while it was in use.
    Gone(PathBuf),
    /// The system or SQLite refuses.
    Failed(PathBuf, String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "{} is in use by another process", path.display()),
            Self::Newer { path, found, known } => write!(
                f,
                "{} has version {found}, and this program knows versions up to {known}: use a newer program",
                path.display()
            ),
            Self::Foreign(path) => write!(f, "{} is not a file of this database", path.display()),
            Self::Damaged(path, what) => {
                write!(
                    f,
                    "{} is damaged ({what}): restore it from a backup with `marketplace restore`",
                    path.display()
                )
            }
            Self::Unfinished { path, left } => write!(
                f,
                "{} is missing, but {} is there: a restore did not end; run `marketplace restore` again",
                path.display(),
                left.display()
            ),
            Self::Lost { path, what, witnesses } => {
                let witnesses: Vec<_> = witnesses.iter().map(|path| path.display().to_string()).collect();
                write!(
                    f,
                    "{} does not hold all that was acknowledged ({what}): restore it from a backup with `marketplace restore`, or remove {} to go on without what is missing",
                    path.display(),
                    witnesses.join(" and ")
                )
            }
            Self::Gone(path) => {
                write!(f, "{} was deleted or replaced while it was in use", path.display())
            }
            Self::Failed(path, what) => write!(f, "{} cannot be used: {what}", path.display()),
        }
    }
}

impl Error for StoreError {}

impl StoreError {
    /// The same of another file, of which the first one is a copy.
    pub(super) fn about(self, path: &Path) -> Self {
        let path = path.to_owned();
        match self {
            Self::Damaged(_, what) => Self::Damaged(path, what),
            Self::Foreign(_) => Self::Foreign(path),
            Self::Newer { found, known, .. } => Self::Newer { path, found, known },
            error => error,
        }
    }
}

/// What the system said of the file at `path`.
pub(super) fn io_failure(path: &Path, error: io::Error) -> StoreError {
    StoreError::Failed(path.into(), error.to_string())
}

/// What SQLite said of the file at `path`.
pub(super) fn failure(path: &Path, error: rusqlite::Error) -> StoreError {
    let damaged = match &error {
        rusqlite::Error::SqliteFailure(error, _) => {
            matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        }
        // A column holds something else than our statements put there.
        rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        _ => false,
    };
    if damaged {
        StoreError::Damaged(path.into(), error.to_string())
    } else {
        StoreError::Failed(path.into(), error.to_string())
    }
}

/// What SQLite said to a query of ours. What is not there to be queried is damage.
pub(super) fn unreadable(path: &Path, error: rusqlite::Error) -> StoreError {
    match error {
        rusqlite::Error::SqlInputError { .. } | rusqlite::Error::QueryReturnedNoRows => {
            StoreError::Damaged(path.into(), error.to_string())
        }
        error => failure(path, error),
    }
}
