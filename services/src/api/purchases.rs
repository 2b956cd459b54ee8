//! A buyer's purchases.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::error::Error;
use super::fields::Fields;
use super::page::Page;
use super::values::{Cursor, ItemId, Price, Value};
use super::{Api, Database, DatabaseApi, Effect, FromFields, carts::Owner};

/// `GetBuyerPurchases`, of the oldest first.
#[derive(Serialize)]
pub(crate) struct GetBuyerPurchases<O> {
    #[serde(flatten)]
    pub(crate) owner: O,
    #[serde(flatten)]
    pub(crate) page: Page<PurchaseCursor>,
}

/// The number of the last purchase of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PurchaseCursor(pub(crate) i64);

#[derive(Serialize)]
pub(crate) struct Purchases<'a> {
    pub(crate) buyer_id: u32,
    pub(crate) purchases_count: usize,
    pub(crate) purchases: &'a [Purchase],
    pub(crate) next_cursor: Option<PurchaseCursor>,
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

#[derive(Clone, Debug, Serialize)]
pub(crate) struct PurchasedItem {
    pub(crate) item_id: ItemId,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) price: Price,
}

impl Value for PurchaseCursor {
    const RULE: &'static str = Cursor::RULE;

    fn decode(raw: &RawValue) -> Option<Self> {
        let Cursor(text) = Cursor::decode(raw)?;
        text.parse().ok().map(Self)
    }
}

impl Serialize for PurchaseCursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
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
