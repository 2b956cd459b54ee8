//! [`Slots`]: a set of slots: the items that have a term.
//!
//! It is made for memory and for being read block by block. Most sets are tiny, because a name often holds a word that
//! nobody else uses, and a few are as large as the catalogue. It combines no sets: the index does.

use std::ops::RangeInclusive;

use super::bits::Bits;
use super::order::{Division, Order, Slot};

/// The most slots for each block of the order that a set keeps in one sorted list. At more, 4 bytes each cost no less
/// than half of what a bit for each place does, and insertion takes long.
const LIST_LEN_PER_BLOCK_MAX: usize = 8;

/// At so few, a bitmap goes back to a list. They are well below the most that a list may have, so that a set at the border
/// is not rebuilt at each change.
const LIST_LEN_PER_BLOCK_BACK: usize = LIST_LEN_PER_BLOCK_MAX / 2;

/// A set of slots.
#[derive(Debug, Default)]
pub(super) struct Slots {
    form: Form,
}

/// What a set has of one block.
#[derive(Clone, Copy, Debug)]
pub(super) enum Members<'a> {
    List(&'a [Slot]),
    Bits(&'a Bits),
}

/// A set as it is read, block by block in order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reader<'a> {
    /// What was not read so far.
    List(&'a [Slot]),
    /// By the number of the block.
    Bitmap(&'a [Bits]),
}

#[derive(Debug)]
enum Form {
    /// Sorted by [`Order::key`].
    List(Vec<Slot>),
    /// It is boxed because it is rare: most sets hold one slot.
    Bitmap(Box<Bitmap>),
}

#[derive(Debug, Default)]
struct Bitmap {
    len: usize,
    /// By the number of the block, up to the last in which there ever was a slot.
    blocks: Vec<Bits>,
}

impl Slots {
    /// Adds a slot and tells whether it was missing.
    pub(super) fn insert(&mut self, order: &Order, slot: Slot) -> bool {
        let inserted = match &mut self.form {
            Form::List(list) => insert_sorted(list, slot, |slot| order.key(slot)),
            Form::Bitmap(bitmap) => bitmap.insert(slot),
        };
        self.settle(order);
        inserted
    }

    /// Takes a slot out and tells whether it was there. Memory that is no longer needed is released.
    pub(super) fn remove(&mut self, order: &Order, slot: Slot) -> bool {
        let removed = match &mut self.form {
            Form::List(list) => remove_sorted(list, slot, |slot| order.key(slot)),
            Form::Bitmap(bitmap) => bitmap.remove(slot),
        };
        self.settle(order);
        removed
    }

    /// Brings many slots, in order, into a set that is empty. `len` is how many there will be.
    pub(super) fn reserve(&mut self, order: &Order, len: usize) {
        self.form = if len > list_len_max(order) {
            Form::Bitmap(Box::default())
        } else {
            Form::List(Vec::with_capacity(len))
        };
    }

    /// Adds a slot that comes after all others of a set for which its memory was reserved. It is less work than `insert`.
    pub(super) fn append(&mut self, order: &Order, slot: Slot) {
        match &mut self.form {
            Form::List(list) => {
                let is_next = list.last().is_none_or(|last| order.key(*last) < order.key(slot));
                assert!(is_next, "appended slots come in order");
                list.push(slot);
            }
            Form::Bitmap(bitmap) => assert!(bitmap.insert(slot), "appended slots come in order"),
        }
    }

    /// Follows a division.
    pub(super) fn divide(&mut self, order: &Order, division: &Division) {
        let &Division { from, to, ref moved } = division;
        match &mut self.form {
            Form::List(list) => {
                // They lie where they did until now, and the new block comes next.
                let rank = order.rank(from);
                let start = list.partition_point(|slot| order.rank(slot.block()) < rank);
                let len = list[start..].partition_point(|slot| slot.block() == from);
                let slots = &mut list[start..start + len];
                for slot in slots.iter_mut().filter(|slot| moved.contains(slot.place())) {
                    *slot = slot.in_block(to);
                }
                slots.sort_unstable_by_key(|slot| (slot.block() == to, slot.place()));
            }
            Form::Bitmap(bitmap) => bitmap.divide(from, to, moved),
        }
    }

    /// The number of slots, at no cost.
    pub(super) fn len(&self) -> usize {
        match &self.form {
            Form::List(list) => list.len(),
            Form::Bitmap(bitmap) => bitmap.len,
        }
    }

    /// The number of slots in blocks of these ranks. It costs a step for each of these blocks, or of all others.
    pub(super) fn len_in(&self, order: &Order, ranks: RangeInclusive<u32>) -> usize {
        let (start, end) = (*ranks.start(), *ranks.end() + 1);
        match &self.form {
            Form::List(list) => {
                let before = |rank| list.partition_point(|slot| order.rank(slot.block()) < rank);
                before(end) - before(start)
            }
            Form::Bitmap(bitmap) if end - start > order.len() / 2 => {
                bitmap.len - bitmap.len_in(order, 0..start) - bitmap.len_in(order, end..order.len())
            }
            Form::Bitmap(bitmap) => bitmap.len_in(order, start..end),
        }
    }

    /// Reads the set from the block of this rank on.
    pub(super) fn read_from(&self, order: &Order, rank: u32) -> Reader<'_> {
        match &self.form {
            Form::List(list) => {
                Reader::List(&list[list.partition_point(|slot| order.rank(slot.block()) < rank)..])
            }
            Form::Bitmap(bitmap) => Reader::Bitmap(&bitmap.blocks),
        }
    }

    /// Changes the form, if the other one is better by now.
    fn settle(&mut self, order: &Order) {
        match &mut self.form {
            Form::List(list) if list.len() > list_len_max(order) => {
                let mut bitmap = Bitmap::default();
                list.iter().for_each(|slot| _ = bitmap.insert(*slot));
                self.form = Form::Bitmap(Box::new(bitmap));
            }
            Form::Bitmap(bitmap) if bitmap.len <= LIST_LEN_PER_BLOCK_BACK * order.len() as usize => {
                self.form = Form::List(bitmap.to_list(order));
            }
            Form::List(_) | Form::Bitmap(_) => {}
        }
    }
}

impl<'a> Reader<'a> {
    /// The rank of the next block of which the set may have anything: this one, or a later one.
    pub(super) fn next_rank(&self, order: &Order, rank: u32) -> Option<u32> {
        match self {
            Self::List(list) => list.first().map(|slot| order.rank(slot.block())),
            Self::Bitmap(_) => (rank < order.len()).then_some(rank),
        }
    }

    /// What the set has of a block, which is the next of which it may have anything, or comes before that.
    pub(super) fn read(&mut self, block: u32) -> Members<'a> {
        match self {
            Self::List(list) => {
                let len = list.iter().take_while(|slot| slot.block() == block).count();
                let (members, rest) = list.split_at(len);
                *list = rest;
                Members::List(members)
            }
            Self::Bitmap(blocks) => blocks.get(block as usize).map_or(Members::List(&[]), Members::Bits),
        }
    }
}

