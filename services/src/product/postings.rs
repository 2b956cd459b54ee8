//! An ordered set of item IDs: what is kept for each seller.
//!
//! It is made for memory and for pages: most sellers have a few items, and some may have a large part of the catalogue.
//! Either set is read from any position without a scan from the start.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::packed::{pack, unpack};
use crate::api::values::ItemId;

/// The most members that a set keeps in one sorted list, at 8 bytes a member; a part for each category may cost some
/// 100 bytes for one member. At more, insertion is slow.
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

    /// Adds an item that comes after all others, with less work than `insert`. [`Postings::settle`] must follow
    /// before the set is used.
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
                    self.append_after(None, SET_LIST_LEN_BACK, &mut ids);
                    self.form = Form::List(ids.into_iter().map(pack).collect());
                }
                removed
            }
        }
    }

    /// Appends to `ids`, in order, the first `limit` items that come after `after`, which need not be in the set.
    pub(crate) fn append_after(&self, after: Option<ItemId>, limit: usize, ids: &mut Vec<ItemId>) {
        // The step after the last number of a category is the first of the next one.
        let first = after.map_or(0, |id| pack(id).saturating_add(1));
        match &self.form {
            Form::List(list) => {
                let from_first = from(list, first);
                ids.extend(from_first.iter().take(limit).map(|&packed| unpack(packed)));
            }
            Form::Categories(categories) => {
                let first = unpack(first);
                let len_max = ids.len().saturating_add(limit);
                for (&category, numbers) in categories.numbers.range(first.category..) {
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
                ids.extend(from(list, first_n).iter().take(limit).map(|&n| id(n)));
            }
            Numbers::Bitmap(bitmap) => ids.extend(bitmap.range(first_n..).take(limit).map(id)),
        }
    }
}

fn same_category(a: &u64, b: &u64) -> bool {
    unpack(*a).category == unpack(*b).category
}

/// The part of a sorted list from `first` on.
fn from<T: Ord>(list: &[T], first: T) -> &[T] {
    &list[list.partition_point(|value| *value < first)..]
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
