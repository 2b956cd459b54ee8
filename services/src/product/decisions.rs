//! [`Decisions`]: what was decided about the stock of each purchase, for as long as anybody may ask for it again.
//!
//! Once a purchase has ended, nobody needs its decision any more, and nothing may be taken for it either, however late
//! a request comes: the decisions of purchases below the *floor* may have been forgotten, and none is made there. The
//! floor is stored with the first decision that it lets be forgotten, and with the first refusal that it is the reason
//! for.
//!
//! It does not know what is in stock, and takes nothing from there.

use std::collections::BTreeSet;
use std::time::Duration;

use net::Time;

use super::rules;
use crate::api::error::{Code, Error};
use crate::api::purchases::{LINES_MAX, Shortage};
use crate::api::values::{ItemId, Price, PurchaseId, QUANTITY_MAX};
use crate::engine::table::Table;

/// The most memory that decisions are remembered in: a million of one line each, or five thousand of a thousand.
const REMEMBERED_BYTES_MAX: usize = 120_000_000;
/// What a decision takes beside its lines, about: its place in the table, in the order of IDs and on the heap.
const DECISION_BYTES: usize = 96;
/// Decisions that are forgotten in one turn.
const FORGOTTEN_PER_TURN_MAX: usize = 256;
/// How long decisions wait to be forgotten together, so that not each group under a steady load stores a floor.
const FORGETTING_INTERVAL: Duration = Duration::from_secs(1);

/// A decision as it is remembered. The names and sellers of what was taken are those of the items, which never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// All of it was taken.
    Taken(Box<[TakenUnits]>),
    /// Nothing was: of these items, too little was there.
    Refused(Box<[Shortage]>),
}

/// What was taken of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenUnits {
    pub(crate) item_id: ItemId,
    pub(crate) quantity: u32,
    /// Of one unit, at that moment.
    pub(crate) price: Price,
}

/// The decisions.
pub(crate) struct Decisions {
    rows: Table<PurchaseId, Decided>,
    /// The purchases of the decisions that are remembered, on disk or not.
    remembered: BTreeSet<PurchaseId>,
    /// The memory of these.
    remembered_bytes: usize,
    /// All purchases below it have ended, as was said so far.
    ended_before: PurchaseId,
    /// What of that is stored, or is about to be.
    floor: PurchaseId,
    is_floor_dirty: bool,
    /// When the floor may be raised again just to forget more.
    raise_at: Time,
}

impl Decisions {
    /// Nothing was decided.
    pub(crate) fn new() -> Self {
        Self {
            rows: Table::new(),
            remembered: BTreeSet::new(),
            remembered_bytes: 0,
            ended_before: PurchaseId(0),
            floor: PurchaseId(0),
            is_floor_dirty: false,
            raise_at: Time::default(),
        }
    }

    /// Takes a decision from disk; false if it makes no sense by itself.
    pub(crate) fn load(&mut self, id: PurchaseId, decided: Decided) -> bool {
        let makes_sense = decided.makes_sense();
        self.remembered_bytes += decided.bytes();
        self.rows.load(id, decided);
        self.remembered.insert(id) && makes_sense
    }

    /// Takes the floor from disk. What is below it was still to be forgotten.
    pub(crate) fn load_floor(&mut self, floor: PurchaseId) {
        self.floor = floor;
        self.ended_before = floor;
        self.invariants();
    }

    /// What was decided about a purchase; `None` if that is to be decided now. `ended_before` is what is said beside:
    /// all purchases below it have ended.
    ///
    /// # Errors
    /// The purchase has ended, or too many decisions are remembered. Nothing may be taken.
    pub(crate) fn find(
        &mut self,
        id: PurchaseId,
        ended_before: PurchaseId,
    ) -> Result<Option<&Decided>, Error> {
        self.ended_before = self.ended_before.max(ended_before);
        if id < self.ended_before {
            // Whoever hears this may rely on it, so a start must not forget it.
            if id >= self.floor {
                self.raise_floor();
            }
            return Err(rules::purchase_ended(id));
        }
        if !self.remembered.contains(&id) && self.remembered_bytes >= REMEMBERED_BYTES_MAX {
            let message = format!(
                "the stock of {} purchases is decided and remembered until they end, in all the memory there is for that: \
                 try again",
                self.remembered.len()
            );
            return Err(Error::new(Code::ResourceExhausted, message));
        }
        self.invariants();
        Ok(self.rows.latest(&id))
    }

