//! How values of the contract that both databases know lie in columns.

use super::answers::{nonsense, number};
use super::wire::{Row, Value};
use crate::api::error::Error;
use crate::api::values::{Feedback, ItemId, PurchaseId};
use crate::product::packed::{pack, unpack};

/// The ID of an item as a number, which orders as items do: category * 2^32 + n.
pub(super) fn item_number(id: ItemId) -> i64 {
    i64::try_from(pack(id)).expect("categories have 31 bits")
}

/// The same as a parameter.
pub(super) fn item_value(id: ItemId) -> Value {
    Value::Int(item_number(id))
}

/// The ID of an item in a column.
///
/// # Errors
/// No item has it.
pub(super) fn item_id(row: &Row, column: usize) -> Result<ItemId, Error> {
    let id = u64::try_from(row.int(column)?).ok().map(unpack).filter(|id| id.n > 0);
    id.ok_or_else(|| nonsense("an item's ID is none"))
}

/// The ID of a purchase as a parameter.
pub(super) fn purchase_value(PurchaseId(id): PurchaseId) -> Value {
    Value::Int(i64::try_from(id).expect("IDs of purchases have 62 bits"))
}

/// The ID of a purchase in a column.
///
/// # Errors
/// No purchase has it.
pub(super) fn purchase_id(row: &Row, column: usize) -> Result<PurchaseId, Error> {
    let id = u64::try_from(row.int(column)?).ok().and_then(PurchaseId::from_number);
    id.ok_or_else(|| nonsense("an ID of a purchase is none"))
}

/// The votes up and down in two columns, of which this is the first.
///
/// # Errors
/// There are none.
pub(super) fn feedback(row: &Row, column: usize) -> Result<Feedback, Error> {
    Ok(Feedback { up: number(row, column, u32::MAX)?, down: number(row, column + 1, u32::MAX)? })
}
