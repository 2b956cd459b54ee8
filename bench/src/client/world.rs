//! [`World`]: what all clients of a run know of what is for sale, and what was bought of it. Purchases are counted when
//! they begin and when they are acknowledged: what the services tell meanwhile lies between the two, and once nothing is
//! under way there is nothing between them.

use std::collections::HashSet;

use super::Cart;

/// What all clients of a run know.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// The items of the run that buyers ask for.
    pub(super) items: Vec<Item>,
    /// Matches of the search while all those items are for sale.
    pub(crate) matches: u64,
    /// The numbers of all purchases that were acknowledged.
    purchases: HashSet<u64>,
}

/// An item that a seller of the run has put up for sale.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) seller_id: u64,
    /// Whether the search finds it.
    matches: bool,
    /// Units of it that somebody began to buy.
    pub(super) begun: u64,
    /// Units that were bought, as far as that is acknowledged.
    pub(super) sold: u64,
}

impl World {
    /// Nothing of the run is for sale. What others have for sale matches the search so often.
    pub(crate) fn new(matches: u64) -> Self {
        Self { matches, ..Self::default() }
    }

    /// Adds an item; returns its place.
    pub(crate) fn add_item(&mut self, id: &str, seller_id: u64, matches: bool) -> usize {
        self.items.push(Item { id: id.to_owned(), seller_id, matches, begun: 0, sold: 0 });
        self.items.len() - 1
    }

    /// How many of the items the search finds.
    pub(crate) fn matching_items(&self) -> u64 {
        self.items.iter().filter(|item| item.matches).count() as u64
    }

    /// A purchase of a cart begins.
    pub(super) fn begin(&mut self, cart: &Cart) {
        for (&place, &units) in cart {
            self.items[place].begun += u64::from(units);
        }
    }

    /// A purchase of a cart was acknowledged. False if one of this number was before.
    pub(super) fn sold(&mut self, purchase: u64, cart: &Cart) -> bool {
        for (&place, &units) in cart {
            self.items[place].sold += u64::from(units);
        }
        self.purchases.insert(purchase)
    }

    /// Units that a seller has sold, as far as that is acknowledged.
    pub(super) fn sold_of(&self, seller_id: u64) -> u64 {
        self.of(seller_id).map(|item| item.sold).sum()
    }

    /// Units of a seller that somebody began to buy.
    pub(super) fn begun_of(&self, seller_id: u64) -> u64 {
        self.of(seller_id).map(|item| item.begun).sum()
    }

    fn of(&self, seller_id: u64) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.seller_id == seller_id)
    }
}
