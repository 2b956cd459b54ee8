//! The marketplace to try out.

use std::process::Output;

use serde_json::{Value, json};
use support::{Client, Marketplace, assert_code, log_in, stderr, stdout};

use super::{PROGRAM, User};

fn demo(marketplace: &Marketplace, more: &[&str]) -> Output {
    let addresses = marketplace.addresses();
    let (buyer, seller) = (addresses.buyer.to_string(), addresses.seller.to_string());
    User::new().run(&[&["demo", "--buyer", &buyer, "--seller", &seller], more].concat())
}

/// All that anybody sees of the catalogue and of one buyer.
fn seen(marketplace: &Marketplace) -> Vec<Value> {
    let mut client = Client::new(marketplace.addresses().buyer);
    let mut seen: Vec<Value> = (1..=8)
        .map(|category| client.ok("SearchItemsForSale", json!({"category": category, "limit": 1000})))
        .collect();
    for username in ["demo-ada", "demo-finn", "demo-jon"] {
        let login = client.ok("Login", json!({"username": username, "password": "demo"}));
        let session = json!({"session_id": login["session_id"]});
        seen.push(client.ok("GetBuyerPurchases", &session));
        seen.push(client.ok("DisplayCart", &session));
    }
    seen
}

#[test]
fn an_empty_marketplace_is_filled_and_a_second_time_changes_nothing() {
    let marketplace = PROGRAM.marketplace(&[]);
    let output = demo(&marketplace, &[]);
    assert_code(&output, 0);
    assert!(stdout(&output).starts_with("The demo has 200 items of 6 sellers in 8 categories.\n"));
    assert_eq!(stderr(&output), "");
    let first = seen(&marketplace);
    let in_stock: u64 = first[..8].iter().map(|page| page["total"].as_u64().unwrap()).sum();
    assert!((180..=200).contains(&in_stock), "{in_stock}: only what there was one of is sold out");
    let votes = first[..8].iter().flat_map(|page| page["items"].as_array().unwrap());
    assert!(votes.filter(|item| item["feedback"]["up"] == 1).count() >= 5);
    assert_eq!(first[8]["purchases_count"], 1);
    assert!(first[13]["cart"].as_object().is_some_and(|cart| !cart.is_empty()));

    let again = demo(&marketplace, &[]);
    assert_code(&again, 0);
    assert_eq!(stdout(&again), stdout(&output));
    assert_eq!(seen(&marketplace), first);
}

#[test]
fn a_marketplace_of_others_is_left_alone_unless_it_is_forced() {
    let marketplace = PROGRAM.marketplace(&[]);
    let mut client = Client::new(marketplace.addresses().seller);
    let session = log_in(&mut client, "sam");
    let item = json!({"session_id": session, "name": "pen", "category": 3, "condition": "new", "price": 1, "quantity": 1});
    client.ok("RegisterItemForSale", item);
    let output = demo(&marketplace, &[]);
    assert_code(&output, 1);
    assert!(stderr(&output).starts_with("error: the marketplace has items already"), "{}", stderr(&output));
    client.refused("Login", json!({"username": "demo-page", "password": "demo"}), "AUTH_FAILED");
    assert_code(&demo(&marketplace, &["--force"]), 0);
    assert_code(&demo(&marketplace, &[]), 0);
}

#[test]
fn an_account_of_somebody_else_is_not_used() {
    let marketplace = PROGRAM.marketplace(&[]);
    log_in(&mut Client::new(marketplace.addresses().buyer), "demo-cleo");
    let output = demo(&marketplace, &[]);
    assert_code(&output, 1);
    assert_eq!(stderr(&output), "error: the account demo-cleo is not the demo's\n");
}

#[test]
fn a_demo_needs_a_marketplace() {
    let nobody = super::nobody();
    let output = User::new().run(&["demo", "--buyer", &nobody, "--seller", &nobody]);
    assert_code(&output, 3);
    assert_code(&User::new().run(&["demo", "-h"]), 0);
    for args in [&["demo", "now"][..], &["demo", "--buyer", "x"]] {
        assert_code(&User::new().run(args), 2);
    }
}
