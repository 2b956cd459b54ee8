//! The key under which a purchase is asked for, kept until there is an answer: then a command that is repeated, after
//! whatever has cut off the first one, does not buy twice.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::kept::KeptFile;
use super::session::Session;
use crate::client::CallError;

/// For how long a service remembers keys at least. A purchase that is older is not asked for again.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// The file that keeps the key of one purchase.
pub(crate) struct PurchaseKeyFile(KeptFile);

/// A purchase that was not answered yet.
#[derive(Serialize, Deserialize)]
pub(crate) struct PurchaseKey {
    pub(crate) key: String,
    session: Session,
    /// An earlier command has asked for it, in vain.
    #[serde(skip)]
    pub(crate) is_repeated: bool,
    /// Later commands will find it.
    #[serde(skip)]
    pub(crate) is_kept: bool,
}

impl PurchaseKeyFile {
    /// The file for this role at this server. It need not exist.
    pub(crate) fn new(state_dir: &Path, role: &str, server: &str) -> PurchaseKeyFile {
        PurchaseKeyFile(KeptFile::new(state_dir, "purchase", role, server))
    }

    /// The purchase of this user that an earlier command has asked for, if it was not answered.
    fn load(&self, session: &Session) -> Option<PurchaseKey> {
        let is_remembered = self.0.age().is_none_or(|age| age < REMEMBERED);
        // A file that cannot be read cannot be replaced either, which is said then.
        let kept = self.0.load::<PurchaseKey>().ok().flatten();
        kept.filter(|kept| is_remembered && kept.session.is_of_user_of(session))
    }
}

impl PurchaseKey {
    /// The key of the purchase that this session asks for next: a new one, unless there is one to be asked for again. A
    /// new one is kept in the file; what keeps it from that, `complain` is told.
    pub(crate) fn next(
        file: Option<&PurchaseKeyFile>,
        session: &Session,
        complain: impl FnOnce(&io::Error),
    ) -> PurchaseKey {
        if let Some(kept) = file.and_then(|file| file.load(session)) {
            return PurchaseKey { is_repeated: true, is_kept: true, ..kept };
        }
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system has random bits");
        let key = format!("{:032x}", u128::from_ne_bytes(bytes));
        let mut key = PurchaseKey { key, session: session.clone(), is_repeated: false, is_kept: false };
        let kept = match file {
            Some(PurchaseKeyFile(file)) => file.replace().and_then(|new| new.keep(&key)),
            None => Err(io::Error::other("neither HOME nor XDG_STATE_HOME is set")),
        };
        key.is_kept = kept.inspect_err(complain).is_ok();
        key
    }

    /// Drops the key, if this answer is the purchase's. Returns whether it is.
    pub(crate) fn answered<T>(&self, file: Option<&PurchaseKeyFile>, answer: &Result<T, CallError>) -> bool {
        let is_over = match answer {
            Ok(_) => true,
            Err(CallError::Refused(refusal)) => match refusal.code.as_str() {
                "UNAVAILABLE" | "INTERNAL" => false,
                // Whatever an earlier request has begun is over.
                "OUT_OF_STOCK" | "FAILED_PRECONDITION" => true,
                // This request has begun nothing. An earlier one may have.
                _ => !self.is_repeated,
            },
            Err(_) => false,
        };
        if is_over && let Some(PurchaseKeyFile(file)) = file {
            file.remove();
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ServiceError, raw};

    fn session(id: &str, username: &str) -> Session {
        Session { session_id: id.to_owned(), username: Some(username.to_owned()) }
    }

    fn refused(code: &str) -> Result<(), CallError> {
        Err(CallError::Refused(ServiceError { code: code.to_owned(), message: String::new(), json: raw("") }))
    }

    #[test]
    fn a_key_is_kept_until_its_purchase_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let file = PurchaseKeyFile::new(dir.path(), "buyer", "127.0.0.1:6003");
        let next =
            |id, username| PurchaseKey::next(Some(&file), &session(id, username), |error| panic!("{error}"));
        let first = next("1", "ann");
        assert!(!first.is_repeated);
        assert_eq!(first.key.len(), 32);
        for lost in [Err(CallError::GivenUp), refused("UNAVAILABLE"), refused("INTERNAL")] {
            assert!(!first.answered(Some(&file), &lost));
            let again = next("2", "ann");
            assert!(again.is_repeated && again.key == first.key);
        }
        let again = next("2", "ann");
        assert!(!again.answered(Some(&file), &refused("NOT_LOGGED_IN")), "it says nothing of the first time");
        for answer in [Ok(()), refused("OUT_OF_STOCK"), refused("FAILED_PRECONDITION")] {
            let key = next("2", "ann");
            assert!(key.answered(Some(&file), &answer));
            assert_ne!(next("2", "ann").key, key.key);
        }
    }

    #[test]
    fn a_first_time_that_was_refused_has_begun_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = PurchaseKeyFile::new(dir.path(), "buyer", "127.0.0.1:6003");
        let next = || PurchaseKey::next(Some(&file), &session("1", "ann"), |error| panic!("{error}"));
        assert!(next().answered(Some(&file), &refused("SESSION_TIMEOUT")));
        assert!(!next().is_repeated);
    }

    #[test]
    fn a_key_is_nobody_elses_and_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let file = PurchaseKeyFile::new(dir.path(), "buyer", "127.0.0.1:6003");
        assert!(PurchaseKey::next(Some(&file), &session("1", "ann"), |_| ()).is_kept);
        assert!(file.load(&session("2", "bob")).is_none());
        assert!(file.load(&session("2", "ann")).is_some());
        let kept = std::fs::File::options().write(true).open(file.0.path()).unwrap();
        kept.set_modified(std::time::SystemTime::now() - REMEMBERED).unwrap();
        assert!(file.load(&session("2", "ann")).is_none());
    }

    #[test]
    fn without_a_file_there_is_a_key_all_the_same() {
        let key = PurchaseKey::next(None, &session("1", "ann"), |_| ());
        assert!(!key.is_kept && !key.is_repeated);
        assert!(key.answered(None, &Ok(())));
    }
}