impl Members<'_> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::List(slots) => slots.len(),
            Self::Bits(bits) => bits.len(),
        }
    }

    /// Calls `f` with the places in the block, in order.
    pub(super) fn for_each(self, mut f: impl FnMut(u16)) {
        match self {
            Self::List(slots) => slots.iter().for_each(|slot| f(slot.place())),
            Self::Bits(bits) => bits.places().for_each(f),
        }
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Bitmap {
    fn insert(&mut self, slot: Slot) -> bool {
        let inserted = self.block_mut(slot.block()).insert(slot.place());
        self.len += usize::from(inserted);
        inserted
    }

    fn remove(&mut self, slot: Slot) -> bool {
        let block = self.blocks.get_mut(slot.block() as usize);
        let removed = block.is_some_and(|bits| bits.remove(slot.place()));
        self.len -= usize::from(removed);
        removed
    }

    fn divide(&mut self, from: u32, to: u32, moved: &Bits) {
        let Some(bits) = self.blocks.get_mut(from as usize) else { return };
        let there = bits.zip(moved, |bits, moved| bits & moved);
        *bits = bits.zip(moved, |bits, moved| bits & !moved);
        *self.block_mut(to) = there;
    }

    fn block_mut(&mut self, block: u32) -> &mut Bits {
        let block = block as usize;
        if block >= self.blocks.len() {
            self.blocks.resize(block + 1, Bits::EMPTY);
        }
        &mut self.blocks[block]
    }

    fn len_in(&self, order: &Order, ranks: impl Iterator<Item = u32>) -> usize {
        ranks.filter_map(|rank| self.blocks.get(order.block(rank) as usize)).map(Bits::len).sum()
    }

    fn to_list(&self, order: &Order) -> Vec<Slot> {
        let mut list = Vec::with_capacity(self.len);
        for block in (0..order.len()).map(|rank| order.block(rank)) {
            let bits = self.blocks.get(block as usize).into_iter();
            list.extend(bits.flat_map(Bits::places).map(|place| Slot::new(block, place)));
        }
        list
    }
}

fn list_len_max(order: &Order) -> usize {
    LIST_LEN_PER_BLOCK_MAX * order.len() as usize
}

fn insert_sorted<K: Ord>(list: &mut Vec<Slot>, slot: Slot, key: impl Fn(Slot) -> K) -> bool {
    let Err(at) = list.binary_search_by_key(&key(slot), |&slot| key(slot)) else {
        return false;
    };
    if list.len() == list.capacity() {
        // Lists grow 1, 2, 4, …: the standard growth starts at four, and most lists hold one.
        list.reserve_exact(list.len().max(1));
    }
    list.insert(at, slot);
    true
}

fn remove_sorted<K: Ord>(list: &mut Vec<Slot>, slot: Slot, key: impl Fn(Slot) -> K) -> bool {
    let Ok(at) = list.binary_search_by_key(&key(slot), |&slot| key(slot)) else {
        return false;
    };
    list.remove(at);
    if list.len() <= list.capacity() / 4 {
        list.shrink_to(list.len() * 2);
    }
    true
}
