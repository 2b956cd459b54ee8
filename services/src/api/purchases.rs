//! A buyer's purchases.

use serde::Serialize;

use super::carts::Owner;
use super::error::Error;
use super::fields::Fields;
use super::page::{Cursor, Page};
use super::values::{ItemId, Price};
use super::{Api, Database, DatabaseApi, Effect, FromFields};

/// `GetBuyerPurchases`, of the oldest first.
#[derive(Serialize)]
pub(crate) struct GetBuyerPurchases<O> {
    #[serde(flatten)]
    pub(crate) owner: O,
    /// Its places are numbers of purchases.
    #[serde(flatten)]
    pub(crate) page: Page<i64>,
}

/// A page of a buyer's purchases, and how many there are in all.
#[derive(Serialize)]
pub(crate) struct Purchases<'a> {
    pub(crate) buyer_id: u32,
    pub(crate) purchases_count: usize,
    pub(crate) purchases: &'a [Purchase],
    pub(crate) next_cursor: Option<Cursor<i64>>,
}

/// A purchase, as it is returned in a buyer's history.
#[derive(Clone, Debug, Serialize)]
pub struct Purchase {
    pub(crate) purchase_id: i64,
    /// Milliseconds since the Unix epoch.
    pub(crate) at: i64,
    pub(crate) items: Vec<PurchasedItem>,
    pub(crate) total: Price,
}

/// A line of a purchase: an item as it was then.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PurchasedItem {
    pub(crate) item_id: ItemId,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) price: Price,
}

impl<O: FromFields> FromFields for GetBuyerPurchases<O> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { owner: O::from_fields(fields)?, page: Page::from_fields(fields)? })
    }
}

impl<O: FromFields> Api for GetBuyerPurchases<O> {
    const NAME: &'static str = "GetBuyerPurchases";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = Purchases<'a>;
}

impl DatabaseApi for GetBuyerPurchases<Owner> {
    const DATABASE: Database = Database::Customer;
}
