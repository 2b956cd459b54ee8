//! [`UnderWay`]: the mark that an import leaves while something that it has sent may not be answered. Only the next import
//! of the same seller reads it.
//!
//! It says when that was, and nothing of what was sent: that shows in the shop.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::command_line::report;
use crate::shell::kept::{KeptFile, create_private_dir, state_dir};
use crate::text::escape;

/// Longer than services take to end whatever they were sent: a frontend gives a request up after two calls of two seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(6);

/// A file that is empty unless something is under way, and locked by whoever imports.
pub(crate) struct UnderWay(File);

/// Why there is no mark.
enum NoMark {
    /// Another import holds it.
    Taken,
    Failed(io::Error),
}

impl UnderWay {
    /// The mark of this seller, beside the login, once all is in the shop that an earlier import has sent. Where it cannot
    /// be kept, that is said, and there is none.
    ///
    /// # Errors
    /// Another import of this seller is under way.
    pub(crate) fn of_seller(server: &str, seller_id: &str) -> Result<Option<UnderWay>, String> {
        let why = match state_dir() {
            None => "neither HOME nor XDG_STATE_HOME is set".to_owned(),
            Some(dir) => {
                let file = KeptFile::new(&dir, "import", &format!("seller-{seller_id}"), server);
                match UnderWay::open(file.path()) {
                    Ok(mark) => {
                        mark.settle();
                        return Ok(Some(mark));
                    }
                    Err(NoMark::Taken) => return Err("another import into this shop is under way".to_owned()),
                    Err(NoMark::Failed(error)) => error.to_string(),
                }
            }
        };
        let seconds = SETTLED_AFTER.as_secs();
        report(&format!(
            "Should this be cut off, wait {seconds} s before you run it again: it cannot be kept that it is under way: {}",
            escape(&why)
        ));
        Ok(None)
    }

    /// Waits until all is in the shop that an earlier import has sent, if one was cut off a moment ago.
    fn settle(&self) {
        if let Some(pause) = self.unsettled().filter(|pause| !pause.is_zero()) {
            let seconds = pause.as_secs() + 1;
            report(&format!("An earlier import was cut off; waiting {seconds} s for what it may have sent."));
            thread::sleep(pause);
        }
    }

    /// The mark in this file, which need not exist.
    fn open(path: &Path) -> Result<UnderWay, NoMark> {
        let open = || {
            create_private_dir(path.parent().unwrap_or(Path::new(".")))?;
            OpenOptions::new().append(true).create(true).mode(0o600).open(path)
        };
        let file = open().map_err(NoMark::Failed)?;
        match file.try_lock() {
            Ok(()) => Ok(UnderWay(file)),
            Err(TryLockError::WouldBlock) => Err(NoMark::Taken),
            Err(TryLockError::Error(error)) => Err(NoMark::Failed(error)),
        }
    }

    /// How long is to be waited until all is in the shop that an earlier import has sent. `None`: none was cut off.
    fn unsettled(&self) -> Option<Duration> {
        let found = self.0.metadata().ok().filter(|found| found.len() > 0)?;
        // A clock that was set back says nothing.
        let age = found.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
        Some(SETTLED_AFTER.saturating_sub(age))
    }

    /// Something is about to be sent.
    ///
    /// # Errors
    /// The mark cannot be made.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.0.set_len(0)?;
        self.0.write_all(b"An import is under way, or was cut off.\n")
    }

    /// The same, once it has begun.
    pub(crate) fn go_on(&self) {
        // The mark is there. At worst the next import waits too short a time if this one is cut off much later.
        let _ = self.0.set_modified(SystemTime::now());
    }

    /// All that was sent is answered.
    pub(crate) fn end(&self) {
        // The next import waits in vain then.
        let _ = self.0.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> UnderWay {
        UnderWay::open(path).unwrap_or_else(|_| panic!("nobody else has it"))
    }

    #[test]
    fn a_mark_stays_until_all_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/mark");
        let mut mark = open(&path);
        assert_eq!(mark.unsettled(), None);
        mark.begin().unwrap();
        assert!(matches!(UnderWay::open(&path), Err(NoMark::Taken)));
        drop(mark);
        let mark = open(&path);
        assert!(mark.unsettled().is_some_and(|left| left <= SETTLED_AFTER));
        mark.0.set_modified(SystemTime::now() - SETTLED_AFTER).unwrap();
        assert_eq!(mark.unsettled(), Some(Duration::ZERO));
        mark.0.set_modified(SystemTime::now() + SETTLED_AFTER * 100).unwrap();
        assert_eq!(mark.unsettled(), Some(SETTLED_AFTER));
        mark.end();
        drop(mark);
        assert_eq!(open(&path).unsettled(), None);
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_told() {
        assert!(matches!(UnderWay::open(Path::new("/dev/null/mark")), Err(NoMark::Failed(_))));
    }
}
