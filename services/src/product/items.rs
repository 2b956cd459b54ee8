//! [`Items`]: the items of all categories, with what is on disk and what is not yet kept apart.
//!
//! It is to items what a `Table` is to other rows, in less memory: items are numbered in each category and never
//! removed, so they lie in vectors, and only listings change. It knows neither the search index nor the rules.

use super::item::Item;
use crate::api::encoded::Listing;
use crate::api::values::ItemId;
use crate::engine::map::Map;
use crate::engine::table::Changes;

/// The items by category and number.
pub(crate) struct Items {
    categories: Map<u32, Category>,
    /// The listings that are not on disk yet; among them are those of all items that are not.
    listings: Changes<ItemId, Listing>,
    /// How many items are on disk.
    durable_len: usize,
}

/// The items of one category.
#[derive(Default)]
struct Category {
    /// In the order of their numbers, which are given without gaps.
    items: Vec<Item>,
    /// How many of the items, from the first, are on disk. The others are in their first state.
    durable_len: usize,
}

impl Items {
    pub(crate) fn new() -> Self {
        Self { categories: Map::new(), listings: Changes::new(), durable_len: 0 }
    }

    /// Takes an item from disk, at start; false if it is not the next of its category. [`Items::loaded`] must follow.
    pub(crate) fn load(&mut self, category: u32, item: Item) -> bool {
        let category = self.categories.get_or_default(category);
        if category.last_n().checked_add(1) != Some(item.n) {
            return false;
        }
        category.items.push(item);
        category.durable_len += 1;
        self.durable_len += 1;
        true
    }

    /// How many items are on disk.
    pub(crate) fn len(&self) -> usize {
        self.durable_len
    }

    /// Ends the loading of items.
    pub(crate) fn loaded(&mut self) {
        for category in self.categories.values_mut() {
            category.items.shrink_to_fit();
        }
    }

    /// All items as they are on disk, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ItemId, &Item)> + Clone {
        let mut categories: Vec<_> = self.categories.iter().collect();
        categories.sort_unstable_by_key(|(category, _)| **category);
        categories.into_iter().flat_map(|(&category, items)| {
            let items = items.items[..items.durable_len].iter();
            items.map(move |item| (ItemId { category, n: item.n }, item))
        })
    }

    /// The item as it is on disk.
    pub(crate) fn get(&self, id: ItemId) -> Option<&Item> {
        self.categories.get(&id.category)?.durable(id.n)
    }

    /// The items as they are on disk, in this order. Neighbours of the same category cost one look-up of it.
    pub(crate) fn get_all<'a>(&'a self, ids: &[ItemId]) -> impl Iterator<Item = Option<&'a Item>> {
        ids.chunk_by(|a, b| a.category == b.category).flat_map(|ids| {
            let category = self.categories.get(&ids[0].category);
            ids.iter().map(move |id| category?.durable(id.n))
        })
    }

    /// The seller of an item and its listing with all changes, on disk or not.
    pub(crate) fn latest(&self, id: ItemId) -> Option<(u32, Listing)> {
        let item = self.categories.get(&id.category)?.latest(id.n)?;
        Some((item.seller_id, self.latest_listing(id, item)))
    }

    /// The items, on disk or not, in this order. Their listings may be older than the latest. They lie anywhere in memory,
    /// so each step is made for all before the next one: the processor then waits for many of them at once.
    pub(crate) fn find_all(&self, ids: &[ItemId]) -> Vec<Option<&Item>> {
        let categories: Vec<_> = ids.iter().map(|id| id.category).collect();
        let categories = self.categories.get_all(&categories);
        let places = ids.iter().zip(categories);
        places.map(|(id, category)| category.and_then(|category| category.latest(id.n))).collect()
    }

    /// The listing of this item with all changes, on disk or not.
    pub(crate) fn latest_listing(&self, id: ItemId, item: &Item) -> Listing {
        self.listings.get(&id).copied().unwrap_or(item.listing)
    }

    /// What the next item of a category is to be called; `None` if the category is full.
    pub(crate) fn next_id(&self, category: u32) -> Option<ItemId> {
        let last_n = self.categories.get(&category).map_or(0, Category::last_n);
        last_n.checked_add(1).map(|n| ItemId { category, n })
    }

    /// Adds a new item, which readers do not see before it is published.
    pub(crate) fn add(&mut self, category: u32, item: Item) {
        self.listings.put(ItemId { category, n: item.n }, item.listing);
        let category = self.categories.get_or_default(category);
        assert_eq!(category.last_n().checked_add(1), Some(item.n), "numbers are given in order");
        category.items.push(item);
    }

    /// Changes the listing of an item that exists.
    pub(crate) fn relist(&mut self, id: ItemId, listing: Listing) {
        self.listings.put(id, listing);
    }

    /// Whether there are open changes.
    pub(crate) fn is_dirty(&self) -> bool {
        self.listings.is_dirty()
    }

    /// Seals the open changes and returns their listings.
    pub(crate) fn seal(&mut self) -> impl Iterator<Item = (ItemId, Listing)> {
        self.listings.seal().map(|(id, listing)| (id, *listing))
    }

    /// Makes the changes of the oldest sealed group durable, or the next `len_max` of them, and shows each item, with its
    /// listing before unless it is new, to `observe`. Returns how many there were, or `None` if there are more to come.
    pub(crate) fn publish(
        &mut self,
        len_max: usize,
        mut observe: impl FnMut(ItemId, Option<Listing>, &Item),
    ) -> Option<usize> {
        for len in 0..len_max {
            let Some((id, listing)) = self.listings.publish_next() else { return Some(len) };
            let category = self.categories.get_mut(&id.category).expect("items are never removed");
            let place = category.place(id.n).expect("items are never removed");
            let item = &mut category.items[place];
            let before = (place < category.durable_len).then_some(item.listing);
            if before.is_none() {
                assert_eq!(place, category.durable_len, "items come to disk in order");
                category.durable_len += 1;
                self.durable_len += 1;
            }
            item.relist(listing);
            observe(id, before, item);
        }
        None
    }
}

impl Category {
    fn last_n(&self) -> u32 {
        self.items.last().map_or(0, |item| item.n)
    }

    fn durable(&self, n: u32) -> Option<&Item> {
        let place = self.place(n).filter(|place| *place < self.durable_len)?;
        Some(&self.items[place])
    }

    fn latest(&self, n: u32) -> Option<&Item> {
        Some(&self.items[self.place(n)?])
    }

    /// Where an item lies, on disk or not.
    fn place(&self, n: u32) -> Option<usize> {
        (n as usize).checked_sub(1).filter(|place| *place < self.items.len())
    }
}

#[cfg(test)]
mod tests;
