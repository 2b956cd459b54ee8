//! The catalogue goes to disk and comes back the same, and files that make no sense are refused.

use net::Time;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::engine::domain::{Domain, Handler};
use crate::engine::room::Room;
use crate::engine::storage::Group;
use crate::product::Product;
use crate::store::sqlite::forge::forge;
use crate::store::sqlite::{Durability, Store};

/// Carries out a request; returns the JSON of its data.
fn ask(product: &mut Product, api: &str, data: &str) -> Result<String, Error> {
    let api = Product::APIS.iter().find(|entry| entry.name == api).expect("there is such an API");
    let mut json = Vec::new();
    let Handler::Answer(answer) = api.handler else { panic!("db_product answers at once") };
    answer(product, Time::default(), Fields::parse(data)?, &mut json)?;
    Ok(String::from_utf8(json).expect("data is UTF-8"))
}

/// Brings what was changed to disk.
fn flush(product: &mut Product, store: &mut Store<ProductSchema>) {
    let rows = product.seal();
    store.commit(&Group { sequence: 1, rows }).expect("committed");
    product.publish(usize::MAX);
}

fn load_from(root: &TempDir) -> Result<(Product, Store<ProductSchema>), StoreError> {
    let store = Store::open(root.path(), Durability::Flush)?;
    let mut product = Product::new(Room::default());
    ProductSchema::read(&store.reader(), &mut |row| product.load(row))?;
    product.loaded();
    Ok((product, store))
}

const ITEMS: [&str; 3] = [
    r#"{"seller_id":3,"name":"Ä \"desk\"","category":1,"keywords":["oak","ÖL"],"condition":"Used","price":19.99,"quantity":5}"#,
    r#"{"seller_id":3,"name":"chair","category":1,"condition":"new","price":0,"quantity":0}"#,
    r#"{"seller_id":4294967295,"name":"lamp","category":2147483647,"keywords":["oak"],"condition":"new","price":1000000000,"quantity":1000000000}"#,
];

