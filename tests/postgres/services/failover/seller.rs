//! [`Seller`]: brings units of its items and changes their prices, and knows how many and which there can be.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use support::{Client, Known, log_in};

use super::super::pause;
use super::user::{Progress, User};
use super::{CATEGORIES, KEYWORD};

/// How many items each has.
const ITEMS: u64 = 5;
/// Units of a new item.
const UNITS: u64 = 1000;
/// The most units that come at once. More come than are bought.
const UNITS_MAX: u64 = 100;
/// How much later than its client has given it up a change may come, at most: no statement takes that long.
const LATE_MAX: Duration = Duration::from_secs(10);

pub(super) struct Seller<'a> {
    user: User<'a>,
    rng: Rng,
    session: String,
    items: Vec<Item>,
}

/// What is known of an item.
struct Item {
    id: String,
    /// Units that were acknowledged, and those that may have come besides.
    units: u64,
    doubtful: Known,
    /// The price that was acknowledged last; no other was asked for since.
    cents: u32,
    /// Prices that were asked for again because nobody knew of them, and may come late, and when there was one last.
    late: Vec<u32>,
    late_at: Option<Instant>,
}

impl<'a> Seller<'a> {
    pub(super) fn open(number: u64, mut client: Client, progress: &'a Progress) -> Self {
        let session = log_in(&mut client, &format!("seller {number}"));
        let item = |nth: u64| {
            let category = (number * ITEMS + nth) % u64::from(CATEGORIES);
            let item = json!({
                "session_id": session, "name": format!("item {nth}"), "category": category,
                "keywords": [KEYWORD], "condition": "new", "price": 0, "quantity": UNITS,
            });
            let id = client.ok("RegisterItemForSale", item)["item_id"].as_str().expect("an ID").to_owned();
            let doubtful = Known::exactly(0);
            Item { id, units: UNITS, doubtful, cents: 0, late: Vec::new(), late_at: None }
        };
        let items = (0..ITEMS).map(item).collect();
        Self { user: User::new(client, progress), rng: Rng::with_seed(number), session, items }
    }

    /// Makes a change.
    pub(super) fn step(&mut self) {
        let nth = self.rng.usize(0..self.items.len());
        if self.rng.bool() { self.change_price(nth) } else { self.add_units(nth) }
    }

    fn change_price(&mut self, nth: usize) {
        let item = &mut self.items[nth];
        item.cents += 1;
        let change = json!({"session_id": self.session, "item_id": item.id, "price": price(item.cents)});
        let (_, may_come_late) = self.user.insist("ChangeItemPrice", change);
        if may_come_late {
            item.late.push(item.cents);
            item.late_at = Some(Instant::now());
        } else if item.late_at.is_some_and(|at| at.elapsed() > LATE_MAX) {
            item.late.clear();
        }
    }

    fn add_units(&mut self, nth: usize) {
        let (item, added) = (&mut self.items[nth], self.rng.u64(1..=UNITS_MAX));
        let change = json!({"session_id": self.session, "item_id": item.id, "quantity_delta": added});
        match self.user.change("UpdateUnitsForSale", change) {
            Ok(_) => item.units += added,
            Err(failure) => {
                if failure.is_unknown() {
                    item.doubtful.may_have_grown(added);
                }
                pause("UpdateUnitsForSale", &failure);
            }
        }
    }

    /// Checks prices, and that all units are in stock or `sold`.
    pub(super) fn audit(&mut self, buyer: &mut Client, sold: &BTreeMap<String, u64>) {
        let mut sold_in_all = 0;
        for Item { id, units, doubtful, cents, late, .. } in &self.items {
            let found = buyer.insist("GetItem", json!({"item_id": id}), |_| ())["item"].take();
            let own = sold.get(id).copied().unwrap_or_default();
            sold_in_all += own;
            let brought = found["quantity"].as_u64().expect("units") + own;
            let is_known = brought.checked_sub(*units).is_some_and(|more| doubtful.allows(more));
            assert!(is_known, "{id}: {brought} units in stock or sold, of {units} and {doubtful:?}");
            let is_known = late.iter().chain([cents]).any(|cents| found["price"] == price(*cents));
            assert!(is_known, "{id}: {found} is not at {cents} cents, nor at {late:?}");
        }
        let rating = self.user.find("GetSellerRating", json!({"session_id": self.session}));
        assert_eq!(rating["items_sold"], sold_in_all);
    }
}

fn price(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}
