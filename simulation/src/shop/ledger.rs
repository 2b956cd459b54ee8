//! [`Ledger`]: what all users of a shop together know of stock and purchases, and whether a reply fits to it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use net::Time;
use serde_json::Value;

use super::intents::{Cart, Intents};
use super::sessions::Sessions;
use crate::account::Accounts;
use crate::request::{Outcome, Span, cents};

/// Shared by all users of a run.
pub(super) type Shared = Rc<RefCell<Ledger>>;

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) accounts: Accounts,
    /// By their IDs.
    pub(super) items: BTreeMap<String, Item>,
    pub(super) intents: Intents,
    pub(super) sessions: Sessions,
    /// The sessions in which users have finished, with their carts.
    pub(super) carts: BTreeMap<String, Cart>,
    /// Requests to buy that got the receipt of a purchase that another one had begun.
    pub(super) joined: u64,
    /// Nobody begins anything any more.
    pub(super) is_closed: bool,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) seller_id: u64,
    pub(super) changes: Vec<Change>,
    /// All that were ever asked for, in cents.
    pub(super) prices: BTreeSet<u64>,
}

/// A change of an item's units by its seller.
#[derive(Debug)]
pub(super) struct Change {
    units: i64,
    start: Time,
    end: Option<Time>,
    is_made: bool,
    is_refused: bool,
}

impl Item {
    /// An item that was registered with so many units.
    pub(super) fn new(seller_id: u64, span: Span, units: i64, price: u64) -> Self {
        let mut item = Self { seller_id, changes: Vec::new(), prices: BTreeSet::from([price]) };
        item.change(units, span.start);
        item.changed(span, true, false);
        item
    }

    /// Its seller asks for a change.
    pub(super) fn change(&mut self, units: i64, now: Time) {
        self.changes.push(Change { units, start: now, end: None, is_made: false, is_refused: false });
    }

    /// What came of the last one.
    pub(super) fn changed(&mut self, span: Span, is_made: bool, is_refused: bool) {
        let change = self.changes.last_mut().expect("it was asked for");
        (change.end, change.is_made, change.is_refused) = (Some(span.end), is_made, is_refused);
    }

    /// Whether so many units of it, in stock or sold, are what it was given: each change that was made, and of those of
    /// which nobody knows, any.
    pub(super) fn adds_up_to(&self, units: i64) -> bool {
        let made: i64 = self.changes.iter().filter(|change| change.is_made).map(|change| change.units).sum();
        let open = self.changes.iter().filter(|change| !change.is_made && !change.is_refused);
        let mut sums = BTreeSet::from([made]);
        for change in open {
            let with: Vec<i64> = sums.iter().map(|sum| sum + change.units).collect();
            sums.extend(with);
        }
        sums.contains(&units)
    }
}

impl Change {
    /// Whether it is made before a read begins.
    fn is_owed_to(&self, read: Span) -> bool {
        self.is_made && self.end.is_some_and(|end| end <= read.start)
    }

    /// Whether it may be made before a read ends.
    fn may_show_in(&self, read: Span) -> bool {
        !self.is_refused && self.start <= read.end
    }
}

impl Ledger {
    /// Checks the units of an item that a read shows: no more than it was given and no purchase took for certain, and no
    /// less than what is left if all take theirs that might.
    pub(super) fn see_units(&self, span: Span, id: &str, units: u64) {
        let item = &self.items[id];
        let sum = |is_counted: &dyn Fn(&Change) -> bool| -> i64 {
            item.changes.iter().filter(|change| is_counted(change)).map(|change| change.units).sum()
        };
        let most = sum(&|change| match change.units {
            1.. => change.may_show_in(span),
            _ => change.is_owed_to(span),
        });
        let least = sum(&|change| match change.units {
            1.. => change.is_owed_to(span),
            _ => change.may_show_in(span),
        });
        let (taken_least, taken_most) = self.intents.taken(span, id);
        let range = least - taken_most..=most - taken_least;
        assert!(range.contains(&(units as i64)), "{id} shows {units} units at {span:?}, not {range:?}");
    }

    /// Checks what was bought: items at prices that they had, and the sum of them.
    pub(super) fn see_prices(&self, receipt: &Value) {
        let mut total = 0;
        for item in receipt["items"].as_array().expect("a receipt has items") {
            let id = item["item_id"].as_str().expect("an ID");
            let price = cents(&item["price"]);
            assert!(self.items[id].prices.contains(&price), "{id} never cost {price}: {receipt}");
            total += price * item["quantity"].as_u64().expect("a number of units");
        }
        assert_eq!(cents(&receipt["total"]), total, "{receipt}");
    }

    /// Takes note of what came of a change of the units of an item.
    pub(super) fn units_answered(&mut self, id: &str, span: Span, outcome: &Outcome) {
        let item = self.items.get_mut(id).expect("it was registered");
        let is_refused = matches!(outcome, Outcome::Refused(_) | Outcome::NotDone);
        item.changed(span, outcome.data().is_some(), is_refused);
        if let Some(data) = outcome.data() {
            self.see_units(span, id, data["quantity"].as_u64().expect("a quantity"));
        }
    }
}
