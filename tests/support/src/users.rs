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

/// Checks that a buyer's history has what there are receipts of, each once, and nothing else.
#[track_caller]
pub fn assert_history<'a>(client: &mut Client, session: &str, receipts: impl Iterator<Item = &'a Value>) {
    let mut purchases = history(client, session);
    for purchase in &mut purchases {
        purchase.as_object_mut().expect("it is one").remove("at");
    }
    let by_id = |purchases: Vec<Value>| -> BTreeMap<String, Value> {
        purchases.into_iter().map(|purchase| (purchase["purchase_id"].to_string(), purchase)).collect()
    };
    let (count, found) = (purchases.len(), by_id(purchases));
    assert_eq!(count, found.len(), "a purchase is there twice");
    assert_eq!(found, by_id(receipts.cloned().collect()));
}

/// All that a buyer has bought, page by page.
#[track_caller]
fn history(client: &mut Client, session: &str) -> Vec<Value> {
    let (mut purchases, mut data) = (Vec::new(), json!({"session_id": session, "limit": 1000}));
    loop {
        let mut page = client.insist("GetBuyerPurchases", &data, |_| ());
        purchases.append(page["purchases"].as_array_mut().expect("a page has them"));
        if page["next_cursor"].is_null() {
            return purchases;
        }
        data["cursor"] = page["next_cursor"].take();
    }
}
