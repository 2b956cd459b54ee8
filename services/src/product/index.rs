//! The search index: which items in stock have which terms, ranked and read page by page.
//!
//! A term is a keyword of an item or a word of its name, folded (see [`folded`]). It has one set of the items that have
//! it as a keyword, and one of those that have it in their name only. A search with one keyword, or with a category
//! alone, costs lookups and its page. One with several keywords combines whole sets, category by category, and looks at
//! single items only to fill its page. The index can't tell an item's name or terms, and it checks no request.

use std::borrow::Cow;

use std::collections::HashMap;
use std::iter;

use roaring::{MultiOps, RoaringBitmap};

use super::postings::{Members, Postings};
use crate::api::items::Position;
use crate::api::values::{ItemId, folded, is_punctuation};

/// The set that stays empty. It stands for a set that no item has needed so far.
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
    vocabulary: HashMap<Box<str>, TermSets>,
    /// The items of each term and role; `NO_SET` is the first.
    sets: Vec<Postings>,
    /// All items.
    in_stock: Postings,
}

/// What a term is to an item. The role's value is the bit that its score sets: 1 for a name, 2 for a keyword.
#[derive(Clone, Copy)]
enum Role {
    Name = 0,
    Keyword = 1,
}

/// The sets of one term, by role. No item is in both.
type TermSets = [u32; 2];

impl Index {
    /// An index of no items.
    pub(crate) fn new() -> Self {
        let sets = vec![Postings::default()];
        Self { vocabulary: HashMap::new(), sets, in_stock: Postings::default() }
    }

    /// Finds the terms of an item, and makes sets for those that are new. It does not bring the item into stock.
    pub(crate) fn intern(&mut self, name: &str, keywords: &[impl AsRef<str>]) -> Terms {
        let keywords: Vec<_> = keywords.iter().map(|word| folded(word.as_ref())).collect();
        let mut sets: Vec<_> = keywords.iter().map(|word| self.set(word, Role::Keyword)).collect();
        for word in name.split_whitespace() {
            let trimmed = word.trim_matches(is_punctuation);
            for form in iter::once(word).chain(Some(trimmed).filter(|&form| form != word)) {
                let term = folded(form);
                // What nobody sees folds to nothing.
                if !term.is_empty() && !keywords.contains(&term) {
                    sets.push(self.set(&term, Role::Name));
                }
            }
        }
        sets.sort_unstable();
        sets.dedup();
        Terms(sets.as_slice().into())
    }

    /// Brings an item into stock; changes nothing if it is there already. `terms` must always be the same for it.
    pub(crate) fn insert(&mut self, id: ItemId, terms: &Terms) {
        let inserted = self.in_stock.insert(id);
        for &set in &terms.0 {
            let changed = self.sets[set as usize].insert(id);
            assert_eq!(changed, inserted, "the terms of {id:?} have changed");
        }
    }

