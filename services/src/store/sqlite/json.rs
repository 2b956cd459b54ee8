//! The columns that hold JSON. It has types of its own, so that what is sent can change and files stay as they are.

use std::collections::BTreeMap;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::purchases::{self, PurchasedItem, Shortage};
use crate::api::values::{ItemId, Price};
use crate::customer::cart::Cart;
use crate::product::decisions::{Decided, TakenUnits};

/// Units by item: `{"1:42":2}`.
#[derive(Serialize, Deserialize)]
struct StoredCart(BTreeMap<StoredId, u32>);

/// A line of a purchase that has begun: `{"item_id":"1:42","quantity":2}`.
#[derive(Serialize, Deserialize)]
struct StoredQuantity {
    item_id: StoredId,
    quantity: u32,
}

/// A line of a purchase that was made: `{"item_id":"1:42","name":"desk","quantity":2,"price_cents":1999}`.
#[derive(Serialize, Deserialize)]
struct StoredLine {
    item_id: StoredId,
    name: String,
    quantity: u32,
    #[serde(flatten)]
    price: StoredPrice,
}

/// The price of one unit.
#[derive(Serialize, Deserialize)]
enum StoredPrice {
    #[serde(rename = "price_cents")]
    Cents(u64),
    /// In whole units of the currency: how it was read before purchases were written. It is read, and never written.
    #[serde(rename = "price")]
    Units(f64),
}

/// An item's ID as text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct StoredId(ItemId);

impl ToSql for Cart {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        to_column(&StoredCart(self.lines().iter().map(|(id, units)| (StoredId(*id), *units)).collect()))
    }
}

impl FromSql for Cart {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let StoredCart(lines) = from_column(value)?;
        let cart = Self::from_lines(lines.into_iter().map(|(StoredId(id), units)| (id, units)));
        cart.ok_or_else(|| {
            FromSqlError::Other("a cart has too many items, or too few or too many units".into())
        })
    }
}

/// What is to be bought in one purchase, as a JSON array.
impl ToSql for purchases::Lines {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let line =
            |(id, quantity): (&ItemId, &u32)| StoredQuantity { item_id: StoredId(*id), quantity: *quantity };
        to_column(&self.0.iter().map(line).collect::<Vec<_>>())
    }
}

impl FromSql for purchases::Lines {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let stored: Vec<StoredQuantity> = from_column(value)?;
        let count = stored.len();
        let units =
            stored.into_iter().map(|StoredQuantity { item_id: StoredId(id), quantity }| (id, quantity));
        let lines = Self::checked(units.collect()).filter(|lines| lines.0.len() == count);
        lines.ok_or_else(|| {
            FromSqlError::Other("a purchase has no items or too many, or too few or too many units".into())
        })
    }
}

/// What was bought in one purchase, as a JSON array.
pub(super) struct Lines<T>(pub(super) T);

impl ToSql for Lines<&[PurchasedItem]> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let line = |item: &PurchasedItem| StoredLine {
            item_id: StoredId(item.item_id),
            name: item.name.clone(),
            quantity: item.quantity,
            price: StoredPrice::Cents(item.price.0),
        };
        to_column(&self.0.iter().map(line).collect::<Vec<_>>())
    }
}

impl FromSql for Lines<Vec<PurchasedItem>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let line = |StoredLine { item_id: StoredId(item_id), name, quantity, price }| {
            let price = price.read().ok_or_else(|| FromSqlError::Other("a price is out of bounds".into()))?;
            Ok(PurchasedItem { item_id, name, quantity, price })
        };
        let lines: Vec<StoredLine> = from_column(value)?;
        lines.into_iter().map(line).collect::<FromSqlResult<_>>().map(Self)
    }
}

/// An item's keywords, as a JSON array.
pub(super) struct Keywords<T>(pub(super) T);

impl ToSql for Keywords<&[String]> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        to_column(self.0)
    }
}

impl FromSql for Keywords<Vec<String>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        from_column(value).map(Self)
    }
}

/// What was decided about the stock of a purchase: `{"taken":[…]}` or `{"refused":[…]}`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredDecision {
    Taken(Vec<StoredUnits>),
    Refused(Vec<StoredShortage>),
}

/// Units of an item that were taken: `{"item_id":"1:42","quantity":2,"price_cents":1999}`.
#[derive(Serialize, Deserialize)]
struct StoredUnits {
    item_id: StoredId,
    quantity: u32,
    price_cents: u64,
}

/// An item of which there was too little: `{"item_id":"1:42","available":1,"quantity":2}`.
#[derive(Serialize, Deserialize)]
struct StoredShortage {
    item_id: StoredId,
    available: u32,
    quantity: u32,
}

impl ToSql for Decided {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let units = |&TakenUnits { item_id, quantity, price: Price(price_cents) }: &TakenUnits| StoredUnits {
            item_id: StoredId(item_id),
            quantity,
            price_cents,
        };
        let shortage = |&Shortage { item_id, available, quantity }: &Shortage| StoredShortage {
            item_id: StoredId(item_id),
            available,
            quantity,
        };
        to_column(&match self {
            Self::Taken(lines) => StoredDecision::Taken(lines.iter().map(units).collect()),
            Self::Refused(lines) => StoredDecision::Refused(lines.iter().map(shortage).collect()),
        })
    }
}

