//! Puts a copy of a database in its place, and keeps what was there under another name.
//!
//! A database is several files: itself, its log and what else is in [`parts`], and no system gives them other names in
//! one step. So they go one after another, in an order such that whenever it ends, by a kill or a power cut, what
//! is left is either the old database, or the new one, or **none: no file has the database's name, and a file that is to
//! be restored waits beside it**. A service does not start on that ([`check_ended`]), and another restore goes on from
//! there. Never is the new file beside the log of the old one:
//!
//! 1. The copy is made as `NAME-restoring-STAMP.db`, checked, and flushed. Nothing has changed so far.
//! 2. `NAME.db` becomes `NAME-replaced-STAMP.db`. From here on there is none.
//! 3. The other parts follow it. The stamp that is common to all of them tells a second restore where they belong.
//! 4. The copy becomes `NAME.db`.
//!
//! Each rename is on disk before the next one. Of two databases both are taken away before either is put in place, so
//! that no service of a new one runs beside that of an old one. The locks of the old files and those of the new ones are
//! held all the time.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::fs::{FlockOperation, fcntl_lock};

use super::StoreError;
use super::admit::compare;
use super::commits::{Acknowledged, Mark, SUFFIX};
use super::copy::{Copied, Copy, Kind, PARTIAL, exists, names, not_copied, remove_beside, rename};
use super::error::{failure, io_failure};
use super::file::{DatabaseFile, beside, create_directory, directory_of};

/// Stands in the name of a file that is to be restored, before it is.
const RESTORING: &str = "-restoring-";
/// Stands in the names of what was there before.
const REPLACED: &str = "-replaced-";

/// A database that was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The database, as it is now.
    pub copied: Copied,
    /// What was there before, if there was anything.
    pub kept: Option<PathBuf>,
}

/// Puts the databases of a backup in the place of those in `data`, which is made if it is missing. `source` is a
/// folder that [`backup`](super::backup::backup) has made, or a single file of one database, whatever it is called.
/// What was there is kept under a name that has the time in it: `now`, in seconds since 1970.
///
/// All copies are checked before anything is replaced.
///
/// # Errors
/// A service uses what would be replaced, or the source is no whole and sound backup; then nothing has changed. Or a
/// rename fails; then a service does not start until another restore has ended well.
pub(crate) fn restore(
    kinds: &[Kind],
    source: &Path,
    data: &Path,
    now: u64,
) -> Result<Vec<Restored>, StoreError> {
    let sources = find(kinds, source, data)?;
    let stamp = stamp(now).map_err(|error| failure(data, error))?;
    create_directory(data).map_err(|error| io_failure(data, error))?;
    let targets: Vec<Target> =
        sources.iter().map(|(kind, _)| Target::take(kind, data, &stamp)).collect::<Result<_, _>>()?;
    let mut copies = Vec::new();
    for ((kind, source), target) in sources.iter().zip(&targets) {
        copies.push(target.copy(kind, source)?);
    }
    for (target, (copy, _)) in targets.iter().zip(&mut copies) {
        target.clear(copy)?;
    }
    let mut restored = Vec::new();
    for (target, (copy, copied)) in targets.iter().zip(&mut copies) {
        copy.rename(&target.file)?;
        copy.keep();
        restored.push(Restored { copied: copied.clone(), kept: target.kept() });
    }
    Ok(restored)
}

/// Checks that a database is not missing because a restore of it did not end.
///
/// # Errors
/// It is.
pub(super) fn check_ended(named: &Path) -> Result<(), StoreError> {
    let Ok(path) = resolve(named) else { return Ok(()) };
    match restoring(&path).pop() {
        Some(left) if !exists(&path) => Err(StoreError::Unfinished { path, left }),
        _ => Ok(()),
    }
}

/// The files that are a database together, itself first.
fn parts(file: &Path) -> [PathBuf; 5] {
    ["", "-wal", "-shm", "-journal", SUFFIX].map(|suffix| beside(file, suffix))
}

/// The renames that take a database away, in order; see above.
pub(super) fn renames(file: &Path, kept: &Path) -> Vec<(PathBuf, PathBuf)> {
    parts(file).into_iter().zip(parts(kept)).filter(|(part, _)| exists(part)).collect()
}

