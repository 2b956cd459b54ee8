//! [`Passwords`]: hashes and verifies passwords, which is slow on purpose and so runs on a thread of its own.

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use net::Work;

use crate::api::values::other_nfd;

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
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// The memory of a hash, kept for the next one from the first on. Allocated anew each time, blocks as large leave
    /// holes that the next does not fit into, and the process becomes many times larger than it need be.
    blocks: Vec<Block>,
}

/// What is to be done with a password. It has no `Debug`, so that it reaches no log.
pub(crate) enum PasswordJob {
    /// Hash it for a new account.
    Hash { password: Box<str>, salt: [u8; 16] },
    /// Compare it with an account's hash. Without an account it takes as long, so that time does not tell
    /// whether there is one.
    Verify { password: Box<str>, hash: Option<Box<str>> },
    /// Compare it with an account's hash, and if it is the right one, hash the new one that is to take its place.
    Change { password: Box<str>, hash: Option<Box<str>>, new_password: Box<str>, salt: [u8; 16] },
}

/// What came of it.
pub(crate) enum PasswordDone {
    Hashed(Box<str>),
    Verified(bool),
    /// The hash of the new password, if the old one was right.
    Changed(Option<Box<str>>),
}

impl Passwords {
    /// # Errors
    /// The cost is outside of what Argon2 allows.
    pub(crate) fn new(cost: HashCost) -> Result<Self, String> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(|error| error.to_string())?;
        Ok(Self { argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params), blocks: Vec::new() })
    }

    fn hash(&mut self, password: &[u8], salt: &[u8]) -> PasswordHash {
        let within_bounds = "cost, password and salt are within bounds";
        let Self { argon2, blocks } = self;
        let hash = output(argon2, blocks, password, salt, Params::DEFAULT_OUTPUT_LEN);
        PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon2.params()).expect(within_bounds),
            salt: Some(Salt::new(salt).expect(within_bounds)),
            hash: Some(hash.expect(within_bounds)),
        }
    }

    /// A hash as it is kept.
    fn hashed(&mut self, password: &str, salt: [u8; 16]) -> Box<str> {
        self.hash(password.as_bytes(), &salt).to_string().into()
    }

    /// Whether this is the password of an account with this hash, if there is one. It takes as long if there is none.
    fn is_right(&mut self, password: &str, hash: Option<&str>) -> bool {
        let is_verified = |password: &str| match hash {
            Some(hash) => self.verify(password.as_bytes(), hash) == Some(true),
            None => {
                self.hash(password.as_bytes(), b"no such account!");
                false
            }
        };
        // The hash may be from before passwords were brought to the form NFC, and of one in the form NFD.
        let nfd = other_nfd(password);
        [Some(password), nfd.as_deref()].into_iter().flatten().any(is_verified)
    }

    /// Whether this is the password of the hash. `None`: the hash is none.
    fn verify(&mut self, password: &[u8], hash: &str) -> Option<bool> {
        let hash = PasswordHash::new(hash).ok()?;
        let (salt, expected) = (hash.salt?, hash.hash?);
        let algorithm = Algorithm::try_from(hash.algorithm.as_str()).ok()?;
        let version = Version::try_from(hash.version?).ok()?;
        let params = Params::try_from(&hash).ok()?;
        let argon2 = Argon2::new(algorithm, version, params);
        let found = output(&argon2, &mut self.blocks, password, &salt, expected.len())?;
        // The library compares them in constant time.
        Some(found == expected)
    }
}

/// What Argon2 makes of a password. `None`: something is out of bounds.
fn output(
    argon2: &Argon2<'_>,
    blocks: &mut Vec<Block>,
    password: &[u8],
    salt: &[u8],
    length: usize,
) -> Option<Output> {
    blocks.resize(argon2.params().block_count(), Block::new());
    let mut bytes = [0; Output::MAX_LENGTH];
    let bytes = bytes.get_mut(..length)?;
    argon2.hash_password_into_with_memory(password, salt, bytes, blocks).ok()?;
    Output::new(bytes).ok()
}

impl Work for Passwords {
    type Job = PasswordJob;
    type Done = PasswordDone;

