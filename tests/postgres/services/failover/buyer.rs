//! [`Buyer`]: looks around, fills carts and buys them, and knows what it has bought.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};
use support::{Client, Failure, PASSWORD, assert_history, log_in};

use super::super::pause;
use super::user::{Progress, User};
use super::{CATEGORIES, KEYWORD};

/// Items of a page.
const PAGE: usize = 10;
/// The most units that are put into a cart at once.
const UNITS_MAX: u64 = 3;

pub(super) struct Buyer<'a> {
    name: String,
    user: User<'a>,
    rng: Rng,
    /// The items that it has seen last.
    seen: Vec<String>,
    session: String,
    /// What is in the cart of the session: each call that put something there was acknowledged.
    cart: BTreeMap<String, u64>,
    /// How many purchases it has begun; each has the number as its key.
    begun: u64,
    /// The receipts of all of them.
    pub(super) receipts: Vec<Value>,
}

impl<'a> Buyer<'a> {
    pub(super) fn open(number: u64, mut client: Client, progress: &'a Progress) -> Self {
        let name = format!("buyer {number}");
        let session = log_in(&mut client, &name);
        Self {
            name,
            user: User::new(client, progress),
            rng: Rng::with_seed(number),
            seen: Vec::new(),
            session,
            cart: BTreeMap::new(),
            begun: 0,
            receipts: Vec::new(),
        }
    }

    /// Makes a call, as buyers do: most of them look around. A purchase is asked for until it is made.
    pub(super) fn step(&mut self) {
        match self.rng.u32(0..20) {
            0..3 if !self.seen.is_empty() => self.add(),
            3..5 if !self.cart.is_empty() => self.buy(),
            5..7 => self.look_into_cart(),
            7..13 if !self.seen.is_empty() => {
                let item_id = self.choose();
                self.user.read("GetItem", json!({"item_id": item_id}));
            }
            _ => self.search(),
        }
    }

    fn search(&mut self) {
        let category = self.rng.u32(0..CATEGORIES);
        let search = json!({"category": category, "keywords": [KEYWORD], "limit": PAGE});
        let Some(page) = self.user.read("SearchItemsForSale", search) else { return };
        let ids = page["items"].as_array().expect("a page has them").iter().map(|item| &item["item_id"]);
        self.seen = ids.map(|id| id.as_str().expect("a text").to_owned()).collect();
    }

    fn choose(&mut self) -> String {
        self.seen[self.rng.usize(0..self.seen.len())].clone()
    }

    fn add(&mut self) {
        let (item_id, units) = (self.choose(), self.rng.u64(1..=UNITS_MAX));
        let line = json!({"session_id": self.session, "item_id": item_id, "quantity": units});
        match self.user.change("AddItemToCart", line) {
            Ok(reply) => {
                let held = self.cart.entry(item_id).or_default();
                *held += units;
                assert_eq!(reply["quantity"], *held, "{}: {reply}", self.name);
            }
            Err(Failure::Refused(code, _)) if code == "OUT_OF_STOCK" => {}
            Err(failure) => {
                pause("AddItemToCart", &failure);
                if failure.is_unknown() {
                    self.begin_anew(item_id, units);
                }
            }
        }
    }

    /// Takes another session, because in this one nobody knows whether these units come into the cart.
    fn begin_anew(&mut self, item_id: String, units: u64) {
        let found = self.user.find("DisplayCart", json!({"session_id": self.session}))["cart"].take();
        let with = |more: u64| {
            let mut cart = self.cart.clone();
            *cart.entry(item_id.clone()).or_default() += more;
            cart.retain(|_, units| *units > 0);
            json!(cart)
        };
        let name = &self.name;
        assert!(found == with(0) || found == with(units), "{name}: {found}, not {:?}", self.cart);
        let (login, _) = self.user.insist("Login", json!({"name": self.name, "password": PASSWORD}));
        self.session = login["session_id"].as_str().expect("a login has it").to_owned();
        self.cart.clear();
    }

    fn look_into_cart(&mut self) {
        let found = self.user.read("DisplayCart", json!({"session_id": self.session}));
        if let Some(found) = found {
            assert_eq!(found["cart"], json!(self.cart), "{}", self.name);
        }
    }

    /// Buys what is in the cart. Sellers bring what is sold out.
    fn buy(&mut self) {
        let purchase = json!({"session_id": self.session, "idempotency_key": self.begun.to_string()});
        self.begun += 1;
        let receipt = loop {
            match self.user.change("MakePurchase", &purchase) {
                Ok(receipt) => break receipt,
                Err(Failure::Refused(code, _)) if code == "OUT_OF_STOCK" => {}
                Err(failure) => pause("MakePurchase", &failure),
            }
        };
        let bought: BTreeMap<String, u64> = lines(&receipt).collect();
        assert_eq!(bought, self.cart, "{}: {receipt}", self.name);
        self.cart.clear();
        self.receipts.push(receipt);
    }

    /// Checks that its cart is what it was told, and that its history has its receipts, each once, and nothing else.
    pub(super) fn audit(&mut self, client: &mut Client) {
        let found = self.user.find("DisplayCart", json!({"session_id": self.session}));
        assert_eq!(found["cart"], json!(self.cart), "{}", self.name);
        assert_history(client, &self.session, self.receipts.iter());
    }
}

/// The items of a receipt, and how many units of each.
pub(super) fn lines(receipt: &Value) -> impl Iterator<Item = (String, u64)> {
    receipt["items"].as_array().expect("it has them").iter().map(|item| {
        let item_id = item["item_id"].as_str().expect("an ID").to_owned();
        (item_id, item["quantity"].as_u64().expect("units"))
    })
}
