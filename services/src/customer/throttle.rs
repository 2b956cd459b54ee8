//! [`Throttle`]: slows down whoever guesses passwords. It counts failures only, in memory only.

use std::collections::HashMap;
use std::time::Duration;

use net::Time;

use crate::api::error::{Code, Error};
use crate::api::values::Role;

/// Failed logins of one account within `WINDOW` before further ones are refused.
const FAILURES_MAX: u32 = 20;
/// After so long without a further failure, an account's failures are forgotten.
const WINDOW: Duration = Duration::from_secs(60);
/// Accounts whose failures are remembered; beyond that, all are forgotten, so that memory stays bounded.
const ACCOUNTS_MAX: usize = 10_000;

/// The recent failed logins by account, whether or not the account exists.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: HashMap<(Role, Box<str>), Failures>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last_at: Time,
}

impl Throttle {
    /// Refuses a login if its account had too many failures.
    pub(crate) fn check(&mut self, now: Time, role: Role, username: &str) -> Result<(), Error> {
        let key = (role, username.into());
        let Some(failures) = self.failures.get(&key) else {
            return Ok(());
        };
        if now.since(failures.last_at) >= WINDOW {
            self.failures.remove(&key);
        } else if failures.count >= FAILURES_MAX {
            let message = format!(
                "{FAILURES_MAX} logins of this account failed: try again after {} s",
                WINDOW.as_secs()
            );
            return Err(Error::new(Code::ResourceExhausted, message));
        }
        Ok(())
    }

    /// Counts a failure.
    pub(crate) fn failed(&mut self, now: Time, role: Role, username: &str) {
        if self.failures.len() >= ACCOUNTS_MAX {
            self.failures.clear();
        }
        let entry = self.failures.entry((role, username.into()));
        let failures = entry.or_insert(Failures { count: 0, last_at: now });
        failures.count += 1;
        failures.last_at = now;
    }

    /// Forgets the failures of an account that has logged in.
    pub(crate) fn succeeded(&mut self, role: Role, username: &str) {
        self.failures.remove(&(role, username.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_failures_are_refused_for_a_while() {
        let mut throttle = Throttle::default();
        let start = Time::from_millis(1);
        for _ in 0..FAILURES_MAX {
            assert!(throttle.check(start, Role::Buyer, "ann").is_ok());
            throttle.failed(start, Role::Buyer, "ann");
        }
        let error = throttle.check(start, Role::Buyer, "ann").expect_err("too many");
        assert_eq!(error.code, Code::ResourceExhausted);
        assert!(throttle.check(start, Role::Seller, "ann").is_ok(), "another account");
        assert!(throttle.check(start + WINDOW, Role::Buyer, "ann").is_ok());
    }

    #[test]
    fn a_login_wipes_the_slate() {
        let mut throttle = Throttle::default();
        let start = Time::from_millis(1);
        (0..FAILURES_MAX).for_each(|_| throttle.failed(start, Role::Buyer, "ann"));
        throttle.succeeded(Role::Buyer, "ann");
        assert!(throttle.check(start, Role::Buyer, "ann").is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let mut throttle = Throttle::default();
        for n in 0..=ACCOUNTS_MAX {
            throttle.failed(Time::default(), Role::Buyer, &n.to_string());
        }
        assert!(throttle.failures.len() <= ACCOUNTS_MAX);
    }
}
