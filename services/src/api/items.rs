//! Items: what sellers do with theirs, how buyers find them, and how an item is written out.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::accounts::SellerId;
use super::carts::Counted;
use super::encoded::EncodedItem;
use super::error::Error;
use super::fields::{Fields, invalid};
use super::page::{Cursor, Page};
use super::sessions::{BuyerSession, SellerSession};
use super::values::{Category, Condition, ItemId, Keywords, Name, Price, Quantity, QuantityDelta};
use super::{Api, Database, DatabaseApi, Effect, Encode, FromFields};

/// `RegisterItemForSale` of a seller, `RegisterItem` at the database.
#[derive(Serialize)]
pub(crate) struct RegisterItem<B> {
    pub(crate) name: Name,
    pub(crate) category: Category,
    pub(crate) keywords: Keywords,
    pub(crate) condition: Condition,
    pub(crate) price: Price,
    pub(crate) quantity: Quantity,
    #[serde(flatten)]
    pub(crate) by: B,
}

/// The ID of a new item.
#[derive(Serialize)]
pub(crate) struct Registered {
    pub(crate) item_id: ItemId,
}

/// `ChangeItemPrice`. At the database anybody may change it who does not say to be another seller.
#[derive(Serialize)]
pub(crate) struct ChangeItemPrice<B> {
    pub(crate) item_id: ItemId,
    pub(crate) price: Price,
    #[serde(flatten)]
    pub(crate) by: B,
}

/// What an item costs now.
#[derive(Serialize)]
pub(crate) struct Priced {
    pub(crate) item_id: ItemId,
    pub(crate) price: Price,
}

/// `UpdateUnitsForSale`, by whoever may change the price.
#[derive(Serialize)]
pub(crate) struct UpdateUnitsForSale<B> {
    pub(crate) item_id: ItemId,
    pub(crate) quantity_delta: QuantityDelta,
    #[serde(flatten)]
    pub(crate) by: B,
}

/// `DisplayItemsForSale`: a seller's items.
#[derive(Serialize)]
pub(crate) struct DisplayItemsForSale<B> {
    /// Those that are sold out too.
    pub(crate) sold_out: bool,
    #[serde(flatten)]
    pub(crate) page: Page<ItemId>,
    #[serde(flatten)]
    pub(crate) by: B,
}

/// What anybody may ask who browses: without a session, or with one, which is checked then.
pub(crate) struct Browse<R> {
    pub(crate) session: Option<BuyerSession>,
    pub(crate) request: R,
}

/// `SearchItems`; of buyers, `SearchItemsForSale`.
#[derive(Serialize)]
pub(crate) struct SearchItems {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) category: Option<Category>,
    pub(crate) keywords: Keywords,
    #[serde(flatten)]
    pub(crate) page: Page<Position>,
}

/// `GetItem`.
#[derive(Serialize)]
pub(crate) struct GetItem {
    pub(crate) item_id: ItemId,
}

/// `CheckAvailability`: how much of an item there is.
#[derive(Serialize)]
pub(crate) struct CheckAvailability {
    pub(crate) item_id: ItemId,
    pub(crate) quantity: Quantity,
}

/// The units of an item that are for sale, and whether they are as many as were asked for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Availability {
    pub(crate) available: u32,
    pub(crate) ok: bool,
}

/// An item as it is returned by itself.
pub(crate) struct FoundItem<'a>(pub(crate) &'a EncodedItem);

/// A page of items.
pub(crate) struct ItemsPage<'a, P> {
    pub(crate) items: Vec<&'a EncodedItem>,
    /// The matches of a whole search, on this page or not.
    pub(crate) total: Option<u64>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<Cursor<P>>,
}

/// A place in the order of a search's hits, which is the highest score first, then by item ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// 2 for each keyword of the query that is one of the item's, 1 for each other that is a word of its name.
    pub(crate) score: u8,
    /// The item at this place.
    pub(crate) id: ItemId,
}

impl<B: FromFields> FromFields for RegisterItem<B> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let by = B::from_fields(fields)?;
        Ok(Self {
            name: fields.required("name")?,
            category: fields.required("category")?,
            keywords: fields.optional("keywords")?.unwrap_or_default(),
            condition: fields.required("condition")?,
            price: fields.required("price")?,
            quantity: fields.required("quantity")?,
            by,
        })
    }
}

impl RegisterItem<SellerSession> {
    /// The same in the name of a seller.
    pub(crate) fn of(self, by: SellerId) -> RegisterItem<SellerId> {
        let Self { name, category, keywords, condition, price, quantity, .. } = self;
        RegisterItem { name, category, keywords, condition, price, quantity, by }
    }
}

impl Api for RegisterItem<SellerSession> {
    const NAME: &'static str = "RegisterItemForSale";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Registered;
}

impl Api for RegisterItem<SellerId> {
    const NAME: &'static str = "RegisterItem";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Registered;
}

impl DatabaseApi for RegisterItem<SellerId> {
    const DATABASE: Database = Database::Product;
}

impl<B: FromFields> FromFields for ChangeItemPrice<B> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let by = B::from_fields(fields)?;
        Ok(Self { item_id: fields.required("item_id")?, price: fields.required("price")?, by })
    }
}