    /// Remembers a decision that is new.
    pub(crate) fn put(&mut self, id: PurchaseId, decided: Decided) {
        let is_new = self.remembered.insert(id);
        assert!(is_new && id >= self.ended_before, "a decision is made once, and not after the end");
        self.remembered_bytes += decided.bytes();
        self.rows.put(id, decided);
        self.invariants();
    }

    /// Forgets decisions of purchases that have ended, a bounded number of them. Returns when to go on.
    pub(crate) fn forget(&mut self, now: Time) -> Option<Time> {
        let due_at = self.forget_at(now)?;
        if due_at > now {
            return Some(due_at);
        }
        if self.first_below(self.floor).is_none() {
            self.raise_floor();
            self.raise_at = now + FORGETTING_INTERVAL;
        }
        for _ in 0..FORGOTTEN_PER_TURN_MAX {
            let Some(id) = self.first_below(self.floor) else { break };
            self.remembered.remove(&id);
            self.remembered_bytes -= self.rows.latest(&id).map_or(0, Decided::bytes);
            self.rows.remove(id);
        }
        self.invariants();
        self.forget_at(now)
    }

    /// How many decisions are on disk.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are open changes.
    pub(crate) fn is_dirty(&self) -> bool {
        self.rows.is_dirty() || self.is_floor_dirty
    }

    /// The floor, if it is to be stored. It belongs into the group that [`Decisions::seal`] seals.
    pub(crate) fn seal_floor(&mut self) -> Option<PurchaseId> {
        std::mem::take(&mut self.is_floor_dirty).then_some(self.floor)
    }

    /// Seals the open changes and returns them; `None` is a decision that is forgotten.
    pub(crate) fn seal(&mut self) -> impl Iterator<Item = (PurchaseId, Option<&Decided>)> {
        self.rows.seal()
    }

    /// Makes the changes of the oldest sealed group durable.
    pub(crate) fn publish(&mut self) {
        self.rows.publish();
    }

    /// When something is to be forgotten next, as far as is known.
    fn forget_at(&self, now: Time) -> Option<Time> {
        if self.first_below(self.floor).is_some() {
            return Some(now);
        }
        self.first_below(self.ended_before).map(|_| self.raise_at.max(now))
    }

    fn first_below(&self, end: PurchaseId) -> Option<PurchaseId> {
        self.remembered.first().copied().filter(|id| *id < end)
    }

    fn raise_floor(&mut self) {
        self.floor = self.ended_before;
        self.is_floor_dirty = true;
        self.invariants();
    }

    /// The floor is never above what was said. What is remembered is there, of which the ends are looked at: one is what
    /// is forgotten next, and the other what mostly was added last.
    fn invariants(&self) {
        assert!(self.floor <= self.ended_before, "the floor is what was said, or what was said before");
        let mut ends = self.remembered.first().into_iter().chain(self.remembered.last());
        debug_assert!(ends.all(|id| self.rows.latest(id).is_some()), "what is remembered is there");
    }
}

impl Decided {
    /// The memory that it takes, about.
    fn bytes(&self) -> usize {
        DECISION_BYTES
            + match self {
                Self::Taken(lines) => size_of_val(&**lines),
                Self::Refused(lines) => size_of_val(&**lines),
            }
    }

    /// Whether it can be what was decided about a purchase.
    fn makes_sense(&self) -> bool {
        match self {
            Self::Taken(lines) => are_lines(lines.iter().map(|line| (line.item_id, line.quantity))),
            Self::Refused(lines) => {
                are_lines(lines.iter().map(|line| (line.item_id, line.quantity)))
                    && lines.iter().all(|line| line.available < line.quantity)
            }
        }
    }
}

/// Whether these can be lines of a purchase, which are in the order of their items.
fn are_lines(mut lines: impl ExactSizeIterator<Item = (ItemId, u32)> + Clone) -> bool {
    (1..=LINES_MAX).contains(&lines.len())
        && lines.clone().is_sorted_by(|(one, _), (next, _)| one < next)
        && lines.all(|(_, units)| (1..=QUANTITY_MAX).contains(&units))
}

#[cfg(test)]
mod tests;
