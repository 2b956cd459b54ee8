//! The columns that hold JSON. It has types of its own, so that what is sent can change and rows stay as they are.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::api::purchases::{PurchasedItem, Shortage};
use crate::api::values::{ItemId, Price};

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
        item_id: item_id.to_string(),
        available,
        quantity,
    };
    to_column(&shortages.iter().map(stored).collect::<Vec<_>>())
}

/// The shortages that a column tells.
pub(super) fn shortages(column: &str) -> Option<Vec<Shortage>> {
    let stored: Vec<StoredShortage> = from_column(column)?;
    let shortage = |StoredShortage { item_id, available, quantity }| {
        Some(Shortage { item_id: ItemId::parse(&item_id)?, available, quantity })
    };
    stored.into_iter().map(shortage).collect()
}

/// What was bought as a column: `[{"item_id":"1:42","name":"desk","quantity":2,"price_cents":1999}]`.
pub(super) fn from_items(items: &[PurchasedItem]) -> String {
    let line = |item: &PurchasedItem| StoredLine {
        item_id: item.item_id.to_string(),
        name: item.name.clone(),
        quantity: item.quantity,
        price_cents: item.price.0,
    };
    to_column(&items.iter().map(line).collect::<Vec<_>>())
}

/// What was bought, as a column tells it.
pub(super) fn items(column: &str) -> Option<Vec<PurchasedItem>> {
    let lines: Vec<StoredLine> = from_column(column)?;
    let item = |StoredLine { item_id, name, quantity, price_cents }| {
        let item_id = ItemId::parse(&item_id)?;
        Some(PurchasedItem { item_id, name, quantity, price: Price::from_cents(price_cents)? })
    };
    lines.into_iter().map(item).collect()
}

#[derive(Serialize, Deserialize)]
struct StoredShortage {
    item_id: String,
    available: u32,
    quantity: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredLine {
    item_id: String,
    name: String,
    quantity: u32,
    price_cents: u64,
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

    #[test]
    fn what_was_bought_comes_back_and_what_was_not_does_not() {
        let column = r#"[{"item_id":"1:42","name":"a \"desk\"\u0000","quantity":2,"price_cents":1999}]"#;
        assert_eq!(from_items(&items(column).expect("a purchase")), column);
        let wrong =
            [("1:42", "1:0"), ("2,", "-2,"), ("1999", "100000000001"), ("quantity", "units"), ("[", "")];
        for (part, other) in wrong {
            assert!(items(&column.replacen(part, other, 1)).is_none(), "{other}");
        }
    }
}
