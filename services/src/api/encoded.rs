//! [`EncodedItem`]: an item as it is returned everywhere, kept ready to be sent, because items are read far more often
//! than they change.

use std::borrow::Cow;
use std::mem;

use serde::de::DeserializeSeed;
use serde_json::Deserializer;

use super::Encode;
use super::fields::NameSeed;
use super::values::{Condition, Feedback, ItemId, Price};

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

/// An item's JSON.
#[derive(Debug)]
pub(crate) struct EncodedItem {
    json: Box<[u8]>,
    /// The length of the part of `json` that never changes.
    fixed_bytes: u32,
    /// Where the name begins in it.
    name_at: u8,
}

impl EncodedItem {
    pub(crate) fn new(description: &Description, listing: &Listing) -> Self {
        let &Description { id, seller_id, ref name, ref keywords, condition } = description;
        let mut json = Vec::with_capacity(256);
        json.extend_from_slice(b"{\"item_id\":");
        id.encode(&mut json);
        json.extend_from_slice(b",\"name\":");
        let name_at = u8::try_from(json.len()).expect("IDs are short");
        name.encode(&mut json);
        json.extend_from_slice(b",\"category\":");
        id.category.encode(&mut json);
        json.extend_from_slice(b",\"keywords\":");
        keywords.encode(&mut json);
        json.extend_from_slice(b",\"condition\":");
        condition.encode(&mut json);
        let fixed_bytes = u32::try_from(json.len()).expect("names and keywords are short");
        append_listing(&mut json, seller_id, listing);
        Self { json: json.as_slice().into(), fixed_bytes, name_at }
    }

    /// Replaces the part that tells the listing.
    pub(crate) fn relist(&mut self, seller_id: u32, listing: &Listing) {
        let mut json = mem::take(&mut self.json).into_vec();
        json.truncate(self.fixed_bytes as usize);
        append_listing(&mut json, seller_id, listing);
        self.json = json.into();
    }

    pub(crate) fn json(&self) -> &[u8] {
        &self.json
    }

    /// The item's name. It is read from the JSON: that costs a purchase less than it would cost every item to keep its
    /// name twice.
    pub(crate) fn name(&self) -> Cow<'_, str> {
        let json = &self.json[self.name_at.into()..];
        NameSeed.deserialize(&mut Deserializer::from_slice(json)).expect("it is our own JSON of an item")
    }
}

fn append_listing(json: &mut Vec<u8>, seller_id: u32, listing: &Listing) {
    json.extend_from_slice(b",\"price\":");
    listing.price.encode(json);
    json.extend_from_slice(b",\"quantity\":");
    listing.quantity.encode(json);
    json.extend_from_slice(b",\"seller_id\":");
    seller_id.encode(json);
    json.extend_from_slice(b",\"feedback\":");
    listing.feedback.encode(json);
    json.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut item = EncodedItem::new(&description, &listing);
        let fixed = r#"{"item_id":"1:42","name":"Intro to \"DS\"","category":1,"keywords":["book","cs"],"condition":"new""#;
        let expected =
            format!(r#"{fixed},"price":19.99,"quantity":5,"seller_id":3,"feedback":{{"up":0,"down":0}}}}"#);
        assert_eq!(std::str::from_utf8(item.json()), Ok(expected.as_str()));

        let listing = Listing { price: Price(1000), quantity: 0, feedback: Feedback { up: 1, down: 2 } };
        let expected =
            format!(r#"{fixed},"price":10.0,"quantity":0,"seller_id":3,"feedback":{{"up":1,"down":2}}}}"#);
        item.relist(3, &listing);
        assert_eq!(std::str::from_utf8(item.json()), Ok(expected.as_str()));
    }

    #[test]
    fn the_name_comes_back_as_it_was() {
        for name in ["desk", "Intro to \"DS\"", "a\\b/c", "Ä \u{1f600} \u{7f}", "{\"name\":\"x\"}"] {
            let description = Description {
                id: ItemId { category: 0, n: 1 },
                seller_id: 3,
                name: name.into(),
                keywords: vec!["name".into()],
                condition: Condition::Used,
            };
            let listing = Listing { price: Price(0), quantity: 0, feedback: Feedback::default() };
            let mut item = EncodedItem::new(&description, &listing);
            assert_eq!(item.name(), name);
            item.relist(3, &Listing { quantity: 1_000_000_000, ..listing });
            assert_eq!(item.name(), name);
        }
    }
}
