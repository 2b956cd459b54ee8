//! [`DatabaseFile`]: the one file of a database, found by whatever leads to it, and locked against other processes. What
//! is in the file is not known here.
//!
//! The file itself is locked, with `flock`; SQLite's own locks are of another kind (`fcntl`), and do not meet it. Its log
//! is found by its name, so everything is done under the one name that the file has when links are followed.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, makedev, statx};
use rustix::io::Errno;

use super::error::io_failure;
use super::{StoreError, commits};

/// How often a file that is replaced while it is being locked is tried again.
const ATTEMPTS_MAX: usize = 10;

/// A database's file, locked until this is dropped.
pub(crate) struct DatabaseFile {
    file: File,
    place: Place,
    /// What programs that write files of version 1 lock in place of the database, if they have left it.
    old_lock: Option<(PathBuf, File)>,
}

/// A path, and the file that it led to.
pub(super) struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// The lock would outlast the file: a process that was just forked has the same one until it runs another program.
impl Drop for DatabaseFile {
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            log::warn!("event=lock_kept path={} error=\"{error}\"", self.place.path.display());
        }
    }
}

impl DatabaseFile {
    /// Finds the file `NAME.db` in a directory and locks it. Makes what is missing, for this user alone.
    ///
    /// # Errors
    /// See [`StoreError`]. Nothing that is there is changed.
    pub(crate) fn open(directory: &Path, name: &str) -> Result<Self, StoreError> {
        let named = file_in(directory, name);
        let failed = |error| io_failure(&named, error);
        create_directory(directory).map_err(failed)?;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(database) = Self::lock(directory, name)? {
                if database.file.metadata().map_err(failed)?.len() == 0 {
                    refuse_remains(database.path(), "it is empty")?;
                }
                return Ok(database);
            }
            let path = file_in(&directory.canonicalize().map_err(failed)?, name);
            refuse_remains(&path, "it is not there")?;
            let new = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
            match new {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Err(replaced(named))
    }

    /// Finds the file `NAME.db` in a directory and locks it; `None` if there is none.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(crate) fn lock(directory: &Path, name: &str) -> Result<Option<Self>, StoreError> {
        let named = file_in(directory, name);
        let old_lock = lock_as_before(&named)?;
        for _ in 0..ATTEMPTS_MAX {
            let Some(path) = real_path(&named)? else { return Ok(None) };
            let failed = |error| io_failure(&named, error);
            if !fs::metadata(&path).map_err(failed)?.is_file() {
                return Err(StoreError::Failed(named, "it is not a regular file".into()));
            }
            let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
            try_lock(&file, &named)?;
            let metadata = file.metadata().map_err(failed)?;
            let place = Place::new(path, &metadata);
            // Whoever had the lock before may have put another file there.
            if place.leads_there() {
                refuse_other_names(&named, &file, &metadata)?;
                return Ok(Some(Self { file, place, old_lock }));
            }
        }
        Err(replaced(named))
    }

    /// The name of the file, all links followed.
    pub(crate) fn path(&self) -> &Path {
        &self.place.path
    }

    /// The name of a file that belongs to this one: the same with something appended, as SQLite has it.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        beside(&self.place.path, suffix)
    }

    /// The open file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Removes what older programs lock, once the file has a version that they refuse.
    pub(super) fn remove_old_lock(&mut self) {
        if let Some((path, _lock)) = self.old_lock.take()
            && let Err(error) = fs::remove_file(&path)
        {
            log::warn!("event=old_lock_kept path={} error=\"{error}\"", path.display());
        }
    }

    /// Where the file is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

impl Place {
    fn new(path: PathBuf, metadata: &Metadata) -> Self {
        Self { path, device: metadata.dev(), inode: metadata.ino() }
    }

    /// Where a file is now.
    ///
    /// # Errors
    /// It cannot be found.
    pub(super) fn of(path: PathBuf) -> Result<Self, StoreError> {
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Self::new(path, &metadata)),
            Err(error) => Err(io_failure(&path, error)),
        }
    }

    /// Checks that the path still leads to the file.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.leads_there() { Ok(()) } else { Err(self.gone()) }
    }

    /// That the file is there no more.
    fn gone(&self) -> StoreError {
        StoreError::Gone(self.path.clone())
    }

    /// The system is asked for nothing else: whoever asks for the times of a file has the next write to it take a new
    /// one, and some file systems flush that too, which would take each commit half as long again.
    fn leads_there(&self) -> bool {
        match statx(CWD, &self.path, AtFlags::empty(), StatxFlags::INO) {
            Ok(there) => {
                let device = makedev(there.stx_dev_major, there.stx_dev_minor);
                (device, there.stx_ino) == (self.device, self.inode)
            }
            // A system without `statx`.
            Err(Errno::NOSYS) => fs::metadata(&self.path)
                .is_ok_and(|there| (there.dev(), there.ino()) == (self.device, self.inode)),
            Err(_) => false,
        }
    }
}

