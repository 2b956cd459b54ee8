//! [`Standings`]: how logins from a network have ended lately. It is in memory only, and decides nothing.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use net::Time;

use super::caller::ClientNetwork;

/// So long a failure is remembered.
const FAILURES_FOR: Duration = Duration::from_secs(60);
/// So long a success is remembered: most users come back on the same day, and from where they were.
const SUCCESSES_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// So many networks of each are remembered, some 100 bytes each, ten megabytes in all. Of more, the one that came first is
/// forgotten.
const NETWORKS_MAX: usize = 50_000;

/// How logins from a network have ended lately, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// One has succeeded, and none has failed in the last minute.
    Known,
    /// Nothing is known.
    Unknown,
    /// One has failed in the last minute. No success wipes that out, or whoever has an account could guess, log in, and
    /// guess again.
    Failed,
}

/// The standings of all networks.
#[derive(Debug)]
pub(super) struct Standings {
    failures: Recent,
    successes: Recent,
}

/// The networks of events that are not too long ago.
#[derive(Debug)]
struct Recent {
    remembered_for: Duration,
    last_at: HashMap<ClientNetwork, Time>,
    /// Each of these networks once, in the order in which they are looked at: with an event of theirs, of which there may
    /// have been later ones.
    all: VecDeque<(Time, ClientNetwork)>,
}

impl Default for Standings {
    fn default() -> Self {
        Self { failures: Recent::new(FAILURES_FOR), successes: Recent::new(SUCCESSES_FOR) }
    }
}

impl Standings {
    /// A login from there has failed.
    pub(super) fn failed(&mut self, now: Time, network: ClientNetwork) {
        self.failures.add(now, network);
    }

    /// A login from there has succeeded.
    pub(super) fn succeeded(&mut self, now: Time, network: ClientNetwork) {
        self.successes.add(now, network);
    }

    /// How they have ended from there.
    pub(super) fn of(&self, now: Time, network: ClientNetwork) -> Standing {
        match (self.failures.has(now, network), self.successes.has(now, network)) {
            (true, _) => Standing::Failed,
            (false, true) => Standing::Known,
            (false, false) => Standing::Unknown,
        }
    }
}

impl Recent {
    fn new(remembered_for: Duration) -> Self {
        Self { remembered_for, last_at: HashMap::new(), all: VecDeque::new() }
    }

    fn add(&mut self, now: Time, network: ClientNetwork) {
        if self.last_at.insert(network, now).is_none() {
            self.all.push_back((now, network));
        }
        if self.all.len() > NETWORKS_MAX
            && let Some((_, oldest)) = self.all.pop_front()
        {
            self.last_at.remove(&oldest);
        }
        while let Some(&(at, oldest)) = self.all.front()
            && now.since(at) >= self.remembered_for
        {
            self.all.pop_front();
            if self.has(now, oldest) {
                self.all.push_back((self.last_at[&oldest], oldest));
            } else {
                self.last_at.remove(&oldest);
            }
        }
    }

    fn has(&self, now: Time, network: ClientNetwork) -> bool {
        self.last_at.get(&network).is_some_and(|&at| now.since(at) < self.remembered_for)
    }
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
    fn a_failure_outweighs_a_success_and_is_forgotten_sooner() {
        let mut standings = Standings::default();
        standings.failed(START, network(1));
        standings.succeeded(START, network(1));
        standings.succeeded(START, network(2));
        let of = |now| [1, 2, 3].map(|host| standings.of(now, network(host)));
        assert_eq!(of(START), [Standing::Failed, Standing::Known, Standing::Unknown]);
        assert_eq!(of(START + FAILURES_FOR), [Standing::Known, Standing::Known, Standing::Unknown]);
        assert_eq!(of(START + SUCCESSES_FOR), [Standing::Unknown; 3]);
    }

    #[test]
    fn memory_is_bounded_and_who_came_first_goes_first() {
        let mut recent = Recent::new(FAILURES_FOR);
        for host in [1, 2, 1].into_iter().chain(3..=NETWORKS_MAX) {
            recent.add(START + Duration::from_millis(recent.all.len() as u64), network(host));
        }
        let now = START + Duration::from_secs(59);
        recent.add(now, network(0));
        assert_eq!((recent.all.len(), recent.last_at.len()), (NETWORKS_MAX, NETWORKS_MAX));
        assert_eq!([1, 2, 3].map(|host| recent.has(now, network(host))), [false, true, true]);
        recent.add(now + FAILURES_FOR, network(0));
        assert_eq!((recent.all.len(), recent.last_at.len()), (1, 1), "the rest is too old");
    }
}
