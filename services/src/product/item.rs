//! [`Item`]: an item of the catalogue in memory, with its JSON ready to be sent.

use std::mem;

use super::index::Terms;
use crate::api::envelope::encode;
use crate::api::values::{Condition, Feedback, ItemId, Price};

/// What an item is. It never changes, and goes to disk once.
#[derive(Clone, Debug)]
pub struct Description {
    pub(crate) id: ItemId,
    pub(crate) seller_id: u32,
    pub(crate) name: String,
    pub(crate) keywords: Vec<String>,
    pub(crate) condition: Condition,
}

/// What changes about an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listing {
    pub(crate) price: Price,
    pub(crate) quantity: u32,
    pub(crate) feedback: Feedback,
}

/// An item, as small as it can be kept: of its description only what is needed again.
#[derive(Debug)]
pub(crate) struct Item {
    /// Its number in its category.
    pub(crate) n: u32,
    pub(crate) seller_id: u32,
    pub(crate) listing: Listing,
    pub(crate) terms: Terms,
    /// The item's JSON, as it is returned everywhere.
    json: Box<[u8]>,
    /// The length of the part of `json` that never changes.
    fixed_bytes: u32,
}

impl Item {
    pub(crate) fn new(description: &Description, terms: Terms, listing: Listing) -> Self {
        let &Description { id, seller_id, ref name, ref keywords, condition } = description;
        let mut json = Vec::with_capacity(256);
        json.extend_from_slice(b"{\"item_id\":");
        encode(&mut json, &id);
        json.extend_from_slice(b",\"name\":");
        encode(&mut json, name);
        json.extend_from_slice(b",\"category\":");
        encode(&mut json, &id.category);
        json.extend_from_slice(b",\"keywords\":");
        encode(&mut json, keywords);
        json.extend_from_slice(b",\"condition\":");
        encode(&mut json, &condition);
        let fixed_bytes = u32::try_from(json.len()).expect("names and keywords are short");
        append_listing(&mut json, seller_id, &listing);
        Self { n: id.n, seller_id, listing, terms, json: json.as_slice().into(), fixed_bytes }
    }

    /// Replaces the listing, and the part of the JSON that tells it.
    pub(crate) fn relist(&mut self, listing: Listing) {
        if listing == self.listing {
            return;
        }
        let mut json = mem::take(&mut self.json).into_vec();
        json.truncate(self.fixed_bytes as usize);
        append_listing(&mut json, self.seller_id, &listing);
        self.json = json.into();
        self.listing = listing;
    }

    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }
}

fn append_listing(json: &mut Vec<u8>, seller_id: u32, listing: &Listing) {
    json.extend_from_slice(b",\"price\":");
    encode(json, &listing.price);
    json.extend_from_slice(b",\"quantity\":");
    encode(json, &listing.quantity);
    json.extend_from_slice(b",\"seller_id\":");
    encode(json, &seller_id);
    json.extend_from_slice(b",\"feedback\":");
    encode(json, &listing.feedback);
    json.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::index::Index;

    #[test]
    fn the_json_is_that_of_the_protocol_and_follows_the_listing() {
        let description = Description {
            id: ItemId { category: 1, n: 42 },
            seller_id: 3,
            name: "Intro to \"DS\"".into(),
            keywords: vec!["book".into(), "cs".into()],
            condition: Condition::New,
        };
        let listing = Listing { price: Price(1999), quantity: 5, feedback: Feedback::default() };
        let terms = Index::new().intern(&description.name, &description.keywords);
        let mut item = Item::new(&description, terms, listing);
        let fixed = r#"{"item_id":"1:42","name":"Intro to \"DS\"","category":1,"keywords":["book","cs"],"condition":"new""#;
        let expected =
            format!(r#"{fixed},"price":19.99,"quantity":5,"seller_id":3,"feedback":{{"up":0,"down":0}}}}"#);
        assert_eq!(std::str::from_utf8(item.json()), Ok(expected.as_str()));

        let listing = Listing { price: Price(1000), quantity: 0, feedback: Feedback { up: 1, down: 2 } };
        let expected =
            format!(r#"{fixed},"price":10.0,"quantity":0,"seller_id":3,"feedback":{{"up":1,"down":2}}}}"#);
        item.relist(listing);
        assert_eq!(std::str::from_utf8(item.json()), Ok(expected.as_str()));
    }
}
