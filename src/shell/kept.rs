//! Files that a command leaves for later ones, and that only their user can read.
//!
//! There is one of each kind for each role and server, in `$XDG_STATE_HOME/marketplace`, or else in
//! `~/.local/state/marketplace`.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::NamedTempFile;

/// A file that keeps one value as JSON.
pub(crate) struct KeptFile {
    path: PathBuf,
}

/// A file beside it, which is to take its place.
pub(crate) struct NewFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl KeptFile {
    /// The file of this kind, for this role at this server. It need not exist.
    pub(crate) fn new(state_dir: &Path, kind: &str, role: &str, server: &str) -> KeptFile {
        KeptFile { path: state_dir.join(format!("{kind}-{role}-{}", file_name_part(server))) }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The value kept, if there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn load<T: DeserializeOwned>(&self) -> io::Result<Option<T>> {
        match fs::read(&self.path) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How long ago the value was kept, as far as that is known.
    pub(crate) fn age(&self) -> Option<Duration> {
        fs::metadata(&self.path).ok()?.modified().ok()?.elapsed().ok()
    }

    /// Makes ready to keep another value. Whoever cannot do so should know before there is one.
    ///
    /// # Errors
    /// The folder cannot be made, or not be written.
    pub(crate) fn replace(&self) -> io::Result<NewFile> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        create_private_dir(dir)?;
        // A temporary file is readable by its user alone from the start.
        Ok(NewFile { file: NamedTempFile::new_in(dir)?, path: self.path.clone() })
    }

    /// Removes it, if it is there and can be.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl NewFile {
    /// Keeps `value` in place of the one before. Other processes see either, never a part.
    pub(crate) fn keep(mut self, value: &impl Serialize) -> io::Result<()> {
        self.file.write_all(&serde_json::to_vec(value)?)?;
        self.file.persist(&self.path)?;
        Ok(())
    }
}

/// Where such files and histories are kept, if the environment says where.
pub(crate) fn state_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    base.map(|base| base.join("marketplace"))
}

/// Creates `dir` for its user alone.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // A folder of another owner stays as it is. The files in it are readable by their user alone all the same.
    let _ = fs::set_permissions(dir, Permissions::from_mode(0o700));
    Ok(())
}

/// A server's name with all that a file name may not hold written as `%` and two digits.
fn file_name_part(server: &str) -> String {
    let mut part = String::new();
    for byte in server.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b':' => part.push(char::from(byte)),
            other => part.push_str(&format!("%{other:02x}")),
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_can_read_what_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("state/marketplace");
        let file = KeptFile::new(&dir, "session", "buyer", "[::1]:6003");
        assert_eq!(file.load::<String>().unwrap(), None);
        file.replace().unwrap().keep(&"one").unwrap();
        file.replace().unwrap().keep(&"two").unwrap();
        assert_eq!(file.load::<String>().unwrap().unwrap(), "two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&file.path)), (0o700, 0o600));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "a temporary file was left");
        file.remove();
        assert_eq!(file.load::<String>().unwrap(), None);
    }

    #[test]
    fn a_folder_whose_mode_cannot_be_changed_is_used_as_it_is() {
        create_private_dir(Path::new("/proc/self/fd")).unwrap();
    }

    #[test]
    fn servers_never_share_a_file() {
        assert_eq!(file_name_part("[::1]:6003"), "%5b::1%5d:6003");
        assert_ne!(file_name_part("a/b:1"), file_name_part("a_b:1"));
        assert!(!file_name_part("../x:1").contains('/'));
    }
}