/// The copies that were to be restored in the place of a database, by name.
fn restoring(file: &Path) -> Vec<PathBuf> {
    let prefix = format!("{}{RESTORING}", stem(file));
    let is_one = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix) && name.ends_with(".db")
    };
    let entries = fs::read_dir(directory_of(file)).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_one).collect();
    found.sort();
    found
}

/// Finds the backups that `source` stands for.
pub(super) fn find(kinds: &[Kind], source: &Path, data: &Path) -> Result<Vec<(Kind, PathBuf)>, StoreError> {
    let refuse = |path: &Path, what: String| Err(StoreError::Failed(path.into(), what));
    let metadata = source.metadata().map_err(|error| io_failure(source, error))?;
    let mut found = Vec::new();
    if metadata.is_dir() {
        for kind in kinds {
            let file = kind.file(source);
            let partial = beside(&file, PARTIAL);
            if exists(&partial) {
                return refuse(&partial, "the backup is not whole: restore another one".into());
            }
            if exists(&file) {
                found.push((*kind, file));
            }
        }
    } else {
        // What the header does not tell yet, or any more, may be in the name. The check will tell.
        let id = application_id(source).unwrap_or(0);
        let by_id = kinds.iter().find(|kind| id == kind.application_id);
        let Some(kind) = by_id.or_else(|| kinds.iter().find(|kind| stem(source).starts_with(kind.name)))
        else {
            return Err(StoreError::Foreign(source.into()));
        };
        found.push((*kind, source.to_owned()));
    }
    if found.is_empty() {
        return refuse(source, format!("there is no {} in it", names(kinds)));
    }
    for (kind, file) in &found {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.contains(RESTORING) {
            return refuse(file, "it is what another restore has left: restore the backup itself".into());
        }
        if is_same(file, &kind.file(data)) {
            return refuse(file, "it is the database itself, not a backup of it".into());
        }
    }
    Ok(found)
}

fn application_id(path: &Path) -> io::Result<i32> {
    let mut header = [0; 72];
    File::open(path)?.read_exact(&mut header)?;
    let [.., a, b, c, d] = header;
    Ok(i32::from_be_bytes([a, b, c, d]))
}

fn is_same(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    id(a).is_some() && id(a) == id(b)
}

/// Where a database is to be restored. Until this is dropped, nobody else uses what is there.
pub(super) struct Target {
    pub(super) file: PathBuf,
    stamp: String,
    /// What is there, locked.
    _old: Option<DatabaseFile>,
}

impl Target {
    pub(super) fn take(kind: &Kind, data: &Path, stamp: &str) -> Result<Self, StoreError> {
        let named = kind.file(data);
        let file = resolve(&named).map_err(|error| io_failure(&named, error))?;
        let old = if exists(&file) { lock(kind, data)? } else { None };
        let mut left = restoring(&file);
        if old.is_some() {
            // What a restore has left that changed nothing.
            for left in left.drain(..) {
                fs::remove_file(&left).map_err(|error| io_failure(&left, error))?;
                remove_beside(&left);
            }
        }
        // What another restore has moved away already tells where the rest belongs.
        let left = left.pop().map(|left| stem(&left));
        let common = left.as_deref().and_then(|name| name.rsplit_once(RESTORING)).map(|(_, stamp)| stamp);
        let stamp = common.map_or_else(|| free(&file, stamp), str::to_owned);
        Ok(Self { file, stamp, _old: old })
    }

    pub(super) fn named(&self, word: &str) -> PathBuf {
        named(&self.file, word, &self.stamp)
    }

    /// Makes a checked copy that has everything but its name.
    pub(super) fn copy(&self, kind: &Kind, source: &Path) -> Result<(Copy, Copied), StoreError> {
        let mut copy = Copy::begin(self.named(RESTORING))?;
        if exists(&self.named(REPLACED)) {
            // It tells that the database is missing because a restore did not end.
            copy.keep();
        }
        let mark = fill(&copy, kind, source).map_err(|error| blame(source, error))?;
        let owner = if exists(&self.file) { &self.file } else { directory_of(&self.file) };
        copy.give_to_owner_of(owner)?;
        let bytes = copy.flush()?;
        Ok((copy, Copied { path: self.file.clone(), bytes, commits: mark.map(|mark| mark.state.commits) }))
    }

