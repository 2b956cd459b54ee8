//! [`Slots`]: a set of slots, in their order: the items that have a term.
//!
//! It is made for memory and for being read block by block. Most sets are tiny, because a name often holds a word that
//! nobody else uses, and a few are as large as the catalogue. It combines no sets: the index does.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::bits::{Bits, PLACES};
use super::order::{Division, Order, Slot};

/// The most slots that a set keeps in one sorted list, at 4 bytes each. At more, insertion is slow. At fewer, a set
/// may have a part for each slot, which is some 80 bytes.
const LIST_LEN_MAX: usize = 4096;

/// The most places of a block that a larger set keeps in a sorted list. At more, 2 bytes each cost more than bits.
const PLACES_LEN_MAX: usize = PLACES / 16;

/// The lengths at which a larger form goes back to a list. They are well below the most that a list may have, so
/// that a set at the border is not rebuilt at each change.
const LIST_LEN_BACK: usize = LIST_LEN_MAX / 2;
const PLACES_LEN_BACK: usize = PLACES_LEN_MAX / 2;

/// A set of slots, ordered as the items in them.
#[derive(Debug, Default)]
pub(super) struct Slots {
    form: Form,
}

/// What a set has of one block: never nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members<'a> {
    Slots(&'a [Slot]),
    Places(&'a [u16]),
    Bits { len: usize, bits: &'a Bits },
}

#[derive(Debug)]
enum Form {
    /// At most `LIST_LEN_MAX` slots, sorted by [`Order::key`].
    List(Vec<Slot>),
    /// More than `LIST_LEN_BACK` slots. It is boxed because it is rare: most sets hold one slot.
    Blocks(Box<Blocks>),
}

#[derive(Debug, Default)]
struct Blocks {
    /// The slots of all blocks together.
    len: usize,
    /// By the first ID that each block is for. None is empty.
    parts: BTreeMap<u64, Part>,
}

#[derive(Debug)]
enum Part {
    /// At most `PLACES_LEN_MAX` places, sorted.
    List(Vec<u16>),
    /// More than `PLACES_LEN_BACK` places.
    Bits { len: u16, bits: Box<Bits> },
}

impl Slots {
    /// Adds a slot and tells whether it was missing.
    pub(super) fn insert(&mut self, order: &Order, slot: Slot) -> bool {
        match &mut self.form {
            Form::List(list) => {
                let inserted = insert_sorted(list, slot, |slot| order.key(slot));
                if list.len() > LIST_LEN_MAX {
                    self.form = Form::Blocks(Box::new(Blocks::from_sorted(order, list)));
                }
                inserted
            }
            Form::Blocks(blocks) => blocks.insert(order, slot),
        }
    }

    /// Takes a slot out and tells whether it was there. Memory that is no longer needed is released.
    pub(super) fn remove(&mut self, order: &Order, slot: Slot) -> bool {
        match &mut self.form {
            Form::List(list) => remove_sorted(list, slot, |slot| order.key(slot)),
            Form::Blocks(blocks) => {
                let removed = blocks.remove(order, slot);
                if blocks.len <= LIST_LEN_BACK {
                    self.form = Form::List(blocks.to_list(order));
                }
                removed
            }
        }
    }

    /// Takes the memory for so many slots, which are to be appended to an empty set, as far as they will be a list.
    pub(super) fn reserve(&mut self, len: usize) {
        if let Form::List(list) = &mut self.form {
            list.reserve_exact(len.min(LIST_LEN_MAX));
        }
    }

    /// Adds a slot that comes after all others, with less work than `insert` as long as the set is a list. One that
    /// outgrows it does so here already: a list of all its slots would take more memory than the set ever does again.
    pub(super) fn append(&mut self, order: &Order, slot: Slot) {
        match &mut self.form {
            Form::List(list) if list.len() < LIST_LEN_MAX => list.push(slot),
            Form::List(_) | Form::Blocks(_) => {
                let inserted = self.insert(order, slot);
                assert!(inserted, "appended slots come in order");
            }
        }
    }

    /// Ends the filling of a set by [`Slots::append`].
    pub(super) fn settle(&mut self, order: &Order) {
        if let Form::List(list) = &mut self.form {
            let key = |slot: &Slot| order.key(*slot);
            assert!(list.is_sorted_by(|a, b| key(a) < key(b)), "appended slots come in order");
            list.shrink_to_fit();
        }
    }

    /// Follows a division.
    pub(super) fn divide(&mut self, order: &Order, division: &Division) {
        let &Division { from, to, ref moved } = division;
        match &mut self.form {
            Form::List(list) => {
                let first = order.first_of(from);
                let start = list.partition_point(|slot| order.first_of(slot.block()) < first);
                let len = list[start..].partition_point(|slot| slot.block() == from);
                let slots = &mut list[start..start + len];
                for slot in slots.iter_mut().filter(|slot| moved.contains(slot.place())) {
                    *slot = slot.in_block(to);
                }
                slots.sort_unstable_by_key(|slot| (slot.block() == to, slot.place()));
            }
            Form::Blocks(blocks) => blocks.divide(order.first_of(from), order.first_of(to), moved),
        }
    }

    /// The number of slots, at no cost.
    pub(super) fn len(&self) -> usize {
        match &self.form {
            Form::List(list) => list.len(),
            Form::Blocks(blocks) => blocks.len,
        }
    }

    /// The members in each of these blocks that has any, by the first ID that it is for. It costs a look-up, and a step
    /// for each.
    pub(super) fn by_block(
        &self,
        order: &Order,
        firsts: RangeInclusive<u64>,
    ) -> impl Iterator<Item = (u64, Members<'_>)> {
        let (slots, parts) = match &self.form {
            Form::List(list) => {
                let first_of = |slot: &Slot| order.first_of(slot.block());
                let list = &list[list.partition_point(|slot| first_of(slot) < *firsts.start())..];
                (&list[..list.partition_point(|slot| first_of(slot) <= *firsts.end())], None)
            }
            Form::Blocks(blocks) => (&[][..], Some(blocks.parts.range(firsts))),
        };
        let slots = slots.chunk_by(|a, b| a.block() == b.block());
        let slots = slots.map(|slots| (order.first_of(slots[0].block()), Members::Slots(slots)));
        slots.chain(parts.into_iter().flatten().map(|(&first, part)| (first, part.members())))
    }
}

impl Members<'_> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Slots(slots) => slots.len(),
            Self::Places(places) => places.len(),
            Self::Bits { len, .. } => len,
        }
    }

    /// The places in the block, in order.
    pub(super) fn places(self) -> impl Iterator<Item = u16> {
        let (slots, places, bits) = match self {
            Self::Slots(slots) => (slots, &[][..], None),
            Self::Places(places) => (&[][..], places, None),
            Self::Bits { bits, .. } => (&[][..], &[][..], Some(bits)),
        };
        let listed = slots.iter().map(|slot| slot.place()).chain(places.iter().copied());
        listed.chain(bits.into_iter().flat_map(Bits::places))
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Blocks {
    fn from_sorted(order: &Order, list: &[Slot]) -> Self {
        let by_block = list.chunk_by(|a, b| a.block() == b.block());
        let parts = by_block.map(|slots| {
            let mut part = Part::List(slots.iter().map(|slot| slot.place()).collect());
            part.settle();
            (order.first_of(slots[0].block()), part)
        });
        Self { len: list.len(), parts: parts.collect() }
    }

    fn to_list(&self, order: &Order) -> Vec<Slot> {
        let mut list = Vec::with_capacity(self.len);
        for (first, part) in &self.parts {
            let block = order.block_from(*first);
            list.extend(part.members().places().map(|place| Slot::new(block, place)));
        }
        list
    }

    fn insert(&mut self, order: &Order, slot: Slot) -> bool {
        let first = order.first_of(slot.block());
        let part = self.parts.entry(first).or_insert(Part::List(Vec::new()));
        let inserted = part.insert(slot.place());
        self.len += usize::from(inserted);
        inserted
    }

    fn remove(&mut self, order: &Order, slot: Slot) -> bool {
        let first = order.first_of(slot.block());
        let Some(part) = self.parts.get_mut(&first) else {
            return false;
        };
        let removed = part.remove(slot.place());
        self.len -= usize::from(removed);
        if part.members().len() == 0 {
            self.parts.remove(&first);
        }
        removed
    }

    fn divide(&mut self, from: u64, to: u64, moved: &Bits) {
        let Some(part) = self.parts.remove(&from) else { return };
        let (moved, stayed): (Vec<_>, Vec<_>) =
            part.members().places().partition(|place| moved.contains(*place));
        for (first, places) in [(from, stayed), (to, moved)] {
            if !places.is_empty() {
                let mut part = Part::List(places);
                part.settle();
                self.parts.insert(first, part);
            }
        }
    }
}

impl Part {
    /// Brings a list of any length into its lasting form.
    fn settle(&mut self) {
        if let Self::List(list) = self {
            if list.len() > PLACES_LEN_MAX {
                let mut bits = Box::new(Bits::EMPTY);
                list.iter().for_each(|&place| _ = bits.insert(place));
                *self = Self::Bits { len: list.len() as u16, bits };
            } else {
                list.shrink_to_fit();
            }
        }
    }

    fn insert(&mut self, place: u16) -> bool {
        match self {
            Self::List(list) => {
                let inserted = insert_sorted(list, place, |place| place);
                if list.len() > PLACES_LEN_MAX {
                    self.settle();
                }
                inserted
            }
            Self::Bits { len, bits } => {
                let inserted = bits.insert(place);
                *len += u16::from(inserted);
                inserted
            }
        }
    }

    fn remove(&mut self, place: u16) -> bool {
        match self {
            Self::List(list) => remove_sorted(list, place, |place| place),
            Self::Bits { len, bits } => {
                let removed = bits.remove(place);
                *len -= u16::from(removed);
                if usize::from(*len) <= PLACES_LEN_BACK {
                    *self = Self::List(bits.places().collect());
                }
                removed
            }
        }
    }

    fn members(&self) -> Members<'_> {
        match self {
            Self::List(list) => Members::Places(list),
            Self::Bits { len, bits } => Members::Bits { len: usize::from(*len), bits },
        }
    }
}

fn insert_sorted<T: Copy, K: Ord>(list: &mut Vec<T>, value: T, key: impl Fn(T) -> K) -> bool {
    let Err(at) = list.binary_search_by_key(&key(value), |&value| key(value)) else {
        return false;
    };
    if list.len() == list.capacity() {
        // Lists grow 1, 2, 4, …: the standard growth starts at four, and most lists hold one.
        list.reserve_exact(list.len().max(1));
    }
    list.insert(at, value);
    true
}

fn remove_sorted<T: Copy, K: Ord>(list: &mut Vec<T>, value: T, key: impl Fn(T) -> K) -> bool {
    let Ok(at) = list.binary_search_by_key(&key(value), |&value| key(value)) else {
        return false;
    };
    list.remove(at);
    if list.len() <= list.capacity() / 4 {
        list.shrink_to(list.len() * 2);
    }
    true
}
