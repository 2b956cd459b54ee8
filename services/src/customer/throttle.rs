//! [`Throttle`]: slows down whoever guesses passwords. It counts failures only, in memory only.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use net::Time;

use crate::api::error::{Code, Error};
use crate::api::values::Role;
use crate::engine::caller::ClientNetwork;
use crate::engine::fair_queue::try_again;

/// Failed logins to an account from one address before further ones from there are refused.
const FAILURES_MAX: u32 = 20;
/// The same from all addresses together. It is high, because nobody is to keep the owner out.
const FAILURES_OF_ALL_MAX: u32 = 1000;
/// After so long without a further failure, failures are forgotten.
const WINDOW: Duration = Duration::from_secs(60);
/// Counts that are kept; beyond that, the one that was raised longest ago is forgotten.
const COUNTS_MAX: usize = 50_000;

/// The recent failed logins by account, whether or not the account exists: from each address, and from all.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: HashMap<Key, Failures>,
    /// The same by when they were raised.
    raised: BTreeMap<u64, Key>,
    last_raise: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    role: Role,
    username: Box<str>,
    /// `None`: all addresses together.
    client: Option<ClientNetwork>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last_at: Time,
    /// The place in [`Throttle::raised`].
    raise: u64,
}

impl Throttle {
    /// Refuses a login if its account had too many failures.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`, with when to come back.
    pub(crate) fn check(
        &self,
        now: Time,
        client: ClientNetwork,
        role: Role,
        username: &str,
    ) -> Result<(), Error> {
        let limits = [(Some(client), FAILURES_MAX, " from your address"), (None, FAILURES_OF_ALL_MAX, "")];
        for (client, max, whence) in limits {
            let key = Key { role, username: username.into(), client };
            let Some(failures) = self.failures.get(&key) else { continue };
            let left = WINDOW.saturating_sub(now.since(failures.last_at));
            if failures.count >= max && !left.is_zero() {
                let message = format!("{max} logins to this account{whence} failed: {}", try_again(left));
                return Err(Error::new(Code::ResourceExhausted, message));
            }
        }
        Ok(())
    }

    /// Counts a failure.
    pub(crate) fn failed(&mut self, now: Time, client: ClientNetwork, role: Role, username: &str) {
        for client in [Some(client), None] {
            self.raise(now, Key { role, username: username.into(), client });
        }
    }

    fn raise(&mut self, now: Time, key: Key) {
        self.last_raise += 1;
        let raise = self.last_raise;
        self.raised.insert(raise, key.clone());
        match self.failures.get_mut(&key) {
            Some(failures) => {
                self.raised.remove(&failures.raise);
                let is_over = now.since(failures.last_at) >= WINDOW;
                let count = if is_over { 1 } else { failures.count + 1 };
                *failures = Failures { count, last_at: now, raise };
            }
            None => {
                self.failures.insert(key, Failures { count: 1, last_at: now, raise });
            }
        }
        if self.failures.len() > COUNTS_MAX
            && let Some((_, oldest)) = self.raised.pop_first()
        {
            self.failures.remove(&oldest);
        }
    }

    /// Forgets the failures from an address at an account that has logged in from there. Those from all addresses stay:
    /// they are not its own.
    pub(crate) fn succeeded(&mut self, client: ClientNetwork, role: Role, username: &str) {
        let key = Key { role, username: username.into(), client: Some(client) };
        if let Some(failures) = self.failures.remove(&key) {
            self.raised.remove(&failures.raise);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const START: Time = Time::from_millis(1_000_000);

    fn client(host: u32) -> ClientNetwork {
        IpAddr::V4(Ipv4Addr::from_bits(host)).into()
    }

    fn is_refused(throttle: &Throttle, now: Time, host: u32, role: Role) -> bool {
        throttle.check(now, client(host), role, "ann").is_err()
    }

    #[test]
    fn too_many_failures_are_refused_for_a_while_where_they_came_from() {
        let mut throttle = Throttle::default();
        for _ in 0..FAILURES_MAX {
            assert!(!is_refused(&throttle, START, 1, Role::Buyer));
            throttle.failed(START, client(1), Role::Buyer, "ann");
        }
        let later = START + Duration::from_millis(17_500);
        let error = throttle.check(later, client(1), Role::Buyer, "ann").expect_err("too many");
        assert_eq!(error.code, Code::ResourceExhausted);
        assert!(error.message.ends_with("try again in 43 s"), "{}", error.message);
        assert!(!is_refused(&throttle, START, 2, Role::Buyer), "the owner is elsewhere");
        assert!(!is_refused(&throttle, START, 1, Role::Seller), "another account");
        assert!(!is_refused(&throttle, START + WINDOW, 1, Role::Buyer));
    }

    #[test]
    fn failures_that_were_forgotten_do_not_count() {
        let mut throttle = Throttle::default();
        (0..FAILURES_MAX).for_each(|_| throttle.failed(START, client(1), Role::Buyer, "ann"));
        throttle.failed(START + WINDOW, client(1), Role::Buyer, "ann");
        assert!(!is_refused(&throttle, START + WINDOW, 1, Role::Buyer));
    }

    #[test]
    fn all_addresses_together_have_a_bound_too() {
        let mut throttle = Throttle::default();
        for host in 0..FAILURES_OF_ALL_MAX {
            assert!(!is_refused(&throttle, START, host, Role::Buyer));
            throttle.failed(START, client(host), Role::Buyer, "ann");
        }
        assert!(is_refused(&throttle, START, FAILURES_OF_ALL_MAX, Role::Buyer));
    }

    #[test]
    fn a_login_wipes_the_slate_of_its_address() {
        let mut throttle = Throttle::default();
        for host in [1, 2] {
            (0..FAILURES_MAX).for_each(|_| throttle.failed(START, client(host), Role::Buyer, "ann"));
        }
        throttle.succeeded(client(1), Role::Buyer, "ann");
        assert!(!is_refused(&throttle, START, 1, Role::Buyer));
        assert!(is_refused(&throttle, START, 2, Role::Buyer));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_count_goes_first() {
        let mut throttle = Throttle::default();
        for username in ["ann", "bob"] {
            (0..FAILURES_MAX).for_each(|_| throttle.failed(START, client(1), Role::Buyer, username));
        }
        throttle.failed(START, client(1), Role::Buyer, "ann");
        for n in 0..COUNTS_MAX / 2 - 1 {
            throttle.failed(START, client(1), Role::Buyer, &n.to_string());
        }
        assert_eq!((throttle.failures.len(), throttle.raised.len()), (COUNTS_MAX, COUNTS_MAX));
        assert!(is_refused(&throttle, START, 1, Role::Buyer));
        assert!(throttle.check(START, client(1), Role::Buyer, "bob").is_ok(), "it is the oldest");
    }
}
