//! [`Failures`]: the networks from which a login has failed lately. It is in memory only, and decides nothing. No success
//! wipes a failure out, or whoever has an account could guess, log in, and guess again.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use net::Time;

use super::caller::ClientNetwork;

/// So long a failure is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// So many failures are remembered, the latest: some 100 bytes each, a megabyte in all.
const FAILURES_MAX: usize = 10_000;

/// From which networks logins have failed lately.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// When the last failure was, of each network.
    last_at: HashMap<ClientNetwork, Time>,
    /// All failures of that time, the oldest in front; those of which a later one is known, too.
    all: VecDeque<(Time, ClientNetwork)>,
}

impl Failures {
    /// A login from there has failed.
    pub(super) fn failed(&mut self, now: Time, network: ClientNetwork) {
        self.last_at.insert(network, now);
        self.all.push_back((now, network));
        while let Some(&(at, oldest)) = self.all.front()
            && (self.all.len() > FAILURES_MAX || is_over(at, now))
        {
            self.all.pop_front();
            if self.last_at.get(&oldest) == Some(&at) {
                self.last_at.remove(&oldest);
            }
        }
    }

    /// Whether a login from there has failed lately.
    pub(super) fn has(&self, now: Time, network: ClientNetwork) -> bool {
        self.last_at.get(&network).is_some_and(|&at| !is_over(at, now))
    }
}

fn is_over(at: Time, now: Time) -> bool {
    now.since(at) >= REMEMBERED_FOR
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const START: Time = Time::from_millis(1_000_000);

    fn network(host: usize) -> ClientNetwork {
        IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(host).expect("small"))).into()
    }

    #[test]
    fn a_failure_is_remembered_for_a_while() {
        let mut failures = Failures::default();
        failures.failed(START, network(1));
        assert_eq!([1, 2].map(|host| failures.has(START, network(host))), [true, false]);
        assert!(!failures.has(START + REMEMBERED_FOR, network(1)));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_failure_goes_first() {
        let mut failures = Failures::default();
        for host in [1, 2, 1].into_iter().chain(3..=FAILURES_MAX) {
            let now = START + Duration::from_millis(failures.all.len() as u64);
            failures.failed(now, network(host));
        }
        let now = START + Duration::from_secs(20);
        failures.failed(now, network(0));
        assert_eq!((failures.all.len(), failures.last_at.len()), (FAILURES_MAX, FAILURES_MAX));
        assert_eq!([1, 2, 3].map(|host| failures.has(now, network(host))), [true, false, true]);
        failures.failed(now + REMEMBERED_FOR, network(0));
        assert_eq!((failures.all.len(), failures.last_at.len()), (1, 1), "the rest is too old");
    }
}
