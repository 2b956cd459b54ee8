//! The columns that hold JSON. It has types of its own, so that what is sent can change and files stay as they are.

use std::collections::BTreeMap;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::api::purchases::PurchasedItem;
use crate::api::values::{ItemId, Price};
use crate::customer::cart::Cart;

/// Units by item: `{"1:42":2}`.
#[derive(Serialize, Deserialize)]
struct StoredCart(BTreeMap<StoredId, u32>);

/// A line of a purchase: `{"item_id":"1:42","name":"desk","quantity":2,"price_cents":1999}`.
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
