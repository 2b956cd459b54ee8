//! [`Purchases`]: what buyers have begun to buy, and what they have bought, by ID, buyer, session and key.
//!
//! It knows neither carts nor stock, and brings no purchase to its end: it tells which ones somebody has to.

use std::collections::{BTreeMap, HashMap};

use net::Time;

use super::rules::{self, BEGINNER_HAS, CLAIMANT_HAS, IN_TRANSIT_MAX, UNFINISHED_MAX, too_many_unfinished};
use crate::api::error::Error;
use crate::api::purchases::{Lines, PurchasedItem, Unfinished};
use crate::api::values::{IdempotencyKey, PurchaseId};
use crate::engine::table::Changes;

/// A purchase, as it is on disk. One that was refused is none.
#[derive(Clone, Debug)]
pub struct Record {
    pub(crate) buyer_id: u32,
    /// What its buyer calls it. The key is its name for as long as there is the record.
    pub(crate) key: Option<IdempotencyKey>,
    /// When it was begun.
    pub(crate) at: Time,
    pub(crate) state: State,
}

/// How far a purchase has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its stock is to be taken, or has been.
    Begun { session_number: u64, lines: Lines },
    /// It has ended: this was bought.
    Made(Vec<PurchasedItem>),
}

/// All purchases.
pub(crate) struct Purchases {
    durable: HashMap<PurchaseId, Record>,
    /// What is not on disk yet; `None` is a removal.
    changes: Changes<PurchaseId, Option<Record>>,
    /// The last ID that was given. What is left of one that was refused before the start is only the time.
    last: PurchaseId,
    /// Those of each buyer that are made, as far as that is on disk, oldest first.
    history: HashMap<u32, Vec<PurchaseId>>,
    /// Those that have a key, by buyer and key, in the latest state.
    by_key: HashMap<(u32, IdempotencyKey), PurchaseId>,
    /// Those that have begun and not ended, by session, in the latest state.
    by_session: HashMap<u64, PurchaseId>,
    /// Those whose end is not on disk, and from when on each is given to whoever asks for some.
    unfinished: BTreeMap<PurchaseId, Time>,
    /// How many have ended since the start, as far as that is on disk.
    made_count: u64,
    refused_count: u64,
}

impl Purchases {
    pub(crate) fn new() -> Self {
        Self {
            durable: HashMap::new(),
            changes: Changes::new(),
            last: PurchaseId(0),
            history: HashMap::new(),
            by_key: HashMap::new(),
            by_session: HashMap::new(),
            unfinished: BTreeMap::new(),
            made_count: 0,
            refused_count: 0,
        }
    }

    /// Takes a purchase from disk. Whoever drove it has lost the connection, so it may be claimed at once. False if its
    /// buyer has another one of this key, or its session another one that is unfinished.
    pub(crate) fn load(&mut self, id: PurchaseId, record: Record) -> bool {
        self.last = self.last.max(id);
        let has_own_key = record.key.as_ref().is_none_or(|key| {
            let before = self.by_key.insert((record.buyer_id, key.clone()), id);
            before.is_none()
        });
        let has_own_session = match record.state {
            State::Begun { session_number, .. } => {
                self.unfinished.insert(id, Time::default());
                self.by_session.insert(session_number, id).is_none()
            }
            State::Made(_) => {
                remember(&mut self.history, record.buyer_id, id);
                true
            }
        };
        self.durable.insert(id, record);
        has_own_key && has_own_session
    }

    /// Which purchase a request is about, if there is one already: that of the key, or else the one that the session has
    /// under way.
    ///
    /// # Errors
    /// `FAILED_PRECONDITION`: the session has one under way, and another one is meant.
    pub(crate) fn meant(
        &self,
        buyer_id: u32,
        session_number: u64,
        key: Option<&IdempotencyKey>,
    ) -> Result<Option<PurchaseId>, Error> {
        let of_key = key.and_then(|key| self.by_key.get(&(buyer_id, key.clone())));
        let of_session = self.by_session.get(&session_number);
        rules::meant(key.is_some(), of_key.copied(), of_session.copied())
    }

    /// Begins a purchase, where none is meant that is there already. The time from which on IDs are greater is to be
    /// stored with it, so that its ID is never given again.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED`: too many are under way.
    pub(crate) fn begin(
        &mut self,
        now: Time,
        buyer_id: u32,
        session_number: u64,
        key: Option<IdempotencyKey>,
        lines: Lines,
    ) -> Result<PurchaseId, Error> {
        if self.unfinished.len() >= UNFINISHED_MAX {
            return Err(too_many_unfinished());
        }
        let id = self.last.after(now);
        self.last = id;
        if let Some(key) = &key {
            self.by_key.insert((buyer_id, key.clone()), id);
        }
        self.by_session.insert(session_number, id);
        self.unfinished.insert(id, now + BEGINNER_HAS);
        let state = State::Begun { session_number, lines };
        self.changes.put(id, Some(Record { buyer_id, key, at: now, state }));
        self.invariants(id);
        Ok(id)
    }

    /// Ends a purchase that has begun: this was bought.
    pub(crate) fn make(&mut self, id: PurchaseId, items: Vec<PurchasedItem>) {
        let record = self.end(id);
        self.changes.put(id, Some(Record { state: State::Made(items), ..record }));
        self.invariants(id);
    }

    /// Ends a purchase that has begun: nothing was bought. Its key is free again.
    pub(crate) fn refuse(&mut self, id: PurchaseId) {
        let Record { buyer_id, key, .. } = self.end(id);
        if let Some(key) = key {
            self.by_key.remove(&(buyer_id, key));
        }
        self.changes.put(id, None);
        self.invariants(id);
    }

