//! What `db_product` stores, whatever it is stored in.

use super::decisions::Decided;
use crate::api::encoded::{Description, Listing};
use crate::api::values::{Ballot, ItemId, PurchaseId};
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
    /// What was decided about the stock of a purchase.
    Decision(PurchaseId, Decided),
    /// A decision that is remembered no more.
    DecisionForgotten(PurchaseId),
    /// Below it, nothing is decided any more, and decisions may have been forgotten.
    DecisionFloor(PurchaseId),
}

/// Which row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProductKey {
    /// A part of an item.
    Item(ItemId, ItemPart),
    /// By item and voter.
    Vote(ItemId, u32),
    /// By the purchase.
    Decision(PurchaseId),
    /// There is one.
    DecisionFloor,
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
            Self::Decision(id, _) | Self::DecisionForgotten(id) => ProductKey::Decision(*id),
            Self::DecisionFloor(_) => ProductKey::DecisionFloor,
        }
    }

    /// Nothing is removed from the catalogue itself.
    fn is_removal(&self) -> bool {
        matches!(self, Self::DecisionForgotten(_))
    }
}
