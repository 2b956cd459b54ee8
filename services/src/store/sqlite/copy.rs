//! [`Copy`]: the file of a database on its way to another place. Until it is whole, checked and on disk it has a name
//! under which nobody takes it for a database; the rename to its own name comes last.
//!
//! It does not decide where copies go, or what happens to what is there: see [`backup`](super::backup) and
//! [`restore`](super::restore).

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::commits::Mark;
use super::error::io_failure;
use super::file::{beside, file_in, sync_directory_of, try_lock};

/// Added to the name of a backup until it is one.
pub(super) const PARTIAL: &str = ".partial";

/// A database, as far as copies of its file go.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// The name of its file, without the extension.
    pub(crate) name: &'static str,
    /// `PRAGMA application_id` of its file.
    pub(crate) application_id: i32,
    /// See [`check`](super::check::check).
    pub(crate) check: fn(&Path) -> Result<Option<Mark>, StoreError>,
    /// See [`check_load`](super::check::check_load).
    pub(crate) load: fn(&Path) -> Result<(), StoreError>,
}

impl Kind {
    /// Its file in a directory.
    pub(super) fn file(&self, directory: &Path) -> PathBuf {
        file_in(directory, self.name)
    }
}

/// What a copy holds.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The copy.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The commits that the database had seen; `None` if its version does not count them.
    pub commits: Option<u64>,
}

/// A copy that is being made. Dropped before it is to be kept, it is removed.
pub(super) struct Copy {
    path: PathBuf,
    /// Locked, so that two who copy to the same place do not write to one file. It is closed last: with it, the system
    /// takes the locks of all connections of this process away.
    file: File,
    keep: bool,
}

impl Copy {
    /// Begins an empty file, readable by this user alone. One that was left behind by a process that ended is
    /// used again.
    pub(super) fn begin(path: PathBuf) -> Result<Self, StoreError> {
        let failed = |error| io_failure(&path, error);
        let file = create_private(&path).map_err(failed)?;
        try_lock(&file, &path)?;
        file.set_len(0).map_err(failed)?;
        remove_beside(&path);
        Ok(Self { path, file, keep: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes an empty file of which SQLite takes note with it.
    pub(super) fn create_beside(&self, suffix: &str) -> Result<File, StoreError> {
        let path = beside(&self.path, suffix);
        create_private(&path).map_err(|error| io_failure(&path, error))
    }

    /// Gives it to the user that `owner` belongs to, if that is another one.
    pub(super) fn give_to_owner_of(&self, owner: &Path) -> Result<(), StoreError> {
        let give = || {
            let (owner, own) = (fs::metadata(owner)?, self.file.metadata()?);
            if owner.uid() == own.uid() {
                return Ok(());
            }
            chown(&self.path, Some(owner.uid()), Some(owner.gid()))
        };
        give().map_err(|error| io_failure(&self.path, error))
    }

    /// Flushes it, so that it is whole under whatever name it gets.
    pub(super) fn flush(&self) -> Result<u64, StoreError> {
        let flush = || {
            self.file.sync_all()?;
            sync_directory_of(&self.path)?;
            Ok(self.file.metadata()?.len())
        };
        flush().map_err(|error| io_failure(&self.path, error))
    }

    /// Gives it the name that it was made for.
    pub(super) fn rename(&mut self, to: &Path) -> Result<(), StoreError> {
        rename(&self.path, to)?;
        self.path = to.to_owned();
        Ok(())
    }

    /// Leaves it where it is when this is dropped.
    pub(super) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !self.keep {
            // If it cannot be removed it does no harm: its name says that it is no database.
            let _ = fs::remove_file(&self.path);
            remove_beside(&self.path);
        }
    }
}

/// Removes what SQLite has left beside a file whose process was killed: it would bring it into the next file of that name.
pub(super) fn remove_beside(path: &Path) {
    for suffix in ["-journal", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(path, suffix));
    }
}

/// Gives a file another name, which is on disk when this returns, and which nothing has yet.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    if exists(to) {
        return Err(StoreError::Failed(to.into(), "something is in its place already".into()));
    }
    fs::rename(from, to).and_then(|()| sync_directory_of(to)).map_err(|error| io_failure(from, error))
}

fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Whether something has this name, be it a link that leads nowhere.
pub(super) fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// What is wrong while `source` is copied to `copy`: whichever of the two it is.
pub(super) fn not_copied(source: &Path, copy: &Path, error: impl Display) -> StoreError {
    StoreError::Failed(copy.into(), format!("{} cannot be copied: {error}", source.display()))
}

/// The names of the files of databases, for a message.
pub(super) fn names(kinds: &[Kind]) -> String {
    let names: Vec<String> = kinds.iter().map(|kind| format!("{}.db", kind.name)).collect();
    names.join(" or ")
}
