//! Purchases whose frontend or database is killed in the middle: each of them ends by itself, and each is made once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use serde_json::{Value, json};
use support::{Client, Failure, POLL};

use super::{PASSWORD, PROGRAM};

const BUYERS: usize = 6;
const KILLS: usize = 3;
/// Units for sale of each of two items: more than are bought.
const STOCK: u64 = 1_000_000;
/// What each purchase is of: units of the first item and of the second.
const UNITS: [u64; 2] = [2, 1];
/// A purchase that is left in the middle ends within so much time of the databases being there.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// So many lower bits of the ID of a purchase do not tell when it was begun.
const BITS_WITHIN_MS: u32 = 20;

/// A buyer whose sessions each begin with the same saved cart, and buy it.
struct Buyer {
    client: Client,
    name: String,
    purchases: Vec<Purchase>,
}

/// A purchase that was asked for once.
struct Purchase {
    session: String,
    key: String,
    /// `None`: the reply was lost.
    receipt: Option<Value>,
}

impl Buyer {
    fn open(address: SocketAddr, name: String) -> Buyer {
        let mut client = Client::new(address);
        let session = super::log_in(&mut client, &name);
        for (n, units) in (1..).zip(UNITS) {
            let line = json!({"session_id": session, "item_id": format!("1:{n}"), "quantity": units});
            client.ok("AddItemToCart", line);
        }
        client.ok("SaveCart", json!({"session_id": session}));
        Buyer { client, name, purchases: Vec::new() }
    }

    /// Buys in a new session. What is lost is not asked for again.
    fn step(&mut self) {
        let login = json!({"username": self.name, "password": PASSWORD});
        let login = self.client.insist("Login", login, |_| ());
        let session = login["session_id"].as_str().expect("a login has it").to_owned();
        let key = format!("purchase {}", self.purchases.len());
        let receipt = match self.buy(&session, &key) {
            Ok(receipt) => Some(receipt),
            Err(failure) => {
                assert!(failure.is_outage(), "{key}: {failure}");
                thread::sleep(POLL);
                None
            }
        };
        self.purchases.push(Purchase { session, key, receipt });
    }

    fn buy(&mut self, session: &str, key: &str) -> Result<Value, Failure> {
        self.client.call("MakePurchase", json!({"session_id": session, "idempotency_key": key}))
    }

    /// All purchases of the history by their IDs, without the times.
    fn history(&mut self) -> BTreeMap<String, Value> {
        let session = &self.purchases[0].session;
        let (mut history, mut cursor) = (BTreeMap::new(), Value::Null);
        loop {
            let page = json!({"session_id": session, "limit": 1000, "cursor": cursor});
            let page = self.client.ok("GetBuyerPurchases", page);
            for purchase in page["purchases"].as_array().expect("a page has them") {
                let mut purchase = purchase.clone();
                purchase.as_object_mut().expect("it is one").remove("at");
                let id = purchase["purchase_id"].as_str().expect("it has one").to_owned();
                assert!(history.insert(id, purchase).is_none(), "it is listed once");
            }
            cursor = page["next_cursor"].clone();
            if cursor.is_null() {
                return history;
            }
        }
    }

    /// Checks that no purchase is left in the middle, and that each is made once. Returns how many there are, and how many
    /// of them were lost.
    fn audit(mut self) -> (usize, usize) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is past 1970");
        let ended = self.history();
        let mut receipts = BTreeMap::new();
        let mut lost = 0;
        for Purchase { session, key, receipt } in std::mem::take(&mut self.purchases) {
            lost += usize::from(receipt.is_none());
            let again = self.buy(&session, &key).expect("the services are there");
            assert!(receipt.is_none_or(|receipt| receipt == again), "{key} has another receipt");
            let id = again["purchase_id"].as_str().expect("it has one").to_owned();
            let begun_at = Duration::from_millis(id.parse::<u64>().expect("a number") >> BITS_WITHIN_MS);
            // What was never begun is bought only now.
            assert!(ended.contains_key(&id) || begun_at >= now, "{key} was begun and did not end by itself");
            assert!(receipts.insert(id, again).is_none(), "{key} is the purchase of another key");
            self.purchases.push(Purchase { session, key, receipt: None });
        }
        assert_eq!(self.history(), receipts);
        (receipts.len(), lost)
    }
}

#[test]
fn purchases_end_by_themselves_and_are_made_once_whoever_is_killed_in_the_middle() {
    let mut marketplace = PROGRAM.marketplace(&[]);
    let addresses = marketplace.addresses();
    let mut seller = Client::new(addresses.seller);
    let selling = super::log_in(&mut seller, "sue");
    for _ in UNITS {
        let item = json!({"session_id": selling, "name": "pen", "category": 1, "condition": "new", "price": 0.5, "quantity": STOCK});
        seller.ok("RegisterItemForSale", item);
    }
    let mut buyers: Vec<_> =
        (0..BUYERS).map(|n| Buyer::open(addresses.buyer, format!("buyer {n}"))).collect();
    let stop = AtomicBool::new(false);
    let mut rng = Rng::with_seed(1);
    thread::scope(|scope| {
        for buyer in &mut buyers {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    buyer.step();
                }
            });
        }
        for _ in 0..KILLS {
            for place in 0..3 {
                let service = &mut *marketplace.services()[place];
                thread::sleep(Duration::from_millis(rng.u64(100..400)));
                service.kill();
                thread::sleep(Duration::from_millis(rng.u64(..100)));
                service.restart();
            }
        }
        // The last ones to be killed have nobody who asks after them either.
        stop.store(true, Ordering::Relaxed);
    });
    thread::sleep(ENDS_WITHIN);

    let (mut made, mut lost) = (0, 0);
    for buyer in buyers {
        let (of_buyer, of_these_lost) = buyer.audit();
        made += of_buyer as u64;
        lost += of_these_lost;
    }
    println!("{made} purchases, {lost} of which were lost");
    assert!(lost > 0, "nobody was killed in the middle of anything");
    let rating = seller.insist("GetSellerRating", json!({"session_id": selling}), |_| ());
    assert_eq!(rating["items_sold"], made * UNITS.iter().sum::<u64>());
    for (n, units) in (1..).zip(UNITS) {
        let item = Client::new(addresses.buyer).ok("GetItem", json!({"item_id": format!("1:{n}")}));
        assert_eq!(item["item"]["quantity"], STOCK - made * units, "1:{n}");
    }
}
