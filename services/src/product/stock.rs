//! `TakeStock`: what a purchase is of leaves the stock, all of it or nothing, and once.
//!
//! The stock and the decision change in the same group, so whatever is found after a crash, both have or neither has.
//! There is no way back: a purchase whose stock was taken is made.

use std::collections::BTreeMap;

use net::Time;

use super::Product;
use super::decisions::{Decided, TakenUnits};
use crate::api::encoded::Listing;
use crate::api::error::Error;
use crate::api::purchases::{Decision, Lines, Shortage, TakeStock, TakenItem, TakenItems, Unfinished};
use crate::api::values::ItemId;
use crate::engine::domain::Answer;

/// Whoever asks, and how often, is told the same until the purchase has ended.
impl Answer<TakeStock> for Product {
    fn answer(&mut self, _: Time, TakeStock(purchase): TakeStock) -> Result<Decision, Error> {
        let Unfinished { purchase_id, lines: Lines(lines), ended_before } = purchase;
        if let Some(decided) = self.decisions.find(purchase_id, ended_before)? {
            let decided = decided.clone();
            return Ok(self.told(&decided));
        }
        let decided = self.take(&lines);
        let told = self.told(&decided);
        self.decisions.put(purchase_id, decided);
        Ok(told)
    }
}

impl Product {
    /// Takes all of this from the latest stock, at the latest prices, or nothing. An item that does not exist is one of
    /// which there are no units.
    fn take(&mut self, lines: &BTreeMap<ItemId, u32>) -> Decided {
        let mut takeable = Vec::with_capacity(lines.len());
        let mut shortages = Vec::new();
        for (&item_id, &quantity) in lines {
            let latest = self.items.latest(item_id).map(|(_, listing)| listing);
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
    fn told(&self, decided: &Decided) -> Decision {
        let taken = |&TakenUnits { item_id, quantity, price }: &TakenUnits| {
            let item = self.items.find(item_id).expect("items are never removed");
            TakenItem { item_id, seller_id: item.seller_id, name: item.encoded().name(), quantity, price }
        };
        match decided {
            Decided::Taken(lines) => Decision::Taken(TakenItems(lines.iter().map(taken).collect())),
            Decided::Refused(shortages) => Decision::Refused(shortages.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests;
