//! Carts: one a session, and a saved one a buyer.

use serde_json::json;

use crate::cluster::{Cluster, User};

/// A seller's `quantities` of pens as items `1:1`, `1:2` and so on, and a buyer.
fn shop(cluster: &Cluster, quantities: &[u32]) -> (User, User) {
    let mut seller = cluster.new_seller("sue");
    for quantity in quantities {
        seller.sell(1, "Pen", &[], *quantity);
    }
    (seller, cluster.new_buyer("bob"))
}

fn line(item: &str, quantity: u32) -> serde_json::Value {
    json!({"item_id": item, "quantity": quantity})
}

#[track_caller]
fn assert_cart(buyer: &mut User, cart: &str) {
    assert_eq!(buyer.ok_text("DisplayCart", json!({})), format!(r#"{{"cart":{cart}}}"#));
}

#[test]
fn units_go_into_the_cart_and_out() {
    let cluster = Cluster::start();
    let (_, mut buyer) = shop(&cluster, &[5, 5]);
    assert_cart(&mut buyer, "{}");
    assert_eq!(buyer.ok_text("AddItemToCart", line("1:2", 2)), r#"{"item_id":"1:2","quantity":2}"#);
    assert_eq!(buyer.ok_text("AddItemToCart", line("1:2", 3)), r#"{"item_id":"1:2","quantity":5}"#);
    assert_eq!(buyer.ok_text("AddItemToCart", line("1:1", 1)), r#"{"item_id":"1:1","quantity":1}"#);
    assert_cart(&mut buyer, r#"{"1:1":1,"1:2":5}"#);
    assert_eq!(buyer.ok_text("RemoveItemFromCart", line("1:2", 4)), r#"{"item_id":"1:2","quantity":1}"#);
    let message = buyer.refused("RemoveItemFromCart", line("1:2", 2), "INVALID_ARGUMENT");
    assert!(message.contains("`quantity`") && message.contains("at most 1"), "{message}");
    assert_eq!(buyer.ok_text("RemoveItemFromCart", line("1:2", 1)), r#"{"item_id":"1:2","quantity":0}"#);
    assert_cart(&mut buyer, r#"{"1:1":1}"#);
    buyer.refused("RemoveItemFromCart", line("1:2", 1), "NOT_FOUND");
    buyer.refused("RemoveItemFromCart", line("9:9", 1), "NOT_FOUND");
    assert_eq!(buyer.ok_text("ClearCart", json!({})), r#"{"cleared":true}"#);
    assert_cart(&mut buyer, "{}");
    assert_eq!(buyer.ok_text("ClearCart", json!({})), r#"{"cleared":true}"#);
}

#[test]
fn the_cart_takes_what_is_in_stock_and_reserves_nothing() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = shop(&cluster, &[5, 0]);
    let mut rival = cluster.new_buyer("eve");
    buyer.refused("AddItemToCart", line("1:1", 6), "OUT_OF_STOCK");
    buyer.refused("AddItemToCart", line("1:2", 1), "OUT_OF_STOCK");
    buyer.refused("AddItemToCart", line("1:3", 1), "NOT_FOUND");
    assert_cart(&mut buyer, "{}");
    buyer.ok("AddItemToCart", line("1:1", 5));
    rival.ok("AddItemToCart", line("1:1", 5));
    buyer.refused("AddItemToCart", line("1:1", 1), "OUT_OF_STOCK");
    assert_cart(&mut buyer, r#"{"1:1":5}"#);
    let item = buyer.client.ok("GetItem", json!({"item_id": "1:1"}));
    assert_eq!(item["item"]["quantity"], 5, "carts reserve nothing");
    seller.ok("UpdateUnitsForSale", json!({"item_id": "1:1", "quantity_delta": -4}));
    assert_cart(&mut buyer, r#"{"1:1":5}"#);
    buyer.ok("RemoveItemFromCart", line("1:1", 1));
}

#[test]
fn each_session_has_its_own_cart_filled_from_the_saved_one() {
    let cluster = Cluster::start();
    let (_, mut buyer) = shop(&cluster, &[9, 9]);
    let mut second = User { client: cluster.buyer.client(), session: String::new(), id: buyer.id };
    second.session = User::log_in(&mut second.client, "bob");

    buyer.ok("AddItemToCart", line("1:1", 2));
    assert_cart(&mut second, "{}");
    assert_eq!(buyer.ok_text("SaveCart", json!({})), r#"{"saved":true}"#);
    assert_cart(&mut second, "{}");
    second.session = User::log_in(&mut second.client, "bob");
    assert_cart(&mut second, r#"{"1:1":2}"#);
    second.ok("AddItemToCart", line("1:2", 1));
    assert_cart(&mut buyer, r#"{"1:1":2}"#);
    second.ok("SaveCart", json!({}));
    buyer.ok("ClearCart", json!({}));
    buyer.session = User::log_in(&mut buyer.client, "bob");
    assert_cart(&mut buyer, r#"{"1:1":2,"1:2":1}"#);

    // An empty cart can be saved, too.
    buyer.ok("ClearCart", json!({}));
    buyer.ok("SaveCart", json!({}));
    buyer.session = User::log_in(&mut buyer.client, "bob");
    assert_cart(&mut buyer, "{}");
    assert_cart(&mut second, r#"{"1:1":2,"1:2":1}"#);
}

#[test]
fn logout_drops_the_cart_and_leaves_the_saved_one() {
    let cluster = Cluster::start();
    let (_, mut buyer) = shop(&cluster, &[9]);
    buyer.ok("AddItemToCart", line("1:1", 1));
    buyer.ok("SaveCart", json!({}));
    buyer.ok("AddItemToCart", line("1:1", 1));
    buyer.ok("Logout", json!({}));
    buyer.session = User::log_in(&mut buyer.client, "bob");
    assert_cart(&mut buyer, r#"{"1:1":1}"#);
}

#[test]
fn carts_outlive_a_restart_of_everything() {
    let cluster = Cluster::start();
    let (_, mut buyer) = shop(&cluster, &[9]);
    buyer.ok("AddItemToCart", line("1:1", 1));
    buyer.ok("SaveCart", json!({}));
    buyer.ok("AddItemToCart", line("1:1", 3));
    let cluster = cluster.restart();
    buyer.client = cluster.buyer.client();
    assert_cart(&mut buyer, r#"{"1:1":4}"#);
    buyer.session = User::log_in(&mut buyer.client, "bob");
    assert_cart(&mut buyer, r#"{"1:1":1}"#);
}

#[test]
fn carts_of_different_buyers_do_not_mix() {
    let cluster = Cluster::start();
    let (mut seller, mut bob) = shop(&cluster, &[9]);
    let mut eve = cluster.new_buyer("eve");
    bob.ok("AddItemToCart", line("1:1", 1));
    bob.ok("SaveCart", json!({}));
    eve.session = User::log_in(&mut eve.client, "eve");
    assert_cart(&mut eve, "{}");
    for api in ["DisplayCart", "ClearCart", "SaveCart"] {
        let message = eve.refused(api, json!({"buyer_id": bob.id}), "INVALID_ARGUMENT");
        assert!(message.contains("`buyer_id`"), "{message}");
        seller.refused(api, json!({}), "UNIMPLEMENTED");
        let seller_session = json!({"session_id": seller.session});
        eve.client.refused(api, seller_session, "NOT_LOGGED_IN");
    }
    assert_cart(&mut bob, r#"{"1:1":1}"#);
}

#[test]
fn a_buyer_who_has_bought_nothing_has_an_empty_history() {
    let cluster = Cluster::start();
    let (_, mut buyer) = shop(&cluster, &[9]);
    let none = r#"{"buyer_id":1,"purchases_count":0,"purchases":[],"next_cursor":null}"#;
    assert_eq!(buyer.ok_text("GetBuyerPurchases", json!({})), none);
    assert_eq!(buyer.ok_text("GetBuyerPurchases", json!({"limit": 1})), none);
    buyer.ok("AddItemToCart", line("1:1", 1));
    assert_eq!(buyer.ok_text("GetBuyerPurchases", json!({})), none);
    assert_cart(&mut buyer, r#"{"1:1":1}"#);
}
