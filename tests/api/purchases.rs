//! Buying: all of a cart or nothing of it, once, whatever is asked again and whatever is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use services::Deadlines;
use support::{Act, Reply};

use crate::cluster::{Cluster, Server, Setup, User};
use crate::proxy::{pass, proxy};

/// A purchase that is left in the middle ends within so much time of the databases being there.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// A shop with items 1:1, 1:2 … of these stocks at 9.99, and a buyer.
fn shop(cluster: &Cluster, stocks: &[u32]) -> (User, User) {
    let mut seller = cluster.new_seller("sue");
    for (n, stock) in (1..).zip(stocks) {
        seller.sell(1, &format!("pen {n}"), &[], *stock);
    }
    (seller, cluster.new_buyer("bob"))
}

fn add(buyer: &mut User, item: &str, units: u32) {
    buyer.ok("AddItemToCart", json!({"item_id": item, "quantity": units}));
}

fn with_key(key: &str) -> Value {
    json!({"idempotency_key": key})
}

fn cart(buyer: &mut User) -> Value {
    buyer.ok("DisplayCart", json!({}))["cart"].clone()
}

fn history(buyer: &mut User) -> Vec<Value> {
    buyer.ok("GetBuyerPurchases", json!({}))["purchases"].as_array().unwrap().clone()
}

fn stock(buyer: &mut User, item: &str) -> u64 {
    buyer.ok("GetItem", json!({"item_id": item}))["item"]["quantity"].as_u64().unwrap()
}

fn sold(seller: &mut User) -> u64 {
    seller.ok("GetSellerRating", json!({}))["items_sold"].as_u64().unwrap()
}

#[test]
fn a_cart_is_bought_and_leaves_its_marks_everywhere() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = shop(&cluster, &[5, 2]);
    add(&mut buyer, "1:2", 2);
    add(&mut buyer, "1:1", 3);
    let receipt = buyer.ok_text("MakePurchase", json!({}));
    let bought = r#"[{"item_id":"1:1","name":"pen 1","quantity":3,"price":9.99},{"item_id":"1:2","name":"pen 2","quantity":2,"price":9.99}]"#;
    let expected = format!(r#","items":{bought},"total":49.95}}"#);
    assert!(receipt.starts_with(r#"{"purchase_id":""#) && receipt.ends_with(&expected), "{receipt}");
    assert_eq!(cart(&mut buyer), json!({}));
    assert_eq!((stock(&mut buyer, "1:1"), stock(&mut buyer, "1:2"), sold(&mut seller)), (2, 0, 5));
    let receipt: Value = serde_json::from_str(&receipt).unwrap();
    let [mut purchase] = history(&mut buyer).try_into().unwrap();
    assert!(purchase.as_object_mut().unwrap().remove("at").unwrap().as_u64() > Some(1_600_000_000_000));
    assert_eq!(purchase, receipt);

    let cluster = cluster.restart();
    buyer.client = cluster.buyer.client();
    assert_eq!((stock(&mut buyer, "1:1"), history(&mut buyer).len()), (2, 1));
}

#[test]
fn a_key_has_bounds() {
    let cluster = Cluster::start();
    let (_, mut buyer) = shop(&cluster, &[500]);
    for key in [json!(""), json!("k".repeat(65)), json!("é".repeat(65)), json!(7), json!(["k"]), json!(true)]
    {
        let message = buyer.refused("MakePurchase", json!({"idempotency_key": key}), "INVALID_ARGUMENT");
        assert!(message.contains("`idempotency_key`") && message.contains("1 to 64"), "{message}");
    }
    for key in [json!("k"), json!("k".repeat(64)), json!("é".repeat(64)), json!(" \u{0}\n"), json!(null)] {
        add(&mut buyer, "1:1", 1);
        buyer.ok("MakePurchase", json!({"idempotency_key": key}));
    }
}

#[test]
fn nothing_is_bought_with_an_empty_cart_or_without_a_session() {
    let cluster = Cluster::start();
    let (seller, mut buyer) = shop(&cluster, &[5]);
    for data in [json!({}), with_key("k")] {
        buyer.refused("MakePurchase", data, "FAILED_PRECONDITION");
    }
    buyer.client.refused("MakePurchase", json!({}), "NOT_LOGGED_IN");
    buyer.client.refused("MakePurchase", json!({"session_id": seller.session}), "NOT_LOGGED_IN");
    add(&mut buyer, "1:1", 1);
    buyer.ok("MakePurchase", with_key("k"));
}

#[test]
fn a_refusal_names_each_item_that_is_short_and_changes_nothing() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = shop(&cluster, &[5, 5, 5]);
    for item in ["1:1", "1:2", "1:3"] {
        add(&mut buyer, item, 4);
    }
    for (item, taken) in [("1:1", -4), ("1:3", -5)] {
        seller.ok("UpdateUnitsForSale", json!({"item_id": item, "quantity_delta": taken}));
    }
    let short = "1 unit of 1:1 is for sale, fewer than 4; 0 units of 1:3 are for sale, fewer than 4";
    for data in [json!({}), with_key("k")] {
        assert_eq!(buyer.refused("MakePurchase", data, "OUT_OF_STOCK"), short);
    }
    assert_eq!(cart(&mut buyer), json!({"1:1": 4, "1:2": 4, "1:3": 4}));
    assert_eq!((stock(&mut buyer, "1:2"), sold(&mut seller), history(&mut buyer).len()), (5, 0, 0));

    for (item, added) in [("1:1", 3), ("1:3", 4)] {
        seller.ok("UpdateUnitsForSale", json!({"item_id": item, "quantity_delta": added}));
    }
    buyer.ok("MakePurchase", with_key("k"));
    assert_eq!((stock(&mut buyer, "1:1"), sold(&mut seller)), (0, 12));
}

#[test]
fn the_same_key_is_the_same_purchase_byte_for_byte() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = shop(&cluster, &[5, 5]);
    add(&mut buyer, "1:1", 2);
    let first = buyer.ok_text("MakePurchase", with_key("k"));
    add(&mut buyer, "1:2", 1);
    seller.ok("ChangeItemPrice", json!({"item_id": "1:1", "price": 1}));
    assert_eq!(buyer.ok_text("MakePurchase", with_key("k")), first, "with another cart");
    assert_eq!(cart(&mut buyer), json!({"1:2": 1}));

    let cluster = cluster.restart();
    buyer.client = cluster.buyer.client();
    buyer.session = User::log_in(&mut buyer.client, "bob");
    assert_eq!(buyer.ok_text("MakePurchase", with_key("k")), first, "from another session, after a restart");
    assert_eq!(history(&mut buyer).len(), 1);

    let mut other = cluster.new_buyer("eve");
    other.refused("MakePurchase", with_key("k"), "FAILED_PRECONDITION");
    add(&mut other, "1:1", 1);
    assert_ne!(other.ok_text("MakePurchase", with_key("k")), first, "it belongs to the buyer");
}

