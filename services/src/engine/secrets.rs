//! [`Secrets`]: what a frontend must know to be served by a database. Where they are kept, and when they change, is not
//! known here.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ctutils::CtEq;
use sha2::{Digest, Sha256};

use crate::api::service::SharedSecret;

/// One that is accepted, and one that is to take its place or was in it.
const SECRETS_MAX: usize = 2;

/// The secrets that databases accept, the first of which frontends send. Clones of it are one: where they are replaced,
/// connections that stand go on, and those that are made later need the new ones. It has no `Debug`, so that it reaches
/// no log.
#[derive(Clone)]
pub struct Secrets(Arc<Mutex<Vec<SharedSecret>>>);

/// Why a text holds no secrets.
#[derive(Debug, PartialEq, Eq)]
pub enum BadSecrets {
    /// It has no line, or one with nothing in it.
    Empty,
    /// It has more lines than there may be secrets.
    TooMany,
    /// A line is longer than a secret may be.
    TooLong,
}

impl fmt::Display for BadSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no secret in it, or an empty line"),
            Self::TooMany => write!(f, "it has more than {SECRETS_MAX} lines"),
            Self::TooLong => write!(f, "a secret in it is longer than {} bytes", SharedSecret::BYTES_MAX),
        }
    }
}

impl Secrets {
    /// Reads secrets, a line each, one or two.
    ///
    /// # Errors
    /// There are none, or too many, or one is too long.
    pub fn parse(text: &str) -> Result<Self, BadSecrets> {
        let secrets: Vec<_> =
            text.lines().map(SharedSecret::new).collect::<Option<_>>().ok_or_else(|| {
                let is_empty = text.lines().any(str::is_empty);
                if is_empty { BadSecrets::Empty } else { BadSecrets::TooLong }
            })?;
        match secrets.len() {
            0 => Err(BadSecrets::Empty),
            1..=SECRETS_MAX => Ok(Self(Arc::new(Mutex::new(secrets)))),
            _ => Err(BadSecrets::TooMany),
        }
    }

    /// Takes the secrets of another in place of its own.
    pub fn replace(&self, other: Self) {
        let secrets = other.secrets().clone();
        *self.secrets() = secrets;
    }

    /// The first one, as it is sent.
    pub fn first_text(&self) -> Box<str> {
        self.first().as_str().into()
    }

    /// The bytes of the shortest.
    pub fn shortest_bytes(&self) -> usize {
        self.secrets().iter().map(|secret| secret.as_str().len()).min().expect("there is at least one")
    }

    /// The first one, to be sent.
    pub(crate) fn first(&self) -> SharedSecret {
        self.secrets()[0].clone()
    }

    /// Whether this is one of them. How long that takes tells nothing of where it differs: all digests are compared, and
    /// each as a whole.
    pub(crate) fn accept(&self, secret: &SharedSecret) -> bool {
        let digest = |secret: &SharedSecret| <[u8; 32]>::from(Sha256::digest(secret.as_str()));
        let given = digest(secret);
        let is_one = self.secrets().iter().map(|own| digest(own).ct_eq(&given)).reduce(|a, b| a | b);
        is_one.is_some_and(bool::from)
    }

    fn secrets(&self) -> MutexGuard<'_, Vec<SharedSecret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(secrets: &Secrets, secret: &str) -> bool {
        secrets.accept(&SharedSecret::new(secret).expect("it may be one"))
    }

    #[test]
    fn each_line_is_accepted_and_the_first_is_sent() {
        let secrets = Secrets::parse("new\r\nold\n").expect("two secrets");
        assert_eq!(secrets.first().as_str(), "new");
        assert!(accepts(&secrets, "new") && accepts(&secrets, "old"));
        for wrong in ["ne", "new\n", "new\nold", "New", " new"] {
            assert!(!accepts(&secrets, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_replaced_is_replaced_everywhere() {
        let secrets = Secrets::parse("old").expect("a secret");
        let elsewhere = secrets.clone();
        secrets.replace(Secrets::parse("new").expect("a secret"));
        assert!(accepts(&elsewhere, "new") && !accepts(&elsewhere, "old"));
    }

    #[test]
    fn a_text_without_secrets_is_refused() {
        let error = |text: &str| Secrets::parse(text).err();
        assert_eq!(error(""), Some(BadSecrets::Empty));
        assert_eq!(error("\n"), Some(BadSecrets::Empty));
        assert_eq!(error("a\n\nb"), Some(BadSecrets::Empty));
        assert_eq!(error("a\nb\nc"), Some(BadSecrets::TooMany));
        assert_eq!(error(&"a".repeat(SharedSecret::BYTES_MAX + 1)), Some(BadSecrets::TooLong));
        assert_eq!(error(&"a".repeat(SharedSecret::BYTES_MAX)), None);
    }
}
