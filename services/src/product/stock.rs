//! `TakeStock`: what a purchase is of leaves the stock, all of it or nothing, and once.
//!
//! The stock and the decision change in the same group, so whatever is found after a crash, both have or neither has.
//! There is no way back: a purchase whose stock was taken is made.

use std::collections::BTreeMap;

use net::Time;

use super::Product;
use super::decisions::{Decided, TakenUnits};
use super::item::Item;
use crate::api::encoded::Listing;
use crate::api::error::Error;
use crate::api::purchases::{Decision, Lines, Shortage, TakeStock, TakenItem, TakenItems, Unfinished};
use crate::api::values::ItemId;
use crate::engine::domain::Answer;

/// Whoever asks, and how often, is told the same until the purchase has ended.
impl Answer<TakeStock> for Product {
    fn answer(&mut self, _: Time, TakeStock(purchase): TakeStock) -> Result<Decision<'_>, Error> {
        let Unfinished { purchase_id, lines: Lines(lines), ended_before } = purchase;
        let decided = match self.decisions.find(purchase_id, ended_before)? {
            Some(decided) => decided.clone(),
            None => {
                let decided = self.take(&lines);
                self.decisions.put(purchase_id, decided.clone());
                decided
            }
        };
        Ok(self.told(&decided))
    }
}

impl Product {
    /// Takes all of this from the latest stock, at the latest prices, or nothing. An item that does not exist is one of
    /// which there are no units.
    fn take(&mut self, lines: &BTreeMap<ItemId, u32>) -> Decided {
        let mut takeable = Vec::with_capacity(lines.len());
        let mut shortages = Vec::new();
        let ids: Vec<_> = lines.keys().copied().collect();
        for ((&item_id, &quantity), item) in lines.iter().zip(self.items.find_all(&ids)) {
            let latest = item.map(|item| self.items.latest_listing(item_id, item));
            match latest.filter(|listing| listing.quantity >= quantity) {
                Some(listing) => takeable.push((item_id, quantity, listing)),
                None => {
                    let available = latest.map_or(0, |listing| listing.quantity);
                    shortages.push(Shortage { item_id, available, quantity });
                }
            }
        }
        if !shortages.is_empty() {
            return Decided::Refused(shortages.into());
        }
        let take = |(item_id, quantity, listing): (ItemId, u32, Listing)| {
            self.items.relist(item_id, Listing { quantity: listing.quantity - quantity, ..listing });
            TakenUnits { item_id, quantity, price: listing.price }
        };
        Decided::Taken(takeable.into_iter().map(take).collect())
    }

    /// A decision as it is told.
    fn told(&self, decided: &Decided) -> Decision<'_> {
        match decided {
            Decided::Taken(lines) => {
                let ids: Vec<_> = lines.iter().map(|line| line.item_id).collect();
                let items = self.items.find_all(&ids);
                Decision::Taken(TakenItems(
                    lines.iter().zip(items).map(|(line, item)| taken(line, item)).collect(),
                ))
            }
            Decided::Refused(shortages) => Decision::Refused(shortages.to_vec()),
        }
    }
}

fn taken<'a>(line: &TakenUnits, item: Option<&'a Item>) -> TakenItem<'a> {
    let &TakenUnits { item_id, quantity, price } = line;
    let item = item.expect("items are never removed");
    TakenItem { item_id, seller_id: item.seller_id, name: item.encoded().name(), quantity, price }
}

#[cfg(test)]
mod tests;