    fn run(&mut self, job: PasswordJob) -> PasswordDone {
        match job {
            PasswordJob::Hash { password, salt } => PasswordDone::Hashed(self.hashed(&password, salt)),
            PasswordJob::Verify { password, hash } => {
                PasswordDone::Verified(self.is_right(&password, hash.as_deref()))
            }
            PasswordJob::Change { password, hash, new_password, salt } => {
                let is_right = self.is_right(&password, hash.as_deref());
                PasswordDone::Changed(is_right.then(|| self.hashed(&new_password, salt)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHasher;

    use super::*;

    const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };

    fn verify(passwords: &mut Passwords, password: &str, hash: Option<Box<str>>) -> bool {
        let job = PasswordJob::Verify { password: password.into(), hash };
        matches!(passwords.run(job), PasswordDone::Verified(true))
    }

    #[test]
    fn only_the_right_password_is_verified_whatever_it_was_hashed_at() {
        let mut passwords = Passwords::new(CHEAP).expect("valid");
        let job = PasswordJob::Hash { password: "secret".into(), salt: [7; 16] };
        let PasswordDone::Hashed(hash) = passwords.run(job) else { panic!("it was to hash") };
        assert!(!hash.contains("secret"));
        let mut later = Passwords::new(HashCost { memory_kib: 16, passes: 2 }).expect("valid");
        assert!(verify(&mut later, "secret", Some(hash.clone())));
        assert!(!verify(&mut later, "Secret", Some(hash)));
        assert!(!verify(&mut later, "secret", None));
        assert!(!verify(&mut later, "secret", Some("nonsense".into())));
    }

    #[test]
    fn a_password_that_was_set_in_the_form_nfd_still_opens_its_account() {
        let mut passwords = Passwords::new(CHEAP).expect("valid");
        for set in ["ma\u{f1}ana", "man\u{303}ana"] {
            let hash: Box<str> = passwords.hash(set.as_bytes(), &[7; 16]).to_string().into();
            assert!(verify(&mut passwords, "ma\u{f1}ana", Some(hash.clone())));
            assert!(!verify(&mut passwords, "manana", Some(hash)));
        }
        assert!(!verify(&mut passwords, "ma\u{f1}ana", None));
    }

    #[test]
    fn a_new_password_is_hashed_only_where_the_old_one_is_right() {
        let mut passwords = Passwords::new(CHEAP).expect("valid");
        let old = passwords.hashed("old", [7; 16]);
        let mut change = |password: &str, hash: Option<Box<str>>| {
            let (password, new_password) = (password.into(), "new".into());
            match passwords.run(PasswordJob::Change { password, hash, new_password, salt: [8; 16] }) {
                PasswordDone::Changed(changed) => changed,
                PasswordDone::Hashed(_) | PasswordDone::Verified(_) => panic!("it was to change"),
            }
        };
        assert_eq!(change("new", Some(old.clone())), None);
        assert_eq!(change("old", None), None);
        let new = change("old", Some(old.clone())).expect("it is right");
        assert_ne!(new, old);
        assert!(
            verify(&mut passwords, "new", Some(new.clone())) && !verify(&mut passwords, "old", Some(new))
        );
    }

    #[test]
    fn hashes_are_those_of_the_library() {
        let library = |cost: HashCost| {
            let params = Params::new(cost.memory_kib, cost.passes, 1, None).expect("valid");
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        };
        // The memory of a hash is the next one's, whatever the cost of each.
        let mut passwords = Passwords::new(CHEAP).expect("valid");
        for cost in [CHEAP, HashCost { memory_kib: 64, passes: 3 }, CHEAP] {
            let theirs =
                library(cost).hash_password_with_salt(b"secret", &[7; 16]).expect("valid").to_string();
            assert!(verify(&mut passwords, "secret", Some(theirs.as_str().into())));
            assert!(!verify(&mut passwords, "secreT", Some(theirs.as_str().into())));
            let mut own = Passwords::new(cost).expect("valid");
            assert_eq!(own.hash(b"secret", &[7; 16]).to_string(), theirs);
            assert_eq!(own.hash(b"secret", &[7; 16]).to_string(), theirs);
        }
    }

    #[test]
    fn impossible_costs_are_refused() {
        assert!(Passwords::new(HashCost { memory_kib: 0, passes: 1 }).is_err());
    }
}
