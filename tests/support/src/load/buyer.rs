//! A buyer who fills carts, saves them, votes and logs in again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;

use fastrand::Rng;
use serde_json::{Value, json};

use super::{Board, Votes};
use crate::client::Client;
use crate::ledger::{Known, Report};
use crate::users::{PASSWORD, log_in};
use crate::wait::POLL;

/// Only the first items of the board go into carts, so that one item is added again and again.
const CART_ITEMS_MAX: usize = 20;

/// Units by item. An item that is not there has none.
type Cart = BTreeMap<String, Known>;

pub(super) struct Buyer {
    name: String,
    client: Client,
    session: String,
    rng: Rng,
    cart: Cart,
    saved: Cart,
    /// The last vote for each item: whether it was one up.
    votes: BTreeMap<String, bool>,
    /// Sessions that were opened besides the first.
    sessions: Vec<String>,
    report: Report,
}

impl Buyer {
    /// A buyer with an account and a session.
    pub(super) fn open(address: SocketAddr, name: String, rng: Rng) -> Self {
        let mut client = Client::new(address);
        let session = log_in(&mut client, &name);
        Self {
            name,
            client,
            session,
            rng,
            cart: Cart::new(),
            saved: Cart::new(),
            votes: BTreeMap::new(),
            sessions: Vec::new(),
            report: Report::default(),
        }
    }

    /// Makes one change.
    pub(super) fn step(&mut self, board: &Board) {
        let board = board.lock().expect("no client panicked");
        let for_cart = board[self.rng.usize(..board.len().min(CART_ITEMS_MAX))].clone();
        let for_vote = board[self.rng.usize(..board.len())].clone();
        drop(board);
        match self.rng.u32(..20) {
            0 => {
                let login = self.log_in();
                self.sessions.push(login);
            }
            1..4 => {
                self.insist("SaveCart", &json!({"session_id": self.session}));
                self.saved = self.cart.clone();
            }
            4..10 => self.vote(for_vote),
            _ => self.add(for_cart),
        }
    }

    fn add(&mut self, id: String) {
        let added = self.rng.u64(1..10);
        let data = json!({"session_id": self.session, "item_id": id, "quantity": added});
        let result = self.client.call("AddItemToCart", &data);
        let units = self.cart.entry(id.clone()).or_insert(Known::exactly(0));
        match result {
            Ok(reply) => {
                self.report.acknowledged += 1;
                let now = reply["quantity"].as_u64().expect("a cart line has it");
                let before = units.clone();
                let possible = units.has_grown(added, now);
                self.report
                    .check(possible, || format!("{now} of {id} in the cart after {before:?} + {added}"));
            }
            Err(failure) => {
                assert!(failure.is_outage(), "AddItemToCart {data}: {failure}");
                if failure.is_unknown() {
                    units.may_have_grown(added);
                }
                self.report.failed(&failure);
                thread::sleep(POLL);
            }
        }
    }

    fn vote(&mut self, id: String) {
        let up = self.rng.bool();
        let vote = if up { "up" } else { "down" };
        let data = json!({"session_id": self.session, "item_id": id, "vote": vote});
        self.insist("ProvideFeedback", &data);
        self.votes.insert(id, up);
    }

    /// Opens one more session.
    fn log_in(&mut self) -> String {
        let login = self.insist("Login", &json!({"username": self.name, "password": PASSWORD}));
        login["session_id"].as_str().expect("a login has it").to_owned()
    }

    /// Repeats a call until it is acknowledged.
    fn insist(&mut self, api: &str, data: &Value) -> Value {
        let report = &mut self.report;
        let reply = self.client.insist(api, data, |failure| report.failed(failure));
        self.report.acknowledged += 1;
        reply
    }

    /// Checks over a new connection that everything is there, and adds the votes to `votes`.
    pub(super) fn audit(mut self, votes: &mut Votes) -> Report {
        self.client = Client::new(self.client.address());
        let cart = self.client.ok("DisplayCart", json!({"session_id": self.session}));
        let session = self.log_in();
        let saved = self.client.ok("DisplayCart", json!({"session_id": session}));
        for (kind, expected, found) in [("cart", &self.cart, &cart), ("saved cart", &self.saved, &saved)] {
            let holds = is_allowed(expected, &found["cart"]);
            self.report.check(holds, || format!("the {kind} {expected:?} of {} is {found}", self.name));
        }
        for session in &self.sessions {
            let known = self.client.call("DisplayCart", json!({"session_id": session}));
            self.report.check(known.is_ok(), || format!("a session of {}: {known:?}", self.name));
        }
        for (id, up) in self.votes {
            let (ups, downs) = votes.entry(id).or_default();
            *(if up { ups } else { downs }) += 1;
        }
        self.report
    }
}

/// Whether `found`, the JSON of a cart, is one of those that `expected` allows.
fn is_allowed(expected: &Cart, found: &Value) -> bool {
    let found = found.as_object().expect("a cart is an object");
    let units = |id: &String| found.get(id).map_or(Some(0), Value::as_u64);
    found.keys().all(|id| expected.contains_key(id))
        && expected.iter().all(|(id, known)| units(id).is_some_and(|units| known.allows(units)))
}