#[test]
fn requests_under_one_key_at_the_same_time_buy_once() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = shop(&cluster, &[50]);
    add(&mut buyer, "1:1", 2);
    let mut clients: Vec<_> = (0..8).map(|_| cluster.buyer.client()).collect();
    let data = json!({"session_id": buyer.session, "idempotency_key": "k"});
    for client in &mut clients {
        client.send(json!({"request_id": 1, "api": "MakePurchase", "data": data}).to_string());
    }
    let receipts: Vec<_> =
        clients.iter_mut().map(|client| Reply::new(client.read_line(), "1").data()).collect();
    assert!(receipts.iter().all(|receipt| *receipt == receipts[0]), "{receipts:#?}");
    assert_eq!((stock(&mut buyer, "1:1"), sold(&mut seller), history(&mut buyer).len()), (48, 2, 1));
}

#[test]
fn units_are_never_sold_twice() {
    let cluster = Cluster::start();
    let (mut seller, _) = shop(&cluster, &[10]);
    let mut buyers: Vec<_> = (0..8).map(|n| cluster.new_buyer(&format!("buyer {n}"))).collect();
    for buyer in &mut buyers {
        add(buyer, "1:1", 3);
    }
    for buyer in &mut buyers {
        let data = json!({"session_id": buyer.session});
        buyer.client.send(json!({"request_id": 1, "api": "MakePurchase", "data": data}).to_string());
    }
    let mut made = 0;
    for buyer in &mut buyers {
        let line = buyer.client.read_line();
        if line.contains(r#""ok":true"#) {
            made += 1;
        } else {
            let message = Reply::new(line, "1").refused_with("OUT_OF_STOCK", "MakePurchase");
            assert!(message.ends_with("of 1:1 is for sale, fewer than 3") || message.contains("units"));
        }
    }
    assert_eq!((made, stock(&mut buyers[0], "1:1"), sold(&mut seller)), (3, 1, 9));
}

