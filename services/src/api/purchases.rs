//! Purchases: how a buyer makes one, how it goes through both databases, and what is known of it afterwards.
//!
//! A purchase is begun in `db_customer`, where it is a durable record from then on. Its stock is taken in `db_product`
//! under its ID, all lines or none, and that decision is durable too. Then it is finished in `db_customer` as it was
//! decided. Each step may be asked for again, by anyone, and answers the same.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::carts::Owner;
use super::error::Error;
use super::fields::Fields;
use super::page::{Cursor, Page};
use super::sessions::{BuyerSession, SessionCheck};
use super::values::{IdempotencyKey, ItemId, Limit, Price, PurchaseId, QUANTITY_MAX, Total, Value};
use super::{Api, Database, DatabaseApi, Effect, FromFields};

/// The most different items in one purchase, as in one cart.
pub(crate) const LINES_MAX: usize = 1000;

/// `MakePurchase`: buys what is in the session's cart, all of it or nothing.
pub(crate) struct MakePurchase {
    pub(crate) session: BuyerSession,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
}

/// `BeginPurchase`: makes a record of what is to be bought, unless there is one already that is meant.
#[derive(Serialize)]
pub(crate) struct BeginPurchase {
    #[serde(flatten)]
    pub(crate) session: SessionCheck,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idempotency_key: Option<IdempotencyKey>,
}

/// How far the purchase has come that a request is about.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Begun {
    /// Its stock is to be taken, or has been, and it is to be finished.
    Unfinished(Unfinished),
    /// It was made already: its receipt, byte for byte.
    Made(Box<RawValue>),
}

/// A purchase that is to be brought to its end.
#[derive(Serialize, Deserialize)]
pub(crate) struct Unfinished {
    pub(crate) purchase_id: PurchaseId,
    pub(crate) lines: Lines,
    /// All purchases of smaller IDs have come to their end, and some time ago.
    pub(crate) ended_before: PurchaseId,
}

/// Units by item: what is to be bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Lines(pub(crate) BTreeMap<ItemId, u32>);

/// `TakeStock`: takes all that a purchase is of, or nothing. The decision is remembered until the purchase has ended.
#[derive(Serialize)]
pub(crate) struct TakeStock(pub(crate) Unfinished);

/// What became of a purchase's stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision<'a> {
    /// All of it was taken.
    Taken(TakenItems<'a>),
    /// Nothing was: of these items, too little was there.
    Refused(Vec<Shortage>),
}

/// What was taken of each item, in the order of the items, at which price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct TakenItems<'a>(pub(crate) Vec<TakenItem<'a>>);

/// Units of an item that were taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakenItem<'a> {
    pub(crate) item_id: ItemId,
    pub(crate) seller_id: u32,
    /// That of the item, which is borrowed where the item is kept.
    pub(crate) name: Cow<'a, str>,
    pub(crate) quantity: u32,
    /// Of one unit, at that moment.
    pub(crate) price: Price,
}

/// An item of which there are fewer units than a purchase is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    pub(crate) item_id: ItemId,
    /// How many there were.
    pub(crate) available: u32,
    /// How many it is of.
    pub(crate) quantity: u32,
}

/// `FinishPurchase`: ends a purchase as it was decided. One that has ended stays as it is.
#[derive(Serialize)]
pub(crate) struct FinishPurchase {
    pub(crate) purchase_id: PurchaseId,
    /// What was taken for it; `None` if nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) taken: Option<TakenItems<'static>>,
}

/// How a purchase has ended.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Finished<'a> {
    /// It was made: what the buyer gets to see.
    Made(Receipt<'a>),
    /// It was not.
    Refused { refused: bool },
}

/// What whoever ends a purchase reads of [`Finished`]: a receipt is for its buyer alone.
#[derive(Deserialize)]
pub(crate) struct WasRefused {
    #[serde(default)]
    pub(crate) refused: bool,
}

/// The most purchases that are claimed at once: with a thousand items each, they are a reply of 4 MB. Where so many are,
/// there may be more.
pub(crate) const CLAIMED_MAX: usize = 100;

/// `ClaimPurchases`: purchases that are unfinished for some time, and that nobody else has claimed lately. Whoever asks
/// is to bring them to their end.
#[derive(Serialize)]
pub(crate) struct ClaimPurchases {
    pub(crate) limit: Limit,
}

/// The oldest ones, as many as were asked for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) purchases: Vec<Unfinished>,
}

/// What was bought, as the buyer gets to see it.
#[derive(Serialize)]
pub(crate) struct Receipt<'a> {
    pub(crate) purchase_id: PurchaseId,
    pub(crate) items: &'a [PurchasedItem],
    pub(crate) total: Total,
}

/// `GetBuyerPurchases`, of the newest first.
#[derive(Serialize)]
pub(crate) struct GetBuyerPurchases<O> {
    #[serde(flatten)]
    pub(crate) owner: O,
    #[serde(flatten)]
    pub(crate) page: Page<PurchaseId>,
}

