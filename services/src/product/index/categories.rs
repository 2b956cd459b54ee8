//! [`Categories`]: how many items of each category are in stock, so that to list them costs no more than what is listed.
//!
//! It does not know which items these are: whoever brings one in or takes it out says so, once.

use std::collections::BTreeMap;
use std::ops::Bound;

/// The categories with items in stock.
#[derive(Debug, Default)]
pub(super) struct Categories {
    /// None is 0.
    in_stock: BTreeMap<u32, u32>,
}

impl Categories {
    /// An item has come into stock.
    pub(super) fn add(&mut self, category: u32) {
        *self.in_stock.entry(category).or_default() += 1;
    }

    /// An item of those in stock is there no more.
    pub(super) fn remove(&mut self, category: u32) {
        let count = self.in_stock.get_mut(&category).expect("it was added");
        *count -= 1;
        if *count == 0 {
            self.in_stock.remove(&category);
        }
    }

    /// The categories after this one, or all, in order, each with how many items are in stock.
    pub(super) fn after(&self, category: Option<u32>) -> impl Iterator<Item = (u32, u32)> {
        let first = category.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.in_stock.range((first, Bound::Unbounded));
        rest.map(|(category, count)| (*category, *count))
    }
}
