//! The catalogue goes to disk and comes back the same, and files that make no sense are refused.

use net::Time;
use tempfile::TempDir;

use super::*;
use crate::database::{Domain, Group};
use crate::fields::Fields;
use crate::message::Error;
use crate::store::forge::forge;
use crate::store::{Durability, Store};

/// Carries out a request; returns the JSON of its data.
fn ask(product: &mut Product, api: &str, data: &str) -> Result<String, Error> {
    let api = Product::api(api).expect("there is such an API");
    let mut json = Vec::new();
    product.execute(Time::default(), api, Fields::parse(data)?, &mut json)?;
    Ok(String::from_utf8(json).expect("data is UTF-8"))
}

/// Brings what was changed to disk.
fn flush(product: &mut Product, store: &mut Store<ProductSchema>) {
    let rows = product.seal();
    store.commit(&Group { number: 1, rows }).expect("committed");
    product.publish();
}

fn load_from(root: &TempDir) -> Result<(Product, Store<ProductSchema>), StoreError> {
    let store = Store::open(root.path(), Durability::Flush)?;
    Ok((load(&store.reader())?, store))
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
    assert!(!product.is_dirty());
    product
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

#[test]
fn a_catalogue_comes_back_as_it_was() {
    let root = TempDir::new().expect("a temporary directory");
    let before = told(&mut filled(&root));
    assert!(before[0].contains(r#""price":0.07,"quantity":1,"seller_id":3,"feedback":{"up":1,"down":2}"#));
    let (mut product, _store) = load_from(&root).expect("it loads");
    assert!(!product.is_dirty());
    assert_eq!(told(&mut product), before);
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
