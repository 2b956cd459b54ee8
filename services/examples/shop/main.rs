//! A seller and a buyer at work, each with a [`Client`] of their own:
//!
//!     cargo run -p services --example shop [BUYERS SELLERS]
//!
//! The addresses are those of frontends, several of a kind with commas between them. `client.rs`, `effect.rs` and
//! `connection.rs` are what to take along; `client.py` is the same in Python.

pub(crate) mod client;
mod connection;
pub(crate) mod effect;

use std::env;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use client::{Client, Error};

/// How long a frontend waits for a database: what was lost is carried out by then, or not at all, unless a database is
/// stopped.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let mut addresses = |default: &str| -> Vec<String> {
        arguments.next().as_deref().unwrap_or(default).split(',').map(str::to_owned).collect()
    };
    let (buyers, sellers) = (addresses("127.0.0.1:6003"), addresses("127.0.0.1:6004"));
    match sell(&sellers).and_then(|item| buy(&buyers, &item)) {
        Ok(receipt) => {
            println!("{receipt}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Puts three items up for sale, and returns the ID of the last.
pub(crate) fn sell(addresses: &[String]) -> Result<Value, Error> {
    let mut seller = enter(addresses, "example-seller")?;
    let item = |name: &str| json!({"name": name, "category": 7, "keywords": ["tea"], "condition": "new", "price": 4.5, "quantity": 10});
    // The three are on their way at the same time. Of one whose outcome is unknown, `DisplayItemsForSale` would tell.
    let replies = seller.call_all("RegisterItemForSale", ["Sencha", "Assam", "Mate"].map(item).to_vec());
    let replies = replies.into_iter().collect::<Result<Vec<Value>, Error>>()?;
    let item = replies[2]["item_id"].clone();
    seller.call("ChangeItemPrice", json!({"item_id": item, "price": 4.2}))?;
    Ok(item)
}

/// Buys two of an item, and returns the receipt.
pub(crate) fn buy(addresses: &[String], item: &Value) -> Result<Value, Error> {
    let mut buyer = enter(addresses, "example-buyer")?;
    let found = find(&mut buyer, json!({"category": 7, "keywords": ["tea"]}))?;
    assert!(found.iter().any(|found| found["item_id"] == *item), "the item is sold out");
    put_into_cart(&mut buyer, item, 2)?;
    // Whoever has orders of their own takes their numbers. This one is new each time.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    buyer.purchase(&format!("order-{}", now.as_nanos()))
}

/// A client of an account, which is made if it is not there.
fn enter(addresses: &[String], username: &str) -> Result<Client, Error> {
    let mut client = Client::new(addresses);
    client.is_alone = true;
    match client.call("CreateAccount", json!({"name": username, "password": "secret"})) {
        // Where the reply was lost, the login shows whether there is an account.
        Ok(_) | Err(Error::OutcomeUnknown(_)) => {}
        Err(Error::Refused { code, .. }) if code == "ALREADY_EXISTS" => {}
        Err(error) => return Err(error),
    }
    client.log_in(username, "secret")?;
    Ok(client)
}

/// All that a search finds, page by page.
fn find(client: &mut Client, mut search: Value) -> Result<Vec<Value>, Error> {
    let mut found = Vec::new();
    loop {
        let page = client.call("SearchItemsForSale", search.clone())?;
        found.extend(page["items"].as_array().into_iter().flatten().cloned());
        if page["next_cursor"].is_null() {
            return Ok(found);
        }
        search["cursor"] = page["next_cursor"].clone();
    }
}

/// Has the cart hold so many units of an item. An `AddItemToCart` whose reply was lost must not be sent again, so this looks
/// what has come of it.
pub(crate) fn put_into_cart(client: &mut Client, item: &Value, quantity: u64) -> Result<(), Error> {
    loop {
        let cart = client.call("DisplayCart", json!({}));
        let held = match cart {
            Ok(cart) => cart["cart"][item.as_str().unwrap_or_default()].as_u64().unwrap_or(0),
            // The cart of the new session is as good.
            Err(Error::CartReplaced) => continue,
            Err(error) => return Err(error),
        };
        let (api, units) = match held < quantity {
            true => ("AddItemToCart", quantity - held),
            false if held == quantity => return Ok(()),
            false => ("RemoveItemFromCart", held - quantity),
        };
        match client.call(api, json!({"item_id": item, "quantity": units})) {
            Ok(_) | Err(Error::CartReplaced) => {}
            Err(Error::OutcomeUnknown(_)) => thread::sleep(SETTLED_AFTER),
            Err(error) => return Err(error),
        }
    }
}
