//! An ordered set of item IDs: what the search index keeps for each term.
//!
//! It is made for memory and for pages. Most sets are tiny, because a name often holds a word that nobody else uses,
//! and a few are as large as the catalogue; either is counted by category and read from any position without a scan
//! from the start. It knows nothing of terms and scores, and combines no sets: the index does.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use roaring::RoaringBitmap;

use crate::api::values::ItemId;

/// The most members that a set keeps in one sorted list, at 8 bytes a member; a part for each category may cost some
/// 100 bytes for one member. At more, insertion is slow, and so is a search for several keywords, which makes bitmaps
/// of what is not one yet.
const SET_LIST_LEN_MAX: usize = 256;

/// The most members that one category of a larger set keeps in a sorted list. At more, 4 bytes a member cost more
/// than the containers of a bitmap do.
const LIST_LEN_MAX: usize = 64;

/// The members at which a larger form goes back to a list. They are well below the most that a list may have, so
/// that a set at the border is not rebuilt at each change.
const SET_LIST_LEN_BACK: usize = SET_LIST_LEN_MAX / 2;
const LIST_LEN_BACK: usize = LIST_LEN_MAX / 2;

/// A set of item IDs, ordered by category and then by n.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    form: Form,
}

/// The members that a set has in one category, as the set keeps them: never none, and in order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Members<'a> {
    /// At most `SET_LIST_LEN_MAX` packed IDs.
    Ids(&'a [u64]),
    /// At most `LIST_LEN_MAX` numbers.
    List(&'a [u32]),
    /// More than `LIST_LEN_BACK` numbers.
    Bitmap(&'a RoaringBitmap),
}

#[derive(Debug)]
enum Form {
    /// At most `SET_LIST_LEN_MAX` packed IDs, sorted.
    List(Vec<u64>),
    /// More than `SET_LIST_LEN_BACK` IDs. It is boxed because it is rare: most sets hold one ID.
    Categories(Box<Categories>),
}

#[derive(Debug, Default)]
struct Categories {
    /// The members of all categories together.
    len: u64,
    /// No category in it is empty.
    numbers: BTreeMap<u32, Numbers>,
}

/// The members of one category, by their n. A large set may hold a few members in each of many categories, where a
/// bitmap would cost some 200 bytes each.
#[derive(Debug)]
enum Numbers {
    /// At most `LIST_LEN_MAX` numbers, sorted.
    List(Vec<u32>),
    /// More than `LIST_LEN_BACK` numbers.
    Bitmap(RoaringBitmap),
}

impl Postings {
    /// Adds an item and tells whether it was missing.
    pub(crate) fn insert(&mut self, id: ItemId) -> bool {
        match &mut self.form {
            Form::List(list) => {
                let inserted = insert_sorted(list, pack(id));
                if list.len() > SET_LIST_LEN_MAX {
                    self.form = Form::Categories(Box::new(Categories::from_sorted(list)));
                }
                inserted
            }
            Form::Categories(categories) => categories.insert(id),
        }
    }

    /// Takes the memory for so many items, which are to be appended to an empty set, as far as they will be a list.
    pub(crate) fn reserve(&mut self, len: usize) {
        if let Form::List(list) = &mut self.form {
            list.reserve_exact(len.min(SET_LIST_LEN_MAX));
        }
    }

    /// Adds an item that comes after all others, with less work than `insert` as long as the set is a list. One that
    /// outgrows it does so here already: a list of all its items would take more memory than the set ever does again.
    /// [`Postings::settle`] must follow before the set is used.
    pub(crate) fn append(&mut self, id: ItemId) {
        match &mut self.form {
            Form::List(list) if list.len() < SET_LIST_LEN_MAX => list.push(pack(id)),
            Form::List(_) | Form::Categories(_) => {
                let inserted = self.insert(id);
                assert!(inserted, "appended items come in order");
            }
        }
    }

    /// Ends the filling of a set by [`Postings::append`].
    pub(crate) fn settle(&mut self) {
        if let Form::List(list) = &mut self.form {
            assert!(list.is_sorted_by(|a, b| a < b), "appended items come in order");
            list.shrink_to_fit();
        }
    }

    /// Takes an item out and tells whether it was there. Memory that is no longer needed is released.
    pub(crate) fn remove(&mut self, id: ItemId) -> bool {
        match &mut self.form {
            Form::List(list) => remove_sorted(list, pack(id)),
            Form::Categories(categories) => {
                let removed = categories.remove(id);
                if categories.len <= SET_LIST_LEN_BACK as u64 {
                    let mut ids = Vec::new();
                    self.append_after(None, None, SET_LIST_LEN_BACK, &mut ids);
                    self.form = Form::List(ids.into_iter().map(pack).collect());
                }
                removed
            }
        }
    }

    /// The number of items, at no cost.
    pub(crate) fn len(&self) -> u64 {
        match &self.form {
            Form::List(list) => list.len() as u64,
            Form::Categories(categories) => categories.len,
        }
    }

    /// The number of items of one category. It costs a lookup and a step for each 65,536 numbers of the category.
    pub(crate) fn len_in(&self, category: u32) -> u64 {
        match &self.form {
            Form::List(list) => range_of(list, first_of(category), last_of(category)).len() as u64,
            Form::Categories(categories) => categories.numbers.get(&category).map_or(0, Numbers::len),
        }
    }

    /// The members of each of these categories that has any, in order. It costs one lookup, and a step for each.
    pub(crate) fn by_category(
        &self,
        categories: RangeInclusive<u32>,
    ) -> impl Iterator<Item = (u32, Members<'_>)> {
        let (ids, numbers) = match &self.form {
            Form::List(list) => {
                let (first, last) = (first_of(*categories.start()), last_of(*categories.end()));
                (range_of(list, first, last), None)
            }
            Form::Categories(kept) => (&[][..], Some(kept.numbers.range(categories))),
        };
        let ids = ids.chunk_by(same_category).map(|ids| (unpack(ids[0]).category, Members::Ids(ids)));
        let numbers = numbers.into_iter().flatten().map(|(&category, numbers)| match numbers {
            Numbers::List(list) => (category, Members::List(list)),
            Numbers::Bitmap(bitmap) => (category, Members::Bitmap(bitmap)),
        });
        ids.chain(numbers)
    }

    /// Appends to `ids`, in order, the first `limit` items that come after `after`; of one category, or of all.
    /// `after` need not be in the set.
    pub(crate) fn append_after(
        &self,
        category: Option<u32>,
        after: Option<ItemId>,
        limit: usize,
        ids: &mut Vec<ItemId>,
    ) {
        // The step after the last number of a category is the first of the next one.
        let after = after.map_or(0, |id| pack(id).saturating_add(1));
        let first = after.max(category.map_or(0, first_of));
        let last = category.map_or(u64::MAX, last_of);
        if first > last {
            return;
        }
        match &self.form {
            Form::List(list) => {
                let range = range_of(list, first, last);
                ids.extend(range.iter().take(limit).map(|&packed| unpack(packed)));
            }
            Form::Categories(categories) => {
                let first = unpack(first);
                let len_max = ids.len().saturating_add(limit);
                for (&category, numbers) in categories.numbers.range(first.category..=unpack(last).category) {
                    if ids.len() == len_max {
                        break;
                    }
                    let first_n = if category == first.category { first.n } else { 0 };
                    numbers.append_from(category, first_n, len_max - ids.len(), ids);
                }
            }
        }
    }
}

impl<'a> Members<'a> {
    /// Whether they are so few that they are cheaper to go through than to put into a bitmap.
    pub(crate) fn are_few(self) -> bool {
        match self {
            Members::Ids(ids) => ids.len() <= LIST_LEN_MAX,
            Members::List(_) => true,
            Members::Bitmap(_) => false,
        }
    }

    /// Their numbers one by one.
    pub(crate) fn for_each(self, mut visit: impl FnMut(u32)) {
        match self {
            Members::Ids(ids) => ids.iter().for_each(|&packed| visit(unpack(packed).n)),
            Members::List(list) => list.iter().for_each(|&n| visit(n)),
            Members::Bitmap(bitmap) => bitmap.iter().for_each(visit),
        }
    }

    /// Their numbers as a bitmap. One that the set has is lent; only a list is copied.
    pub(crate) fn to_bitmap(self) -> Cow<'a, RoaringBitmap> {
        match self {
            Members::Ids(ids) => Cow::Owned(bitmap_of(ids.iter().map(|&packed| unpack(packed).n))),
            Members::List(list) => Cow::Owned(bitmap_of(list.iter().copied())),
            Members::Bitmap(bitmap) => Cow::Borrowed(bitmap),
        }
    }
}

impl Default for Form {
    fn default() -> Self {
        Form::List(Vec::new())
    }
}

impl Categories {
    fn from_sorted(list: &[u64]) -> Self {
        let by_category = list.chunk_by(same_category);
        let numbers = by_category.map(|ids| {
            let numbers = ids.iter().map(|&packed| unpack(packed).n);
            let numbers = if ids.len() > LIST_LEN_MAX {
                Numbers::Bitmap(numbers.collect())
            } else {
                Numbers::List(numbers.collect())
            };
            (unpack(ids[0]).category, numbers)
        });
        Self { len: list.len() as u64, numbers: numbers.collect() }
    }

    fn insert(&mut self, id: ItemId) -> bool {
        let numbers = self.numbers.entry(id.category).or_insert(Numbers::List(Vec::new()));
        let inserted = numbers.insert(id.n);
        self.len += u64::from(inserted);
        inserted
    }

    fn remove(&mut self, id: ItemId) -> bool {
        let Some(numbers) = self.numbers.get_mut(&id.category) else {
            return false;
        };
        let removed = numbers.remove(id.n);
        self.len -= u64::from(removed);
        if numbers.len() == 0 {
            self.numbers.remove(&id.category);
        }
        removed
    }
}

impl Numbers {
    fn insert(&mut self, n: u32) -> bool {
        match self {
            Numbers::List(list) => {
                let inserted = insert_sorted(list, n);
                if list.len() > LIST_LEN_MAX {
                    *self = Numbers::Bitmap(list.iter().copied().collect());
                }
                inserted
            }
            Numbers::Bitmap(bitmap) => bitmap.insert(n),
        }
    }

    fn remove(&mut self, n: u32) -> bool {
        match self {
            Numbers::List(list) => remove_sorted(list, n),
            Numbers::Bitmap(bitmap) => {
                let removed = bitmap.remove(n);
                if bitmap.len() <= LIST_LEN_BACK as u64 {
                    *self = Numbers::List(bitmap.iter().collect());
                }
                removed
            }
        }
    }

    fn len(&self) -> u64 {
        match self {
            Numbers::List(list) => list.len() as u64,
            Numbers::Bitmap(bitmap) => bitmap.len(),
        }
    }

    fn append_from(&self, category: u32, first_n: u32, limit: usize, ids: &mut Vec<ItemId>) {
        let id = |n| ItemId { category, n };
        match self {
            Numbers::List(list) => {
                let range = range_of(list, first_n, u32::MAX);
                ids.extend(range.iter().take(limit).map(|&n| id(n)));
            }
            Numbers::Bitmap(bitmap) => ids.extend(bitmap.range(first_n..).take(limit).map(id)),
        }
    }
}

/// Packs an ID into an integer that sorts as the ID does.
fn pack(id: ItemId) -> u64 {
    first_of(id.category) | u64::from(id.n)
}

fn unpack(packed: u64) -> ItemId {
    ItemId { category: (packed >> 32) as u32, n: packed as u32 }
}

fn first_of(category: u32) -> u64 {
    u64::from(category) << 32
}

fn last_of(category: u32) -> u64 {
    first_of(category) | u64::from(u32::MAX)
}

fn same_category(a: &u64, b: &u64) -> bool {
    unpack(*a).category == unpack(*b).category
}

/// The bitmap of sorted numbers, with less work than one of any numbers.
fn bitmap_of(numbers: impl Iterator<Item = u32>) -> RoaringBitmap {
    RoaringBitmap::from_sorted_iter(numbers).expect("lists are sorted")
}

/// The part of a sorted list from `first` to `last`, both included.
fn range_of<T: Ord>(list: &[T], first: T, last: T) -> &[T] {
    let from_first = &list[list.partition_point(|value| *value < first)..];
    &from_first[..from_first.partition_point(|value| *value <= last)]
}

fn insert_sorted<T: Ord>(list: &mut Vec<T>, value: T) -> bool {
    let Err(at) = list.binary_search(&value) else {
        return false;
    };
    if list.len() == list.capacity() {
        // Lists grow 1, 2, 4, …: the standard growth starts at four, and most lists hold one.
        list.reserve_exact(list.len().max(1));
    }
    list.insert(at, value);
    true
}

fn remove_sorted<T: Ord>(list: &mut Vec<T>, value: T) -> bool {
    let Ok(at) = list.binary_search(&value) else {
        return false;
    };
    list.remove(at);
    if list.len() <= list.capacity() / 4 {
        list.shrink_to(list.len() * 2);
    }
    true
}

#[cfg(test)]
mod tests;
