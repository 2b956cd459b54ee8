//! What `db_product` stores, whatever it is stored in.

use crate::api::encoded::{Description, Listing};
use crate::api::values::{Ballot, ItemId};

/// A row of the catalogue.
#[derive(Debug)]
pub(crate) enum ProductRow {
    /// An item that is new.
    Described(Description),
    /// An item whose listing has changed.
    Listing(ItemId, Listing),
    /// A buyer's vote for an item.
    Vote(ItemId, u32, Ballot),
}
