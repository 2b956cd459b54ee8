//! The session that `login` leaves for later commands.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::kept::{KeptFile, NewFile};

/// A session of the service.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) session_id: String,
    /// Who logged in, if that is known.
    pub(crate) username: Option<String>,
}

/// The file that keeps one session.
pub(crate) struct SessionFile(KeptFile);

impl Session {
    /// Whether it is the same user's, as far as that can be known.
    pub(crate) fn is_of_user_of(&self, other: &Session) -> bool {
        self.session_id == other.session_id || self.username.is_some() && self.username == other.username
    }
}

impl SessionFile {
    /// The file for this role at this server. It need not exist.
    pub(crate) fn new(state_dir: &Path, role: &str, server: &str) -> SessionFile {
        SessionFile(KeptFile::new(state_dir, "session", role, server))
    }

    /// Where the session is kept.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The session kept, if there is one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn load(&self) -> io::Result<Option<Session>> {
        self.0.load()
    }

    /// Makes ready to keep another session. Whoever cannot do so should know before there is one.
    ///
    /// # Errors
    /// The folder cannot be made, or not be written.
    pub(crate) fn replace(&self) -> io::Result<NewFile> {
        self.0.replace()
    }

    /// Removes the file if it keeps this very session, and returns whether it did; another process
    /// may have logged in since.
    pub(crate) fn remove(&self, session: &Session) -> bool {
        let kept = self.load().ok().flatten();
        let is_kept = kept.is_some_and(|kept| kept.session_id == session.session_id);
        if is_kept {
            // A file that is gone already is as good; one that stays is refused by the service.
            self.0.remove();
        }
        is_kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, username: Option<&str>) -> Session {
        Session { session_id: id.to_owned(), username: username.map(str::to_owned) }
    }

    #[test]
    fn a_newer_session_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let file = SessionFile::new(dir.path(), "buyer", "127.0.0.1:6003");
        let (old, new) = (session("old", Some("ann")), session("new", Some("ann")));
        file.replace().unwrap().keep(&new).unwrap();
        assert!(!file.remove(&old));
        assert!(file.load().unwrap().is_some());
        assert!(file.remove(&new));
        assert!(file.load().unwrap().is_none());
    }

    #[test]
    fn two_sessions_of_unknown_users_are_not_one_users() {
        let of_ann = session("1", Some("ann"));
        assert!(of_ann.is_of_user_of(&session("2", Some("ann"))));
        assert!(of_ann.is_of_user_of(&session("1", None)));
        assert!(!of_ann.is_of_user_of(&session("2", Some("bob"))));
        assert!(!session("1", None).is_of_user_of(&session("2", None)));
    }
}
