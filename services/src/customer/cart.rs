//! [`Cart`]: what a buyer means to buy. It knows nothing of stock.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::api::error::{Code, Error};
use crate::api::fields::invalid;
use crate::api::values::{ItemId, QUANTITY_MAX};

/// The most different items in one cart.
const LINES_MAX: usize = 1000;

/// Units by item, in the order of the items; as JSON `{"1:42":2}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cart(BTreeMap<ItemId, u32>);

impl Cart {
    /// Adds units of an item, or removes them with a negative `delta`; returns the units now in the cart.
    /// With `available`, the cart may hold no more than that afterwards.
    ///
    /// # Errors
    /// The cart has too few or too many units, or too many lines; it is left as it was.
    pub(crate) fn update(&mut self, id: ItemId, delta: i64, available: Option<u32>) -> Result<u32, Error> {
        let held = self.0.get(&id).copied();
        let units = i64::from(held.unwrap_or(0)) + delta;
        let Some(held) = held.or((delta > 0).then_some(0)) else {
            return Err(Error::new(Code::NotFound, format!("no {id} in the cart")));
        };
        if units < 0 {
            return Err(invalid(format!(
                "`quantity` must be at most {held}: the cart holds no more of {id}"
            )));
        }
        if let Some(available) = available.filter(|available| units > i64::from(*available)) {
            let message = format!(
                "{available} units of {id} are for sale, fewer than the {units} that the cart would hold"
            );
            return Err(Error::new(Code::OutOfStock, message));
        }
        let too_many =
            || invalid(format!("`quantity` would bring the cart above {QUANTITY_MAX} units of {id}"));
        let units = u32::try_from(units).ok().filter(|units| *units <= QUANTITY_MAX).ok_or_else(too_many)?;
        if held == 0 && self.0.len() >= LINES_MAX {
            let message = format!("a cart holds at most {LINES_MAX} different items");
            return Err(Error::new(Code::ResourceExhausted, message));
        }
        if units == 0 {
            self.0.remove(&id);
        } else {
            self.0.insert(id, units);
        }
        Ok(units)
    }

    /// Units by item.
    pub(crate) fn lines(&self) -> &BTreeMap<ItemId, u32> {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

impl<'de> Deserialize<'de> for Cart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lines = BTreeMap::<String, u32>::deserialize(deserializer)?;
        if lines.len() > LINES_MAX {
            return Err(serde::de::Error::custom("there are too many items"));
        }
        let parse = |(id, units): (String, u32)| {
            let units = Some(units).filter(|units| (1..=QUANTITY_MAX).contains(units))?;
            Some((ItemId::parse(&id)?, units))
        };
        let lines: Option<_> = lines.into_iter().map(parse).collect();
        lines
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("an item is none, or has too few or too many units"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ItemId = ItemId { category: 1, n: 42 };

    fn code(result: Result<u32, Error>) -> Code {
        result.expect_err("the update is refused").code
    }

    #[test]
    fn units_go_in_and_out() {
        let mut cart = Cart::default();
        assert_eq!(cart.update(ID, 2, None), Ok(2));
        assert_eq!(cart.update(ID, 3, Some(5)), Ok(5));
        assert_eq!(serde_json::to_string(&cart).expect("JSON"), r#"{"1:42":5}"#);
        assert_eq!(cart.update(ID, -4, None), Ok(1));
        assert_eq!(cart.update(ID, -1, None), Ok(0));
        assert_eq!(cart, Cart::default(), "an empty line is no line");
    }

    #[test]
    fn a_refused_update_changes_nothing() {
        let mut cart = Cart::default();
        assert_eq!(code(cart.update(ID, -1, None)), Code::NotFound);
        assert_eq!(cart.update(ID, 2, None), Ok(2));
        assert_eq!(code(cart.update(ID, -3, None)), Code::InvalidArgument);
        assert_eq!(code(cart.update(ID, 4, Some(5))), Code::OutOfStock);
        assert_eq!(code(cart.update(ID, i64::from(QUANTITY_MAX), None)), Code::InvalidArgument);
        for n in 1..LINES_MAX as u32 {
            assert_eq!(cart.update(ItemId { category: 2, n }, 1, None), Ok(1));
        }
        assert_eq!(code(cart.update(ItemId { category: 3, n: 1 }, 1, None)), Code::ResourceExhausted);
        assert_eq!(cart.update(ID, 1, None), Ok(3), "a line that is there may still grow");
    }

    #[test]
    fn json_brings_a_cart_back() {
        let cart: Cart = serde_json::from_str(r#"{"1:42":2,"1:5":1}"#).expect("a cart");
        assert_eq!(serde_json::to_string(&cart).expect("JSON"), r#"{"1:5":1,"1:42":2}"#);
        for json in [r#"{"x":1}"#, r#"{"1:5":0}"#, r#"{"1:5":1000000001}"#] {
            assert!(serde_json::from_str::<Cart>(json).is_err(), "{json}");
        }
    }
}
