//! [`Throttle`]: slows down whoever guesses passwords. It counts failures only, in memory only; where others count them
//! too, it is told.

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
pub(crate) const WINDOW: Duration = Duration::from_secs(60);
/// Counts that are kept; beyond that, the one that was raised longest ago is forgotten.
const COUNTS_MAX: usize = 50_000;

/// The recent failed logins by account, whether or not the account exists: from each address, and from all.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    failures: HashMap<Key, Counted>,
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

/// How many logins have failed, and when the last one did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) count: u32,
    pub(crate) last_at: Time,
}

#[derive(Debug)]
struct Counted {
    failures: Failures,
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
            let Some(&Counted { failures, .. }) = self.failures.get(&key) else { continue };
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
            let key = Key { role, username: username.into(), client };
            let before = self.failures.get(&key).map(|counted| counted.failures);
            let recent = before.filter(|before| now.since(before.last_at) < WINDOW);
            let count = recent.map_or(1, |recent| recent.count.saturating_add(1));
            self.put(key, Failures { count, last_at: now });
        }
    }

    /// Takes the failures from an address, and from all together, as they are counted elsewhere.
    pub(crate) fn learn(
        &mut self,
        client: ClientNetwork,
        role: Role,
        username: &str,
        from_there: Failures,
        from_all: Failures,
    ) {
        for (client, failures) in [(Some(client), from_there), (None, from_all)] {
            let key = Key { role, username: username.into(), client };
            match failures.count {
                0 => self.forget(&key),
                _ => self.put(key, failures),
            }
        }
    }

    fn put(&mut self, key: Key, failures: Failures) {
        self.last_raise += 1;
        let raise = self.last_raise;
        self.raised.insert(raise, key.clone());
        if let Some(before) = self.failures.insert(key, Counted { failures, raise }) {
            self.raised.remove(&before.raise);
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
        self.forget(&Key { role, username: username.into(), client: Some(client) });
    }

    fn forget(&mut self, key: &Key) {
        if let Some(counted) = self.failures.remove(key) {
            self.raised.remove(&counted.raise);
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
    fn what_others_have_counted_takes_the_place_of_what_was_known() {
        let mut throttle = Throttle::default();
        let failures = |count| Failures { count, last_at: START };
        throttle.learn(client(1), Role::Buyer, "ann", failures(FAILURES_MAX - 1), failures(FAILURES_MAX));
        assert!(!is_refused(&throttle, START, 1, Role::Buyer));
        throttle.failed(START, client(1), Role::Buyer, "ann");
        assert!(is_refused(&throttle, START, 1, Role::Buyer));
        throttle.learn(client(1), Role::Buyer, "ann", Failures::default(), failures(FAILURES_MAX));
        assert!(!is_refused(&throttle, START, 1, Role::Buyer), "elsewhere, a login has succeeded");
        assert_eq!((throttle.failures.len(), throttle.raised.len()), (1, 1));
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
