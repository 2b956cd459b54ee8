//! [`CommitsFile`]: the state that was acknowledged last, in a small file beside the database, so that a start that finds
//! less can tell.
//!
//! It is overwritten in place after each commit, before that is reported, and flushed now and then: it is exact after
//! the end of a process, however that came about, and may lag behind after a power cut. It is never ahead.

use std::fmt::Write;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use siphasher::sip::SipHasher13;

use super::seal::State;

/// What is appended to the name of the database.
pub(crate) const SUFFIX: &str = "-commits";

/// A state, and of which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Chosen at random when the database was made, and again whenever it went on without this file: what tells copies
    /// that went separate ways apart.
    pub(crate) lineage: i64,
    pub(crate) state: State,
}

/// What there is beside a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    Mark(Mark),
    /// There is no file.
    Nothing,
    /// It is damaged.
    Unreadable,
}

/// The file, open.
pub(super) struct CommitsFile {
    file: File,
    is_flushed: AtomicBool,
}

impl Acknowledged {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(Mark::parse(&bytes).map_or(Self::Unreadable, Self::Mark)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Err(error) => Err(error),
        }
    }
}

impl CommitsFile {
    /// Opens the file at `path`, or makes it, and lets it hold a mark, durably but for its name.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn create(path: &Path, mark: Mark) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let file = Self { file, is_flushed: AtomicBool::new(false) };
        file.write(mark)?;
        file.file.set_len(mark.line().len() as u64)?;
        file.file.sync_all()?;
        Ok(file)
    }

    /// Replaces the mark.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn write(&self, mark: Mark) -> io::Result<()> {
        self.file.write_all_at(mark.line().as_bytes(), 0)?;
        self.is_flushed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Flushes the mark, unless it was.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn flush(&self) -> io::Result<()> {
        if self.is_flushed.swap(true, Ordering::Relaxed) { Ok(()) } else { self.file.sync_data() }
    }
}

impl Mark {
    /// The mark as text, always of the same length, that ends with a checksum of itself.
    fn line(self) -> String {
        let Self { lineage, state: State { commits, checksum } } = self;
        let mut line = format!("lineage={lineage:016x} commits={commits:020} rows={checksum:016x}");
        let own = SipHasher13::new().hash(line.as_bytes());
        writeln!(line, " line={own:016x}").expect("memory takes text");
        line
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let mut values = text.split_ascii_whitespace().filter_map(|field| Some(field.split_once('=')?.1));
        let lineage = u64::from_str_radix(values.next()?, 16).ok()?.cast_signed();
        let commits = values.next()?.parse().ok()?;
        let checksum = u64::from_str_radix(values.next()?, 16).ok()?;
        let mark = Self { lineage, state: State { commits, checksum } };
        (mark.line() == text).then_some(mark)
    }
}
