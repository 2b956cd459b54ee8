//! The search index: which items in stock have which terms, ranked and read page by page.
//!
//! A term is a keyword of an item or a word of its name, folded (see [`each_term`]). It has one set of the items that have
//! it as a keyword, and one of those that have it in their name only. Sets are kept by blocks of some hundred items
//! that follow one another in the order of hits, whatever their categories, so a search takes a step for each block and
//! not for each category. With one keyword, or with a category alone, it goes on only until its page is full; with
//! several, it adds up scores in all blocks, and looks at single items only for its page. The index can't tell an
//! item's name or terms, and it checks no request.

mod best;
mod bits;
mod categories;
mod order;
mod scores;
mod slots;

use std::ops::RangeInclusive;

use self::best::Best;
use self::bits::Bits;
use self::categories::Categories;
use self::order::Order;
use self::scores::Scores;
use self::slots::{Members, Slots};
use super::packed::{all_of, pack, unpack};
use super::terms::{Role, each_term, terms_of_query};
use crate::api::items::Position;
use crate::api::values::ItemId;
use crate::engine::map::Map;

/// The set that stays empty. It stands for a set that no item has needed so far, as the default of [`TermSets`] does.
const NO_SET: u32 = 0;

/// What a search looks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    /// The category of the hits; any, if `None`.
    pub(crate) category: Option<u32>,
    /// At most 5 keywords as they were sent: not folded, doubles among them. If there are none, every item in stock
    /// matches, with a score of 0.
    pub(crate) keywords: &'a [String],
}

/// What a search tells beside its hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The matches of the whole query, on this page or not.
    pub(crate) total: u64,
    /// The position of the page's last hit, if more hits follow it.
    pub(crate) next: Option<Position>,
}

/// The terms of one item, 4 bytes each: the numbers of the sets that it belongs to while it is in stock, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms(Box<[u32]>);

/// The index of all items in stock.
#[derive(Debug)]
pub(crate) struct Index {
    /// Every term ever interned. Items are sold out but never deleted, so their terms stay, too.
    vocabulary: Map<Box<str>, TermSets>,
    /// Where each item in stock lies.
    order: Order,
    /// The items of each term and role; `NO_SET` is the first.
    sets: Vec<Slots>,
    /// All items.
    in_stock: Slots,
    /// How many of them each category has.
    categories: Categories,
}

/// The sets of one term, by role. No item is in both.
type TermSets = [u32; 2];

impl Index {
    /// An index of no items.
    pub(crate) fn new() -> Self {
        let sets = vec![Slots::default()];
        let (in_stock, categories) = (Slots::default(), Categories::default());
        Self { vocabulary: Map::new(), order: Order::new(), sets, in_stock, categories }
    }

    /// Finds the terms of an item, and makes sets for those that are new. It does not bring the item into stock.
    pub(crate) fn intern(&mut self, name: &str, keywords: &[impl AsRef<str>]) -> Terms {
        let mut sets = Vec::new();
        each_term(name, keywords, |term, role| sets.push(self.set(term, role)));
        sets.sort_unstable();
        sets.dedup();
        Terms(sets.as_slice().into())
    }

