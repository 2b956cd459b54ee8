//! How items lie in columns: what statements are given and what they return.

use super::super::answers::{nonsense, number};
use super::super::columns::{feedback, item_id};
use super::super::json;
use super::super::wire::Row;
use crate::api::encoded::{Description, EncodedItem, Listing};
use crate::api::error::Error;
use crate::api::values::{Condition, ItemId, Price, QUANTITY_MAX};

/// How many columns an item takes, from the first.
pub(super) const ITEM_COLUMNS: usize = 9;

/// The item in the first columns of a row.
///
/// # Errors
/// What is there makes none.
pub(super) fn item(row: &Row) -> Result<(ItemId, EncodedItem), Error> {
    let id = item_id(row, 0)?;
    let condition = Condition::parse(row.text(4)?).ok_or_else(|| nonsense("a condition is none"))?;
    let description = Description {
        id,
        seller_id: number(row, 1, u32::MAX)?,
        name: row.text(2)?.to_owned(),
        keywords: keywords(row, 3)?,
        condition,
    };
    let feedback = feedback(row, 7)?;
    let listing = Listing { price: price(row, 5)?, quantity: number(row, 6, QUANTITY_MAX)?, feedback };
    Ok((id, EncodedItem::new(&description, &listing)))
}

/// The keywords of an item in a column.
///
/// # Errors
/// There are none.
pub(super) fn keywords(row: &Row, column: usize) -> Result<Vec<String>, Error> {
    json::keywords(row.text(column)?).ok_or_else(|| nonsense("an item's keywords are none"))
}

/// The price in a column.
///
/// # Errors
/// It is none.
pub(super) fn price(row: &Row, column: usize) -> Result<Price, Error> {
    let price = u64::try_from(row.int(column)?).ok().and_then(Price::from_cents);
    price.ok_or_else(|| nonsense("a price is out of bounds"))
}
