//! The columns that hold JSON. It has types of its own, so that what is sent can change and rows stay as they are.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::purchases::Shortage;
use crate::api::values::ItemId;

/// The keywords of an item as a column: `["book","cs"]`.
pub(super) fn from_keywords(keywords: &[String]) -> String {
    to_column(keywords)
}

/// The keywords that a column tells.
pub(super) fn keywords(column: &str) -> Option<Vec<String>> {
    from_column(column)
}

/// What there was too little of as a column: `[{"item_id":"1:42","available":1,"quantity":2}]`.
pub(super) fn from_shortages(shortages: &[Shortage]) -> String {
    let stored = |&Shortage { item_id, available, quantity }: &Shortage| StoredShortage {
        item_id: StoredId(item_id),
        available,
        quantity,
    };
    to_column(&shortages.iter().map(stored).collect::<Vec<_>>())
}

/// The shortages that a column tells.
pub(super) fn shortages(column: &str) -> Option<Vec<Shortage>> {
    let stored: Vec<StoredShortage> = from_column(column)?;
    let shortage = |StoredShortage { item_id: StoredId(item_id), available, quantity }| Shortage {
        item_id,
        available,
        quantity,
    };
    Some(stored.into_iter().map(shortage).collect())
}

#[derive(Serialize, Deserialize)]
struct StoredShortage {
    item_id: StoredId,
    available: u32,
    quantity: u32,
}

/// An item's ID as text.
struct StoredId(ItemId);

impl Serialize for StoredId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StoredId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ItemId::parse(&text).map(Self).ok_or_else(|| D::Error::custom("not an item ID"))
    }
}

fn to_column<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("our own values have a form as JSON")
}

fn from_column<T: DeserializeOwned>(column: &str) -> Option<T> {
    serde_json::from_str(column).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortages_come_back_and_what_is_none_does_not() {
        let column = r#"[{"item_id":"1:42","available":1,"quantity":2}]"#;
        assert_eq!(from_shortages(&shortages(column).expect("shortages")), column);
        for column in
            ["", "[", "{}", r#"[{"item_id":"1:0","available":1,"quantity":2}]"#, r#"[{"item_id":"1:1"}]"#]
        {
            assert_eq!(shortages(column), None, "{column}");
        }
    }

    #[test]
    fn keywords_come_back_as_they_were() {
        let words = ["a\"b".to_owned(), "Straße".to_owned()];
        assert_eq!(keywords(&from_keywords(&words)).as_deref(), Some(&words[..]));
        assert_eq!(keywords("{}"), None);
    }
}