    /// Brings many items, in order, into a stock that is empty. It is less work than `insert`, and each set takes its
    /// memory once.
    pub(crate) fn fill<'a>(&mut self, items: impl Iterator<Item = (ItemId, &'a Terms)> + Clone) {
        let mut lens = vec![0; self.sets.len()];
        for (_, terms) in items.clone() {
            terms.0.iter().for_each(|&set| lens[set as usize] += 1);
        }
        for (set, len) in self.sets.iter_mut().zip(lens) {
            set.reserve(len);
        }
        for (id, terms) in items {
            self.in_stock.append(id);
            terms.0.iter().for_each(|&set| self.sets[set as usize].append(id));
        }
        self.in_stock.settle();
        self.sets.iter_mut().for_each(Postings::settle);
    }

    /// Takes an item out of stock; changes nothing if it is not there. `terms` must be those it was inserted with.
    pub(crate) fn remove(&mut self, id: ItemId, terms: &Terms) {
        let removed = self.in_stock.remove(id);
        for &set in &terms.0 {
            let changed = self.sets[set as usize].remove(id);
            assert_eq!(changed, removed, "the terms of {id:?} have changed");
        }
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
        let category = query.category;
        let terms = self.terms_of(query.keywords);
        let score_max = 2 * query.keywords.len();
        let mut best = Best { after, limit, score_min: 0, by_score: vec![Vec::new(); score_max + 1] };
        let total = match terms[..] {
            _ if query.keywords.is_empty() => best.offer_set(0, &self.in_stock, category),
            [term] => {
                best.offer_set(2, self.items(term, Role::Keyword), category)
                    + best.offer_set(1, self.items(term, Role::Name), category)
            }
            _ => self.combine(&terms, category, &mut best),
        };
        Page { total, next: best.append_to(hits) }
    }

    /// The number of the set of the items that have a term in a role, which is made if it is missing.
    fn set(&mut self, term: &str, role: Role) -> u32 {
        let term_sets = match self.vocabulary.get_mut(term) {
            Some(term_sets) => term_sets,
            None => self.vocabulary.entry(term.into()).or_insert([NO_SET; 2]),
        };
        let set = &mut term_sets[role as usize];
        if *set == NO_SET {
            *set = u32::try_from(self.sets.len()).expect("memory ends before 2^32 sets");
            self.sets.push(Postings::default());
        }
        *set
    }

    fn items(&self, term: TermSets, role: Role) -> &Postings {
        &self.sets[term[role as usize] as usize]
    }

    /// The terms that a query's keywords stand for, each once. A keyword that no item has ever had is left out.
    fn terms_of(&self, keywords: &[String]) -> Vec<TermSets> {
        let mut keywords: Vec<_> = keywords.iter().map(|keyword| folded(keyword)).collect();
        keywords.sort_unstable();
        keywords.dedup();
        keywords.iter().filter_map(|keyword| self.vocabulary.get(&**keyword).copied()).collect()
    }

    /// Offers the hits of several terms, and counts them. It walks all sets of the terms in step, category by category.
    fn combine(&self, terms: &[TermSets], category: Option<u32>, best: &mut Best) -> u64 {
        let categories = category.map_or(0..=u32::MAX, |category| category..=category);
        let mut sets = Vec::new();
        for role in [Role::Name, Role::Keyword] {
            for &term in terms {
                sets.push((role, self.items(term, role).by_category(categories.clone()).peekable()));
            }
        }
        let mut total = 0;
        // There can be as many categories as items, so these two serve them all: at most a part a set, and at most
        // `LIST_LEN_MAX` scored numbers a part.
        let (mut parts, mut scored) = (Vec::new(), Vec::new());
        while let Some(category) = sets.iter_mut().filter_map(|(_, set)| set.peek()).map(|part| part.0).min()
        {
            parts.clear();
            for (role, set) in &mut sets {
                if let Some((_, members)) = set.next_if(|part| part.0 == category) {
                    parts.push((*role, members));
                }
            }
            total += if parts.iter().all(|(_, members)| members.are_few()) {
                best.offer_lists(category, &parts, &mut scored)
            } else {
                best.offer_bitmaps(category, &parts)
            };
        }
        total
    }
}

/// The best hits after a position, gathered from sets that come in the order of hits within each score.
struct Best {
    after: Option<Position>,
    limit: usize,
    /// No item of a lower score is of use any more. It is found out late, when one is offered.
    score_min: usize,
    by_score: Vec<Vec<ItemId>>,
}

impl Best {
    /// Offers a whole set at one score, higher scores first. Returns how many of its items are in the category.
    fn offer_set(&mut self, score: usize, set: &Postings, category: Option<u32>) -> u64 {
        let (after, room) = (self.after_in(score), self.room(score));
        set.append_after(category, after, room, &mut self.by_score[score]);
        category.map_or_else(|| set.len(), |category| set.len_in(category))
    }

