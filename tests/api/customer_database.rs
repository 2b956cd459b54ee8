//! `db_customer`, called directly as other tools do.

use serde_json::{Value, json};
use support::{Client, Reply};

use crate::DEADLINE_MS;
use crate::cluster::Cluster;

fn log_in(client: &mut Client, role: &str) -> String {
    let login = client.ok("Login", json!({"name": "ann", "password": "secret", "role": role}));
    login["session_id"].as_str().unwrap().to_owned()
}

/// A client of a `db_customer` that knows a buyer and a seller, and their sessions.
fn with_accounts(cluster: &Cluster) -> (Client, String, String) {
    let mut client = cluster.customer.client();
    let account = json!({"name": "ann", "password": "secret"});
    assert_eq!(client.ok_text("CreateBuyer", &account), r#"{"buyer_id":1}"#);
    assert_eq!(client.ok_text("CreateSeller", &account), r#"{"seller_id":1}"#);
    let (buyer, seller) = (log_in(&mut client, "buyer"), log_in(&mut client, "seller"));
    (client, buyer, seller)
}

#[test]
fn accounts_and_sessions() {
    let cluster = Cluster::start();
    let (mut client, buyer, seller) = with_accounts(&cluster);
    client.refused("CreateBuyer", json!({"name": "ann", "password": "x"}), "ALREADY_EXISTS");
    let other = json!({"name": "ann", "username": "ann2", "password": "x"});
    assert_eq!(client.ok_text("CreateBuyer", other), r#"{"buyer_id":2}"#);
    for role in [json!("Buyer"), json!(""), json!(null), json!(1), json!("admin")] {
        let login = json!({"name": "ann", "password": "secret", "role": role});
        assert!(client.refused("Login", login, "INVALID_ARGUMENT").contains("`role`"));
    }
    let login = client.ok_text("Login", json!({"username": "ann", "password": "secret", "role": "seller"}));
    assert!(login.ends_with(r#","user_id":1,"role":"seller"}"#), "{login}");
    client.refused("Login", json!({"username": "ann", "password": "x", "role": "seller"}), "AUTH_FAILED");

    for (session, role, other) in [(&buyer, "buyer", "seller"), (&seller, "seller", "buyer")] {
        let valid = format!(r#"{{"role":"{role}","user_id":1}}"#);
        assert_eq!(client.ok_text("ValidateSession", json!({"session_id": session})), valid);
        assert_eq!(client.ok_text("ValidateSession", json!({"session_id": session, "role": role})), valid);
        client.refused("ValidateSession", json!({"session_id": session, "role": other}), "NOT_LOGGED_IN");
    }
    client.refused("ValidateSession", json!({"session_id": "x"}), "NOT_LOGGED_IN");
    client.refused("ValidateSession", json!({}), "NOT_LOGGED_IN");
    for _ in 0..2 {
        assert_eq!(client.ok_text("Logout", json!({"session_id": buyer})), r#"{"logged_out":true}"#);
    }
    client.refused("ValidateSession", json!({"session_id": buyer}), "NOT_LOGGED_IN");
    client.ok("ValidateSession", json!({"session_id": seller}));
}

#[test]
fn carts_of_sessions_and_saved_carts_of_buyers() {
    let cluster = Cluster::start();
    let (mut client, session, seller) = with_accounts(&cluster);
    for owner in [json!({"session_id": session}), json!({"buyer_id": 1})] {
        let with = |fields: Value| {
            let mut data = owner.clone();
            data.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            data
        };
        assert_eq!(client.ok_text("GetCart", &owner), r#"{"cart":{}}"#);
        for (delta, quantity) in [(3, 3), (-1, 2), (5, 7), (-7, 0), (1_000_000_000, 1_000_000_000)] {
            let update = with(json!({"item_id": "1:42", "quantity_delta": delta}));
            let updated = format!(r#"{{"item_id":"1:42","quantity":{quantity}}}"#);
            assert_eq!(client.ok_text("UpdateCart", update), updated);
        }
        assert_eq!(client.ok_text("GetCart", &owner), r#"{"cart":{"1:42":1000000000}}"#);
        for delta in [json!(0), json!(1), json!(1_000_000_001), json!(1.5), json!("1"), json!(null)] {
            let update = with(json!({"item_id": "1:42", "quantity_delta": delta}));
            client.refused("UpdateCart", update, "INVALID_ARGUMENT");
        }
        let missing = with(json!({"item_id": "1:43", "quantity_delta": -1}));
        client.refused("UpdateCart", missing, "NOT_FOUND");
        assert_eq!(client.ok_text("ClearCart", &owner), r#"{"cleared":true}"#);
        assert_eq!(client.ok_text("GetCart", &owner), r#"{"cart":{}}"#);
    }
    let update = json!({"session_id": session, "item_id": "2:1", "quantity_delta": 4});
    client.ok("UpdateCart", update);
    assert_eq!(client.ok_text("SaveCart", json!({"session_id": session})), r#"{"saved":true}"#);
    assert_eq!(client.ok_text("GetCart", json!({"buyer_id": 1})), r#"{"cart":{"2:1":4}}"#);
    for api in ["GetCart", "ClearCart"] {
        client.refused(api, json!({"buyer_id": 2}), "NOT_FOUND");
        client.refused(api, json!({"buyer_id": 0}), "INVALID_ARGUMENT");
        client.refused(api, json!({"session_id": seller}), "NOT_LOGGED_IN");
        client.refused(api, json!({"session_id": "x"}), "NOT_LOGGED_IN");
        let message = client.refused(api, json!({}), "INVALID_ARGUMENT");
        assert!(message.contains("`buyer_id`"), "{message}");
    }
    client.refused("SaveCart", json!({"session_id": seller}), "NOT_LOGGED_IN");
    client.refused("UpdateCart", json!({"buyer_id": 2, "item_id": "1:1", "quantity_delta": 1}), "NOT_FOUND");
}

#[test]
fn ratings_and_purchases() {
    let cluster = Cluster::start();
    let (mut client, buyer, seller) = with_accounts(&cluster);
    let rating = r#"{"seller_id":1,"name":"ann","feedback":{"up":0,"down":0},"items_sold":0}"#;
    assert_eq!(client.ok_text("GetSellerRating", json!({"seller_id": 1})), rating);
    assert_eq!(client.ok_text("GetSellerRating", json!({"seller_id": 1, "session_id": buyer})), rating);
    assert_eq!(client.ok_text("GetSellerRating", json!({"session_id": seller})), rating);
    client.refused("GetSellerRating", json!({"seller_id": 2}), "NOT_FOUND");
    assert!(client.refused("GetSellerRating", json!({}), "INVALID_ARGUMENT").contains("`seller_id`"));
    let none = r#"{"buyer_id":1,"purchases_count":0,"purchases":[],"next_cursor":null}"#;
    assert_eq!(client.ok_text("GetBuyerPurchases", json!({"buyer_id": 1})), none);
    client.refused("GetBuyerPurchases", json!({"buyer_id": 2}), "NOT_FOUND");
    client.refused("GetBuyerPurchases", json!({"buyer_id": 1, "limit": 0}), "INVALID_ARGUMENT");
}

#[test]
fn a_vote_that_was_counted_for_another_seller_does_no_harm() {
    let cluster = Cluster::start();
    let (mut client, _, _) = with_accounts(&cluster);
    client.ok("CreateSeller", json!({"name": "tom", "password": "x"}));
    // As after db_product was replaced by an empty one, where the same item ID is another's.
    for (revision, seller_id, vote) in [(1, 1, "up"), (2, 2, "down"), (3, 1, "up"), (4, 1, "down")] {
        let rating = json!({"buyer_id": 1, "item_id": "1:1", "seller_id": seller_id, "vote": vote,
            "revision": revision});
        client.ok("RateSeller", rating);
    }
    for seller_id in [1, 2] {
        let rating = client.ok("GetSellerRating", json!({"seller_id": seller_id}));
        for votes in ["up", "down"] {
            let count = rating["feedback"][votes].as_u64().unwrap();
            assert!(count <= 4, "not more than were given: {rating}");
        }
    }
}

#[test]
fn a_read_behind_a_write_sees_it_and_replies_keep_their_order() {
    let cluster = Cluster::start();
    let (mut client, session, _) = with_accounts(&cluster);
    let mut lines = String::new();
    for n in 0..200 {
        let update = json!({"session_id": session, "item_id": "1:1", "quantity_delta": 1});
        let account = json!({"name": format!("user {n}"), "password": "x"});
        for (api, data) in [
            ("UpdateCart", update),
            ("GetCart", json!({"session_id": session})),
            ("Ping", json!({})),
            if n % 10 == 0 { ("CreateBuyer", account) } else { ("Nothing", json!({})) },
        ] {
            let id = format!("{n}{api}");
            lines +=
                &json!({"request_id": id, "deadline_ms": DEADLINE_MS, "api": api, "data": data}).to_string();
            lines += "\n";
        }
    }
    client.send_bytes(lines.as_bytes());
    let mut numbers = Vec::new();
    for n in 0..200 {
        let mut next = |api: &str| Reply::new(client.read_line(), &format!("\"{n}{api}\""));
        assert_eq!(next("UpdateCart").data(), format!(r#"{{"item_id":"1:1","quantity":{}}}"#, n + 1));
        assert_eq!(next("GetCart").data(), format!(r#"{{"cart":{{"1:1":{}}}}}"#, n + 1));
        next("Ping").data();
        if n % 10 == 0 {
            let created: Value = serde_json::from_str(&next("CreateBuyer").data()).unwrap();
            numbers.push(created["buyer_id"].as_u64().unwrap());
        } else {
            next("Nothing").refused_with("UNIMPLEMENTED", "Nothing");
        }
    }
    if cluster.numbers_may_have_gaps() {
        assert!(!numbers.contains(&1));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 20);
    } else {
        assert_eq!(numbers, (2..22).collect::<Vec<u64>>());
    }
}

#[test]
fn an_account_can_log_in_on_the_same_connection_without_waiting() {
    let cluster = Cluster::start();
    let mut client = cluster.customer.client();
    let account = json!({"api": "CreateBuyer", "data": {"name": "bob", "password": "x"}});
    let login = json!({"api": "Login", "data": {"name": "bob", "password": "x", "role": "buyer"}});
    client.send(format!("{account}\n{account}\n{login}"));
    assert_eq!(Reply::new(client.read_line(), "null").data(), r#"{"buyer_id":1}"#);
    Reply::new(client.read_line(), "null").refused_with("ALREADY_EXISTS", "the second account");
    let login = Reply::new(client.read_line(), "null").data();
    assert!(login.ends_with(r#""user_id":1,"role":"buyer"}"#), "{login}");
}

#[test]
fn one_name_is_given_to_one_of_many_who_want_it_at_once() {
    let cluster = Cluster::start();
    let mut clients: Vec<_> = (0..20).map(|_| cluster.customer.client()).collect();
    let account = json!({"api": "CreateSeller", "data": {"name": "sue", "password": "x"}}).to_string();
    clients.iter_mut().for_each(|client| client.send(&account));
    let replies = clients.iter_mut().map(Client::read_line);
    let replies: Vec<Value> = replies.map(|line| serde_json::from_str(&line).unwrap()).collect();
    assert_eq!(replies.iter().filter(|reply| reply["data"]["seller_id"] == 1).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply["error"]["code"] == "ALREADY_EXISTS").count(), 19);
}

#[test]
fn a_cart_of_a_thousand_lines_is_full() {
    let cluster = Cluster::start();
    let (mut client, _, _) = with_accounts(&cluster);
    let add = |n| json!({"buyer_id": 1, "item_id": format!("1:{n}"), "quantity_delta": 1});
    let lines = (1..=1000).map(|n| json!({"api": "UpdateCart", "data": add(n)}).to_string() + "\n");
    client.send_bytes(lines.collect::<String>().as_bytes());
    for n in 1..=1000 {
        let updated = format!(r#"{{"item_id":"1:{n}","quantity":1}}"#);
        assert_eq!(Reply::new(client.read_line(), "null").data(), updated);
    }
    client.refused("UpdateCart", add(1001), "RESOURCE_EXHAUSTED");
    client.ok("UpdateCart", add(1000));
    let session = log_in(&mut client, "buyer");
    let cart = cluster.buyer.client().ok("DisplayCart", json!({"session_id": session}));
    assert_eq!(cart["cart"].as_object().unwrap().len(), 1000);
}
