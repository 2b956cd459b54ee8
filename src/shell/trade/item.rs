//! Items as a shop has them, and as the rows of a table ask for them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{Data, raw};
use crate::shell::money;

/// What an item is. It never changes once the item is for sale, so it tells which row is about which item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Description {
    pub(crate) name: String,
    pub(crate) category: u32,
    pub(crate) keywords: Vec<String>,
    pub(crate) condition: String,
}

/// What changes about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Listing {
    pub(crate) price_cents: i128,
    pub(crate) quantity: u32,
}

/// An item that is in the shop.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) item_id: String,
    pub(crate) description: Description,
    pub(crate) listing: Listing,
}

/// What a row of a table asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Where it begins.
    pub(crate) line: u64,
    /// The item that it is about, if it says so.
    pub(crate) item_id: Option<String>,
    pub(crate) description: Description,
    pub(crate) listing: Listing,
}

/// The fields of an item, as the services write them.
#[derive(Deserialize)]
struct Fields<'a> {
    item_id: Option<String>,
    name: String,
    category: u32,
    keywords: Vec<String>,
    condition: String,
    #[serde(borrow)]
    price: &'a RawValue,
    quantity: u32,
}

impl Item {
    /// The item that a service has written as this JSON.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn from_json(json: &str) -> Result<Item, String> {
        let (item_id, description, listing) = read(json)?;
        let item_id = item_id.ok_or("it has no `item_id`")?;
        Ok(Item { item_id, description, listing })
    }
}

impl Row {
    /// The row of these fields, each in the form in which services return it.
    ///
    /// # Errors
    /// One is missing.
    pub(crate) fn from_json(line: u64, json: &str) -> Result<Row, String> {
        let (item_id, description, listing) = read(json)?;
        Ok(Row { line, item_id, description, listing })
    }

    /// What registers it as an item.
    pub(crate) fn registration(&self) -> Data {
        let Description { name, category, keywords, condition } = &self.description;
        Data::from([
            ("name", raw(name)),
            ("category", raw(category)),
            ("keywords", raw(keywords)),
            ("condition", raw(condition)),
            ("price", price(self.listing.price_cents)),
            ("quantity", raw(&self.listing.quantity)),
        ])
    }
}

/// So many cents as a price that is sent.
pub(crate) fn price(cents: i128) -> Box<RawValue> {
    RawValue::from_string(money::of_cents(cents)).expect("digits are JSON")
}

fn read(json: &str) -> Result<(Option<String>, Description, Listing), String> {
    let fields: Fields<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let Fields { item_id, name, category, keywords, condition, price, quantity } = fields;
    let price_cents = money::cents(price.get()).ok_or("its `price` is no amount of money")?;
    Ok((item_id, Description { name, category, keywords, condition }, Listing { price_cents, quantity }))
}
