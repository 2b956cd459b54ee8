//! [`Seller`]: a user who registers items, changes prices and units, and looks at their own shelf.

use net::Time;
use serde_json::{Value, json};

use super::model::{CATEGORIES, Item, Shared, UPDATES_MAX};
use crate::account::Account;
use crate::client::User;
use crate::request::{Outcome, Request, Span, cents};

pub(crate) struct Seller {
    account: Account,
    rng: fastrand::Rng,
    model: Shared,
    /// What is being asked for, or is to be asked again.
    pending: Option<Pending>,
    repeats: bool,
    /// IDs of the items that are known to be there.
    own: Vec<String>,
    registered: usize,
    requests_left: usize,
}

#[derive(Clone, Debug)]
enum Pending {
    Register { name: String },
    Price { id: String, cents: u64 },
    Units { id: String, delta: i64 },
    Shelf,
    Rating,
}

impl Seller {
    pub(crate) fn new(username: String, seed: u64, model: Shared, requests: usize) -> Self {
        Self {
            account: Account::new("seller", username),
            rng: fastrand::Rng::with_seed(seed),
            model,
            pending: None,
            repeats: false,
            own: Vec::new(),
            registered: 0,
            requests_left: requests,
        }
    }

    /// Chooses what to do, and notes what it would change.
    fn choose(&mut self, now: Time) -> Pending {
        let id = self.rng.choice(&self.own).cloned();
        let mut model = self.model.borrow_mut();
        match (self.rng.u8(0..20), id) {
            (0..=9, Some(id)) => {
                let price = &mut model.item(&id).price;
                let cents = price.len() as u64 + 1;
                price.write(cents, now);
                Pending::Price { id, cents }
            }
            (10..=14, Some(id)) if model.item(&id).units.len() < UPDATES_MAX => {
                let delta = model.item(&id).units.write(now);
                Pending::Units { id, delta }
            }
            (15 | 16, Some(_)) => Pending::Shelf,
            (17, Some(_)) => Pending::Rating,
            _ => {
                self.registered += 1;
                let name = format!("{} item {}", self.account.username, self.registered);
                let category = self.rng.u64(0..CATEGORIES);
                model.items.insert(name.clone(), Item::new(now, self.account.user_id(), category));
                Pending::Register { name }
            }
        }
    }

    fn request(&self, pending: &Pending) -> Request {
        let session_id = self.account.session_id();
        let (api, data) = match pending {
            Pending::Register { name } => {
                let category = self.model.borrow().items[name].category;
                let item = json!({"session_id": session_id, "name": name, "category": category,
                    "keywords": ["any"], "condition": "new", "price": 0.01, "quantity": 255});
                ("RegisterItemForSale", item)
            }
            Pending::Price { id, cents } => {
                let price = *cents as f64 / 100.0;
                ("ChangeItemPrice", json!({"session_id": session_id, "item_id": id, "price": price}))
            }
            Pending::Units { id, delta } => {
                let update = json!({"session_id": session_id, "item_id": id, "quantity_delta": delta});
                ("UpdateUnitsForSale", update)
            }
            Pending::Shelf => {
                ("DisplayItemsForSale", json!({"session_id": session_id, "sold_out": true, "limit": 1000}))
            }
            Pending::Rating => ("GetSellerRating", json!({"session_id": session_id})),
        };
        Request { api, data }
    }

    /// Checks the reply, and takes note of it.
    fn learn(&mut self, span: Span, pending: &Pending, data: &Value) {
        let mut model = self.model.borrow_mut();
        match pending {
            Pending::Register { name } => {
                let id = data["item_id"].as_str().expect("an ID").to_owned();
                model.identify(name, &id);
            }
            Pending::Price { cents: sent, .. } => assert_eq!(cents(&data["price"]), *sent),
            Pending::Units { id, .. } => {
                model.item(id).units.read(span, data["quantity"].as_u64().expect("a quantity"));
            }
            Pending::Shelf => {
                model.see_shelf(span, self.account.user_id(), data);
                let items = data["items"].as_array().expect("a page has items");
                let ids = items.iter().map(|item| item["item_id"].as_str().expect("an ID").to_owned());
                self.own = ids.collect();
            }
            Pending::Rating => model.see_rating(span, data),
        }
        if let Pending::Register { name } = pending {
            self.own.extend(model.items[name].id.clone());
        }
    }
}

impl User for Seller {
    fn next(&mut self, now: Time) -> Option<Request> {
        if let Some(request) = self.account.next() {
            return Some(request);
        }
        if !self.repeats {
            self.requests_left = self.requests_left.checked_sub(1)?;
            self.pending = Some(self.choose(now));
        }
        Some(self.request(self.pending.as_ref().expect("something was chosen")))
    }

    fn answered(&mut self, span: Span, outcome: Outcome) {
        if self.account.answered(span, &outcome, &mut self.model.borrow_mut().accounts) {
            return;
        }
        let pending = self.pending.clone().expect("something was asked for");
        if let Outcome::Refused(code) = &outcome {
            panic!("{pending:?} at {span:?} was refused with {code}");
        }
        if let Some(data) = outcome.data() {
            self.learn(span, &pending, data);
        }
        let mut model = self.model.borrow_mut();
        let failed = outcome.data().is_none();
        self.repeats = match &pending {
            Pending::Register { name } => {
                let item = model.items.get_mut(name).expect("it was chosen");
                item.registered.attempted(span, &outcome);
                item.price.first().attempted(span, &outcome);
                false
            }
            Pending::Units { id, .. } => {
                model.item(id).units.last().expect("it was chosen").attempted(span, &outcome);
                false
            }
            Pending::Price { id, .. } => {
                let write = model.item(id).price.last().expect("it was chosen");
                write.attempted(span, &outcome);
                if failed {
                    write.repeat();
                }
                failed
            }
            Pending::Shelf | Pending::Rating => failed,
        };
    }
}
