//! What `db_product` stores, whatever it is stored in.

use crate::api::encoded::{Description, Listing};
use crate::api::values::{Ballot, ItemId};
use crate::engine::storage::Row;

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

/// Which row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProductKey {
    /// A part of an item.
    Item(ItemId, ItemPart),
    /// By item and voter.
    Vote(ItemId, u32),
}

/// What is stored of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemPart {
    /// What never changes.
    Description,
    /// What does.
    Listing,
}

impl Row for ProductRow {
    type Key = ProductKey;

    fn key(&self) -> ProductKey {
        match self {
            Self::Described(description) => ProductKey::Item(description.id, ItemPart::Description),
            Self::Listing(id, _) => ProductKey::Item(*id, ItemPart::Listing),
            Self::Vote(id, buyer_id, _) => ProductKey::Vote(*id, *buyer_id),
        }
    }

    /// Nothing is removed from the catalogue.
    fn is_removal(&self) -> bool {
        false
    }
}
