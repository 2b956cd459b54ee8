//! [`Receipt`]: the reply to a purchase, as far as a client of a benchmark can know what it must say.

use serde::Deserialize;

use super::{Cart, World};

/// What was bought.
#[derive(Deserialize)]
pub(super) struct Receipt<'a> {
    purchase_id: &'a str,
    #[serde(borrow)]
    items: Vec<Bought<'a>>,
    total: f64,
}

/// A line of it.
#[derive(Deserialize)]
struct Bought<'a> {
    item_id: &'a str,
    quantity: u32,
    price: f64,
}

impl Receipt<'_> {
    /// The number of the purchase, if the receipt is one of this cart: each line of it once, at one of these prices, and
    /// their sum.
    pub(super) fn of(data: &[u8], cart: &Cart, prices: &[&str], world: &World) -> Option<u64> {
        let receipt: Receipt<'_> = serde_json::from_slice(data).ok()?;
        let mut left = cart.clone();
        let mut cents = 0;
        for Bought { item_id, quantity, price } in &receipt.items {
            let place = *left.keys().find(|place| world.items[**place].id == *item_id)?;
            let priced = prices.iter().any(|known| known.parse() == Ok(*price));
            if left.remove(&place) != Some(*quantity) || !priced {
                return None;
            }
            cents += to_cents(*price) * i64::from(*quantity);
        }
        let is_whole = left.is_empty() && to_cents(receipt.total) == cents;
        receipt.purchase_id.parse().ok().filter(|_| is_whole)
    }
}

fn to_cents(price: f64) -> i64 {
    (price * 100.0).round() as i64
}
