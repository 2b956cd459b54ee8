//! [`Passwords`]: hashes and verifies passwords, which is slow on purpose and so runs on a thread of its own.

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use net::Work;

/// What hashing one password costs, in memory and passes over it.
#[derive(Clone, Copy, Debug)]
pub struct HashCost {
    /// KiB of memory, at least 8.
    pub memory_kib: u32,
    /// Passes, at least 1.
    pub passes: u32,
}

impl Default for HashCost {
    /// One of the settings that the OWASP Password Storage Cheat Sheet recommends for Argon2id.
    fn default() -> Self {
        Self { memory_kib: 7 * 1024, passes: 5 }
    }
}

/// Argon2id at a certain cost. A hash carries its own cost, so old ones stay valid when it changes.
pub(crate) struct Passwords(Argon2<'static>);

/// What is to be done with a password. It has no `Debug`, so that it reaches no log.
pub(crate) enum PasswordJob {
    /// Hash it for a new account.
    Hash { password: Box<[u8]>, salt: [u8; 16] },
    /// Compare it with an account's hash. Without an account it takes as long, so that time does not tell
    /// whether there is one.
    Verify { password: Box<[u8]>, hash: Option<Box<str>> },
}

/// What came of it.
pub(crate) enum PasswordDone {
    Hashed(Box<str>),
    Verified(bool),
}

impl Passwords {
    /// # Errors
    /// The cost is outside of what Argon2 allows.
    pub(crate) fn new(cost: HashCost) -> Result<Self, String> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|error| error.to_string())?;
        Ok(Self(Argon2::new(Algorithm::Argon2id, Version::V0x13, params)))
    }

    fn hash(&self, password: &[u8], salt: &[u8]) -> PasswordHash {
        self.0.hash_password_with_salt(password, salt).expect("cost, password and salt are within bounds")
    }
}

impl Work for Passwords {
    type Job = PasswordJob;
    type Done = PasswordDone;

    fn run(&mut self, job: PasswordJob) -> PasswordDone {
        match job {
            PasswordJob::Hash { password, salt } => {
                PasswordDone::Hashed(self.hash(&password, &salt).to_string().into())
            }
            PasswordJob::Verify { password, hash: Some(hash) } => {
                PasswordDone::Verified(self.0.verify_password(&password, &*hash).is_ok())
            }
            PasswordJob::Verify { password, hash: None } => {
                self.hash(&password, b"no such account!");
                PasswordDone::Verified(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };

    fn verify(passwords: &mut Passwords, password: &str, hash: Option<Box<str>>) -> bool {
        let job = PasswordJob::Verify { password: password.as_bytes().into(), hash };
        matches!(passwords.run(job), PasswordDone::Verified(true))
    }

    #[test]
    fn only_the_right_password_is_verified_whatever_it_was_hashed_at() {
        let mut passwords = Passwords::new(CHEAP).expect("valid");
        let job = PasswordJob::Hash { password: b"secret".as_slice().into(), salt: [7; 16] };
        let PasswordDone::Hashed(hash) = passwords.run(job) else { panic!("it was to hash") };
        assert!(!hash.contains("secret"));
        let mut later = Passwords::new(HashCost { memory_kib: 16, passes: 2 }).expect("valid");
        assert!(verify(&mut later, "secret", Some(hash.clone())));
        assert!(!verify(&mut later, "Secret", Some(hash)));
        assert!(!verify(&mut later, "secret", None));
        assert!(!verify(&mut later, "secret", Some("nonsense".into())));
    }

    #[test]
    fn impossible_costs_are_refused() {
        assert!(Passwords::new(HashCost { memory_kib: 0, passes: 1 }).is_err());
    }
}