/// A page of a buyer's purchases, and how many there are in all.
#[derive(Serialize)]
pub(crate) struct Purchases<'a> {
    pub(crate) buyer_id: u32,
    pub(crate) purchases_count: usize,
    pub(crate) purchases: Vec<Purchase<'a>>,
    pub(crate) next_cursor: Option<Cursor<PurchaseId>>,
}

/// A purchase, as it is returned in a buyer's history.
#[derive(Serialize)]
pub(crate) struct Purchase<'a> {
    pub(crate) purchase_id: PurchaseId,
    /// Milliseconds since the Unix epoch.
    pub(crate) at: u64,
    pub(crate) items: &'a [PurchasedItem],
    pub(crate) total: Total,
}

/// Units of an item that were bought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PurchasedItem {
    pub(crate) item_id: ItemId,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    /// Of one unit.
    pub(crate) price: Price,
}

impl Lines {
    /// These units of each item; `None` if no purchase may be of them.
    pub(crate) fn checked(units: BTreeMap<ItemId, u32>) -> Option<Self> {
        let may_be = (1..=LINES_MAX).contains(&units.len())
            && units.values().all(|units| (1..=QUANTITY_MAX).contains(units));
        may_be.then_some(Self(units))
    }
}

impl Begun {
    /// It was made, and this was answered.
    pub(crate) fn made(receipt: &Receipt<'_>) -> Self {
        Self::Made(to_raw_value(receipt).expect("our own values have a form as JSON"))
    }
}

impl<'a> Receipt<'a> {
    /// The receipt of a purchase of these items.
    pub(crate) fn of(purchase_id: PurchaseId, items: &'a [PurchasedItem]) -> Self {
        Self { purchase_id, items, total: Total::of(items) }
    }
}

impl Total {
    /// What these items cost in all. A thousand lines of the most units at the highest price are 10^23 cents.
    pub(crate) fn of(items: &[PurchasedItem]) -> Self {
        Self(items.iter().map(|item| u128::from(item.price.0) * u128::from(item.quantity)).sum())
    }
}

impl Value for Lines {
    const RULE: &'static str = "1 to 1000 items, each with 1 to 1000000000 units";

    fn decode(raw: &RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok().and_then(Self::checked)
    }
}

impl Value for TakenItems<'_> {
    const RULE: &'static str =
        "1 to 1000 items in their order, each with a seller, a name, a price and 1 to 1000000000 units";

    fn decode(raw: &RawValue) -> Option<Self> {
        let items: Vec<TakenItem> = serde_json::from_str(raw.get()).ok()?;
        let may_be = (1..=LINES_MAX).contains(&items.len())
            && items.is_sorted_by(|one, next| one.item_id < next.item_id)
            && items.iter().all(|item| (1..=QUANTITY_MAX).contains(&item.quantity));
        may_be.then_some(Self(items))
    }
}

impl FromFields for MakePurchase {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let session = BuyerSession::from_fields(fields)?;
        Ok(Self { session, idempotency_key: fields.optional("idempotency_key")? })
    }
}

/// With a key it may be made again, which clients know; without one, a second time buys what is in the cart by then.
impl Api for MakePurchase {
    const NAME: &'static str = "MakePurchase";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Receipt<'a>;
}

impl FromFields for BeginPurchase {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let session = SessionCheck::from_fields(fields)?;
        Ok(Self { session, idempotency_key: fields.optional("idempotency_key")? })
    }
}

/// Not to be repeated even with a key: if the first time was refused and its buyer told so, a late second time would
/// buy after all.
impl Api for BeginPurchase {
    const NAME: &'static str = "BeginPurchase";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Begun;
}

impl DatabaseApi for BeginPurchase {
    const DATABASE: Database = Database::Customer;
}

impl FromFields for TakeStock {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self(Unfinished {
            purchase_id: fields.required("purchase_id")?,
            lines: fields.required("lines")?,
            ended_before: fields.required("ended_before")?,
        }))
    }
}

impl Api for TakeStock {
    const NAME: &'static str = "TakeStock";
    const EFFECT: Effect = Effect::Repeatable;
    type Reply<'a> = Decision<'a>;
}

impl DatabaseApi for TakeStock {
    const DATABASE: Database = Database::Product;
}

impl FromFields for FinishPurchase {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { purchase_id: fields.required("purchase_id")?, taken: fields.optional("taken")? })
    }
}

impl Api for FinishPurchase {
    const NAME: &'static str = "FinishPurchase";
    const EFFECT: Effect = Effect::Repeatable;
    type Reply<'a> = Finished<'a>;
}

impl DatabaseApi for FinishPurchase {
    const DATABASE: Database = Database::Customer;
}

impl FromFields for ClaimPurchases {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { limit: fields.optional("limit")?.unwrap_or_default() })
    }
}

/// Who has claimed what is not stored: a claim that is lost is one that others wait for.
impl Api for ClaimPurchases {
    const NAME: &'static str = "ClaimPurchases";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = Claimed;
}

impl DatabaseApi for ClaimPurchases {
    const DATABASE: Database = Database::Customer;
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
