//! A database that is filled as fast as it can be, up to the memory that it was given.

use std::path::Path;

use serde_json::{Value, json};
use support::{Client, Service};

use super::admin::Watched;

/// As little as leaves room for some thousands of items.
const MEMORY_MAX_MIB: u64 = 32;
/// How much more memory a database may have: what it takes between two looks at it, and where a table grows.
const EXCESS_MIB: u64 = 16;
/// Registrations that are sent before their replies are read.
const PIPELINED: u64 = 500;

fn database(data: &Path, memory_max_mib: u64) -> Watched {
    let mut args = Service::database_args("db_product", data);
    args.push(format!("--memory-max-mib={memory_max_mib}"));
    Watched::start("db_product", &args)
}

/// An item in a category of its own, with words that no other has.
fn item(n: u64) -> Value {
    let keywords: Vec<_> = ('a'..='e').map(|letter| format!("{letter}{n}")).collect();
    json!({"seller_id": n / 1000 + 1, "name": format!("Pen {n}"), "category": n, "keywords": keywords,
        "condition": "new", "price": 1, "quantity": 1})
}

/// Registers items until one is refused; returns how many were not.
fn fill(client: &mut Client) -> u64 {
    let mut registered = 0;
    loop {
        let lines = (registered..registered + PIPELINED).map(|n| support::request("RegisterItem", item(n)));
        client.send_bytes(lines.collect::<String>().as_bytes());
        let replies: Vec<Value> = (0..PIPELINED).map(|_| client.read_json()).collect();
        let is_refused = |reply: &&Value| reply["ok"] == false;
        registered += replies.iter().take_while(|reply| !is_refused(reply)).count() as u64;
        if let Some(refused) = replies.iter().find(is_refused) {
            assert_eq!(refused["error"]["code"], "RESOURCE_EXHAUSTED", "{refused}");
            let message = refused["error"]["message"].as_str().unwrap();
            assert!(message.contains("limit of 32 MiB") && message.contains("--memory-max-mib"), "{message}");
            return registered;
        }
    }
}

fn resident_mib(database: &Watched) -> u64 {
    database.metrics()["process_resident_memory_bytes"] as u64 >> 20
}

#[test]
fn a_database_that_is_full_refuses_and_can_be_started_again() {
    let data = tempfile::tempdir().unwrap();
    let full = database(data.path(), MEMORY_MAX_MIB);
    assert_eq!(full.metrics()["marketplace_memory_max_bytes"] as u64, MEMORY_MAX_MIB << 20);
    let mut client = Client::new(full.address());
    let registered = fill(&mut client);
    assert!(registered > PIPELINED, "{registered} items are few");
    let served_mib = resident_mib(&full);
    assert!(served_mib < MEMORY_MAX_MIB + EXCESS_MIB, "{served_mib} MiB");
    client.ok("ChangeItemPrice", json!({"item_id": "7:1", "price": 2}));
    drop(full);

    // All of it is there, with a limit that is lower by far.
    let low = database(data.path(), 1);
    let mut client = Client::new(low.address());
    assert_eq!(low.metrics()["marketplace_items"] as u64, registered);
    assert!(resident_mib(&low) <= served_mib, "a start takes more memory than it took to serve");
    assert_eq!(client.ok("GetItem", json!({"item_id": "7:1"}))["item"]["price"], 2.0);
    client.ok("UpdateUnitsForSale", json!({"item_id": "7:1", "quantity_delta": 1}));
    client.refused("RegisterItem", item(registered), "RESOURCE_EXHAUSTED");
    drop(low);

    let high = database(data.path(), 2 * MEMORY_MAX_MIB);
    Client::new(high.address()).ok("RegisterItem", item(registered));
}