/// A catalogue with a bit of everything, on disk.
fn filled(root: &TempDir) -> Product {
    let (mut product, mut store) = load_from(root).expect("a new file");
    for item in ITEMS {
        ask(&mut product, "RegisterItem", item).expect("registered");
    }
    flush(&mut product, &mut store);
    for (api, data) in [
        ("ChangeItemPrice", r#"{"item_id":"1:1","price":0.07}"#),
        ("UpdateUnitsForSale", r#"{"item_id":"1:1","quantity_delta":-4}"#),
        ("ProvideFeedback", r#"{"item_id":"1:1","vote":"up","buyer_id":1}"#),
        ("ProvideFeedback", r#"{"item_id":"1:1","vote":"down","buyer_id":2}"#),
        ("ProvideFeedback", r#"{"item_id":"1:1","vote":"down"}"#),
        ("RegisterItem", ITEMS[1]),
        ("ProvideFeedback", r#"{"item_id":"1:3","vote":"up","buyer_id":1}"#),
    ] {
        ask(&mut product, api, data).expect("done");
    }
    flush(&mut product, &mut store);
    // Of the first of these decisions, nothing is remembered by the time of the last.
    for (purchase_id, ended_before, lines) in [
        (1, 0, r#"{"1:1":1}"#),
        (2, 0, r#"{"1:1":1,"1:2":3}"#),
        (3, 0, r#"{"2147483647:1":999999999}"#),
        (4, 2, r#"{"7:7":1}"#),
    ] {
        take(&mut product, purchase_id, ended_before, lines).expect("decided");
        product.end_turn(Time::default());
        flush(&mut product, &mut store);
    }
    assert!(!product.is_dirty());
    product
}

fn take(product: &mut Product, purchase_id: u64, ended_before: u64, lines: &str) -> Result<String, Error> {
    let data =
        format!(r#"{{"purchase_id":"{purchase_id}","ended_before":"{ended_before}","lines":{lines}}}"#);
    ask(product, "TakeStock", &data)
}

/// Everything that readers are told.
fn told(product: &mut Product) -> Vec<String> {
    [
        ("GetItem", r#"{"item_id":"1:1"}"#),
        ("GetItem", r#"{"item_id":"1:2"}"#),
        ("GetItem", r#"{"item_id":"1:3"}"#),
        ("GetItem", r#"{"item_id":"2147483647:1"}"#),
        ("SearchItems", r#"{"keywords":["OAK","öl","DESK\""]}"#),
        ("SearchItems", r#"{"category":1}"#),
        ("DisplayItemsForSale", r#"{"seller_id":3}"#),
        ("DisplayItemsForSale", r#"{"seller_id":3,"sold_out":true,"limit":2}"#),
        ("DisplayItemsForSale", r#"{"seller_id":4294967295}"#),
        ("CheckAvailability", r#"{"item_id":"1:1","quantity":2}"#),
    ]
    .map(|(api, data)| ask(product, api, data).expect("an answer"))
    .into()
}

/// What was decided about each purchase.
fn decided(product: &mut Product) -> Vec<Result<String, Error>> {
    (1..=4).map(|purchase_id| take(product, purchase_id, 0, r#"{"1:1":1}"#)).collect()
}

#[test]
fn a_catalogue_comes_back_as_it_was() {
    let root = TempDir::new().expect("a temporary directory");
    let before = told(&mut filled(&root));
    assert!(before[0].contains(r#""price":0.07,"quantity":0,"seller_id":3,"feedback":{"up":1,"down":2}"#));
    let (mut product, _store) = load_from(&root).expect("it loads");
    assert!(!product.is_dirty());
    assert_eq!(told(&mut product), before);
}

#[test]
fn decisions_come_back_as_they_were() {
    let root = TempDir::new().expect("a temporary directory");
    let before = decided(&mut filled(&root));
    let late = before[0].as_ref().expect_err("it is forgotten");
    assert!(late.message.contains("purchase 1 has ended"), "{}", late.message);
    assert_eq!(
        before[1..],
        [
            r#"{"refused":[{"item_id":"1:1","available":0,"quantity":1},{"item_id":"1:2","available":0,"quantity":3}]}"#,
            r#"{"taken":[{"item_id":"2147483647:1","seller_id":4294967295,"name":"lamp","quantity":999999999,"price":1000000000.0}]}"#,
            r#"{"refused":[{"item_id":"7:7","available":0,"quantity":1}]}"#,
        ]
        .map(|decision| Ok(decision.to_owned()))
    );
    let (mut product, _store) = load_from(&root).expect("it loads");
    assert_eq!(decided(&mut product), before);
    assert!(!product.is_dirty(), "nothing is taken again, and the floor is on disk");
    let item = ask(&mut product, "GetItem", r#"{"item_id":"2147483647:1"}"#).expect("it is there");
    assert!(item.contains(r#""quantity":1,"#), "{item}");
}

#[test]
fn what_follows_builds_on_what_was_loaded() {
    let root = TempDir::new().expect("a temporary directory");
    filled(&root);
    let (mut product, mut store) = load_from(&root).expect("it loads");
    let again = ask(&mut product, "ProvideFeedback", r#"{"item_id":"1:1","vote":"up","buyer_id":1}"#);
    assert_eq!(
        again.as_deref(),
        Ok(r#"{"item_id":"1:1","feedback":{"up":1,"down":2},"seller_id":3,"revision":1}"#)
    );
    assert!(!product.is_dirty(), "the vote was counted before");
    let other = ask(&mut product, "ProvideFeedback", r#"{"item_id":"1:1","vote":"down","buyer_id":1}"#);
    assert_eq!(
        other.as_deref(),
        Ok(r#"{"item_id":"1:1","feedback":{"up":0,"down":3},"seller_id":3,"revision":2}"#)
    );
    for (item, id) in [(ITEMS[0], "1:4"), (ITEMS[2], "2147483647:2")] {
        let registered = ask(&mut product, "RegisterItem", item);
        assert_eq!(registered, Ok(format!(r#"{{"item_id":"{id}"}}"#)));
    }
    flush(&mut product, &mut store);
    let before = told(&mut product);
    drop(store);
    assert_eq!(told(&mut load_from(&root).expect("it loads").0), before);
}

#[test]
fn rows_that_make_no_sense_are_damage() {
    for statement in [
        "UPDATE items SET keywords = 'oak' WHERE name = 'lamp'",
        "UPDATE items SET keywords = '[1]' WHERE name = 'lamp'",
        "UPDATE items SET condition = 'NEW' WHERE name = 'lamp'",
        "UPDATE items SET price_cents = -1 WHERE name = 'lamp'",
        "UPDATE items SET quantity = -1 WHERE name = 'lamp'",
        "UPDATE items SET quantity = 4294967296 WHERE name = 'lamp'",
        "UPDATE items SET seller_id = -3 WHERE name = 'lamp'",
        "UPDATE items SET up = -1 WHERE name = 'lamp'",
        "UPDATE items SET id = 2 << 32 WHERE name = 'lamp'",
        "UPDATE items SET id = -1 WHERE name = 'lamp'",
        "UPDATE votes SET vote = 'sideways'",
        "UPDATE votes SET buyer_id = -1 WHERE buyer_id = 2",
        "UPDATE items SET quantity = 1000000001 WHERE name = 'lamp'",
        "UPDATE items SET price_cents = 100000000001 WHERE name = 'lamp'",
        "DELETE FROM items WHERE name = 'desk' OR id = 1 << 32 | 1",
        "UPDATE items SET id = 1 << 32 | 4 WHERE id = 1 << 32 | 3",
        "INSERT INTO votes VALUES (0, 1, 'up', 1, 0, 0)",
        "INSERT INTO votes VALUES (7 << 32 | 1, 1, 'up', 1, 0, 0)",
        "UPDATE decisions SET decision = '{}' WHERE purchase_id = 3",
        "UPDATE decisions SET decision = '{\"taken\":[]}' WHERE purchase_id = 3",
        "UPDATE decisions SET decision = replace(decision, ':1\"', ':2\"') WHERE purchase_id = 3",
        "UPDATE decisions SET decision = replace(decision, '999999999', '0') WHERE purchase_id = 3",
        "UPDATE decisions SET decision = replace(decision, '999999999', '1000000001') WHERE purchase_id = 3",
        "UPDATE decisions SET decision = replace(decision, '\"quantity\":1', '\"quantity\":0') WHERE purchase_id = 2",
        "UPDATE decisions SET purchase_id = -3 WHERE purchase_id = 3",
        "UPDATE decisions SET purchase_id = 1 << 62 WHERE purchase_id = 3",
        "UPDATE decision_floor SET purchase_id = -1",
    ] {
        let root = TempDir::new().expect("a temporary directory");
        filled(&root);
        assert!(forge::<ProductSchema>(root.path(), statement) > 0, "{statement}");
        let error = load_from(&root).err().unwrap_or_else(|| panic!("{statement} is let pass"));
        assert!(matches!(error, StoreError::Damaged(..)), "{statement}: {error}");
        assert!(error.to_string().contains("product.db is damaged ("), "{error}");
    }
}

#[test]
fn a_vote_in_an_edited_file_that_was_never_counted_does_no_harm() {
    let root = TempDir::new().expect("a temporary directory");
    filled(&root);
    forge::<ProductSchema>(root.path(), "UPDATE items SET up = 0");
    let (mut product, _store) = load_from(&root).expect("it loads");
    let vote = ask(&mut product, "ProvideFeedback", r#"{"item_id":"1:1","vote":"down","buyer_id":1}"#);
    assert_eq!(
        vote.as_deref(),
        Ok(r#"{"item_id":"1:1","feedback":{"up":0,"down":3},"seller_id":3,"revision":2}"#)
    );
}

#[test]
fn counters_at_their_end_stay_there() {
    let root = TempDir::new().expect("a temporary directory");
    filled(&root);
    forge::<ProductSchema>(root.path(), "UPDATE items SET down = 4294967295");
    forge::<ProductSchema>(root.path(), "UPDATE votes SET revision = 4294967295");
    let (mut product, _store) = load_from(&root).expect("it loads");
    let vote = ask(&mut product, "ProvideFeedback", r#"{"item_id":"1:1","vote":"down","buyer_id":1}"#);
    assert_eq!(
        vote.as_deref(),
        Ok(r#"{"item_id":"1:1","feedback":{"up":0,"down":4294967295},"seller_id":3,"revision":4294967295}"#)
    );
}

/// A file of version 1, with what a process of that version leaves beside it.
fn version_1(root: &TempDir) {
    let connection = Connection::open(root.path().join("product.db")).expect("it opens");
    let rows = "
        PRAGMA journal_mode = WAL; PRAGMA application_id = 1298887760; PRAGMA user_version = 1;
        INSERT INTO items (id, seller_id, name, keywords, condition, price_cents, quantity, up, down) VALUES
            (1 << 32 | 1, 3, 'desk', '[\"oak\"]', 'new', 1999, 5, 1, 0), (1 << 32 | 2, 3, 'lamp', '[]', 'used', 7, 0, 0, 0);
        INSERT INTO votes VALUES (1 << 32 | 1, 1, 'up', 1);";
    connection.execute_batch(&[FIRST, rows].concat()).expect("valid statements");
    std::fs::write(root.path().join("product.lock"), "").expect("it can be made");
}

#[test]
fn a_file_of_version_1_is_brought_up_to_date_and_guarded_from_then_on() {
    let root = TempDir::new().expect("a temporary directory");
    version_1(&root);
    let (mut product, mut store) = load_from(&root).expect("it loads");
    let taken = take(&mut product, 1, 0, r#"{"1:1":1}"#).expect("decided");
    assert!(taken.contains(r#""name":"desk","quantity":1,"price":19.99"#), "{taken}");
    ask(&mut product, "UpdateUnitsForSale", r#"{"item_id":"1:1","quantity_delta":1}"#).expect("done");
    let item = ask(&mut product, "GetItem", r#"{"item_id":"1:1"}"#).expect("it is there");
    assert!(
        item.contains(r#""price":19.99,"quantity":5,"seller_id":3,"feedback":{"up":1,"down":0}"#),
        "{item}"
    );
    assert_eq!(ask(&mut product, "RegisterItem", ITEMS[0]).as_deref(), Ok(r#"{"item_id":"1:3"}"#));
    flush(&mut product, &mut store);
    drop((product, store));
    load_from(&root).expect("it loads again");
    let version = Connection::open(root.path().join("product.db"));
    version.and_then(|file| file.execute("UPDATE items SET quantity = 9", [])).expect("valid");
    let error = load_from(&root).err().expect("somebody else has changed it");
    assert!(error.to_string().contains("a row of items, id 4294967297, is not as it was written"), "{error}");
}

#[test]
fn a_backup_put_in_place_of_the_file_under_its_log_never_brings_half_of_it_back() {
    // In the light case the log begins before the backup, in the heavy one long after it.
    for (checkpoint, vacuum) in [(false, false), (false, true), (true, false), (true, true)] {
        let root = TempDir::new().expect("a temporary directory");
        let place = |name: &str| root.path().join(name);
        let (mut product, mut store) = load_from(&root).expect("a new file");
        let mut register = |store: &mut Store<ProductSchema>, times| {
            for _ in 0..times {
                ask(&mut product, "RegisterItem", ITEMS[0]).expect("registered");
                flush(&mut product, store);
            }
        };
        register(&mut store, 50);
        let tool = Connection::open(place("product.db")).expect("it opens");
        let path = place("backup.db").into_os_string().into_string().expect("UTF-8");
        // A copy of a file whose log is in it is what SQLite's backup makes, page by page.
        tool.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).expect("valid");
        match vacuum {
            true => drop(tool.execute("VACUUM INTO ?", [&path]).expect("valid")),
            false => drop(std::fs::copy(place("product.db"), &path).expect("it can be copied")),
        }
        register(&mut store, 100);
        if checkpoint {
            tool.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).expect("valid");
        }
        register(&mut store, 100);

        let killed = TempDir::new().expect("a temporary directory");
        for name in ["product.db-wal", "product.db-commits"] {
            std::fs::copy(place(name), killed.path().join(name)).expect("it can be copied");
        }
        std::fs::copy(&path, killed.path().join("product.db")).expect("it can be copied");
        let error = match load_from(&killed) {
            // The log begins where the copy ends: it is what would be there if the checkpoint had been the last.
            Ok((mut product, _store)) if !checkpoint => {
                let found = ask(&mut product, "SearchItems", r#"{"category":1,"limit":1}"#);
                assert!(found.expect("an answer").contains(r#""total":250"#));
                continue;
            }
            loaded => loaded.err().unwrap_or_else(|| panic!("{checkpoint}, {vacuum}: it is let in")),
        };
        assert!(matches!(error, StoreError::Damaged(..) | StoreError::Lost { .. }), "{error}");
    }
}
