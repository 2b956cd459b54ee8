//! The column that holds JSON: what was bought. It has a type of its own, so that what is sent can change and rows stay as
//! they are.

use serde::{Deserialize, Serialize};

use crate::api::purchases::PurchasedItem;
use crate::api::values::{ItemId, Price};

/// A line of a purchase: `{"item_id":"1:42","name":"desk","quantity":2,"price_cents":1999}`.
#[derive(Serialize, Deserialize)]
struct StoredLine {
    item_id: String,
    name: String,
    quantity: u32,
    price_cents: u64,
}

/// What was bought, as a column.
pub(super) fn from_items(items: &[PurchasedItem]) -> String {
    let line = |item: &PurchasedItem| StoredLine {
        item_id: item.item_id.to_string(),
        name: item.name.clone(),
        quantity: item.quantity,
        price_cents: item.price.0,
    };
    let lines: Vec<StoredLine> = items.iter().map(line).collect();
    serde_json::to_string(&lines).expect("our own values have a form as JSON")
}

/// What was bought, as a column tells it.
pub(super) fn items(column: &str) -> Option<Vec<PurchasedItem>> {
    let lines: Vec<StoredLine> = serde_json::from_str(column).ok()?;
    let item = |StoredLine { item_id, name, quantity, price_cents }| {
        let item_id = ItemId::parse(&item_id)?;
        Some(PurchasedItem { item_id, name, quantity, price: Price::from_cents(price_cents)? })
    };
    lines.into_iter().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