    /// Takes away what is there. Once anything is, the copy tells that a restore did not end.
    fn clear(&self, copy: &mut Copy) -> Result<(), StoreError> {
        for (from, to) in renames(&self.file, &self.named(REPLACED)) {
            rename(&from, &to)?;
            copy.keep();
        }
        Ok(())
    }

    /// What was there before.
    fn kept(&self) -> Option<PathBuf> {
        let kept = self.named(REPLACED);
        exists(&kept).then_some(kept)
    }
}

/// A time as a part of a name.
fn stamp(seconds: u64) -> rusqlite::Result<String> {
    let sql = "SELECT strftime('%Y%m%dT%H%M%SZ', ?, 'unixepoch')";
    Connection::open_in_memory()?.query_row(sql, [seconds.cast_signed()], |row| row.get(0))
}

/// Where a path leads, also if nothing is there.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), fs::read_link(path)) {
        (Err(error), Ok(target)) if error.kind() == ErrorKind::NotFound => {
            resolve(&directory_of(path).join(target))
        }
        (Err(error), Err(_)) if error.kind() == ErrorKind::NotFound => {
            Ok(directory_of(path).canonicalize()?.join(path.file_name().unwrap_or_default()))
        }
        (resolved, _) => resolved,
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn named(file: &Path, word: &str, stamp: &str) -> PathBuf {
    file.with_file_name(format!("{}{word}{stamp}.db", stem(file)))
}

/// The stamp, or what is made of it until nothing has a name with it.
fn free(file: &Path, stamp: &str) -> String {
    let more = (2..).map(|count| format!("{stamp}-{count}"));
    let is_free = |stamp: &String| !parts(&named(file, REPLACED, stamp)).iter().any(|part| exists(part));
    [stamp.to_owned()].into_iter().chain(more).find(is_free).expect("they do not end")
}

/// Takes a database's file for this process alone, also before programs that do not ask for the service's lock:
/// whoever has it open by SQLite would in the end remove the log of the new one, which has the old one's name.
fn lock(kind: &Kind, data: &Path) -> Result<Option<DatabaseFile>, StoreError> {
    let Some(database) = DatabaseFile::lock(data, kind.name)? else { return Ok(None) };
    match fcntl_lock(database.file(), FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(database)),
        Err(_) => Err(StoreError::InUse(database.path().to_owned())),
    }
}

/// Copies a backup and checks the copy. With a log beside it, it is no backup but a database that was not stopped; it is
/// taken if what else is beside it tells that the two belong together.
fn fill(copy: &Copy, kind: &Kind, source: &Path) -> Result<Option<Mark>, StoreError> {
    let commits_path = beside(source, SUFFIX);
    let acknowledged = Acknowledged::read(&commits_path).map_err(|error| io_failure(&commits_path, error))?;
    let [log, journal] = ["-wal", "-journal"].map(|suffix| beside(source, suffix));
    let is_in_use = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.len() > 0);
    let has_log = is_in_use(&log);
    if is_in_use(&journal) || has_log && !matches!(acknowledged, Acknowledged::Mark(_)) {
        let what = "there is a log beside it that may be another's: it is no backup".to_owned();
        return Err(StoreError::Failed(source.into(), what));
    }
    let file = File::open(source).map_err(|error| io_failure(source, error))?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(source.into())),
        locked => locked.map_err(|error| io_failure(source, error.into()))?,
    }
    pour(&file, copy.file()).map_err(|error| not_copied(source, copy.path(), error))?;
    if has_log {
        let to = copy.create_beside("-wal")?;
        let poured = File::open(&log).and_then(|from| pour(&from, &to));
        poured.map_err(|error| not_copied(&log, copy.path(), error))?;
    }
    let mark = (kind.check)(copy.path())?;
    if let Acknowledged::Mark(acknowledged) = acknowledged {
        compare(source, &commits_path, mark, acknowledged)?;
    }
    (kind.load)(copy.path())?;
    Ok(mark)
}

fn pour(mut from: &File, mut to: &File) -> io::Result<()> {
    io::copy(&mut from, &mut to).map(drop)
}

fn blame(source: &Path, error: StoreError) -> StoreError {
    match error.about(source) {
        StoreError::Damaged(path, what) => {
            StoreError::Failed(path, format!("it is damaged ({what}): restore another backup"))
        }
        error => error,
    }
}
