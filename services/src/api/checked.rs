//! [`item_field`]: what a field of an item may be, for those who want to know before they send a request. Nobody else
//! has rules of their own about values.

use serde::Serialize;
use serde_json::value::RawValue;

use super::values::{Category, Condition, ItemId, Keywords, Name, Price, Quantity, Value};

/// The value of an item's field, given as JSON, in the form in which it is returned everywhere.
///
/// # Errors
/// It is not what it must be, which the text says, as it follows "must be".
pub fn item_field(field: &str, json: &str) -> Result<String, &'static str> {
    match field {
        "item_id" => checked::<ItemId>(json),
        "name" => checked::<Name>(json),
        "category" => checked::<Category>(json),
        "keywords" => checked::<Keywords>(json),
        "condition" => checked::<Condition>(json),
        "price" => checked::<Price>(json),
        "quantity" => checked::<Quantity>(json),
        _ => Err("a field of an item"),
    }
}

fn checked<V: Value + Serialize>(json: &str) -> Result<String, &'static str> {
    let raw: &RawValue = serde_json::from_str(json).map_err(|_| V::RULE)?;
    let value = V::decode(raw).ok_or(V::RULE)?;
    Ok(serde_json::to_string(&value).expect("values can be written as JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_are_returned_everywhere() {
        for (field, json, expected) in [
            ("item_id", r#""1:42""#, r#""1:42""#),
            ("name", "\"Cafe\u{301}\"", "\"Café\""),
            ("category", "7", "7"),
            ("keywords", r#"["a","b"]"#, r#"["a","b"]"#),
            ("condition", r#""NEW""#, r#""new""#),
            ("price", "1e1", "10.0"),
            ("quantity", "5", "5"),
        ] {
            assert_eq!(item_field(field, json).as_deref(), Ok(expected), "{field}");
        }
    }

    #[test]
    fn what_breaks_a_rule_is_told_the_rule() {
        for (field, json) in [
            ("item_id", r#""1:007""#),
            ("name", r#"" x""#),
            ("category", "x"),
            ("keywords", r#"["longer than eight"]"#),
            ("condition", r#""broken""#),
            ("price", "1.005"),
            ("quantity", "1.5"),
            ("colour", r#""red""#),
        ] {
            assert!(item_field(field, json).is_err(), "{field}");
        }
        assert_eq!(item_field("price", "-1"), Err(Price::RULE));
    }
}
