//! [`SessionCart`]: what may be asked of the cart of a session, one after another. It knows nothing of stock.

use todc_utils::Specification;

use super::intents::Cart;

/// The cart of one session, which begins empty.
pub(super) struct SessionCart;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CartOperation {
    /// This is in it.
    Shown(Cart),
    /// Units of an item are put in or taken out, and then so many are in it.
    Changed { id: String, delta: i64, units: u64 },
    /// Nobody knows whether they are.
    Lost { id: String, delta: i64 },
    /// This was bought, and as much of it as is there is taken out.
    Bought(Cart),
}

impl Specification for SessionCart {
    type State = Cart;
    type Operation = CartOperation;

    fn init() -> Cart {
        Cart::new()
    }

    fn apply(operation: &CartOperation, cart: &Cart) -> (bool, Cart) {
        match operation {
            CartOperation::Shown(shown) => (shown == cart, cart.clone()),
            CartOperation::Changed { id, delta, units } => {
                let changed = changed(cart, id, *delta);
                let is_so = changed.as_ref().is_some_and(|cart| cart.get(id).copied().unwrap_or(0) == *units);
                (is_so, changed.unwrap_or_else(|| cart.clone()))
            }
            CartOperation::Lost { id, delta } => {
                (true, changed(cart, id, *delta).unwrap_or_else(|| cart.clone()))
            }
            CartOperation::Bought(bought) => {
                let mut cart = cart.clone();
                for (id, bought) in bought {
                    cart.entry(id.clone()).and_modify(|units| *units = units.saturating_sub(*bought));
                }
                cart.retain(|_, units| *units > 0);
                (true, cart)
            }
        }
    }
}

/// A cart with so many more units of an item, or fewer; none if there are too few.
fn changed(cart: &Cart, id: &str, delta: i64) -> Option<Cart> {
    let mut cart = cart.clone();
    let units = cart.entry(id.to_owned()).or_default();
    *units = units.checked_add_signed(delta)?;
    cart.retain(|_, units| *units > 0);
    Some(cart)
}

#[cfg(test)]
mod tests {
    use net::Time;

    use super::CartOperation::{Bought, Changed, Lost, Shown};
    use super::*;
    use crate::linearizability::{Timed, is_linearizable};

    /// Whether operations from and to these times are linearizable; 0: it never ends.
    fn may_be<const N: usize>(history: [(u64, u64, CartOperation); N]) -> bool {
        let timed = |(start, end, operation)| Timed {
            start: Time::from_millis(start),
            end: (end > 0).then_some(Time::from_millis(end)),
            operation,
        };
        is_linearizable::<SessionCart>(&history.into_iter().map(timed).collect::<Vec<_>>())
    }

    fn desks(units: u64) -> Cart {
        [("desk".to_owned(), units)].into_iter().filter(|(_, units)| *units > 0).collect()
    }

    fn desk(delta: i64, units: u64) -> CartOperation {
        Changed { id: "desk".to_owned(), delta, units }
    }

    #[test]
    fn what_is_bought_leaves_and_what_is_added_meanwhile_stays() {
        for units in [1, 3] {
            let addition = (4, 8, desk(1, units));
            assert!(may_be([
                (1, 2, desk(2, 2)),
                (3, 9, Bought(desks(2))),
                addition,
                (9, 10, Shown(desks(1)))
            ]));
        }
        assert!(!may_be([
            (1, 2, desk(2, 2)),
            (3, 9, Bought(desks(2))),
            (4, 8, desk(1, 3)),
            (9, 10, Shown(desks(0)))
        ]));
    }

    #[test]
    fn a_lost_update_and_a_stale_read_are_noticed() {
        assert!(!may_be([(1, 4, desk(2, 2)), (2, 5, desk(1, 1))]));
        assert!(!may_be([(1, 2, desk(2, 2)), (3, 4, desk(-1, 1)), (5, 6, Shown(desks(2)))]));
        assert!(!may_be([(1, 2, desk(2, 2)), (3, 4, Bought(desks(2))), (5, 6, Shown(desks(2)))]));
    }

    #[test]
    fn what_was_lost_may_come_late_or_never() {
        let lost = (3, 0, Lost { id: "desk".to_owned(), delta: -1 });
        let shown = |at, units| (at, at + 1, Shown(desks(units)));
        assert!(may_be([(1, 2, desk(2, 2)), lost.clone(), shown(5, 2), shown(7, 1)]));
        assert!(may_be([(1, 2, desk(2, 2)), lost.clone(), shown(5, 2), shown(7, 2)]));
        assert!(!may_be([(1, 2, desk(2, 2)), lost, shown(5, 1), shown(7, 2)]));
    }
}
