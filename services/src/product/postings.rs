//! An ordered set of item IDs: what the search index keeps for each term.
//!
//! It is made for memory and for pages. Most sets are tiny, because a name often holds a word that nobody else uses,
//! and a few are as large as the catalogue; either is counted by category and read from any position without a scan
//! from the start. It knows nothing of terms and scores, and combines no sets: the index does.

use std::borrow::Cow;
use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::values::ItemId;

/// The most members that a set, or one category of a large set, keeps in a sorted list. At more, the list's O(n)
/// insertion and 8 (or 4) bytes a member cost more than the containers of a bitmap do.
const LIST_LEN_MAX: usize = 64;

/// The members at which a larger form goes back to a list. It is well below `LIST_LEN_MAX`, so that a set at the
/// border is not rebuilt at each change.
const LIST_LEN_BACK: usize = 32;

/// A set of item IDs, ordered by category and then by n.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// At most `LIST_LEN_MAX` packed IDs, sorted.
    List(Vec<u64>),
    /// More than `LIST_LEN_BACK` IDs. It is boxed because it is rare: most sets hold one ID.
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
                if list.len() > LIST_LEN_MAX {
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
        let Form::List(list) = &mut self.form else { panic!("a set is settled once, after all appends") };
        list.push(pack(id));
    }

    /// Brings a set that was filled by [`Postings::append`] into its lasting form.
    pub(crate) fn settle(&mut self) {
        if let Form::List(list) = &mut self.form {
            assert!(list.is_sorted_by(|a, b| a < b), "appended items come in order");
            if list.len() > LIST_LEN_MAX {
                self.form = Form::Categories(Box::new(Categories::from_sorted(list)));
            } else {
                list.shrink_to_fit();
            }
        }
    }

    /// Takes an item out and tells whether it was there. Memory that is no longer needed is released.
    pub(crate) fn remove(&mut self, id: ItemId) -> bool {
        match &mut self.form {
            Form::List(list) => remove_sorted(list, pack(id)),
            Form::Categories(categories) => {
                let removed = categories.remove(id);
                if categories.len <= LIST_LEN_BACK as u64 {
                    let mut ids = Vec::new();
                    self.append_after(None, None, LIST_LEN_BACK, &mut ids);
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

    /// The lowest category of at least `from` that has an item in the set.
    pub(crate) fn category_from(&self, from: u32) -> Option<u32> {
        match &self.form {
            Form::List(list) => {
                range_of(list, first_of(from), u64::MAX).first().map(|&packed| unpack(packed).category)
            }
            Form::Categories(categories) => {
                categories.numbers.range(from..).next().map(|(&category, _)| category)
            }
        }
    }

    /// The numbers of one category's items as a bitmap. A large one is lent; only a list is copied.
    pub(crate) fn numbers_in(&self, category: u32) -> Cow<'_, RoaringBitmap> {
        match &self.form {
            Form::List(list) => Cow::Owned(
                range_of(list, first_of(category), last_of(category))
                    .iter()
                    .map(|&packed| unpack(packed).n)
                    .collect(),
            ),
            Form::Categories(categories) => match categories.numbers.get(&category) {
                None => Cow::Owned(RoaringBitmap::new()),
                Some(Numbers::List(list)) => Cow::Owned(list.iter().copied().collect()),
                Some(Numbers::Bitmap(bitmap)) => Cow::Borrowed(bitmap),
            },
        }
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

impl Default for Form {
    fn default() -> Self {
        Form::List(Vec::new())
    }
}

impl Categories {
    fn from_sorted(list: &[u64]) -> Self {
        let by_category = list.chunk_by(|&a, &b| unpack(a).category == unpack(b).category);
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
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn id(category: u32, n: u32) -> ItemId {
        ItemId { category, n }
    }

    #[test]
    fn appending_gives_the_same_set_as_inserting() {
        for (categories, numbers) in [(1, 1), (3, 2), (1, 65), (70, 1), (3, 65), (2, 200)] {
            let ids = || (1..=categories).flat_map(|category| (1..=numbers).map(move |n| id(category, n)));
            let (mut appended, mut inserted) = (Postings::default(), Postings::default());
            ids().for_each(|id| appended.append(id));
            appended.settle();
            ids().for_each(|id| assert!(inserted.insert(id)));
            assert_eq!(all(&appended), all(&inserted));
            assert_eq!((appended.len(), appended.len_in(2)), (inserted.len(), inserted.len_in(2)));
            assert!(!appended.insert(id(1, 1)) && appended.remove(id(1, 1)));
        }
    }

    fn all(postings: &Postings) -> Vec<ItemId> {
        let mut ids = Vec::new();
        postings.append_after(None, None, usize::MAX, &mut ids);
        ids
    }

    #[test]
    fn a_set_of_one_is_small() {
        let mut postings = Postings::default();
        assert!(postings.insert(id(3, 7)));
        let Form::List(list) = &postings.form else { panic!("one ID is kept in a list") };
        assert_eq!((list.capacity(), size_of::<Postings>()), (1, 24));
    }

    #[test]
    fn a_large_set_goes_back_to_a_list_and_drops_its_empty_categories() {
        let mut postings = Postings::default();
        for n in 1..=1000 {
            postings.insert(id(n % 2, n));
        }
        for n in (2..=1000).step_by(2) {
            postings.remove(id(0, n));
        }
        let Form::Categories(categories) = &postings.form else { panic!("500 IDs are no list") };
        assert_eq!(categories.numbers.len(), 1);
        assert_eq!((postings.len(), postings.len_in(0), postings.len_in(1)), (500, 0, 500));
        for n in (1..=999).step_by(2) {
            postings.remove(id(1, n));
        }
        let Form::List(list) = &postings.form else { panic!("no IDs are kept in a list") };
        assert_eq!(list.capacity(), 0);
    }

    #[test]
    fn positions_at_the_ends_of_categories() {
        let mut postings = Postings::default();
        for n in 0..200 {
            postings.insert(id(n % 4, u32::MAX - n));
        }
        let after = |category, after| {
            let mut ids = Vec::new();
            postings.append_after(category, Some(after), 1, &mut ids);
            ids
        };
        assert_eq!(after(None, id(1, u32::MAX)), [id(2, u32::MAX - 198)]);
        assert_eq!(after(Some(1), id(1, u32::MAX)), []);
        assert_eq!(after(Some(1), id(2, 0)), []);
        assert_eq!(after(Some(3), id(0, 5)), [id(3, u32::MAX - 199)]);
        assert_eq!(after(None, id(u32::MAX, u32::MAX)), []);
        assert_eq!((postings.category_from(3), postings.category_from(4)), (Some(3), None));
    }

    #[test]
    fn behaves_as_a_sorted_set() {
        let mut rng = fastrand::Rng::with_seed(1);
        for (categories, numbers) in [(1, 50), (3, 40), (100, 3), (3, 300), (40, 200), (1, 200_000)] {
            let (mut postings, mut model) = (Postings::default(), BTreeSet::new());
            // The set grows in even rounds and shrinks in odd ones, so that it changes its form often.
            for round in 0..8 {
                for _ in 0..1000 {
                    let id = id(rng.u32(..categories), rng.u32(1..=numbers));
                    if rng.u32(..10) < if round % 2 == 0 { 9 } else { 1 } {
                        assert_eq!(postings.insert(id), model.insert(id));
                    } else {
                        let id = *model.range(id..).next().unwrap_or(&id);
                        assert_eq!(postings.remove(id), model.remove(&id));
                    }
                }
                assert_eq!(all(&postings), model.iter().copied().collect::<Vec<_>>());
                assert_eq!(postings.len(), model.len() as u64);
                let category = rng.u32(..=categories);
                let inside = || model.iter().filter(|id| id.category == category);
                assert_eq!(postings.len_in(category), inside().count() as u64);
                assert!(postings.numbers_in(category).iter().eq(inside().map(|id| id.n)));
                let next = model.iter().map(|id| id.category).find(|&c| c >= category);
                assert_eq!(postings.category_from(category), next);
                for only in [None, Some(category)] {
                    let after = id(rng.u32(..categories), rng.u32(..=numbers));
                    let limit = rng.usize(..100);
                    let mut page = vec![after];
                    postings.append_after(only, Some(after), limit, &mut page);
                    let expected = model
                        .range(after..)
                        .filter(|&&id| id != after && only.is_none_or(|category| id.category == category));
                    assert!(page[1..].iter().eq(expected.take(limit)));
                }
            }
        }
    }
}
