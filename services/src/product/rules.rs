//! What `db_product` refuses, and in which words, wherever its truth lies. Both stores ask here, so that nobody can tell
//! them apart by an answer.
//!
//! It knows nothing of how items are kept.

use crate::api::accounts::SellerId;
use crate::api::error::{Code, Error};
use crate::api::fields::invalid;
use crate::api::values::{ItemId, PurchaseId, QUANTITY_MAX, QuantityDelta, UserId};

/// The most items of one seller, in stock or not, since none is ever deleted: those of a large shop, and few enough that
/// it takes many sellers to fill a database.
pub(crate) const ITEMS_OF_SELLER_MAX: u32 = 100_000;

/// There is no such item.
pub(crate) fn no_item(id: ItemId) -> Error {
    Error::new(Code::NotFound, format!("no item {id}"))
}

/// The seller has as many items as a seller may have.
pub(crate) fn shelf_full(seller_id: u32) -> Error {
    let message =
        format!("seller {seller_id} has registered {ITEMS_OF_SELLER_MAX} items, and may register no more");
    Error::new(Code::ResourceExhausted, message)
}

/// All numbers of a category are given.
pub(crate) fn category_full(category: u32) -> Error {
    Error::new(Code::ResourceExhausted, format!("category {category} is full"))
}

/// A purchase has come to its end, so that it takes nothing any more.
pub(crate) fn purchase_ended(id: PurchaseId) -> Error {
    let message = format!("purchase {id} has ended: nothing is taken for it any more");
    Error::new(Code::FailedPrecondition, message)
}

/// Checks that an item is this seller's, if one is named.
///
/// # Errors
/// It is another's.
pub(crate) fn check_owner(id: ItemId, owner_id: u32, by: Option<SellerId>) -> Result<(), Error> {
    match by {
        Some(SellerId { seller_id: UserId(seller_id) }) if seller_id != owner_id => {
            Err(Error::new(Code::PermissionDenied, format!("item {id} belongs to another seller")))
        }
        _ => Ok(()),
    }
}

/// The stock of an item after a change.
///
/// # Errors
/// There is too little of it, or there would be too much.
pub(crate) fn changed_stock(id: ItemId, quantity: u32, delta: QuantityDelta) -> Result<u32, Error> {
    let QuantityDelta(delta) = delta;
    let changed = i64::from(quantity) + delta;
    if changed < 0 {
        let message = format!("the stock of {id} is {quantity}, less than {}", -delta);
        return Err(Error::new(Code::OutOfStock, message));
    }
    let changed = u32::try_from(changed).ok().filter(|quantity| *quantity <= QUANTITY_MAX);
    changed.ok_or_else(|| invalid(format!("`quantity_delta` would bring {id} above {QUANTITY_MAX} units")))
}
