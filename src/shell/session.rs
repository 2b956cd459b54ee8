//! The session that `login` leaves for later commands: a file that only its user can read.
//!
//! There is one for each role and server, in `$XDG_STATE_HOME/marketplace`, or else in
//! `~/.local/state/marketplace`.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

/// A session of the service.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) session_id: String,
    /// Who logged in, if that is known.
    pub(crate) username: Option<String>,
}

/// The file that keeps one session.
pub(crate) struct SessionFile {
    path: PathBuf,
}

/// A file beside it, which is to take its place.
pub(crate) struct NewSessionFile {
    file: NamedTempFile,
    path: PathBuf,
}

impl SessionFile {
    /// The file for this role at this server. It need not exist.
    pub(crate) fn new(state_dir: &Path, role: &str, server: &str) -> SessionFile {
        SessionFile { path: state_dir.join(format!("session-{role}-{}", file_name_part(server))) }
    }

    /// Where the session is kept.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The session kept, if there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn load(&self) -> io::Result<Option<Session>> {
        match fs::read(&self.path) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes ready to keep another session. Whoever cannot do so should know before there is one.
    ///
    /// # Errors
    /// The folder cannot be made, or not be written.
    pub(crate) fn replace(&self) -> io::Result<NewSessionFile> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        create_private_dir(dir)?;
        // A temporary file is readable by its user alone from the start.
        Ok(NewSessionFile { file: NamedTempFile::new_in(dir)?, path: self.path.clone() })
    }

    /// Removes the file if it keeps this very session, and returns whether it did; another process
    /// may have logged in since.
    pub(crate) fn remove(&self, session: &Session) -> bool {
        let kept = self.load().ok().flatten();
        let is_kept = kept.is_some_and(|kept| kept.session_id == session.session_id);
        if is_kept {
            // A file that is gone already is as good; one that stays is refused by the service.
            let _ = fs::remove_file(&self.path);
        }
        is_kept
    }
}

impl NewSessionFile {
    /// Keeps `session` in place of the one before. Other processes see either, never a part.
    pub(crate) fn keep(mut self, session: &Session) -> io::Result<()> {
        self.file.write_all(&serde_json::to_vec(session)?)?;
        self.file.persist(&self.path)?;
        Ok(())
    }
}

/// Where sessions and histories are kept, if the environment says where.
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

    fn session(id: &str) -> Session {
        Session { session_id: id.to_owned(), username: Some("ann".to_owned()) }
    }

    #[test]
    fn only_the_user_can_read_what_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("state/marketplace");
        let file = SessionFile::new(&dir, "buyer", "[::1]:6003");
        assert!(file.load().unwrap().is_none());
        file.replace().unwrap().keep(&session("one")).unwrap();
        file.replace().unwrap().keep(&session("two")).unwrap();
        assert_eq!(file.load().unwrap().unwrap().session_id, "two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&file.path)), (0o700, 0o600));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "a temporary file was left");
    }

    #[test]
    fn a_folder_whose_mode_cannot_be_changed_is_used_as_it_is() {
        create_private_dir(Path::new("/proc/self/fd")).unwrap();
    }

    #[test]
    fn a_newer_session_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let file = SessionFile::new(dir.path(), "buyer", "127.0.0.1:6003");
        file.replace().unwrap().keep(&session("new")).unwrap();
        assert!(!file.remove(&session("old")));
        assert!(file.load().unwrap().is_some());
        assert!(file.remove(&session("new")));
        assert!(file.load().unwrap().is_none());
    }

    #[test]
    fn servers_never_share_a_file() {
        assert_eq!(file_name_part("[::1]:6003"), "%5b::1%5d:6003");
        assert_ne!(file_name_part("a/b:1"), file_name_part("a_b:1"));
        assert!(!file_name_part("../x:1").contains('/'));
    }
}