    /// Offers the items of one category, lower categories first, and counts them. It is for a category where no set
    /// has many: a bitmap of a few numbers costs more to make than they cost to sort. `scored` is overwritten.
    fn offer_lists(
        &mut self,
        category: u32,
        parts: &[(Role, Members<'_>)],
        scored: &mut Vec<(u32, u8)>,
    ) -> u64 {
        scored.clear();
        for &(role, members) in parts {
            members.for_each(|n| scored.push((n, 1 << role as u8)));
        }
        scored.sort_unstable_by_key(|&(n, _)| n);
        let mut count = 0;
        for same in scored.chunk_by(|a, b| a.0 == b.0) {
            let score = same.iter().map(|&(_, score)| score).sum();
            self.offer(Position { score, id: ItemId { category, n: same[0].0 } });
            count += 1;
        }
        count
    }

    /// Does the same as `offer_lists`, for a category where a set has many items.
    fn offer_bitmaps(&mut self, category: u32, parts: &[(Role, Members<'_>)]) -> u64 {
        let mut scores = Scores::default();
        for &(role, members) in parts {
            scores.add(role as usize, members.to_bitmap());
        }
        for score in (1..self.by_score.len()).rev() {
            let room = self.room(score);
            let first_n = match self.after_in(score) {
                Some(after) if after.category > category => None,
                Some(after) if after.category == category => after.n.checked_add(1),
                _ => Some(0),
            };
            if let Some(first_n) = first_n
                && room > 0
            {
                let numbers = scores.equal_to(score);
                let numbers = numbers.range(first_n..).take(room);
                self.by_score[score].extend(numbers.map(|n| ItemId { category, n }));
            }
        }
        scores.len()
    }

    /// Offers one item, which comes after all others of its score.
    fn offer(&mut self, position: Position) {
        let score = usize::from(position.score);
        if score < self.score_min || self.after.is_some_and(|after| position <= after) {
            return;
        }
        if self.room(score) > 0 {
            self.by_score[score].push(position.id);
        } else {
            self.score_min = score + 1;
        }
    }

    /// How many more items of a score are of use: as many as the page holds beside the better ones, and one to learn
    /// whether more follow.
    fn room(&self, score: usize) -> usize {
        if self.after.is_some_and(|after| score > usize::from(after.score)) {
            return 0;
        }
        let found: usize = self.by_score[score..].iter().map(Vec::len).sum();
        self.limit.saturating_add(1).saturating_sub(found)
    }

    /// The item that those of a score have to come after.
    fn after_in(&self, score: usize) -> Option<ItemId> {
        self.after.filter(|after| usize::from(after.score) == score).map(|after| after.id)
    }

    /// Appends the page, and returns the position of its last hit if more follow.
    fn append_to(self, hits: &mut Vec<ItemId>) -> Option<Position> {
        let by_score = (0..=u8::MAX).zip(&self.by_score).rev();
        let mut positions =
            by_score.flat_map(|(score, ids)| ids.iter().map(move |&id| Position { score, id }));
        let mut last = None;
        for position in positions.by_ref().take(self.limit) {
            hits.push(position.id);
            last = Some(position);
        }
        last.filter(|_| positions.next().is_some())
    }
}

/// The scores of all items of a category at once, bit-sliced: the items in plane b are those whose score has bit b.
#[derive(Default)]
struct Scores<'a> {
    planes: Vec<Cow<'a, RoaringBitmap>>,
}

impl<'a> Scores<'a> {
    /// Adds 2^bit to the score of each of some items, as a binary adder does: what a plane has already is carried.
    fn add(&mut self, mut bit: usize, items: Cow<'a, RoaringBitmap>) {
        let mut carry = items;
        while !carry.is_empty() {
            if self.planes.len() <= bit {
                self.planes.resize_with(bit + 1, Cow::default);
            }
            let plane = &mut self.planes[bit];
            if plane.is_empty() {
                // The most common case lends the set from the index as it is.
                *plane = carry;
                return;
            }
            let both = plane.as_ref() & carry.as_ref();
            *plane = Cow::Owned(plane.as_ref() ^ carry.as_ref());
            carry = Cow::Owned(both);
            bit += 1;
        }
    }

    /// The items of exactly this score, which is not 0.
    fn equal_to(&self, score: usize) -> Cow<'_, RoaringBitmap> {
        if score >> self.planes.len() != 0 {
            return Cow::default();
        }
        let has = |bit: usize| score >> bit & 1 == 1;
        let mut with = self.planes.iter().enumerate().filter(|&(bit, _)| has(bit));
        let (_, first) = with.next().expect("a score that is not 0 has a bit");
        let mut items = Cow::Borrowed(first.as_ref());
        for (_, plane) in with {
            items = Cow::Owned(items.as_ref() & plane.as_ref());
        }
        for (_, plane) in self.planes.iter().enumerate().filter(|&(bit, _)| !has(bit)) {
            if !items.is_disjoint(plane) {
                items = Cow::Owned(items.as_ref() - plane.as_ref());
            }
        }
        items
    }

    /// The number of items of any score but 0.
    fn len(&self) -> u64 {
        match &self.planes[..] {
            [] => 0,
            [plane] => plane.len(),
            planes => planes.iter().map(Cow::as_ref).union().len(),
        }
    }
}

#[cfg(test)]
mod tests;
