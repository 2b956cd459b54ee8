//! [`Lane`]: what waits for one connection, and what of it may leave. All transactions of a key go through one lane.
//!
//! The order in which those of a key are carried out is kept by one rule: of two that have the same key, unless both only
//! read, the later one leaves when the earlier one has ended. So it does not matter over which connection they go, nor
//! that one is tried again. All others may overtake each other; reads do, because writes wait for their group.

use std::collections::{HashMap, HashSet, VecDeque};

use net::Time;

use super::super::operation::Sharing;
use super::super::wire::Flight;
use super::Chance;
use super::asked::Asked;

/// How many that wait are looked at for what may leave, from the first on: a few groups and all reads that a connection
/// takes. What is further behind has its turn later.
const LOOKED_AT_MAX: usize = 256;

/// How many lanes there are for what has a key, at least one.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Lanes(pub(in super::super) usize);

/// A lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// In the order in which they were asked for.
    waiting: VecDeque<Asked>,
    /// The statements of all that wait.
    calls: usize,
    /// What is under way, by the key.
    under_way: HashMap<u64, UnderWay>,
    /// Which of the departures of all lanes was its last one.
    pub(super) departed_last: u64,
}

/// How many transactions of a key are under way.
#[derive(Debug, Default)]
struct UnderWay {
    reads: usize,
    writes: usize,
}

/// What a connection takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// So many reads.
    pub(super) reads: usize,
    /// So many writes, in one transaction.
    pub(super) writes: usize,
}

/// What leaves a lane.
#[derive(Debug, Default)]
pub(super) struct Departed {
    /// Lookups together, all others each by itself, before the writes.
    pub(super) reads: Vec<Asked>,
    /// In one transaction.
    pub(super) writes: Vec<Asked>,
}

impl Lanes {
    /// The lane of a key. Keys are spread over all of them, whatever they count.
    pub(in super::super) fn of(self, key: u64) -> usize {
        let Self(count) = self;
        (Chance(key).next() % count as u64) as usize
    }
}

impl Lane {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many statements these have.
    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// Lets a transaction wait, where it belongs by the order in which it was asked for.
    pub(super) fn wait(&mut self, asked: Asked) {
        self.calls += asked.transaction.calls.len();
        let place = match self.waiting.back() {
            Some(last) if last.order > asked.order => {
                self.waiting.partition_point(|other| other.order < asked.order)
            }
            _ => self.waiting.len(),
        };
        self.waiting.insert(place, asked);
    }

    /// Takes what may leave now, as far as there is room for it. It is under way until it has [`ended`](Self::ended).
    pub(super) fn depart(&mut self, now: Time, room: Room) -> Departed {
        let mut departed = Departed::default();
        // The keys of what stays and of the group: what comes behind the one stays too, and reads behind the other.
        let (mut held, mut written) = (HashSet::new(), HashSet::new());
        let mut at = 0;
        while at < self.waiting.len().min(LOOKED_AT_MAX) {
            let asked = &self.waiting[at];
            let (key, is_write) = (asked.transaction.key, asked.transaction.effect.is_write());
            let is_behind = |keys: &HashSet<u64>| key.is_some_and(|key| keys.contains(&key));
            let is_free = asked.not_before <= now
                && asked.deadline > now
                && !is_behind(&held)
                && (is_write || !is_behind(&written))
                && !self.is_in_the_way(key, is_write);
            let has_room = match is_write {
                true => departed.writes.len() < room.writes && may_join(&departed.writes, asked),
                false => departed.reads.len() < room.reads,
            };
            if !(is_free && has_room) {
                held.extend(key);
                at += 1;
                continue;
            }
            let asked = self.waiting.remove(at).expect("it was just looked at");
            self.calls -= asked.transaction.calls.len();
            if is_write {
                written.extend(key);
                departed.writes.push(asked);
            } else {
                self.begin(&asked);
                departed.reads.push(asked);
            }
        }
        departed.writes.iter().for_each(|asked| self.begin(asked));
        // All take their locks in the same order, so that two of these transactions do not wait for each other.
        departed.writes.sort_by_key(|asked| asked.transaction.rank);
        departed
    }

    /// What has left is no longer under way.
    pub(super) fn ended(&mut self, asked: &Asked) {
        let Some(key) = asked.transaction.key else { return };
        let under_way = self.under_way.get_mut(&key).expect("it was under way");
        *under_way.count(asked.transaction.effect.is_write()) -= 1;
        if under_way.reads + under_way.writes == 0 {
            self.under_way.remove(&key);
        }
    }

    /// Takes those whose deadline has passed.
    pub(super) fn expire(&mut self, now: Time) -> VecDeque<Asked> {
        if self.waiting.iter().all(|asked| asked.deadline > now) {
            return VecDeque::new();
        }
        let (late, waiting) = self.waiting.drain(..).partition(|asked| asked.deadline <= now);
        self.waiting = waiting;
        self.calls = self.waiting.iter().map(|asked| asked.transaction.calls.len()).sum();
        late
    }

    /// Whether something is under way that must have ended before one of this key may leave.
    fn is_in_the_way(&self, key: Option<u64>, is_write: bool) -> bool {
        let under_way = key.and_then(|key| self.under_way.get(&key));
        under_way.is_some_and(|under_way| under_way.writes > 0 || (is_write && under_way.reads > 0))
    }

    fn begin(&mut self, asked: &Asked) {
        if let Some(key) = asked.transaction.key {
            *self.under_way.entry(key).or_default().count(asked.transaction.effect.is_write()) += 1;
        }
    }
}

impl UnderWay {
    fn count(&mut self, is_write: bool) -> &mut usize {
        if is_write { &mut self.writes } else { &mut self.reads }
    }
}

/// Whether a write may share the transaction of these.
fn may_join(group: &[Asked], asked: &Asked) -> bool {
    let calls = |asked: &Asked| asked.transaction.calls.len();
    let get_along = |other: &Asked| match (other.transaction.sharing, asked.transaction.sharing) {
        (Sharing::Nobody, _) | (_, Sharing::Nobody) => false,
        (Sharing::SameKey, _) | (_, Sharing::SameKey) => other.transaction.key == asked.transaction.key,
        (Sharing::All, Sharing::All) => true,
    };
    group.is_empty()
        || group.iter().all(get_along)
            && group.iter().map(calls).sum::<usize>() + calls(asked) <= Flight::CALLS_MAX
}
