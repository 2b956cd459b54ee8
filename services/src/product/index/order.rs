//! [`Order`]: the slots in which the items in stock lie, in the order of their IDs.
//!
//! A block has so many places, and the items of a range of IDs, whatever their categories. Blocks are numbered as they
//! come to be, and ranked in the order of their ranges; within a block, items lie in any place, so none ever moves because
//! of another. A full block is divided at its median. So a block came to be with half of its places taken, and there are at
//! most as many blocks as that makes of all items that ever were in stock. It knows no terms: whoever keeps sets of slots
//! is told of each division.

use std::ops::RangeInclusive;

use super::bits::{Bits, PLACES};

/// What lies in a place that is free: the ID of no item, because numbers begin at 1.
const FREE: u64 = 0;

/// How many places of a block are taken when many items come at once. The others are for those that come later.
const FILLED: usize = PLACES / 4 * 3;

/// Where an item lies: the number of a block, and a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

/// The blocks and what lies in them.
#[derive(Debug)]
pub(super) struct Order {
    /// By rank: the first ID that each block is for, and its number. The first of all is for all IDs from 0 on.
    ranked: Vec<(u64, u32)>,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Block {
    rank: u32,
    /// No item has an ID below the first of these, or above the second.
    bounds: (u64, u64),
    /// What lies in each place.
    ids: Box<[u64; PLACES]>,
}

/// That some items of a block have gone over to a new one, which follows it. They keep their places.
#[derive(Debug)]
pub(super) struct Division {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) moved: Bits,
}

impl Slot {
    pub(super) fn new(block: u32, place: u16) -> Self {
        Self(block * PLACES as u32 + u32::from(place))
    }

    pub(super) fn block(self) -> u32 {
        self.0 / PLACES as u32
    }

    pub(super) fn place(self) -> u16 {
        (self.0 % PLACES as u32) as u16
    }

    /// The same place in another block.
    pub(super) fn in_block(self, block: u32) -> Self {
        Self::new(block, self.place())
    }
}

impl Order {
    /// The order of no items.
    pub(super) fn new() -> Self {
        let mut order = Self { ranked: Vec::new(), blocks: Vec::new() };
        order.add_block(0, 0);
        order
    }

    /// The slot of an item that has one.
    pub(super) fn find(&self, id: u64) -> Option<Slot> {
        assert_ne!(id, FREE, "items are numbered from 1");
        self.find_in(self.block_for(id), id)
    }

    /// Gives a slot to an item that has none. `None` if there is no place left where it belongs: then
    /// [`Order::divide`] must come first.
    pub(super) fn add(&mut self, id: u64) -> Option<Slot> {
        let slot = self.find_in(self.block_for(id), FREE)?;
        self.put(slot, id);
        Some(slot)
    }

    /// Takes away the slot of an item.
    pub(super) fn remove(&mut self, slot: Slot) {
        *self.id_mut(slot) = FREE;
    }

    /// Divides the block for this ID, which is full. Whoever keeps slots must be told.
    pub(super) fn divide(&mut self, id: u64) -> Division {
        let from = self.block_for(id);
        let ids = self.ids(from);
        let mut sorted = *ids;
        let (_, &mut median, _) = sorted.select_nth_unstable(PLACES / 2);
        let mut moved = Bits::EMPTY;
        (0..).zip(ids).filter(|&(_, &id)| id >= median).for_each(|(place, _)| _ = moved.insert(place));
        let to = self.add_block(self.rank(from) + 1, median);
        for place in moved.places() {
            let slot = Slot::new(from, place);
            let id = std::mem::replace(self.id_mut(slot), FREE);
            self.put(slot.in_block(to), id);
        }
        self.blocks[from as usize].bounds.1 = median - 1;
        Division { from, to, moved }
    }

    /// Gives slots to many items, in order, when there are none yet. The slots are in order as numbers, too.
    pub(super) fn fill(&mut self, ids: impl Iterator<Item = u64>) -> impl Iterator<Item = Slot> {
        assert_eq!(self.blocks.len(), 1, "it is filled at the start");
        let mut len = 0;
        ids.map(move |id| {
            if len == FILLED {
                self.add_block(self.len(), id);
                len = 0;
            }
            let slot = Slot::new(self.len() - 1, len as u16);
            self.put(slot, id);
            len += 1;
            slot
        })
    }

    /// The number of blocks.
    pub(super) fn len(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// What a slot sorts by.
    pub(super) fn key(&self, slot: Slot) -> (u32, u16) {
        (self.rank(slot.block()), slot.place())
    }

    /// The ranks of the blocks for these IDs.
    pub(super) fn ranks(&self, ids: &RangeInclusive<u64>) -> RangeInclusive<u32> {
        self.rank_for(*ids.start())..=self.rank_for(*ids.end())
    }

    /// The rank of the block for this ID.
    pub(super) fn rank_for(&self, id: u64) -> u32 {
        // The first block begins at 0.
        self.ranked.partition_point(|(first, _)| *first <= id) as u32 - 1
    }

    /// The rank of a block.
    pub(super) fn rank(&self, block: u32) -> u32 {
        self.blocks[block as usize].rank
    }

    /// The block that has a rank.
    pub(super) fn block(&self, rank: u32) -> u32 {
        self.ranked[rank as usize].1
    }

    /// Whether all items of a block are known to have such IDs. It is asked instead of each of them.
    pub(super) fn has_only(&self, block: u32, ids: &RangeInclusive<u64>) -> bool {
        let (low, high) = self.blocks[block as usize].bounds;
        *ids.start() <= low && high <= *ids.end()
    }

    /// What lies in the places of a block. It means something only for places that are known to be taken.
    pub(super) fn ids(&self, block: u32) -> &[u64; PLACES] {
        &self.blocks[block as usize].ids
    }

    fn block_for(&self, id: u64) -> u32 {
        self.block(self.rank_for(id))
    }

    fn find_in(&self, block: u32, id: u64) -> Option<Slot> {
        let place = self.ids(block).iter().position(|other| *other == id)?;
        Some(Slot::new(block, place as u16))
    }

    /// Adds a block. It costs a step for each that comes after it in order.
    fn add_block(&mut self, rank: u32, first: u64) -> u32 {
        let block = self.len();
        assert!(block < u32::MAX / PLACES as u32, "memory ends before 2^32 slots");
        self.blocks.push(Block { rank, bounds: (u64::MAX, 0), ids: Box::new([FREE; PLACES]) });
        self.ranked.insert(rank as usize, (first, block));
        for &(_, later) in &self.ranked[rank as usize + 1..] {
            self.blocks[later as usize].rank += 1;
        }
        block
    }

    fn put(&mut self, slot: Slot, id: u64) {
        let (low, high) = &mut self.blocks[slot.block() as usize].bounds;
        (*low, *high) = (id.min(*low), id.max(*high));
        *self.id_mut(slot) = id;
    }

    fn id_mut(&mut self, slot: Slot) -> &mut u64 {
        &mut self.blocks[slot.block() as usize].ids[usize::from(slot.place())]
    }
}
