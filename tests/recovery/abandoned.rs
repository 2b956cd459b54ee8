//! Purchases that nobody is left to end: their clients have gone, and the frontend that began them never comes back.
//! Another one ends them all, also those whose stock is taken.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use support::{Client, Service, request, wait_until};

use super::admin::Watched;
use super::{PROGRAM, log_in};

/// Purchases of each kind.
const PURCHASES: u64 = 100;
/// More units than are bought.
const STOCK: u64 = 1000;
/// A purchase that is left in the middle ends within so much time of the databases being there.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A buyer with a unit of the item in the cart.
struct Buyer {
    client: Client,
    session: String,
}

impl Buyer {
    fn open(server: SocketAddr, name: &str) -> Self {
        let mut client = Client::new(server);
        let session = log_in(&mut client, name);
        client.ok("AddItemToCart", json!({"session_id": session, "item_id": "1:1", "quantity": 1}));
        Self { client, session }
    }

    fn ask_to_buy(&mut self) {
        self.client.send(request("MakePurchase", json!({"session_id": self.session})));
    }
}

#[test]
fn purchases_that_everybody_has_left_are_ended_by_another_frontend() {
    let data = tempfile::tempdir().unwrap();
    let customer = Watched::start("db_customer", &Service::database_args("db_customer", data.path()));
    let mut product = PROGRAM.database("db_product", data.path());
    let addresses = (customer.address(), product.address);
    let frontend = || PROGRAM.frontend("server_buyer", addresses.0, addresses.1, &[]);
    let item = json!({"seller_id": 1, "name": "pen", "category": 1, "condition": "new", "price": 1, "quantity": STOCK});
    Client::new(product.address).ok("RegisterItem", item);
    Client::new(customer.address()).ok("CreateSeller", json!({"name": "sue", "password": "p"}));
    let unfinished = || customer.metrics()["marketplace_purchases_unfinished"] as u64;
    let stock =
        || Client::new(addresses.1).ok("GetItem", json!({"item_id": "1:1"}))["item"]["quantity"].clone();

    // Of the first ones the stock is taken, of the others it is not: their database is killed before.
    for (kind, is_taken) in [(1, true), (2, false)] {
        let mut first = Watched::frontend("server_buyer", addresses.0, addresses.1, &[]);
        let buyer = |n| Buyer::open(first.address(), &format!("buyer {kind}-{n}"));
        let mut buyers: Vec<_> = (0..PURCHASES).map(buyer).collect();
        if is_taken {
            product.process().signal(Signal::STOP);
        } else {
            product.kill();
        }
        buyers.iter_mut().for_each(Buyer::ask_to_buy);
        let taking = r#"marketplace_calls_in_flight{backend="product_writes"}"#;
        wait_until("all are begun", || first.metrics()[taking] as u64 == PURCHASES);
        first.kill();
        let sessions: Vec<_> = buyers.into_iter().map(|buyer| buyer.session).collect();
        if is_taken {
            // What has come to it goes on, though nobody hears of it.
            product.process().signal(Signal::CONT);
            wait_until("the stock is taken", || stock() == STOCK - PURCHASES);
        } else {
            product.restart();
        }
        assert_eq!(unfinished(), PURCHASES, "nobody ends them");

        let began_at = Instant::now();
        let second = frontend();
        wait_until("all have ended", || unfinished() == 0);
        let took = began_at.elapsed();
        println!("{PURCHASES} purchases ended {} ms after another frontend was started", took.as_millis());
        assert!(took < ENDS_WITHIN, "{took:?}");
        assert_eq!(stock(), STOCK - kind * PURCHASES);
        let rating = Client::new(customer.address()).ok("GetSellerRating", json!({"seller_id": 1}));
        assert_eq!(rating["items_sold"], kind * PURCHASES);
        let mut client = Client::new(second.address);
        for session in sessions {
            let own = json!({"session_id": session});
            assert_eq!(client.ok("GetBuyerPurchases", &own)["purchases_count"], 1);
            assert_eq!(client.ok("DisplayCart", &own)["cart"], json!({}));
        }
    }
}
