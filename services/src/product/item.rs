//! [`Item`]: an item of the catalogue in memory.

use super::index::Terms;
use crate::api::encoded::{Description, EncodedItem, Listing};

/// An item, as small as it can be kept: of its description only what is needed again.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its number in its category.
    pub(crate) n: u32,
    pub(crate) seller_id: u32,
    pub(crate) listing: Listing,
    pub(crate) terms: Terms,
    encoded: EncodedItem,
}

impl Item {
    pub(crate) fn new(description: &Description, terms: Terms, listing: Listing) -> Self {
        let encoded = EncodedItem::new(description, &listing);
        Self { n: description.id.n, seller_id: description.seller_id, listing, terms, encoded }
    }

    /// Replaces the listing.
    pub(crate) fn relist(&mut self, listing: Listing) {
        if listing != self.listing {
            self.encoded.relist(self.seller_id, &listing);
            self.listing = listing;
        }
    }

    /// The item as it is returned.
    pub(crate) fn encoded(&self) -> &EncodedItem {
        &self.encoded
    }
}
