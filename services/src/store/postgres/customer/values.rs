//! What the columns of `db_customer` hold, as values of the contract.

use net::Time;

use super::super::answers::{nonsense, number};
use super::super::wire::{Row, Value};
use crate::api::error::Error;
use crate::api::values::{Feedback, ItemId, PurchaseId, QUANTITY_MAX, Role};

pub(super) fn int(number: impl Into<i64>) -> Value {
    Value::Int(number.into())
}

pub(super) fn count(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// Milliseconds, as far as there are such: no clock comes near the end of them.
pub(super) fn millis(time: Time) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn time(time: Time) -> Value {
    Value::Int(millis(time))
}

/// One integer that orders as items do: category * 2^32 + n.
pub(super) fn item(id: ItemId) -> Value {
    Value::Int(i64::from(id.category) << 32 | i64::from(id.n))
}

pub(super) fn purchase(PurchaseId(id): PurchaseId) -> Value {
    Value::Int(i64::try_from(id).expect("IDs of purchases are below 2^62"))
}

/// # Errors
/// The column is something else.
pub(super) fn time_of(row: &Row, column: usize) -> Result<Time, Error> {
    let millis = u64::try_from(row.int(column)?);
    Ok(Time::from_millis(millis.map_err(|_| nonsense("a time is before 1970"))?))
}

/// # Errors
/// The column is something else.
pub(super) fn user_id_of(row: &Row, column: usize) -> Result<u32, Error> {
    number(row, column, u32::MAX)
}

/// # Errors
/// The column is something else.
pub(super) fn role_of(row: &Row, column: usize) -> Result<Role, Error> {
    Role::parse(row.text(column)?).ok_or_else(|| nonsense("a role is none"))
}

/// # Errors
/// The columns are something else.
pub(super) fn feedback_of(row: &Row, up: usize, down: usize) -> Result<Feedback, Error> {
    Ok(Feedback { up: number(row, up, u32::MAX)?, down: number(row, down, u32::MAX)? })
}

/// # Errors
/// The column is something else.
pub(super) fn purchase_of(row: &Row, column: usize) -> Result<PurchaseId, Error> {
    let id = u64::try_from(row.int(column)?).ok().and_then(PurchaseId::from_number);
    id.ok_or_else(|| nonsense("an ID of a purchase is none"))
}

/// The item and the units of a line, whose columns are the first.
///
/// # Errors
/// They are something else.
pub(super) fn line_of(row: &Row) -> Result<(ItemId, u32), Error> {
    let key = row.int(0)?;
    let category = u32::try_from(key >> 32).ok();
    let n = (key & i64::from(u32::MAX)) as u32;
    let id = category.filter(|category| i32::try_from(*category).is_ok() && n > 0);
    let category = id.ok_or_else(|| nonsense("an item ID is none"))?;
    Ok((ItemId { category, n }, number(row, 1, QUANTITY_MAX)?))
}
