//! [`Page`]: which part of a list is wanted, and [`Cursor`]: how a place in the list is told. What such a place is, is
//! known only to the API that gave it.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::FromFields;
use super::error::Error;
use super::fields::Fields;
use super::values::{Limit, Value, text};

/// The longest cursor that is read, in characters. None that is given is as long.
const CURSOR_CHARS_MAX: usize = 64;

/// Which part of a list is wanted, whose entries are found by places of this type.
#[derive(Debug, Serialize)]
#[serde(bound(serialize = "P: Display"))]
pub(crate) struct Page<P> {
    pub(crate) limit: Limit,
    /// After which entry it begins: what the page before gave as `next_cursor`.
    #[serde(rename = "cursor", skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Cursor<P>>,
}

/// A place in a list, which is a string wherever it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<P>(pub(crate) P);

impl<P: FromStr> FromFields for Page<P> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { limit: fields.optional("limit")?.unwrap_or_default(), after: fields.optional("cursor")? })
    }
}

impl<P: FromStr> Value for Cursor<P> {
    const RULE: &'static str = "a next_cursor that was returned by this API";

    fn decode(raw: &RawValue) -> Option<Self> {
        text(raw, CURSOR_CHARS_MAX)?.parse().ok().map(Self)
    }
}

impl<P: Display> Serialize for Cursor<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
