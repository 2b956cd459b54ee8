//! [`RemoteProduct`]: `db_product` on an engine. Each API is a few transactions, whose statements decide what happens: no
//! rule relies on what was read before, because others may have changed it since.
//!
//! It answers in the words of the catalogue in memory, of which `product/rules.rs` has those that both refuse with.

mod columns;
mod copied;
mod descriptions;
mod holdings;
mod items;
mod search;
mod statements;
mod stock;
mod upkeep;
mod votes;

use std::sync::Arc;

use net::{Metrics, Time};

use self::descriptions::Descriptions;
use self::holdings::Counting;
use self::upkeep::Forgetting;
use super::answers::{carried_out, first, number};
use super::columns::item_value;
use super::domain::{Carry, RemoteDomain, Starter, carried};
use super::holdings::Holdings;
use super::operation::{Step, Transaction};
use crate::api::Database;
use crate::api::accounts::{BuyerId, SellerId};
use crate::api::categories::ListCategories;
use crate::api::error::Error;
use crate::api::items::{
    Availability, ChangeItemPrice, CheckAvailability, DisplayItemsForSale, FoundItem, GetItem, RegisterItem,
    SearchItems, UpdateUnitsForSale,
};
use crate::api::purchases::TakeStock;
use crate::api::values::{ItemId, PurchaseId, QUANTITY_MAX, Quantity};
use crate::api::votes::ProvideFeedback;
use crate::engine::caller::Caller;
use crate::engine::domain::Domain;
use crate::engine::intake::Entry;
use crate::product::Product;
use crate::product::packed::pack;
use crate::product::rules;

pub(super) use self::copied::ProductRows;

/// The most times that a request is carried out anew because others have changed meanwhile what it was refused for.
const ATTEMPTS_MAX: u32 = 8;

/// The catalogue on an engine.
pub(super) struct RemoteProduct {
    descriptions: Descriptions,
    /// All purchases below it have ended, as was said so far.
    ended_before: PurchaseId,
    forgetting: Forgetting,
    counting: Counting,
    holdings: Arc<Holdings>,
}

impl RemoteProduct {
    pub(super) fn new() -> Self {
        Self {
            descriptions: Descriptions::new(),
            ended_before: PurchaseId(0),
            forgetting: Forgetting::new(),
            counting: Counting::new(),
            holdings: Arc::new(Holdings::new(Product::HOLDINGS)),
        }
    }
}

impl RemoteDomain for RemoteProduct {
    const DATABASE: Database = Database::Product;
    const APIS: &'static [Entry<Starter<Self>>] = &[
        carried::<Self, RegisterItem<SellerId>>(),
        carried::<Self, ChangeItemPrice<Option<SellerId>>>(),
        carried::<Self, UpdateUnitsForSale<Option<SellerId>>>(),
        carried::<Self, DisplayItemsForSale<SellerId>>(),
        carried::<Self, SearchItems>(),
        carried::<Self, ListCategories>(),
        carried::<Self, GetItem>(),
        carried::<Self, ProvideFeedback<Option<BuyerId>>>(),
        carried::<Self, CheckAvailability>(),
        carried::<Self, TakeStock>(),
    ];

    fn upkeep(&mut self, now: Time) -> Option<Step<Self>> {
        self.next_forgetting(now).or_else(|| self.count(now))
    }

    fn upkeep_at(&self) -> Option<Time> {
        self.forgetting.next_at(self.ended_before).into_iter().chain([self.counting.next_at()]).min()
    }

    fn metrics(&self) -> Vec<Arc<dyn Metrics>> {
        vec![Arc::clone(&self.holdings) as Arc<dyn Metrics>]
    }
}

impl Carry<GetItem> for RemoteProduct {
    fn carry(&mut self, _: Time, _: Caller, GetItem { item_id }: GetItem) -> Result<Step<Self>, Error> {
        let read = Transaction::lookup(item_key(item_id), statements::ITEM.with([item_value(item_id)]));
        Step::ask(read, move |_, _, answer| {
            let replies = carried_out(answer)?;
            let row = first(&replies, 0).ok_or_else(|| rules::no_item(item_id))?;
            let (_, item) = columns::item(row)?;
            Step::reply(&FoundItem(&item))
        })
    }
}

impl Carry<CheckAvailability> for RemoteProduct {
    fn carry(&mut self, _: Time, _: Caller, check: CheckAvailability) -> Result<Step<Self>, Error> {
        let CheckAvailability { item_id, quantity: Quantity(quantity) } = check;
        let read = Transaction::lookup(item_key(item_id), statements::STOCK.with([item_value(item_id)]));
        Step::ask(read, move |_, _, answer| {
            let replies = carried_out(answer)?;
            let row = first(&replies, 0).ok_or_else(|| rules::no_item(item_id))?;
            let available = number(row, 0, QUANTITY_MAX)?;
            Step::reply(&Availability { available, ok: quantity <= available })
        })
    }
}

/// The key of transactions about an item.
fn item_key(id: ItemId) -> u64 {
    pack(id)
}

/// The key of those about a category: no item has the number 0.
fn category_key(category: u32) -> u64 {
    pack(ItemId { category, n: 0 })
}

/// The key of those about a purchase: categories have 31 bits, so no item's has the highest of 64.
fn purchase_key(PurchaseId(id): PurchaseId) -> u64 {
    1 << 63 | id
}

#[cfg(test)]
mod tests;
