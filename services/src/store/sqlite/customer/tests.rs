//! Accounts, sessions, carts and purchases go to disk and come back the same, and files that make no sense are refused.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use net::Waker;
use net::sim::SimWorker;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::*;
use crate::api::Encode;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::customer::rows::Loaded;
use crate::customer::{Customer, HashCost, Passwords};
use crate::engine::caller::Caller;
use crate::engine::domain::{Domain, Handler};
use crate::engine::room::Room;
use crate::engine::storage::Group;
use crate::store::sqlite::forge::forge;
use crate::store::sqlite::seal::{Seal, State};
use crate::store::sqlite::{Durability, Store};

const TIMEOUT: Duration = Duration::from_secs(300);
const NOW: Time = Time::from_millis(1_800_000_000_123);
const CHEAP: HashCost = HashCost { memory_kib: 8, passes: 1 };

/// Carries out a request; returns the data of its reply.
fn ask(customer: &mut Customer, api: &str, data: Json) -> Result<Json, Error> {
    let api = Customer::APIS.iter().find(|entry| entry.name == api).expect("there is such an API");
    let text = data.to_string();
    let mut json = Vec::new();
    match api.handler {
        Handler::Answer(answer) => answer(customer, NOW, Fields::parse(&text)?, &mut json)?,
        Handler::Begin(begin) => {
            let caller = Caller::new(Ipv4Addr::LOCALHOST.into(), NOW, Duration::from_secs(10));
            begin(customer, NOW, caller, Fields::parse(&text)?)?;
            let (_, finished) = customer.poll(NOW).expect("passwords are hashed when they are waited for");
            finished?.encode(&mut json);
        }
    }
    Ok(serde_json::from_slice(&json).expect("data is JSON"))
}

fn flush(customer: &mut Customer, store: &mut Store<CustomerSchema>) {
    let rows = customer.seal();
    store.commit(&Group { sequence: 1, rows }).expect("committed");
    customer.publish(usize::MAX);
}

fn load_from(root: &TempDir) -> Result<(Customer, Store<CustomerSchema>), StoreError> {
    let store = Store::open(root.path(), Durability::Flush)?;
    let passwords = SimWorker::new(Passwords::new(CHEAP).expect("valid"), Waker::new(|| ()), 0);
    let mut last = 0;
    let random = move || {
        last += 1;
        last
    };
    let mut loaded = Loaded::new(TIMEOUT);
    CustomerSchema::read(&store.reader(), &mut |row| loaded.load(row))?;
    Ok((Customer::new(loaded, Room::default(), vec![Box::new(passwords)], Box::new(random)), store))
}