    /// Brings an item into stock; changes nothing if it is there already. `terms_of` tells the terms of any item in
    /// stock, and of this one, always the same.
    pub(crate) fn insert<'a>(&mut self, id: ItemId, terms_of: impl Fn(ItemId) -> &'a Terms) {
        let id = pack(id);
        if self.order.find(id).is_some() {
            return;
        }
        let slot = self.order.add(id).unwrap_or_else(|| {
            self.divide(id, &terms_of);
            self.order.add(id).expect("half of a block that was divided is free")
        });
        self.in_stock.insert(&self.order, slot);
        self.categories.add(unpack(id).category);
        for &set in &terms_of(unpack(id)).0 {
            let inserted = self.sets[set as usize].insert(&self.order, slot);
            assert!(inserted, "the terms of {:?} have changed", unpack(id));
        }
    }

    /// Brings many items, in order, into a stock that is empty. It is less work than `insert`, and each set takes its
    /// memory once.
    pub(crate) fn fill<'a>(&mut self, items: impl Iterator<Item = (ItemId, &'a Terms)> + Clone) {
        let slots: Vec<_> = self.order.fill(items.clone().map(|(id, _)| pack(id))).collect();
        let mut lens = vec![0; self.sets.len()];
        for (_, terms) in items.clone() {
            terms.0.iter().for_each(|&set| lens[set as usize] += 1);
        }
        for (set, len) in self.sets.iter_mut().zip(lens) {
            set.reserve(&self.order, len);
        }
        self.in_stock.reserve(&self.order, slots.len());
        for (slot, (id, terms)) in slots.into_iter().zip(items) {
            self.in_stock.append(&self.order, slot);
            self.categories.add(id.category);
            terms.0.iter().for_each(|&set| self.sets[set as usize].append(&self.order, slot));
        }
    }

    /// Takes an item out of stock; changes nothing if it is not there. `terms` must be those it was inserted with.
    pub(crate) fn remove(&mut self, id: ItemId, terms: &Terms) {
        let Some(slot) = self.order.find(pack(id)) else { return };
        self.in_stock.remove(&self.order, slot);
        self.categories.remove(id.category);
        for &set in &terms.0 {
            let removed = self.sets[set as usize].remove(&self.order, slot);
            assert!(removed, "the terms of {id:?} have changed");
        }
        self.order.remove(slot);
    }

    /// Appends to `hits` the best hits that come after `after`, at most `limit`, best first. `after` need not be a
    /// hit (any more). A limit of 0 gives the total alone.
    pub(crate) fn search(
        &self,
        query: &Query<'_>,
        after: Option<Position>,
        limit: usize,
        hits: &mut Vec<ItemId>,
    ) -> Page {
        let ids = query.category.map_or(0..=u64::MAX, all_of);
        let terms = self.terms_of(query.keywords);
        let score_max = 2 * query.keywords.len();
        let mut best = Best::new(&self.order, after, limit, ids.clone(), score_max);
        let total = match terms[..] {
            _ if query.keywords.is_empty() => self.offer_set(0, &self.in_stock, &ids, &mut best),
            [term] => {
                self.offer_set(2, self.items(term, Role::Keyword), &ids, &mut best)
                    + self.offer_set(1, self.items(term, Role::Name), &ids, &mut best)
            }
            _ => self.combine(&terms, &ids, &mut best),
        };
        Page { total: total as u64, next: best.append_to(hits) }
    }

    /// The categories with items in stock after this one, or all, in order, each with how many these are.
    pub(crate) fn categories_after(&self, category: Option<u32>) -> impl Iterator<Item = (u32, u32)> {
        self.categories.after(category)
    }

    /// The number of the set of the items that have a term in a role, which is made if it is missing.
    fn set(&mut self, term: &str, role: Role) -> u32 {
        let term_sets = match self.vocabulary.get_mut(term) {
            Some(term_sets) => term_sets,
            None => self.vocabulary.get_or_default(term.into()),
        };
        let set = &mut term_sets[role as usize];
        if *set == NO_SET {
            *set = u32::try_from(self.sets.len()).expect("memory ends before 2^32 sets");
            self.sets.push(Slots::default());
        }
        *set
    }

    fn items(&self, term: TermSets, role: Role) -> &Slots {
        &self.sets[term[role as usize] as usize]
    }

    /// The terms that a query's keywords stand for, each once. A keyword that no item has ever had is left out.
    fn terms_of(&self, keywords: &[String]) -> Vec<TermSets> {
        let terms = terms_of_query(keywords);
        terms.iter().filter_map(|term| self.vocabulary.get(&**term).copied()).collect()
    }

    /// Makes room where an item belongs. It costs a look-up for each item that changes its slot, and for each set that
    /// any of them is in.
    fn divide<'a>(&mut self, id: u64, terms_of: impl Fn(ItemId) -> &'a Terms) {
        let division = self.order.divide(id);
        let ids = self.order.ids(division.to);
        let moved = division.moved.places().map(|place| unpack(ids[usize::from(place)]));
        let mut sets: Vec<_> = moved.flat_map(|id| &terms_of(id).0).copied().collect();
        sets.sort_unstable();
        sets.dedup();
        self.in_stock.divide(&self.order, &division);
        for set in sets {
            self.sets[set as usize].divide(&self.order, &division);
        }
    }

    /// Offers a whole set at one score, higher scores first. Returns how many of its items have such IDs.
    fn offer_set(&self, score: usize, set: &Slots, ids: &RangeInclusive<u64>, best: &mut Best<'_>) -> usize {
        let from_first = best.first_id(score)..=*ids.end();
        if best.room(score) > 0 && !from_first.is_empty() {
            let ranks = self.order.ranks(&from_first);
            let mut reader = set.read_from(&self.order, *ranks.start());
            let mut next = *ranks.start();
            while let Some(rank) = reader.next_rank(&self.order, next).filter(|rank| ranks.contains(rank)) {
                best.offer(rank, score, reader.read(self.order.block(rank)));
                if best.room(score) == 0 {
                    break;
                }
                next = rank + 1;
            }
        }
        self.count(set, ids)
    }

    /// How many items of a set have such IDs.
    fn count(&self, set: &Slots, ids: &RangeInclusive<u64>) -> usize {
        if *ids == (0..=u64::MAX) {
            return set.len();
        }
        let ranks = self.order.ranks(ids);
        let (first, last) = (*ranks.start(), *ranks.end());
        let outside = |rank| {
            let block = self.order.block(rank);
            if self.order.has_only(block, ids) {
                return 0;
            }
            let members = set.read_from(&self.order, rank).read(block);
            members.len() - self.inside(block, members, ids).len()
        };
        let others = outside(first) + if last == first { 0 } else { outside(last) };
        set.len_in(&self.order, ranks) - others
    }

    /// Offers the hits of several terms, and counts them. It reads all sets of the terms in step, block by block.
    fn combine(&self, terms: &[TermSets], ids: &RangeInclusive<u64>, best: &mut Best<'_>) -> usize {
        let ranks = self.order.ranks(ids);
        let (first, last) = (*ranks.start(), *ranks.end());
        let mut sets = Vec::with_capacity(2 * terms.len());
        for role in [Role::Name, Role::Keyword] {
            let read = |&term| (role as usize, self.items(term, role).read_from(&self.order, first));
            sets.extend(terms.iter().map(read));
        }
        let (mut total, mut next) = (0, first);
        while let Some(rank) = sets.iter().filter_map(|(_, set)| set.next_rank(&self.order, next)).min()
            && rank <= last
        {
            let block = self.order.block(rank);
            let mut scores = Scores::new();
            for (bit, set) in &mut sets {
                scores.add(*bit, set.read(block));
            }
            if !self.order.has_only(block, ids) {
                scores.retain(&self.inside(block, Members::Bits(&scores.scored()), ids));
            }
            total += scores.scored().len();
            best.offer_scores(rank, &scores);
            next = rank + 1;
        }
        total
    }

    /// Those of some members of a block whose items have such IDs.
    fn inside(&self, block: u32, members: Members<'_>, ids: &RangeInclusive<u64>) -> Bits {
        let in_block = self.order.ids(block);
        let mut inside = Bits::EMPTY;
        members.for_each(|place| {
            if ids.contains(&in_block[usize::from(place)]) {
                inside.insert(place);
            }
        });
        inside
    }
}

#[cfg(test)]
mod tests;