impl FromSql for Decided {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let units = |StoredUnits { item_id: StoredId(item_id), quantity, price_cents }| {
            let price = Price::from_cents(price_cents);
            let price = price.ok_or_else(|| FromSqlError::Other("a price is too high".into()))?;
            Ok(TakenUnits { item_id, quantity, price })
        };
        let shortage = |StoredShortage { item_id: StoredId(item_id), available, quantity }| Shortage {
            item_id,
            available,
            quantity,
        };
        Ok(match from_column(value)? {
            StoredDecision::Taken(lines) => {
                Self::Taken(lines.into_iter().map(units).collect::<FromSqlResult<_>>()?)
            }
            StoredDecision::Refused(lines) => Self::Refused(lines.into_iter().map(shortage).collect()),
        })
    }
}

impl StoredPrice {
    fn read(self) -> Option<Price> {
        let cents = match self {
            Self::Cents(cents) => cents,
            Self::Units(units) if units >= 0.0 => (units * 100.0).round() as u64,
            Self::Units(_) => return None,
        };
        Price::from_cents(cents)
    }
}

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

fn to_column<T: Serialize + ?Sized>(value: &T) -> rusqlite::Result<ToSqlOutput<'static>> {
    Ok(serde_json::to_string(value).expect("it is JSON").into())
}

fn from_column<T: DeserializeOwned>(value: ValueRef<'_>) -> FromSqlResult<T> {
    serde_json::from_str(value.as_str()?).map_err(FromSqlError::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a column holds of a value.
    fn text(value: &dyn ToSql) -> String {
        match value.to_sql().expect("it can be stored") {
            ToSqlOutput::Owned(rusqlite::types::Value::Text(text)) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    fn read<T: FromSql>(text: &str) -> FromSqlResult<T> {
        T::column_result(ValueRef::Text(text.as_bytes()))
    }

    #[test]
    fn json_brings_a_cart_back() {
        let cart: Cart = read(r#"{"1:42":2,"1:5":1}"#).expect("a cart");
        assert_eq!(text(&cart), r#"{"1:5":1,"1:42":2}"#);
        for json in [r#"{"x":1}"#, r#"{"1:5":0}"#, r#"{"1:5":1000000001}"#, "[]", ""] {
            assert!(read::<Cart>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn json_brings_a_decision_back() {
        for json in [
            r#"{"taken":[{"item_id":"1:42","quantity":2,"price_cents":1999}]}"#,
            r#"{"refused":[{"item_id":"1:42","available":1,"quantity":2},{"item_id":"2:1","available":0,"quantity":3}]}"#,
        ] {
            assert_eq!(text(&read::<Decided>(json).expect("a decision")), json);
        }
        for json in [
            r#"{"taken":[{"item_id":"1:0","quantity":2,"price_cents":1999}]}"#,
            r#"{"taken":[{"item_id":"1:42","quantity":-2,"price_cents":1999}]}"#,
            r#"{"taken":[{"item_id":"1:42","quantity":2,"price_cents":100000000001}]}"#,
            r#"{"refused":[{"item_id":"1:42","quantity":2}]}"#,
            r#"{"taken":[],"refused":[]}"#,
            "{}",
            "[]",
            "",
        ] {
            assert!(read::<Decided>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn what_is_to_be_bought_has_each_item_once_and_some_units_of_it() {
        let json = r#"[{"item_id":"1:5","quantity":1000000000},{"item_id":"1:42","quantity":2}]"#;
        assert_eq!(text(&read::<purchases::Lines>(json).expect("a purchase")), json);
        for json in [
            "[]",
            r#"[{"item_id":"1:5","quantity":0}]"#,
            r#"[{"item_id":"1:5","quantity":1000000001}]"#,
            r#"[{"item_id":"1:5","quantity":1},{"item_id":"1:5","quantity":1}]"#,
            r#"[{"item_id":"1:0","quantity":1}]"#,
            r#"{"1:5":1}"#,
        ] {
            assert!(read::<purchases::Lines>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn the_lines_of_a_purchase_are_kept_in_cents() {
        let now = r#"[{"item_id":"1:42","name":"desk","quantity":2,"price_cents":1999}]"#;
        let before = now.replace("\"price_cents\":1999", "\"price\":19.99");
        for column in [now, &before] {
            let Lines(lines) = read::<Lines<Vec<PurchasedItem>>>(column).expect("a purchase");
            assert_eq!((lines[0].item_id, lines[0].price), (ItemId { category: 1, n: 42 }, Price(1999)));
            assert_eq!(text(&Lines(&*lines)), now);
        }
        let with_price = |price| now.replace("\"price_cents\":1999", price);
        for price in [
            "\"price_cents\":-1",
            "\"price_cents\":100000000001",
            "\"price\":-0.01",
            "\"price\":1e300",
            "\"x\":1",
        ] {
            let column = with_price(price);
            assert!(read::<Lines<Vec<PurchasedItem>>>(&column).is_err(), "{column}");
        }
    }
}
