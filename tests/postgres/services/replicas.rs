//! One of three replicas of a database is killed under load: nobody who may ask again notices.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use support::{Client, Postgres, log_in};

use super::{Fleet, migrated};

const CLIENTS: usize = 8;
/// Units of each item, more than are bought.
const UNITS: usize = 1_000_000;
/// For how long is measured, with and without kills.
const MEASURED: Duration = Duration::from_secs(2);
/// From one kill to the next.
const KILL_INTERVAL: Duration = Duration::from_millis(500);

/// A buyer.
struct Work {
    client: Client,
    session: String,
    item_id: String,
}

impl Work {
    /// Buys a unit under a key, and looks at what is left. What the database does for that may be done twice. Returns how
    /// long each call took.
    fn step(&mut self, number: usize) -> [Duration; 4] {
        let session_id = &self.session;
        let calls = [
            ("AddItemToCart", json!({"session_id": session_id, "item_id": self.item_id, "quantity": 1})),
            ("MakePurchase", json!({"session_id": session_id, "idempotency_key": number.to_string()})),
            ("GetItem", json!({"item_id": self.item_id})),
            ("SearchItemsForSale", json!({"category": 1, "keywords": ["pen"]})),
        ];
        calls.map(|(api, data)| {
            let start = Instant::now();
            self.client.ok(api, data);
            start.elapsed()
        })
    }
}

/// Lets all work while `disturb` runs. Each call must succeed; returns how long they took, the shortest first.
fn measure(works: &mut [Work], numbers: &AtomicUsize, disturb: impl FnOnce()) -> Vec<Duration> {
    let end = Instant::now() + MEASURED;
    let work = |work: &mut Work| {
        let mut took = Vec::new();
        while Instant::now() < end {
            took.extend(work.step(numbers.fetch_add(1, Ordering::Relaxed)));
        }
        took
    };
    let mut took: Vec<Duration> = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = works.iter_mut().map(|own| scope.spawn(move || work(own))).collect();
        disturb();
        threads.into_iter().flat_map(|thread| thread.join().expect("all calls succeed")).collect()
    });
    took.sort();
    took
}

#[test]
fn of_three_databases_on_an_engine_one_may_be_killed_and_no_idempotent_call_fails() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let mut fleet = Fleet::start(&migrated(&server), 3);
    let mut seller = fleet.client("server_seller");
    let selling = log_in(&mut seller, "sue");
    let open = |number| {
        let mut client = Client::new(fleet.addresses("server_buyer")[number % 3]);
        let session = log_in(&mut client, &format!("buyer {number}"));
        let item = json!({"session_id": selling, "name": "pen", "category": 1, "condition": "new", "price": 1, "quantity": UNITS});
        let item = seller.ok("RegisterItemForSale", item);
        Work { client, session, item_id: item["item_id"].as_str().expect("an ID").to_owned() }
    };
    let mut works: Vec<_> = (0..CLIENTS).map(open).collect();
    let numbers = AtomicUsize::new(1);
    let peace = measure(&mut works, &numbers, || ());
    let kills = measure(&mut works, &numbers, || {
        let products = fleet.services.iter_mut().filter(|service| service.name == "db_product");
        for product in products {
            product.kill();
            thread::sleep(KILL_INTERVAL / 2);
            product.restart();
            thread::sleep(KILL_INTERVAL / 2);
        }
    });
    let bought = numbers.into_inner() - 1;
    let sold = seller.ok("GetSellerRating", json!({"session_id": selling}))["items_sold"].clone();
    let left = server.sql("shop", "SELECT sum(quantity) FROM items");
    assert_eq!((sold, left), (bought.into(), (CLIENTS * UNITS - bought).to_string()));
    for (name, took) in [("in peace", peace), ("with kills", kills)] {
        let (median, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        let longest = took.last().expect("there were some");
        println!("{name}: {} calls, median {median:?}, p99 {p99:?}, longest {longest:?}", took.len());
    }
}
