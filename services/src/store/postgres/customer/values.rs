//! What the columns of `db_customer` hold, as values of the contract.

use net::Time;

use super::super::answers::{nonsense, number};
use super::super::columns::item_id;
use super::super::wire::{Row, Value};
use crate::api::error::Error;
use crate::api::values::{ItemId, QUANTITY_MAX, Role};

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

/// The item and the units of a line, whose columns are the first.
///
/// # Errors
/// They are something else.
pub(super) fn line_of(row: &Row) -> Result<(ItemId, u32), Error> {
    Ok((item_id(row, 0)?, number(row, 1, QUANTITY_MAX)?))
}
