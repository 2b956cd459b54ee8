//! More buyers than there are units, while services are killed: every unit is sold, and none twice.
//!
//! A hundred rounds, and a table of what came of them:
//! `RACE_ROUNDS=100 cargo test --release --test recovery race -- --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use support::{Client, Failure, POLL, assert_history};

use super::{PROGRAM, log_in};

const BUYERS: usize = 50;
/// Units of each of the two items of a round.
const UNITS: u64 = 10;
/// Rounds, unless `RACE_ROUNDS` says otherwise.
const ROUNDS: u32 = 3;

struct Buyer {
    client: Client,
    session: String,
    /// All receipts, by key.
    receipts: BTreeMap<String, Value>,
    /// Calls that have failed, without or with a reply.
    failures: u64,
}

impl Buyer {
    fn open(address: SocketAddr, name: &str) -> Self {
        let mut client = Client::new(address);
        let session = log_in(&mut client, name);
        Self { client, session, receipts: BTreeMap::new(), failures: 0 }
    }

    /// Puts a unit of each of these into an empty cart.
    fn fill(&mut self, items: &[String]) {
        // The frontend may have been killed since the last call.
        self.client.insist("ClearCart", json!({"session_id": self.session}), |_| ());
        for item_id in items {
            let line = json!({"session_id": self.session, "item_id": item_id, "quantity": 1});
            self.client.ok("AddItemToCart", line);
        }
    }

    /// Buys, until it is said that that is done or cannot be.
    fn buy(&mut self, key: String) {
        let request = json!({"session_id": self.session, "idempotency_key": key});
        loop {
            match self.client.call("MakePurchase", &request) {
                Ok(receipt) => return drop(self.receipts.insert(key, receipt)),
                Err(Failure::Refused(code, _)) if code == "OUT_OF_STOCK" => return,
                Err(failure) => {
                    assert!(failure.is_outage(), "{key}: {failure}");
                    self.failures += 1;
                    thread::sleep(POLL);
                }
            }
        }
    }

    /// Units of an item that were bought.
    fn units(&self, item_id: &str) -> u64 {
        let items =
            self.receipts.values().flat_map(|receipt| receipt["items"].as_array().expect("it has them"));
        items
            .filter(|item| item["item_id"] == item_id)
            .map(|item| item["quantity"].as_u64().expect("units"))
            .sum()
    }

    /// Checks that the history has what there are receipts of, and nothing else.
    fn audit(&mut self) {
        assert_history(&mut self.client, &self.session, self.receipts.values());
    }
}

#[test]
fn in_a_race_for_the_last_units_all_are_sold_and_none_twice() {
    let rounds = match std::env::var("RACE_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("RACE_ROUNDS is a number"),
        Err(_) => ROUNDS,
    };
    let mut marketplace = PROGRAM.marketplace(&[]);
    let addresses = marketplace.addresses();
    let mut seller = Client::new(addresses.seller);
    let selling = log_in(&mut seller, "sue");
    let mut buyers: Vec<_> =
        (0..BUYERS).map(|n| Buyer::open(addresses.buyer, &format!("buyer {n}"))).collect();
    let mut rng = Rng::with_seed(1);
    let mut kills = BTreeMap::new();
    for round in 0..rounds {
        let items = [(); 2].map(|()| {
            let item = json!({"session_id": selling, "name": "pen", "category": 1, "condition": "new", "price": 0.5, "quantity": UNITS});
            seller.insist("RegisterItemForSale", item, |_| ())["item_id"].as_str().expect("an ID").to_owned()
        });
        // Some want the one, some the other, and some both or nothing.
        for (n, buyer) in buyers.iter_mut().enumerate() {
            buyer.fill([&items[..1], &items[1..], &items[..]][n % 3]);
        }
        thread::scope(|scope| {
            for buyer in &mut buyers {
                scope.spawn(|| buyer.buy(format!("round {round}")));
            }
            for _ in 0..rng.u32(1..=2) {
                let service = &mut *marketplace.services()[rng.usize(0..3)];
                thread::sleep(Duration::from_millis(rng.u64(0..10)));
                service.kill();
                thread::sleep(Duration::from_millis(rng.u64(0..50)));
                service.restart();
                *kills.entry(service.name).or_insert(0) += 1;
            }
        });
        for item_id in &items {
            let sold: u64 = buyers.iter().map(|buyer| buyer.units(item_id)).sum();
            assert_eq!(sold, UNITS, "round {round}: {item_id}");
            let left = Client::new(addresses.buyer).insist("GetItem", json!({"item_id": item_id}), |_| ());
            assert_eq!(left["item"]["quantity"], 0, "round {round}: {item_id}");
        }
    }
    let receipts = || buyers.iter().flat_map(|buyer| buyer.receipts.values());
    let ids: BTreeSet<_> = receipts().map(|receipt| receipt["purchase_id"].to_string()).collect();
    let made = receipts().count();
    assert_eq!(ids.len(), made, "no purchase has two receipts");
    let rating = seller.insist("GetSellerRating", json!({"session_id": selling}), |_| ());
    assert_eq!(rating["items_sold"], 2 * UNITS * u64::from(rounds));
    let failures: u64 = buyers.iter().map(|buyer| buyer.failures).sum();
    buyers.iter_mut().for_each(Buyer::audit);
    println!(
        "{rounds} rounds of {BUYERS} buyers for {UNITS} units of two items: {made} purchases made, {} refused, \
         {failures} calls that failed, kills {kills:?}",
        BUYERS * rounds as usize - made
    );
}