    /// The purchase with all changes, on disk or not.
    pub(crate) fn latest(&self, id: PurchaseId) -> Option<&Record> {
        match self.changes.get(&id) {
            Some(change) => change.as_ref(),
            None => self.durable.get(&id),
        }
    }

    /// What is to be done about a purchase of these lines that has begun.
    pub(crate) fn unfinished(&self, now: Time, purchase_id: PurchaseId, lines: Lines) -> Unfinished {
        Unfinished { purchase_id, lines, ended_before: self.ended_before(now) }
    }

    /// The oldest purchases that are to be brought to their end by whoever asks, and left to others for some time.
    pub(crate) fn claim(&mut self, now: Time, limit: usize) -> Vec<Unfinished> {
        let ended_before = self.ended_before(now);
        let Self { unfinished, durable, changes, .. } = self;
        let due = unfinished.iter_mut().filter(|(_, claimable_at)| **claimable_at <= now);
        let claimed = due.filter_map(|(&purchase_id, claimable_at)| {
            // One that is not on disk is not seen yet, and one whose end is on its way there has ended.
            let record = durable.get(&purchase_id).filter(|_| changes.get(&purchase_id).is_none())?;
            let State::Begun { lines, .. } = &record.state else { return None };
            *claimable_at = now + CLAIMANT_HAS;
            Some(Unfinished { purchase_id, lines: lines.clone(), ended_before })
        });
        claimed.take(limit).collect()
    }

    /// The IDs of what a buyer has bought, oldest first.
    pub(crate) fn history(&self, buyer_id: u32) -> &[PurchaseId] {
        self.history.get(&buyer_id).map_or(&[], Vec::as_slice)
    }

    /// When a purchase was begun, and what was bought, if that is on disk.
    pub(crate) fn made(&self, id: PurchaseId) -> Option<(Time, &[PurchasedItem])> {
        let Record { at, state, .. } = self.durable.get(&id)?;
        match state {
            State::Made(items) => Some((*at, items)),
            State::Begun { .. } => None,
        }
    }

    /// How many have not ended, as far as that is on disk.
    pub(crate) fn unfinished_len(&self) -> usize {
        self.unfinished.len()
    }

    /// When the oldest of these has begun, in seconds since 1970; 0 if there is none.
    pub(crate) fn unfinished_since_secs(&self) -> u64 {
        self.unfinished.first_key_value().map_or(0, |(first, _)| first.begun_at_secs())
    }

    /// How many were made and how many were refused since the start, as far as that is on disk.
    pub(crate) fn ended_counts(&self) -> [u64; 2] {
        [self.made_count, self.refused_count]
    }

    /// Whether there are open changes.
    pub(crate) fn is_dirty(&self) -> bool {
        self.changes.is_dirty()
    }

    /// Seals the open changes and returns them.
    pub(crate) fn seal(&mut self) -> impl Iterator<Item = (PurchaseId, Option<&Record>)> {
        self.changes.seal().map(|(id, record)| (id, record.as_ref()))
    }

    /// Makes the changes of the oldest sealed group durable.
    pub(crate) fn publish(&mut self) {
        while let Some((id, record)) = self.changes.publish_next() {
            let Some(record) = record else {
                self.durable.remove(&id);
                self.unfinished.remove(&id);
                self.refused_count += 1;
                continue;
            };
            if let State::Made(_) = record.state {
                remember(&mut self.history, record.buyer_id, id);
                self.unfinished.remove(&id);
                self.made_count += 1;
            }
            self.durable.insert(id, record);
        }
    }

    /// The ID below which all purchases have come to their end, which is on disk, and were begun some time ago.
    fn ended_before(&self, now: Time) -> PurchaseId {
        let old = PurchaseId::first_at(now - IN_TRANSIT_MAX);
        self.unfinished.first_key_value().map_or(old, |(first, _)| old.min(*first))
    }

    /// Lets a session go on to its next purchase. The end itself is for the caller to put.
    fn end(&mut self, id: PurchaseId) -> Record {
        let record = self.latest(id).expect("what ends has begun").clone();
        let State::Begun { session_number, .. } = record.state else { panic!("it ends once") };
        self.by_session.remove(&session_number);
        record
    }

    /// What is true of a purchase between any two events.
    fn invariants(&self, id: PurchaseId) {
        assert!(
            self.by_session.len() <= self.unfinished.len(),
            "a session has one that is unfinished, at most"
        );
        assert!(self.unfinished.len() <= UNFINISHED_MAX, "they are bounded");
        assert!(id <= self.last && self.unfinished.contains_key(&id), "its change is not on disk");
        let Some(Record { buyer_id, key, state, .. }) = self.latest(id) else { return };
        if let State::Begun { session_number, .. } = state {
            assert_eq!(self.by_session.get(session_number), Some(&id), "its session finds it");
        }
        if let Some(key) = key {
            let found = self.by_key.get(&(*buyer_id, key.clone()));
            assert_eq!(found, Some(&id), "its key finds it, for as long as there is the record");
        }
    }
}

/// Adds a purchase to its buyer's history. An older one may have been made after a newer one.
fn remember(history: &mut HashMap<u32, Vec<PurchaseId>>, buyer_id: u32, id: PurchaseId) {
    let ids = history.entry(buyer_id).or_default();
    ids.insert(ids.partition_point(|before| *before < id), id);
}

#[cfg(test)]
mod tests;
