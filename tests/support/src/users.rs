//! Accounts, sessions and what was bought.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::Client;

/// The password of all accounts.
pub const PASSWORD: &str = "correct horse";

/// Opens an account and a session, whose ID is returned.
#[track_caller]
pub fn log_in(client: &mut Client, name: &str) -> String {
    client.ok("CreateAccount", json!({"name": name, "password": PASSWORD}));
    let login = client.ok("Login", json!({"name": name, "password": PASSWORD}));
    login["session_id"].as_str().expect("a login has it").to_owned()
}

/// Checks that a buyer's history has what there are receipts of, up to a thousand, and nothing else.
#[track_caller]
pub fn assert_history<'a>(client: &mut Client, session: &str, receipts: impl Iterator<Item = &'a Value>) {
    let page = json!({"session_id": session, "limit": 1000});
    let history = client.insist("GetBuyerPurchases", page, |_| ());
    let mut purchases = history["purchases"].as_array().expect("a page has them").clone();
    for purchase in &mut purchases {
        purchase.as_object_mut().expect("it is one").remove("at");
    }
    let by_id = |purchases: Vec<Value>| -> BTreeMap<String, Value> {
        purchases.into_iter().map(|purchase| (purchase["purchase_id"].to_string(), purchase)).collect()
    };
    assert_eq!(by_id(purchases), by_id(receipts.cloned().collect()));
}
