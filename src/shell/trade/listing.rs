//! Reads a whole shop, page by page.

use serde_json::value::RawValue;

use super::item::Item;
use crate::client::{CallError, Data, raw};
use crate::shell::reply::{elements, string_at};

/// The longest page that there is.
const PAGE_ITEMS: u32 = 1000;

/// All items of a seller, sold out or not, in the order of their IDs. `call` calls `DisplayItemsForSale`.
///
/// # Errors
/// Those of the calls, or the service sends something else than items.
pub(crate) fn all_items<E: From<CallError>>(
    mut call: impl FnMut(Data) -> Result<Box<RawValue>, E>,
) -> Result<Vec<Item>, E> {
    let mut items = Vec::new();
    let mut data = Data::from([("sold_out", raw(&true)), ("limit", raw(&PAGE_ITEMS))]);
    loop {
        let page = call(data.clone())?;
        for item in elements(&page, "items") {
            let item = Item::from_json(item.get());
            items.push(item.map_err(|what| CallError::Malformed(format!("an item is malformed: {what}")))?);
        }
        match string_at(&page, "next_cursor") {
            Some(cursor) => data.insert("cursor", raw(&cursor)),
            None => return Ok(items),
        };
    }
}