/// Requests in order; `$1` stands for the first session that is opened, `$2` for the second, and so on.
const REQUESTS: [(&str, &str); 14] = [
    ("CreateSeller", r#"{"name":"Ä \"B\"","username":"sam","password":"s"}"#),
    ("CreateSeller", r#"{"name":"sue","password":"s"}"#),
    ("CreateBuyer", r#"{"name":"ann","password":"a"}"#),
    ("CreateBuyer", r#"{"name":"ben","password":"b"}"#),
    ("Login", r#"{"username":"ann","password":"a","role":"buyer"}"#),
    ("Login", r#"{"username":"sam","password":"s","role":"seller"}"#),
    ("Login", r#"{"username":"ben","password":"b","role":"buyer"}"#),
    ("UpdateCart", r#"{"session_id":"$1","item_id":"2147483647:4294967295","quantity_delta":3}"#),
    ("SaveCart", r#"{"session_id":"$1"}"#),
    ("UpdateCart", r#"{"session_id":"$1","item_id":"1:2","quantity_delta":1}"#),
    ("RateSeller", r#"{"buyer_id":1,"item_id":"1:1","seller_id":1,"vote":"up","revision":1}"#),
    ("RateSeller", r#"{"buyer_id":2,"item_id":"1:1","seller_id":1,"vote":"down","revision":1}"#),
    ("UpdateCart", r#"{"buyer_id":2,"item_id":"3:1","quantity_delta":2}"#),
    ("Logout", r#"{"session_id":"$3"}"#),
];

/// Accounts and sessions with a bit of everything, on disk; returns the sessions too.
fn filled(root: &TempDir) -> (Customer, Vec<String>) {
    let (mut customer, mut store) = load_from(root).expect("a new file");
    let mut sessions: Vec<String> = Vec::new();
    for (api, data) in REQUESTS {
        let mut data: Json = serde_json::from_str(data).expect("JSON");
        if let Some(number) = data["session_id"].as_str().and_then(|name| name[1..].parse::<usize>().ok()) {
            data["session_id"] = json!(sessions[number - 1]);
        }
        let reply = ask(&mut customer, api, data).unwrap_or_else(|error| panic!("{api}: {error:?}"));
        sessions.extend(reply["session_id"].as_str().map(String::from));
        // Each change on its own, so that rows are replaced and removed on disk too.
        flush(&mut customer, &mut store);
    }
    (customer, sessions)
}

/// Everything that readers are told.
fn told(customer: &mut Customer, sessions: &[String]) -> Vec<Result<Json, Error>> {
    let mut told = Vec::new();
    for id in 1..=3 {
        told.push(ask(customer, "GetSellerRating", json!({"seller_id": id})));
        told.push(ask(customer, "GetCart", json!({"buyer_id": id})));
        told.push(ask(customer, "GetBuyerPurchases", json!({"buyer_id": id})));
    }
    for session_id in sessions {
        told.push(ask(customer, "ValidateSession", json!({"session_id": session_id})));
        told.push(ask(customer, "GetCart", json!({"session_id": session_id})));
    }
    told
}

#[test]
fn accounts_sessions_and_carts_come_back_as_they_were() {
    let root = TempDir::new().expect("a temporary directory");
    let (mut customer, sessions) = filled(&root);
    let before = told(&mut customer, &sessions);
    let cart = json!({"cart": {"1:2": 1, "2147483647:4294967295": 3}});
    assert!(before.contains(&Ok(cart)), "{before:?}");
    let (mut loaded, _store) = load_from(&root).expect("it loads");
    assert!(!loaded.is_dirty());
    assert_eq!(told(&mut loaded, &sessions), before);
}

#[test]
fn what_follows_builds_on_what_was_loaded() {
    let root = TempDir::new().expect("a temporary directory");
    filled(&root);
    let (mut customer, mut store) = load_from(&root).expect("it loads");
    let account = |name| json!({"name": name, "password": "new"});
    assert!(ask(&mut customer, "CreateSeller", account("sam")).is_err(), "the user name is taken");
    assert_eq!(ask(&mut customer, "CreateSeller", account("ann")), Ok(json!({"seller_id": 3})));
    assert_eq!(ask(&mut customer, "CreateBuyer", account("sam")), Ok(json!({"buyer_id": 3})));
    let credentials = |password| json!({"username": "ann", "password": password, "role": "buyer"});
    assert!(ask(&mut customer, "Login", credentials("new")).is_err(), "the seller's password");
    let login = ask(&mut customer, "Login", credentials("a")).expect("the password is right");
    let vote = json!({"buyer_id": 1, "item_id": "1:1", "seller_id": 1, "vote": "up", "revision": 1});
    assert_eq!(ask(&mut customer, "RateSeller", vote), Ok(json!({"rated": true})));
    flush(&mut customer, &mut store);
    let cart = ask(&mut customer, "GetCart", json!({"session_id": login["session_id"]}));
    assert_eq!(
        cart,
        Ok(json!({"cart": {"2147483647:4294967295": 3}})),
        "a session begins with the saved cart"
    );
    let rating = ask(&mut customer, "GetSellerRating", json!({"seller_id": 1})).expect("a rating");
    assert_eq!(rating["feedback"], json!({"up": 1, "down": 1}), "the vote was counted before");
}

#[test]
fn a_vote_that_moves_to_another_seller_does_no_harm() {
    let root = TempDir::new().expect("a temporary directory");
    let (mut customer, _) = filled(&root);
    let vote = json!({"buyer_id": 1, "item_id": "1:1", "seller_id": 2, "vote": "down", "revision": 2});
    assert_eq!(ask(&mut customer, "RateSeller", vote), Ok(json!({"rated": true})));
}

#[test]
fn purchases_are_read_too() {
    let root = TempDir::new().expect("a temporary directory");
    filled(&root);
    let statements = r#"INSERT INTO purchases VALUES
        (8, 1, NULL, 1800000000000, 'made', NULL, '[]', 0, 0),
        (9, 1, 'a', 1800000000001, 'made', NULL, '[{"item_id":"1:1","name":"desk","quantity":2,"price_cents":50}]', 0, 0)"#;
    forge::<CustomerSchema>(root.path(), statements);
    let (mut customer, _store) = load_from(&root).expect("it loads");
    let history =
        ask(&mut customer, "GetBuyerPurchases", json!({"buyer_id": 1, "limit": 1})).expect("a history");
    let items = json!([{"item_id": "1:1", "name": "desk", "quantity": 2, "price": 0.5}]);
    let newest = json!({"purchase_id": "9", "at": 1_800_000_000_001_u64, "items": items, "total": 1.0});
    let expected = json!({"buyer_id": 1, "purchases_count": 2, "purchases": [newest], "next_cursor": "9"});
    assert_eq!(history, expected);
}

#[test]
fn a_purchase_is_on_disk_from_its_beginning_to_its_end_and_a_refused_one_is_not() {
    let root = TempDir::new().expect("a temporary directory");
    let (mut customer, sessions) = filled(&root);
    drop(customer);
    let mut store;
    (customer, store) = load_from(&root).expect("it loads");
    let begin = json!({"session_id": sessions[0], "idempotency_key": "a \"key\" ä"});
    let begun = ask(&mut customer, "BeginPurchase", begin.clone()).expect("it begins");
    let id = &begun["unfinished"]["purchase_id"];
    flush(&mut customer, &mut store);
    drop((customer, store));

    (customer, store) = load_from(&root).expect("it loads");
    let joined = ask(&mut customer, "BeginPurchase", begin.clone()).expect("it is under way");
    assert_eq!(joined["unfinished"]["lines"], json!({"1:2": 1, "2147483647:4294967295": 3}));
    assert_eq!(joined["unfinished"]["purchase_id"], *id);
    let taken = json!([
        {"item_id": "1:2", "seller_id": 1, "name": "\"desk\"", "quantity": 1, "price": 0.1},
        {"item_id": "2147483647:4294967295", "seller_id": 2, "name": "Ä", "quantity": 3, "price": 1e9},
    ]);
    let finish = json!({"purchase_id": id, "taken": taken});
    let receipt = ask(&mut customer, "FinishPurchase", finish).expect("it is made");
    flush(&mut customer, &mut store);
    let history = ask(&mut customer, "GetBuyerPurchases", json!({"buyer_id": 1}));
    drop((customer, store));

    (customer, store) = load_from(&root).expect("it loads");
    assert_eq!(ask(&mut customer, "BeginPurchase", begin), Ok(json!({"made": receipt})));
    assert_eq!(ask(&mut customer, "GetBuyerPurchases", json!({"buyer_id": 1})), history);
    let add = json!({"session_id": sessions[0], "item_id": "1:2", "quantity_delta": 1});
    ask(&mut customer, "UpdateCart", add).expect("it fits");
    let begun = ask(&mut customer, "BeginPurchase", json!({"session_id": sessions[0]})).expect("it begins");
    flush(&mut customer, &mut store);
    let refused =
        ask(&mut customer, "FinishPurchase", json!({"purchase_id": begun["unfinished"]["purchase_id"]}));
    assert_eq!(refused, Ok(json!({"refused": true})));
    flush(&mut customer, &mut store);
    drop((customer, store));

    (customer, _) = load_from(&root).expect("it loads");
    assert_eq!(ask(&mut customer, "ClaimPurchases", json!({})), Ok(json!({"purchases": []})));
    assert_eq!(ask(&mut customer, "GetBuyerPurchases", json!({"buyer_id": 1})), history);
}

/// A file of an older version, with purchases in it.
fn of_version(version: usize, root: &TempDir) {
    let connection = Connection::open(root.path().join("customer.db")).expect("it opens");
    let seal = Seal::default();
    seal.install(&connection).expect("valid functions");
    let rows = r#"
        INSERT INTO buyers VALUES (1, 'ann', 'ann', '$', '{}');
        INSERT INTO sessions VALUES (1, CAST('a secret of hers' AS BLOB), 'buyer', 1, 1800000000000, '{}');
        INSERT INTO purchases VALUES
            (8, 1, 1800000000000, '[{"item_id":"1:1","name":"desk","quantity":2,"price":0.5}]', 100),
            (9, 1, 1800000000001, '[]', 0);"#;
    connection.execute_batch(&[FIRST, rows].concat()).expect("valid statements");
    seal.begin(State::default());
    for statements in &CustomerSchema::MIGRATIONS[1..version] {
        connection.execute_batch(statements).expect("valid statements");
    }
    connection.pragma_update(None, "application_id", CustomerSchema::APPLICATION_ID).expect("valid");
    connection.pragma_update(None, "user_version", version as i64).expect("valid");
}

#[test]
fn purchases_of_older_versions_have_been_made() {
    // No file was left at the third, which is half of the fourth.
    for version in [1, 2, 4] {
        let root = TempDir::new().expect("a temporary directory");
        of_version(version, &root);
        for start in ["it is brought up to date", "it is as it was written"] {
            let (mut customer, _) = load_from(&root).unwrap_or_else(|error| panic!("{start}: {error}"));
            let items = json!([{"item_id": "1:1", "name": "desk", "quantity": 2, "price": 0.5}]);
            let desk = json!({"purchase_id": "8", "at": 1_800_000_000_000_u64, "items": items, "total": 1.0});
            let none = json!({"purchase_id": "9", "at": 1_800_000_000_001_u64, "items": [], "total": 0.0});
            let history =
                json!({"buyer_id": 1, "purchases_count": 2, "purchases": [none, desk], "next_cursor": null});
            assert_eq!(ask(&mut customer, "GetBuyerPurchases", json!({"buyer_id": 1})), Ok(history));
        }
    }
}

#[test]
fn sessions_of_older_versions_live_on_and_their_secrets_are_nowhere_in_the_file() {
    let secret = b"a secret of hers";
    let is_in = |root: &TempDir| {
        let file = fs::read(root.path().join("customer.db")).expect("it is there");
        file.windows(secret.len()).any(|bytes| bytes == secret)
    };
    for version in [1, 2, 4, 5] {
        let root = TempDir::new().expect("a temporary directory");
        of_version(version, &root);
        assert!(is_in(&root));
        let (mut customer, store) = load_from(&root).expect("it is brought up to date");
        let session_id = format!("{:016x}{:032x}", 1, u128::from_be_bytes(*secret));
        let validated = ask(&mut customer, "ValidateSession", json!({"session_id": session_id}));
        assert_eq!(validated, Ok(json!({"role": "buyer", "user_id": 1})));
        drop((customer, store));
        assert!(!is_in(&root), "version {version}");
    }
}

#[test]
fn rows_that_make_no_sense_are_damage() {
    for statement in [
        "UPDATE sellers SET username = 'sam'",
        "UPDATE buyers SET username = 'ann'",
        "UPDATE sellers SET id = -1 WHERE id = 1",
        "UPDATE sellers SET up = -1",
        "UPDATE sellers SET items_sold = -1",
        "UPDATE buyers SET saved_cart = ''",
        r#"UPDATE buyers SET saved_cart = '{"x":1}'"#,
        r#"UPDATE buyers SET saved_cart = '{"1:1":-1}'"#,
        "UPDATE sessions SET digest = x'00'",
        "UPDATE sessions SET role = 'king'",
        "UPDATE sessions SET active_at_ms = -1",
        "UPDATE sessions SET number = -number",
        "UPDATE sessions SET cart = '[]'",
        "UPDATE votes SET vote = 'sideways'",
        "UPDATE votes SET item_id = 0 WHERE buyer_id = 1",
        "INSERT INTO purchases VALUES (1, 1, NULL, 0, 'made', NULL, '{}', 0, 0)",
        "INSERT INTO purchases VALUES (1, 3, NULL, 0, 'made', NULL, '[]', 0, 0)",
        "INSERT INTO purchases VALUES (1, 1, NULL, -1, 'made', NULL, '[]', 0, 0)",
        "INSERT INTO purchases VALUES (1, 1, NULL, 0, 'made', 1, '[]', 0, 0)",
        "INSERT INTO purchases VALUES (1, 1, NULL, 0, 'lost', NULL, '[]', 0, 0)",
        "INSERT INTO purchases VALUES (1, 1, NULL, 0, 'begun', 1, '[]', 0, 0)",
        "INSERT INTO purchases VALUES (-1, 1, NULL, 0, 'made', NULL, '[]', 0, 0)",
        "INSERT INTO purchases VALUES (4611686018427387904, 1, NULL, 0, 'made', NULL, '[]', 0, 0)",
        "INSERT INTO purchases VALUES (1, 1, 'a', 0, 'made', NULL, '[]', 0, 0), (2, 1, 'a', 0, 'made', NULL, '[]', 0, 0)",
        r#"INSERT INTO purchases VALUES (1, 1, NULL, 0, 'begun', NULL, '[{"item_id":"1:1","quantity":1}]', 0, 0)"#,
        r#"INSERT INTO purchases VALUES (1, 1, NULL, 0, 'begun', 0, '[{"item_id":"1:1","quantity":1}]', 0, 0)"#,
        r#"INSERT INTO purchases VALUES (1, 1, NULL, 0, 'begun', 1, '[{"item_id":"1:1","quantity":1}]', 0, 0),
            (2, 1, NULL, 0, 'begun', 1, '[{"item_id":"1:1","quantity":1}]', 0, 0)"#,
        "DELETE FROM sellers WHERE id = 1",
        "DELETE FROM buyers WHERE id = 1",
        "UPDATE sellers SET id = 3 WHERE id = 2",
        "UPDATE sessions SET user_id = 3",
        "UPDATE sessions SET number = 0 WHERE number = 1",
        "UPDATE sessions SET number = 9223372036854775807 WHERE number = 1",
        r#"UPDATE buyers SET saved_cart = '{"1:1":0}'"#,
        r#"UPDATE sessions SET cart = '{"1:1":1000000001}'"#,
    ] {
        let root = TempDir::new().expect("a temporary directory");
        filled(&root);
        assert!(forge::<CustomerSchema>(root.path(), statement) > 0, "{statement}");
        let error = load_from(&root).err().unwrap_or_else(|| panic!("{statement} is let pass"));
        assert!(matches!(error, StoreError::Damaged(..)), "{statement}: {error}");
        assert!(error.to_string().contains("customer.db is damaged ("), "{error}");
    }
}
