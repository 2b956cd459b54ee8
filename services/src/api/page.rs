//! [`Page`]: which part of a list is wanted. What a cursor tells is known only to the API that gave it.

use serde::Serialize;

use super::FromFields;
use super::error::Error;
use super::fields::Fields;
use super::values::{Limit, Value};

/// Which part of a list is wanted, whose places are told by cursors of this type.
#[derive(Debug, Serialize)]
pub(crate) struct Page<C> {
    pub(crate) limit: Limit,
    /// After which entry it begins: what the page before gave as `next_cursor`.
    #[serde(rename = "cursor", skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<C>,
}

impl<C: Value> FromFields for Page<C> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { limit: fields.optional("limit")?.unwrap_or_default(), after: fields.optional("cursor")? })
    }
}
