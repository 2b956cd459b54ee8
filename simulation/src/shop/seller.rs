//! [`Seller`]: a user who registers items, and changes their units and prices while they are bought.

use net::Time;
use serde_json::json;

use super::ledger::{Item, Shared};
use crate::account::Account;
use crate::client::User;
use crate::request::{Outcome, Request, Span};

/// The most items of a seller whose IDs are known.
const ITEMS_MAX: usize = 2;
/// The most changes of an item's units, of each of which nobody may know whether it was made.
const CHANGES_MAX: usize = 16;

pub(super) struct Seller {
    account: Account,
    rng: fastrand::Rng,
    ledger: Shared,
    own: Vec<String>,
    pending: Pending,
    names: usize,
    requests_left: usize,
}

#[derive(Clone, Debug)]
enum Pending {
    Register { units: i64, price: u64 },
    Units { id: String, delta: i64 },
    Price { id: String, cents: u64 },
    Rating,
}

impl Seller {
    pub(super) fn new(username: String, seed: u64, ledger: Shared, requests: usize) -> Self {
        Self {
            account: Account::new("seller", username),
            rng: fastrand::Rng::with_seed(seed),
            ledger,
            own: Vec::new(),
            pending: Pending::Rating,
            names: 0,
            requests_left: requests,
        }
    }

    /// Chooses what to do, and notes what it would change.
    fn choose(&mut self, now: Time) -> Pending {
        if self.own.len() < ITEMS_MAX {
            return Pending::Register { units: self.rng.i64(2..12), price: self.rng.u64(1..1000) };
        }
        let id = self.rng.choice(&self.own).expect("there are some").clone();
        let mut ledger = self.ledger.borrow_mut();
        let item = ledger.items.get_mut(&id).expect("it was registered");
        match self.rng.u8(0..8) {
            0..=4 if item.changes.len() < CHANGES_MAX => {
                let delta = if self.rng.u8(0..4) == 0 { -1 } else { self.rng.i64(1..6) };
                item.change(delta, now);
                Pending::Units { id, delta }
            }
            5 | 6 => {
                let cents = self.rng.u64(1..1000);
                item.prices.insert(cents);
                Pending::Price { id, cents }
            }
            _ => Pending::Rating,
        }
    }

    fn request(&mut self) -> Request {
        let session_id = self.account.session_id();
        match &self.pending {
            Pending::Register { units, price } => {
                self.names += 1;
                let name = format!("{} item {}", self.account.username, self.names);
                let data = json!({"session_id": session_id, "name": name, "category": 1,
                    "condition": "new", "price": *price as f64 / 100.0, "quantity": units});
                Request { api: "RegisterItemForSale", data }
            }
            Pending::Units { id, delta } => {
                let data = json!({"session_id": session_id, "item_id": id, "quantity_delta": delta});
                Request { api: "UpdateUnitsForSale", data }
            }
            Pending::Price { id, cents } => {
                let price = *cents as f64 / 100.0;
                let data = json!({"session_id": session_id, "item_id": id, "price": price});
                Request { api: "ChangeItemPrice", data }
            }
            Pending::Rating => Request { api: "GetSellerRating", data: json!({"session_id": session_id}) },
        }
    }
}

impl User for Seller {
    fn next(&mut self, now: Time) -> Option<Request> {
        if let Some(request) = self.account.next() {
            return Some(request);
        }
        if self.ledger.borrow().is_closed {
            return None;
        }
        self.requests_left = self.requests_left.checked_sub(1)?;
        self.pending = self.choose(now);
        Some(self.request())
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        let mut ledger = self.ledger.borrow_mut();
        if self.account.answered(span, &outcome, &mut ledger.accounts) {
            if self.account.next().is_none() {
                ledger.sessions.opened(self.account.session_id(), span);
            }
            return;
        }
        let goes_on = ledger.sessions.answered(self.account.session_id(), span, &outcome);
        if !goes_on {
            self.account.leave();
        }
        match (&self.pending, &outcome) {
            (Pending::Units { id, .. }, _) => ledger.units_answered(id, span, &outcome),
            (Pending::Register { units, price }, Outcome::Done(data)) => {
                let id = data["item_id"].as_str().expect("an ID").to_owned();
                let item = Item::new(self.account.user_id(), span, *units, *price);
                assert!(ledger.items.insert(id.clone(), item).is_none(), "{id} is two items");
                self.own.push(id);
            }
            _ => {}
        }
        if let Outcome::Refused(code) = &outcome {
            let lacks_units =
                matches!(self.pending, Pending::Units { delta: ..0, .. }) && code == "OUT_OF_STOCK";
            assert!(!goes_on || lacks_units, "{:?} is refused with {code} at {span:?}", self.pending);
        }
    }
}
