//! A seller who registers items, changes prices and updates units.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Board, Votes};
use crate::client::Client;
use crate::ledger::{Known, Report};
use crate::users::log_in;
use crate::wait::POLL;

/// Items of one seller: enough to spread the writes, and few enough to be written again and again.
const ITEMS_MAX: usize = 200;
/// Units of a new item, which buyers will not run out of.
const QUANTITY: u64 = 1_000_000;
const CATEGORY: u32 = 1;

pub(super) struct Seller {
    name: String,
    client: Client,
    session: String,
    rng: Rng,
    items: BTreeMap<String, Item>,
    /// Names of items whose registration has an unknown outcome.
    doubtful: BTreeSet<String>,
    registrations: u64,
    report: Report,
}

/// What must be there of an item.
struct Item {
    name: String,
    cents: u32,
    quantity: Known,
}

impl Seller {
    /// A seller with an account, a session and an item on the board.
    pub(super) fn open(address: SocketAddr, name: String, rng: Rng, board: &Board) -> Self {
        let mut client = Client::new(address);
        let session = log_in(&mut client, &name);
        let mut seller = Self {
            name,
            client,
            session,
            rng,
            items: BTreeMap::new(),
            doubtful: BTreeSet::new(),
            registrations: 0,
            report: Report::default(),
        };
        seller.register(board);
        seller
    }

    /// Makes one change.
    pub(super) fn step(&mut self, board: &Board) {
        match self.rng.u32(..10) {
            0 if self.items.len() < ITEMS_MAX => self.register(board),
            0..5 => self.change_price(),
            _ => self.update_units(),
        }
    }

    fn register(&mut self, board: &Board) {
        self.registrations += 1;
        let (name, cents) = (format!("item {}", self.registrations), self.rng.u32(..100_000));
        let data = json!({
            "session_id": self.session, "name": name, "category": CATEGORY, "keywords": ["book"],
            "condition": "new", "price": price(cents), "quantity": QUANTITY,
        });
        match self.call_once("RegisterItemForSale", &data) {
            Ok(registered) => {
                let id = registered["item_id"].as_str().expect("a registration has it").to_owned();
                let item = Item { name, cents, quantity: Known::exactly(QUANTITY) };
                let before = self.items.insert(id.clone(), item);
                self.report.check(before.is_none(), || format!("the ID {id} was given twice"));
                board.lock().expect("no client panicked").push(id);
            }
            Err(true) => {
                self.doubtful.insert(name);
            }
            Err(false) => {}
        }
    }

    fn change_price(&mut self) {
        let (id, cents) = (self.choose(), self.rng.u32(..100_000));
        let data = json!({"session_id": self.session, "item_id": id, "price": price(cents)});
        let report = &mut self.report;
        self.client.insist("ChangeItemPrice", &data, |failure| report.failed(failure));
        self.report.acknowledged += 1;
        self.items.get_mut(&id).expect("it is ours").cents = cents;
    }

    fn update_units(&mut self) {
        let (id, delta) = (self.choose(), self.rng.u64(1..100));
        let data = json!({"session_id": self.session, "item_id": id, "quantity_delta": delta});
        let result = self.call_once("UpdateUnitsForSale", &data);
        let quantity = &mut self.items.get_mut(&id).expect("it is ours").quantity;
        match result {
            Ok(updated) => {
                let now = updated["quantity"].as_u64().expect("an update has it");
                let before = quantity.clone();
                let possible = quantity.has_grown(delta, now);
                self.report.check(possible, || format!("{id} has {now} units after {before:?} + {delta}"));
            }
            Err(true) => quantity.may_have_grown(delta),
            Err(false) => {}
        }
    }

    fn choose(&mut self) -> String {
        let nth = self.rng.usize(..self.items.len());
        self.items.keys().nth(nth).expect("it is less than their number").clone()
    }

    /// Calls an API that must not be repeated. An `Err` says whether it may have been carried out.
    fn call_once(&mut self, api: &str, data: &Value) -> Result<Value, bool> {
        let result = self.client.call(api, data);
        match &result {
            Ok(_) => self.report.acknowledged += 1,
            Err(failure) => {
                assert!(failure.is_outage(), "{api} {data}: {failure}");
                self.report.failed(failure);
                thread::sleep(POLL);
            }
        }
        result.map_err(|failure| failure.is_unknown())
    }

    /// Checks over a new connection that everything is there, and that the votes count as they should.
    pub(super) fn audit(mut self, votes: &Votes) -> Report {
        self.client = Client::new(self.client.address());
        let mut listed = BTreeMap::new();
        for item in self.listing() {
            let id = item["item_id"].as_str().expect("an item has it").to_owned();
            listed.insert(id, item);
        }
        let mut sum = (0, 0);
        for (id, item) in &self.items {
            let (up, down) = votes.get(id).copied().unwrap_or_default();
            sum = (sum.0 + up, sum.1 + down);
            let feedback = json!({"up": up, "down": down});
            let found = listed.remove(id);
            let holds = found.as_ref().is_some_and(|found| {
                found["name"] == item.name.as_str()
                    && found["price"] == price(item.cents)
                    && found["quantity"].as_u64().is_some_and(|units| item.quantity.allows(units))
                    && found["feedback"] == feedback
            });
            let Item { name, cents, quantity } = item;
            self.report.check(holds, || {
                format!("{id} {name:?} of {cents} cents, {quantity:?} and {feedback} is {found:?}")
            });
        }
        for (id, item) in listed {
            let name = item["name"].as_str().expect("an item has it");
            let expected = self.doubtful.remove(name);
            self.report.check(expected, || format!("{id} {name:?} is there once too often"));
        }
        let rating = self.client.ok("GetSellerRating", json!({"session_id": self.session}));
        let (name, expected) = (&self.name, json!({"up": sum.0, "down": sum.1}));
        self.report.check(rating["feedback"] == expected, || format!("{name} has not {expected}: {rating}"));
        self.report
    }

    /// All items, page by page.
    fn listing(&mut self) -> Vec<Value> {
        let mut items = Vec::new();
        let mut data = json!({"session_id": self.session, "sold_out": true});
        loop {
            let mut page = self.client.ok("DisplayItemsForSale", data.clone());
            items.append(page["items"].as_array_mut().expect("a page has it"));
            if page["next_cursor"].is_null() {
                return items;
            }
            data["cursor"] = page["next_cursor"].take();
        }
    }
}

fn price(cents: u32) -> f64 {
    f64::from(cents) / 100.0
}
