//! More buyers than there are units, on two replicas of each service and at SERIALIZABLE, while a service is killed each
//! second: every unit is sold, and none twice.
//!
//! A hundred rounds: `ENGINE_RACE_ROUNDS=100 cargo test --release --test postgres race -- --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::{Value, json};
use support::{
    Client, Failure, PASSWORD, POLL, Postgres, Service, StopAtEnd, assert_history, log_in, wait_until,
};

use super::{Fleet, migrated, pause};

const BUYERS: usize = 50;
/// Units of the item of a round.
const UNITS: u64 = 10;
/// Rounds, unless `ENGINE_RACE_ROUNDS` says otherwise.
const ROUNDS: u32 = 8;
/// From one kill to the next.
const KILL_INTERVAL: Duration = Duration::from_secs(1);
/// How long whoever is killed stays away, at most.
const AWAY_MS_MAX: u64 = 100;

struct Buyer {
    name: String,
    client: Client,
    session: String,
    /// All receipts, by key.
    receipts: BTreeMap<String, Value>,
    /// Calls that have failed for want of a service.
    failures: u64,
}

impl Buyer {
    /// Puts a unit of this into the cart of a new session; two or more where one that was given up comes late, which the
    /// contract lets it. So may the begin of a purchase, which then finds what was in the cart of its own round.
    fn fill(&mut self, item_id: &str) {
        let login = json!({"name": self.name, "password": PASSWORD});
        self.session = loop {
            match self.client.call("Login", &login) {
                Ok(data) => break data["session_id"].as_str().expect("a login has it").to_owned(),
                Err(failure) => pause("Login", &failure),
            }
        };
        let line = json!({"session_id": self.session, "item_id": item_id, "quantity": 1});
        loop {
            match self.client.call("AddItemToCart", &line) {
                Ok(_) => return,
                Err(failure) => pause("AddItemToCart", &failure),
            }
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
                    self.failures += 1;
                    pause("MakePurchase", &failure);
                }
            }
        }
    }

    /// Units that were bought under a key.
    fn units(&self, key: &str) -> u64 {
        let Some(receipt) = self.receipts.get(key) else { return 0 };
        let [item] = &receipt["items"].as_array().expect("it has them")[..] else { panic!("{receipt}") };
        item["quantity"].as_u64().expect("units")
    }

    /// Checks that the history has what there are receipts of, and nothing else.
    fn audit(&mut self) {
        assert_history(&mut self.client, &self.session, self.receipts.values());
    }
}

/// Kills a service at a time, now and then, until it is told to stop; returns how often which.
fn kill(services: &mut [Service], stop: &AtomicBool) -> BTreeMap<&'static str, u32> {
    let (mut rng, mut kills) = (Rng::with_seed(1), BTreeMap::new());
    while !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        let service = &mut services[rng.usize(0..services.len())];
        service.kill();
        thread::sleep(Duration::from_millis(rng.u64(0..AWAY_MS_MAX)));
        service.restart();
        *kills.entry(service.name).or_insert(0) += 1;
        while start.elapsed() < KILL_INTERVAL && !stop.load(Ordering::Relaxed) {
            thread::sleep(POLL);
        }
    }
    kills
}

/// Has all of them buy at a time; returns the item.
fn round(number: u32, seller: &mut Client, selling: &str, buyers: &mut [Buyer]) -> String {
    let item = json!({"session_id": selling, "name": "pen", "category": 1, "condition": "new", "price": 0.5, "quantity": UNITS});
    let item = seller.insist("RegisterItemForSale", item, |_| ());
    let item_id = item["item_id"].as_str().expect("an ID");
    let mut run = |act: fn(&mut Buyer, &str, u32)| {
        thread::scope(|scope| {
            buyers.iter_mut().for_each(|buyer| drop(scope.spawn(move || act(buyer, item_id, number))));
        });
    };
    run(|buyer, item_id, _| buyer.fill(item_id));
    run(|buyer, _, number| buyer.buy(format!("round {number}")));
    let key = format!("round {number}");
    let bought: u64 = buyers.iter().map(|buyer| buyer.units(&key)).sum();
    assert_eq!(bought, UNITS, "round {number}: {item_id}");
    let left = buyers[0].client.insist("GetItem", json!({"item_id": item_id}), |_| ());
    assert_eq!(left["item"]["quantity"], 0, "round {number}: {item_id}");
    item_id.to_owned()
}

/// A seller with a session, and buyers.
fn users(fleet: &Fleet) -> (Client, String, Vec<Buyer>) {
    let mut seller = fleet.client("server_seller");
    let selling = log_in(&mut seller, "sue");
    let open = |number| {
        let (mut client, name) = (fleet.client("server_buyer"), format!("buyer {number}"));
        let session = log_in(&mut client, &name);
        Buyer { name, client, session, receipts: BTreeMap::new(), failures: 0 }
    };
    (seller, selling, (0..BUYERS).map(open).collect())
}

#[test]
fn purchases_of_the_same_item_and_seller_do_not_wait_for_each_other_in_circles() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let fleet = Fleet::start(&migrated(&server), 1);
    let (mut seller, selling, mut buyers) = users(&fleet);
    for number in 0..3 {
        round(number, &mut seller, &selling, &mut buyers);
    }
    // A server process tells what it has counted when it ends.
    drop(fleet);
    let processes =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' AND pid <> pg_backend_pid()";
    wait_until("the end of all connections", || server.sql("shop", processes) == "0");
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = 'shop'";
    assert_eq!(server.sql("shop", deadlocks), "0");
}

#[test]
fn in_a_race_over_replicas_for_the_last_units_all_are_sold_and_none_twice() {
    let rounds =
        std::env::var("ENGINE_RACE_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let Some(server) = Postgres::start("trust", &["default_transaction_isolation=serializable"]) else {
        return;
    };
    let mut fleet = Fleet::start(&migrated(&server), 2);
    let (mut seller, selling, mut buyers) = users(&fleet);
    let stop = AtomicBool::new(false);
    let kills = thread::scope(|scope| {
        let killer = scope.spawn(|| kill(&mut fleet.services, &stop));
        let _stop_at_end = StopAtEnd(&stop);
        for number in 0..rounds {
            round(number, &mut seller, &selling, &mut buyers);
        }
        stop.store(true, Ordering::Relaxed);
        killer.join().expect("services start again")
    });
    buyers.iter_mut().for_each(Buyer::audit);
    let receipts = || buyers.iter().flat_map(|buyer| buyer.receipts.values());
    let ids: BTreeSet<_> = receipts().map(|receipt| receipt["purchase_id"].to_string()).collect();
    let made = receipts().count();
    assert_eq!(ids.len(), made, "no purchase has two receipts");
    let rating = seller.insist("GetSellerRating", json!({"session_id": selling}), |_| ());
    assert_eq!(rating["items_sold"], UNITS * u64::from(rounds));
    // Whoever is killed leaves purchases behind, which others bring to their end.
    wait_until("the end of all purchases", || {
        server.sql("shop", "SELECT count(*) FROM purchases_begun") == "0"
    });
    assert_eq!(server.sql("shop", "SELECT count(*) FROM purchases"), made.to_string());
    let failures: u64 = buyers.iter().map(|buyer| buyer.failures).sum();
    println!(
        "{rounds} rounds of {BUYERS} buyers for {UNITS} units: {made} purchases made, {failures} calls failed, kills {kills:?}"
    );
}
