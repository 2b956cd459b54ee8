//! [`Cart`]: what a buyer means to buy. It knows nothing of stock.

use std::collections::BTreeMap;

use super::rules::changed;
use crate::api::error::Error;
use crate::api::purchases::{LINES_MAX, Lines};
use crate::api::values::{ItemId, QUANTITY_MAX};

/// Units by item, in the order of the items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cart(BTreeMap<ItemId, u32>);

impl Cart {
    /// Adds units of an item, or removes them with a negative `delta`; returns the units now in the cart.
    /// With `available`, the cart may hold no more than that afterwards.
    ///
    /// # Errors
    /// The cart has too few or too many units, or too many lines; it is left as it was.
    pub(crate) fn update(&mut self, id: ItemId, delta: i64, available: Option<u32>) -> Result<u32, Error> {
        let held = self.0.get(&id).copied();
        let units = changed(id, held, delta, available, self.0.len() >= LINES_MAX)?;
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

    /// Takes out what was bought. What was added meanwhile stays, and what was removed meanwhile is not missed.
    pub(crate) fn take_out(&mut self, Lines(bought): &Lines) {
        for (id, bought) in bought {
            if let Some(units) = self.0.get_mut(id) {
                *units = units.saturating_sub(*bought);
            }
        }
        self.0.retain(|_, units| *units > 0);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The cart that has these units of each item; `None` if none may.
    pub(crate) fn from_lines(lines: impl Iterator<Item = (ItemId, u32)>) -> Option<Self> {
        let cart = Self(lines.collect());
        let may_be =
            cart.0.len() <= LINES_MAX && cart.0.values().all(|units| (1..=QUANTITY_MAX).contains(units));
        may_be.then_some(cart)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::Code;

    const ID: ItemId = ItemId { category: 1, n: 42 };

    fn code(result: Result<u32, Error>) -> Code {
        result.expect_err("the update is refused").code
    }

    #[test]
    fn units_go_in_and_out() {
        let mut cart = Cart::default();
        assert_eq!(cart.update(ID, 2, None), Ok(2));
        assert_eq!(cart.update(ID, 3, Some(5)), Ok(5));
        assert_eq!(cart.lines().iter().collect::<Vec<_>>(), [(&ID, &5)]);
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
    fn what_was_bought_leaves_and_what_was_added_stays() {
        let [same, more, fewer, new] = [1, 2, 3, 4].map(|n| ItemId { category: 1, n });
        let bought = Lines([(same, 2), (more, 2), (fewer, 2), (ID, 2)].into());
        let lines = [(same, 2), (more, 5), (fewer, 1), (new, 7)];
        let mut cart = Cart::from_lines(lines.into_iter()).expect("a cart");
        cart.take_out(&bought);
        assert_eq!(cart, Cart([(more, 3), (new, 7)].into()));
    }

    #[test]
    fn lines_bring_a_cart_back_unless_no_cart_may_have_them() {
        let other = ItemId { category: 1, n: 5 };
        let cart = Cart::from_lines([(ID, 2), (other, QUANTITY_MAX)].into_iter()).expect("a cart");
        assert_eq!(cart.lines().clone().into_iter().collect::<Vec<_>>(), [(other, QUANTITY_MAX), (ID, 2)]);
        for units in [0, QUANTITY_MAX + 1] {
            assert_eq!(Cart::from_lines([(ID, units)].into_iter()), None);
        }
        let lines = |count| (1..=count).map(|n| (ItemId { category: 1, n }, 1));
        assert!(Cart::from_lines(lines(LINES_MAX as u32)).is_some());
        assert!(Cart::from_lines(lines(LINES_MAX as u32 + 1)).is_none());
    }
}
