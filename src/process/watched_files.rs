//! [`WatchedFiles`]: notices that files were changed or replaced, so that they are read again where nobody can send a
//! SIGHUP, as in a pod whose Secret is renewed. It reads none itself.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use net::spawn_thread;

/// A change is noticed so soon. Kubernetes takes a minute itself, and a look at four files some microseconds.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Files, and how they were when they were last looked at.
pub(crate) struct WatchedFiles {
    paths: Vec<PathBuf>,
    seen: Mutex<Vec<Option<Stamp>>>,
}

/// What is different when a file, or that to which a link leads, has been written or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    changed_at: (i64, i64),
}

impl WatchedFiles {
    /// These files, as they are now. They are to be read after it.
    pub(crate) fn new(paths: Vec<PathBuf>) -> Self {
        let files = Self { paths, seen: Mutex::default() };
        files.look();
        files
    }

    /// Takes them to be known as they are now, and returns whether they were. It comes before they are read, so that what
    /// is written meanwhile is noticed later. A change is noticed once, whatever comes of reading them.
    pub(crate) fn look(&self) -> bool {
        let stamps: Vec<_> = self.paths.iter().map(|path| Stamp::of(path)).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = *seen == stamps;
        *seen = stamps;
        is_known
    }

    /// Has a thread call this whenever they have changed.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn on_change(self: Arc<Self>, reload: impl Fn() + Send + 'static) -> io::Result<()> {
        spawn_thread("files", move || {
            loop {
                thread::sleep(LOOK_INTERVAL);
                if !self.look() {
                    reload();
                }
            }
        })?;
        Ok(())
    }
}

impl Stamp {
    /// `None`: there is no such file.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let changed_at = (metadata.ctime(), metadata.ctime_nsec());
        Some(Self { device: metadata.dev(), inode: metadata.ino(), bytes: metadata.len(), changed_at })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_change_is_noticed_once() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("tls.key");
        let files = WatchedFiles::new(vec![path.clone()]);
        assert!(files.look(), "it is missing as before");
        for text in ["new", "longer"] {
            fs::write(&path, text).unwrap();
            assert_eq!([files.look(), files.look()], [false, true], "{text}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!([files.look(), files.look()], [false, true]);
    }

    #[test]
    fn a_link_that_leads_elsewhere_is_a_change() {
        // As Kubernetes replaces what is mounted: all files at once, by a link to another folder.
        let folder = TempDir::new().unwrap();
        let [old, new, data, next] =
            ["old", "new", "..data", "..data_tmp"].map(|name| folder.path().join(name));
        for version in [&old, &new] {
            fs::create_dir(version).unwrap();
            fs::write(version.join("tls.crt"), "same").unwrap();
        }
        symlink(&old, &data).unwrap();
        symlink("..data/tls.crt", folder.path().join("tls.crt")).unwrap();
        let files = WatchedFiles::new(vec![folder.path().join("tls.crt")]);
        symlink(&new, &next).unwrap();
        fs::rename(&next, &data).unwrap();
        assert_eq!([files.look(), files.look()], [false, true]);
    }
}
