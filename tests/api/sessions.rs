//! Sessions: who has one, over which connection, for how long, and in which role.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use support::Store;

use crate::cluster::{Cluster, Server, Setup, User};

/// Every API that needs a session, with data that would pass.
fn buyer_apis() -> Vec<(&'static str, Value)> {
    let line = json!({"item_id": "1:1", "quantity": 1});
    vec![
        ("AddItemToCart", line.clone()),
        ("RemoveItemFromCart", line),
        ("SaveCart", json!({})),
        ("ClearCart", json!({})),
        ("DisplayCart", json!({})),
        ("ProvideFeedback", json!({"item_id": "1:1", "vote": "up"})),
        ("GetSellerRating", json!({"seller_id": 1})),
        ("ChangePassword", json!({"password": "secret", "new_password": "secret"})),
        ("GetBuyerPurchases", json!({})),
    ]
}

fn seller_apis() -> Vec<(&'static str, Value)> {
    let item = json!({"name": "Pen", "category": 1, "condition": "new", "price": 1, "quantity": 1});
    vec![
        ("GetSellerRating", json!({})),
        ("ChangePassword", json!({"password": "secret", "new_password": "secret"})),
        ("RegisterItemForSale", item),
        ("ChangeItemPrice", json!({"item_id": "1:1", "price": 1})),
        ("UpdateUnitsForSale", json!({"item_id": "1:1", "quantity_delta": 1})),
        ("DisplayItemsForSale", json!({})),
    ]
}