/// The file of the database of this name in a directory.
pub(crate) fn file_in(directory: &Path, name: &str) -> PathBuf {
    directory.join(name).with_extension("db")
}

/// The name of a file that belongs to the database at `path`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Refuses to begin anew at `path` where something tells of a database that was there.
fn refuse_remains(path: &Path, what: &str) -> Result<(), StoreError> {
    let mut witnesses: Vec<_> = [commits::SUFFIX, "-wal"].map(|suffix| beside(path, suffix)).into();
    witnesses.retain(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0));
    if witnesses.is_empty() {
        return Ok(());
    }
    Err(StoreError::Lost { path: path.into(), what: what.into(), witnesses })
}

/// Locks what programs that write files of version 1 lock in place of the database, if they have left it.
fn lock_as_before(named: &Path) -> Result<Option<(PathBuf, File)>, StoreError> {
    let path = named.with_extension("lock");
    match File::open(&path) {
        Ok(lock) => {
            try_lock(&lock, named)?;
            Ok(Some((path, lock)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::Failed(named.into(), format!("{}: {error}", path.display()))),
    }
}

/// Where a name leads; `None` if nothing has it.
fn real_path(named: &Path) -> Result<Option<PathBuf>, StoreError> {
    let failed = |error| io_failure(named, error);
    let is_link = match fs::symlink_metadata(named) {
        Ok(metadata) => metadata.is_symlink(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match named.canonicalize() {
        Ok(path) => Ok(Some(path)),
        // It may lead to a disk that is not mounted, so nothing is made there.
        Err(error) if error.kind() == ErrorKind::NotFound && is_link => {
            let target = fs::read_link(named).map_err(failed)?;
            let what = format!(
                "it is a symbolic link to {}, and nothing is there: make an empty file there for a new database",
                target.display()
            );
            Err(StoreError::Failed(named.into(), what))
        }
        Err(error) => Err(failed(error)),
    }
}

/// Refuses a file that can be reached by several names: its log would be beside one of them only.
fn refuse_other_names(named: &Path, file: &File, metadata: &Metadata) -> Result<(), StoreError> {
    let refused = |what: String| Err(StoreError::Failed(named.into(), what));
    if metadata.nlink() > 1 {
        let links = metadata.nlink();
        return refused(format!(
            "it is one of {links} hard links to a file, whose log can be beside one only: remove the others, or copy the file"
        ));
    }
    // Where the system cannot tell, nothing is known to be wrong.
    let attributes = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
    if attributes.is_ok_and(|statx| statx.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)) {
        return refused("it is mounted as a file without its log: mount the folder that it is in".into());
    }
    Ok(())
}

/// Locks a file until it is closed.
///
/// # Errors
/// Somebody else has locked it.
pub(super) fn try_lock(file: &File, named: &Path) -> Result<(), StoreError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::InUse(named.into()),
        TryLockError::Error(error) => io_failure(named, error),
    })
}

fn replaced(named: PathBuf) -> StoreError {
    StoreError::Failed(named, "it is being replaced again and again".into())
}

/// Makes a directory and those above it that are missing, so that they outlast a power cut.
///
/// # Errors
/// The system refuses, or the directory is a symbolic link to nothing.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.as_os_str().is_empty() || directory.exists() {
        return Ok(());
    }
    if directory.is_symlink() {
        let what = format!("{} is a symbolic link, and nothing is there", directory.display());
        return Err(io::Error::new(ErrorKind::NotFound, what));
    }
    create_directory(directory_of(directory))?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    sync_directory_of(directory)
}

/// The directory that something is in.
pub(super) fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Has the name of something outlast a power cut.
///
/// # Errors
/// The system refuses.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_ends_with_the_file_though_a_process_that_is_being_started_has_it_too() {
        let directory = tempfile::tempdir().unwrap();
        let file = DatabaseFile::open(directory.path(), "notes").unwrap();
        let _of_the_other = file.file.try_clone().unwrap();
        assert!(matches!(DatabaseFile::open(directory.path(), "notes"), Err(StoreError::InUse(_))));
        drop(file);
        assert!(DatabaseFile::open(directory.path(), "notes").is_ok());
    }
}
