//! Looks into the JSON of a reply, as far as showing it needs.
//!
//! Values stay the text that was sent, since a price or a total may have more digits than binary
//! floating point keeps. Whatever is missing or of another type is no error here.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::client::CallError;
use crate::text;

/// What stands for a value that is missing or null.
const MISSING: &str = "-";

/// The string at `path`, as it was sent; `None` if there is no string there.
pub(crate) fn string_at(data: &RawValue, path: &str) -> Option<String> {
    serde_json::from_str(find(data, path)?.get()).ok()
}

/// The session that the reply to a login brings.
///
/// # Errors
/// There is none.
pub(crate) fn session_id(reply: &RawValue) -> Result<String, CallError> {
    let session_id = string_at(reply, "session_id");
    session_id.ok_or_else(|| CallError::Malformed("the service sent no session ID".to_owned()))
}

/// What a cell shows of the value at `path`: fields joined by dots.
pub(crate) fn cell_at(object: &RawValue, path: &str) -> String {
    find(object, path).map_or_else(|| MISSING.to_owned(), cell)
}

/// What a cell shows of `value`: strings escaped, numbers with the digits that were sent.
pub(crate) fn cell(value: &RawValue) -> String {
    if let Ok(string) = serde_json::from_str::<String>(value.get()) {
        return text::escape(&string);
    }
    if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(value.get()) {
        return list.into_iter().map(cell).collect::<Vec<_>>().join(",");
    }
    match value.get() {
        "null" => MISSING.to_owned(),
        other => text::escape(other),
    }
}

/// The elements of the array at `path`; none if there is no array.
pub(crate) fn elements<'a>(object: &'a RawValue, path: &str) -> Vec<&'a RawValue> {
    find(object, path).and_then(|array| serde_json::from_str(array.get()).ok()).unwrap_or_default()
}

/// The value at `path`.
pub(crate) fn find<'a>(object: &'a RawValue, path: &str) -> Option<&'a RawValue> {
    path.split('.').try_fold(object, |object, field| fields(object)?.remove(field))
}

/// The fields of an object.
pub(crate) fn fields(object: &RawValue) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(object.get()).ok()
}