#[test]
fn without_a_session_of_the_right_role_nobody_is_logged_in() {
    let cluster = Cluster::start();
    let (mut buyer, mut seller) = (cluster.new_buyer("bob"), cluster.new_seller("sue"));
    seller.sell(1, "Pen", &[], 5);
    let sessions = [seller.session.clone(), buyer.session.clone()];
    let users = [(&mut buyer, buyer_apis()), (&mut seller, seller_apis())];
    for ((user, apis), other) in users.into_iter().zip(sessions) {
        for (api, data) in apis {
            let own = user.session.clone();
            let forged = format!("{}{}", &own[..own.len() - 1], if own.ends_with('0') { '1' } else { '0' });
            let shortened = own[1..].to_owned();
            let upper = format!("{own} ");
            for session in ["", "x", &"é".repeat(1000), &forged, &shortened, &upper, &other] {
                let mut data = data.clone();
                data["session_id"] = json!(session);
                user.client.refused(api, data, "NOT_LOGGED_IN");
            }
            user.client.refused(api, &data, "NOT_LOGGED_IN");
            let mut data = data.clone();
            data["session_id"] = json!(null);
            user.client.refused(api, &data, "NOT_LOGGED_IN");
            data["session_id"] = json!(7);
            assert!(user.client.refused(api, &data, "INVALID_ARGUMENT").contains("`session_id`"));
        }
    }
    assert_eq!(buyer.ok_text("DisplayCart", json!({})), r#"{"cart":{}}"#);
    assert_eq!(seller.ok("DisplayItemsForSale", json!({}))["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_session_ends_at_logout_and_no_other_does() {
    let cluster = Cluster::start();
    for (mut user, api) in
        [(cluster.new_buyer("ann"), "DisplayCart"), (cluster.new_seller("ann"), "GetSellerRating")]
    {
        let other = User::log_in(&mut user.client, "ann");
        for _ in 0..2 {
            assert_eq!(user.ok_text("Logout", json!({})), r#"{"logged_out":true}"#);
            user.refused(api, json!({}), "NOT_LOGGED_IN");
        }
        assert_eq!(user.client.ok_text("Logout", json!({"session_id": "x"})), r#"{"logged_out":true}"#);
        user.client.refused("Logout", json!({}), "NOT_LOGGED_IN");
        user.client.refused("Logout", json!({"session_id": other, "all": true}), "INVALID_ARGUMENT");
        user.client.ok(api, json!({"session_id": other}));
    }
}

#[test]
fn a_session_of_the_other_role_is_not_ended() {
    let cluster = Cluster::start();
    let (mut buyer, mut seller) = (cluster.new_buyer("ann"), cluster.new_seller("ann"));
    seller.client.refused("Logout", json!({"session_id": buyer.session}), "NOT_LOGGED_IN");
    buyer.client.refused("Logout", json!({"session_id": seller.session}), "NOT_LOGGED_IN");
    buyer.ok("DisplayCart", json!({}));
    seller.ok("GetSellerRating", json!({}));
}

#[test]
fn a_session_works_over_any_connection_to_any_frontend() {
    let mut cluster = Cluster::start();
    let mut seller = cluster.new_seller("sue");
    let item = seller.sell(1, "Pen", &[], 5);
    let mut buyer = cluster.new_buyer("bob");
    buyer.ok("AddItemToCart", json!({"item_id": item, "quantity": 2}));

    let setup = Setup::default();
    let replica = Server::buyer(cluster.customer.address, cluster.product.address, &setup);
    for server in [&cluster.buyer, &replica] {
        buyer.client = server.client();
        assert_eq!(buyer.ok_text("DisplayCart", json!({})), r#"{"cart":{"1:1":2}}"#);
    }
    cluster.buyer = Server::buyer(cluster.customer.address, cluster.product.address, &setup);
    cluster.seller = Server::seller(cluster.customer.address, cluster.product.address, &setup);
    (buyer.client, seller.client) = (cluster.buyer.client(), cluster.seller.client());
    assert_eq!(buyer.ok_text("DisplayCart", json!({})), r#"{"cart":{"1:1":2}}"#);
    assert_eq!(seller.ok("DisplayItemsForSale", json!({}))["items"][0]["item_id"], "1:1");
}

#[test]
fn one_account_is_logged_in_from_many_clients_at_once() {
    let cluster = Cluster::start();
    cluster.new_buyer("bob");
    let mut clients: Vec<_> = (0..30).map(|_| cluster.buyer.client()).collect();
    let login = json!({"api": "Login", "data": {"username": "bob", "password": "secret"}}).to_string();
    clients.iter_mut().for_each(|client| client.send(&login));
    for client in &mut clients {
        let reply = client.read_json();
        let session = reply["data"]["session_id"].as_str().unwrap();
        assert_eq!(client.ok_text("DisplayCart", json!({"session_id": session})), r#"{"cart":{}}"#);
    }
}

#[test]
fn an_idle_session_times_out_and_an_active_one_does_not() {
    // On an engine, they end exact to a second only.
    let timeout = Duration::from_millis(if Store::is_engine() { 4000 } else { 600 });
    let cluster = Cluster::with(Setup { session_timeout: timeout, ..Setup::default() });
    let mut seller = cluster.new_seller("sue");
    seller.sell(1, "Pen", &[], 9);
    let mut idle = cluster.new_buyer("bob");
    idle.ok("AddItemToCart", json!({"item_id": "1:1", "quantity": 1}));
    idle.ok("SaveCart", json!({}));
    idle.ok("AddItemToCart", json!({"item_id": "1:1", "quantity": 1}));
    let browsing = User::log_in(&mut idle.client, "bob");
    // Browsing with a session keeps it alive.
    for _ in 0..5 {
        sleep(timeout / 4);
        idle.client.ok("GetItem", json!({"item_id": "1:1", "session_id": browsing}));
    }
    idle.client.ok("DisplayCart", json!({"session_id": browsing}));
    for (api, data) in buyer_apis() {
        idle.refused(api, data, "SESSION_TIMEOUT");
    }
    for (api, data) in seller_apis() {
        seller.refused(api, data, "SESSION_TIMEOUT");
    }
    idle.refused("SearchItemsForSale", json!({"category": 1}), "SESSION_TIMEOUT");
    idle.refused("GetItem", json!({"item_id": "1:1"}), "SESSION_TIMEOUT");
    assert_eq!(idle.ok_text("Logout", json!({})), r#"{"logged_out":true}"#);
    // The session's cart went with it; the saved one did not.
    idle.session = User::log_in(&mut idle.client, "bob");
    assert_eq!(idle.ok_text("DisplayCart", json!({})), r#"{"cart":{"1:1":1}}"#);
}
