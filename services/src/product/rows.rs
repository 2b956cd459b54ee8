//! What `db_product` stores, whatever it is stored in.

use crate::api::encoded::{Description, Listing};
use crate::api::values::{Ballot, ItemId};

/// A row of the catalogue. Outside, it is only handed on.
#[derive(Clone, Debug)]
pub enum ProductRow {
    /// An item that is new. Its listing follows, in the same group and when it is loaded.
    Described(Description),
    /// An item whose listing has changed.
    Listing(ItemId, Listing),
    /// A buyer's vote for an item.
    Vote(ItemId, u32, Ballot),
}