#[test]
fn totals_are_exact_beyond_what_a_double_holds() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.new_buyer("bob"));
    for (price, n) in [(json!(999_999_999.99), 1), (json!(0.01), 2)] {
        let item = json!({"name": "gold", "category": 1, "condition": "new", "price": price, "quantity": 1_000_000_000});
        seller.ok("RegisterItemForSale", item);
        add(&mut buyer, &format!("1:{n}"), 1_000_000_000 - n + 1);
    }
    let receipt = buyer.ok_text("MakePurchase", json!({}));
    // 10^9 × 999999999.99, and 999999999 × 0.01.
    assert!(receipt.ends_with(r#""total":999999999999999999.99}"#), "{receipt}");
    let purchases = buyer.ok_text("GetBuyerPurchases", json!({}));
    assert!(purchases.contains(r#""total":999999999999999999.99}"#), "{purchases}");
}

#[test]
fn a_history_lists_the_newest_first_in_pages() {
    let cluster = Cluster::start();
    let (_, mut buyer) = shop(&cluster, &[50]);
    let mut ids: Vec<Value> = (1..=5)
        .map(|units| {
            add(&mut buyer, "1:1", units);
            buyer.ok("MakePurchase", json!({}))["purchase_id"].clone()
        })
        .collect();
    ids.reverse();
    let mut listed = Vec::new();
    let mut cursor = Value::Null;
    for left in [2, 2, 1] {
        let page = buyer.ok("GetBuyerPurchases", json!({"limit": 2, "cursor": cursor}));
        assert_eq!((&page["buyer_id"], &page["purchases_count"]), (&json!(buyer.id), &json!(5)));
        let purchases = page["purchases"].as_array().unwrap();
        assert_eq!(purchases.len(), left);
        listed.extend(purchases.iter().map(|purchase| purchase["purchase_id"].clone()));
        cursor = page["next_cursor"].clone();
    }
    assert_eq!((listed, cursor), (ids, Value::Null));
}

/// Between the frontend and its databases, replies to calls of an API get lost, until the frontend has no patience left.
/// Returns what the buyer is told, and checks that the purchase ends by itself, as one that was made.
#[track_caller]
fn lose_reply(api: &'static str) -> String {
    let cluster = Cluster::with(Setup::default());
    let (mut seller, mut buyer) = shop(&cluster, &[5]);
    add(&mut buyer, "1:1", 2);
    let is_lossy = Arc::new(AtomicBool::new(true));
    let lossy = |address| {
        let is_lossy = Arc::clone(&is_lossy);
        proxy(address, move |called, reply| {
            if called == api && is_lossy.load(Ordering::Relaxed) { Act::Close } else { pass(reply) }
        })
    };
    let (customer, product) = (lossy(cluster.customer.address), lossy(cluster.product.address));
    let deadlines = Deadlines::new(Duration::from_millis(300));
    let frontend = Server::buyer(customer.address, product.address, &Setup { deadlines, ..Setup::default() });
    buyer.client = frontend.client();
    let message = buyer.refused("MakePurchase", with_key("k"), "UNAVAILABLE");
    is_lossy.store(false, Ordering::Relaxed);
    let lost_at = Instant::now();
    while (history(&mut buyer).len(), stock(&mut buyer, "1:1"), sold(&mut seller)) != (1, 3, 2) {
        assert!(lost_at.elapsed() < ENDS_WITHIN, "{api}: it does not end");
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(cart(&mut buyer), json!({}));
    buyer.ok("MakePurchase", with_key("k"));
    assert_eq!(stock(&mut buyer, "1:1"), 3, "it is bought once");
    message
}

#[test]
fn a_purchase_that_is_lost_in_the_middle_ends_by_itself() {
    assert_eq!(lose_reply("BeginPurchase"), "db_customer did not answer; the change may have been made");
    for (api, database) in [("TakeStock", "db_product"), ("FinishPurchase", "db_customer")] {
        let expected = format!("{database} did not answer; the purchase is under way and ends by itself: ");
        let message = lose_reply(api);
        assert!(message.starts_with(&expected), "{message}");
    }
}
