//! [`Place`]: where the data lie of what a benchmark starts. What is there already is neither read nor changed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::statfs;
use tempfile::{Builder, TempDir};

/// What the names of folders begin with, so that one that a killed benchmark has left is known by it.
const PREFIX: &str = "marketplace-bench-";
/// What Linux calls `tmpfs` and `ramfs`.
const MEMORY_MAGICS: [u32; 2] = [0x0102_1994, 0x8584_58f6];

/// A folder in which folders for data are made, each of which goes away with what has used it.
#[derive(Clone, Debug, Default)]
pub struct Place {
    given: Option<PathBuf>,
}

impl Place {
    /// This folder, or the one for temporary files.
    pub fn new(given: Option<PathBuf>) -> Self {
        Self { given }
    }

    /// The folder, if it is not the one for temporary files.
    pub(crate) fn given(&self) -> Option<&Path> {
        self.given.as_deref()
    }

    /// A folder for data in it.
    ///
    /// # Errors
    /// There is no such folder, or it takes no other. It is not made: on a disk that is not mounted, where it should
    /// have been, another disk would be measured.
    pub(crate) fn new_folder(&self) -> Result<TempDir, String> {
        let folder = self.folder();
        let shown = folder.display();
        match fs::metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(format!("the data cannot lie in {shown}: it is no folder")),
            Err(error) => return Err(format!("the data cannot lie in {shown}: {error}")),
        }
        let made = Builder::new().prefix(PREFIX).tempdir_in(&folder);
        made.map_err(|error| format!("the data cannot lie in {shown}: {}", error.kind()))
    }

    /// Whether what lies there lies in memory, where flushing costs nothing.
    pub(crate) fn is_in_memory(&self) -> bool {
        let file_system = statfs(self.folder());
        file_system.is_ok_and(|file_system| MEMORY_MAGICS.contains(&(file_system.f_type as u32)))
    }

    /// What is to be said before anything is measured.
    pub(crate) fn warning(&self) -> Option<String> {
        self.is_in_memory().then(|| {
            format!(
                "warning: the data lie in memory, in {}, where flushing costs nothing: --data names a folder on a disk",
                self.folder().display()
            )
        })
    }

    fn folder(&self) -> PathBuf {
        self.given.clone().unwrap_or_else(env::temp_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_in_the_place_and_goes_away() {
        let dir = tempfile::tempdir().expect("the system has a folder to give");
        fs::write(dir.path().join("theirs"), "").expect("it can be written");
        let place = Place::new(Some(dir.path().to_owned()));
        let data = place.new_folder().expect("the place takes it");
        let path = data.path().to_owned();
        assert_eq!(
            path.parent().and_then(|folder| folder.canonicalize().ok()),
            dir.path().canonicalize().ok()
        );
        drop(data);
        assert!(!path.exists() && dir.path().join("theirs").exists());
    }

    #[test]
    fn what_is_no_folder_or_takes_none_is_refused() {
        let dir = tempfile::tempdir().expect("the system has a folder to give");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("it can be written");
        let refused =
            |path: &Path| Place::new(Some(path.to_owned())).new_folder().expect_err("it takes no data");
        assert!(refused(&file).ends_with("/file: it is no folder"), "{}", refused(&file));
        let missing = dir.path().join("missing");
        assert!(refused(&missing).contains("/missing: No such file"), "{}", refused(&missing));
        assert!(!missing.exists());
        assert!(refused(Path::new("/proc")).starts_with("the data cannot lie in /proc: "));
    }

    #[test]
    fn what_lies_in_memory_is_known() {
        // Linux has one there, unless it is in a container without.
        let shared = Path::new("/dev/shm");
        let is_mounted =
            fs::read_to_string("/proc/mounts").is_ok_and(|mounts| mounts.contains(" /dev/shm tmpfs "));
        if is_mounted {
            let warning = Place::new(Some(shared.to_owned())).warning();
            assert!(
                warning.is_some_and(
                    |warning| warning.starts_with("warning: the data lie in memory, in /dev/shm,")
                )
            );
        }
        assert!(!Place::new(Some("/proc".into())).is_in_memory());
    }
}
