//! Shopping while frontends are killed: every order is bought once.

use std::sync::mpsc::channel;
use std::thread;

use serde_json::{Value, json};
use support::{Client, PASSWORD, PATIENCE, Service, assert_history, log_in};

use crate::PROGRAM;
use crate::language::Language;

/// How many orders a client buys, and after how many a frontend is killed.
const ORDERS: u64 = 30;
const KILL_AFTER: u64 = 5;
const STOCK: u64 = 1000;

#[test]
fn each_order_is_bought_once_whichever_frontend_is_killed() {
    for language in Language::all() {
        shop_while_frontends_are_killed(language);
    }
}

fn shop_while_frontends_are_killed(language: Language) {
    let mut marketplace = PROGRAM.marketplace(&[]);
    let databases = (marketplace.db_customer.address, marketplace.db_product.address);
    let mut other = PROGRAM.frontend("server_buyer", databases.0, databases.1, &[]);
    let item = put_up_for_sale(marketplace.server_seller.address);
    let addresses = [&marketplace.server_buyer, &other].map(|service| service.address.to_string());
    let mut reader = Client::new(marketplace.server_buyer.address);
    let session = log_in(&mut reader, "ann");

    let (bought_in, bought) = channel();
    let receipts = thread::scope(|scope| {
        let shopper = scope.spawn(|| {
            let mut client = language.client(&addresses, true);
            client.log_in("ann", PASSWORD).unwrap();
            let mut receipts: Vec<Value> = Vec::new();
            for order in 0..ORDERS {
                client.put_into_cart(&item, 1).unwrap();
                let key = json!({"idempotency_key": format!("order-{order}")});
                receipts.push(client.call("MakePurchase", key).unwrap());
                bought_in.send(()).unwrap();
            }
            receipts
        });
        let mut frontends = [&mut marketplace.server_buyer, &mut other];
        for kill in 0..ORDERS / KILL_AFTER {
            for _ in 0..KILL_AFTER {
                bought.recv_timeout(PATIENCE).expect("the next order is bought");
            }
            match kill % 3 {
                2 => frontends.iter_mut().for_each(|frontend| frontend.kill()),
                one => frontends[one as usize].kill(),
            }
            frontends.iter_mut().for_each(revive);
        }
        shopper.join().unwrap()
    });

    assert_eq!(receipts.len(), ORDERS as usize, "{language:?}");
    assert_history(&mut reader, &session, receipts.iter());
    let left = reader.ok("GetItem", json!({"item_id": item}))["item"]["quantity"].as_u64();
    assert_eq!(left, Some(STOCK - ORDERS), "{language:?}");
}

/// Starts a frontend again, if it was killed.
fn revive(frontend: &mut &mut Service) {
    if !frontend.process().is_running() {
        frontend.restart();
    }
}

fn put_up_for_sale(address: std::net::SocketAddr) -> Value {
    let mut seller = Client::new(address);
    let session = log_in(&mut seller, "sue");
    let item = json!({"session_id": session, "name": "Tea", "category": 1, "condition": "new", "price": 4.25,
        "quantity": STOCK});
    seller.ok("RegisterItemForSale", item)["item_id"].clone()
}