impl ChangeItemPrice<SellerSession> {
    /// The same in the name of a seller.
    pub(crate) fn of(self, by: SellerId) -> ChangeItemPrice<Option<SellerId>> {
        ChangeItemPrice { item_id: self.item_id, price: self.price, by: Some(by) }
    }
}

impl<B: FromFields> Api for ChangeItemPrice<B> {
    const NAME: &'static str = "ChangeItemPrice";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Priced;
}

impl DatabaseApi for ChangeItemPrice<Option<SellerId>> {
    const DATABASE: Database = Database::Product;
}

impl<B: FromFields> FromFields for UpdateUnitsForSale<B> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let by = B::from_fields(fields)?;
        Ok(Self {
            item_id: fields.required("item_id")?,
            quantity_delta: fields.required("quantity_delta")?,
            by,
        })
    }
}

impl UpdateUnitsForSale<SellerSession> {
    /// The same in the name of a seller.
    pub(crate) fn of(self, by: SellerId) -> UpdateUnitsForSale<Option<SellerId>> {
        UpdateUnitsForSale { item_id: self.item_id, quantity_delta: self.quantity_delta, by: Some(by) }
    }
}

impl<B: FromFields> Api for UpdateUnitsForSale<B> {
    const NAME: &'static str = "UpdateUnitsForSale";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Counted;
}

impl DatabaseApi for UpdateUnitsForSale<Option<SellerId>> {
    const DATABASE: Database = Database::Product;
}

impl<B: FromFields> FromFields for DisplayItemsForSale<B> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let by = B::from_fields(fields)?;
        let sold_out = fields.optional("sold_out")?.unwrap_or(false);
        Ok(Self { sold_out, page: Page::from_fields(fields)?, by })
    }
}

impl DisplayItemsForSale<SellerSession> {
    /// The same in the name of a seller.
    pub(crate) fn of(self, by: SellerId) -> DisplayItemsForSale<SellerId> {
        DisplayItemsForSale { sold_out: self.sold_out, page: self.page, by }
    }
}

impl<B: FromFields> Api for DisplayItemsForSale<B> {
    const NAME: &'static str = "DisplayItemsForSale";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = ItemsPage<'a, ItemId>;
}

impl DatabaseApi for DisplayItemsForSale<SellerId> {
    const DATABASE: Database = Database::Product;
}

impl<R: FromFields> FromFields for Browse<R> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { session: FromFields::from_fields(fields)?, request: R::from_fields(fields)? })
    }
}

impl FromFields for SearchItems {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let category = fields.optional("category")?;
        let keywords: Keywords = fields.optional("keywords")?.unwrap_or_default();
        if category.is_none() && keywords.0.is_empty() {
            return Err(invalid("give `category`, `keywords` or both"));
        }
        Ok(Self { category, keywords, page: Page::from_fields(fields)? })
    }
}

impl Api for Browse<SearchItems> {
    const NAME: &'static str = "SearchItemsForSale";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = ItemsPage<'a, Position>;
}

impl Api for SearchItems {
    const NAME: &'static str = "SearchItems";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = ItemsPage<'a, Position>;
}

impl DatabaseApi for SearchItems {
    const DATABASE: Database = Database::Product;
}

impl FromFields for GetItem {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { item_id: fields.required("item_id")? })
    }
}

impl Api for Browse<GetItem> {
    const NAME: &'static str = "GetItem";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = FoundItem<'a>;
}

impl Api for GetItem {
    const NAME: &'static str = "GetItem";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = FoundItem<'a>;
}

impl DatabaseApi for GetItem {
    const DATABASE: Database = Database::Product;
}

impl FromFields for CheckAvailability {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { item_id: fields.required("item_id")?, quantity: fields.required("quantity")? })
    }
}

impl Api for CheckAvailability {
    const NAME: &'static str = "CheckAvailability";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = Availability;
}

impl DatabaseApi for CheckAvailability {
    const DATABASE: Database = Database::Product;
}

impl Encode for FoundItem<'_> {
    fn encode(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"{\"item\":");
        json.extend_from_slice(self.0.json());
        json.push(b'}');
    }
}

impl<P: fmt::Display> Encode for ItemsPage<'_, P> {
    fn encode(&self, json: &mut Vec<u8>) {
        json.extend_from_slice(b"{\"items\":[");
        for (place, item) in self.items.iter().enumerate() {
            if place > 0 {
                json.push(b',');
            }
            json.extend_from_slice(item.json());
        }
        json.push(b']');
        if let Some(total) = &self.total {
            json.extend_from_slice(b",\"total\":");
            total.encode(json);
        }
        json.extend_from_slice(b",\"next_cursor\":");
        self.next.encode(json);
        json.push(b'}');
    }
}

/// Positions sort as hits do.
impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.cmp(&self.score).then(self.id.cmp(&other.id))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (score, id) = text.split_once(':').ok_or(())?;
        Ok(Self { score: score.parse().map_err(drop)?, id: id.parse()? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.score, self.id)
    }
}
