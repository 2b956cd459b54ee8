//! What one request at a time comes to that random ones do not.

use super::harness::{Shop, server};
use crate::api::error::Code;

fn item(seller_id: u32, category: u32) -> String {
    format!(
        r#"{{"name":"desk","category":{category},"keywords":["wood"],"condition":"new","price":10,"quantity":1,"seller_id":{seller_id}}}"#
    )
}

#[test]
fn a_seller_registers_so_many_items_and_a_category_has_so_many_numbers() {
    let Some(server) = server() else { return };
    let mut shop = Shop::open(&server);
    shop.done("RegisterItem", &item(7, 1));
    server.sql("shop", "UPDATE shelves SET registered = 99999");
    shop.done("RegisterItem", &item(7, 1));
    let error = shop.refused("RegisterItem", &item(7, 2));
    assert_eq!(error.code, Code::ResourceExhausted);
    assert_eq!(error.message, "seller 7 has registered 100000 items, and may register no more");
    assert_eq!(server.sql("shop", "SELECT count(*) FROM categories WHERE category = 2"), "0");
    server.sql("shop", "UPDATE categories SET last_n = 4294967294");
    assert_eq!(shop.done("RegisterItem", &item(8, 1)), r#"{"item_id":"1:4294967295"}"#);
    let error = shop.refused("RegisterItem", &item(8, 1));
    assert_eq!((error.code, &*error.message), (Code::ResourceExhausted, "category 1 is full"));
    assert_eq!(server.sql("shop", "SELECT registered FROM shelves WHERE seller_id = 8"), "1");
}

#[test]
fn a_purchase_may_be_of_a_thousand_items_that_nobody_remembers() {
    let Some(server) = server() else { return };
    let mut shop = Shop::open(&server);
    (0..1000).for_each(|_| _ = shop.done("RegisterItem", &item(7, 1)));
    let lines: Vec<String> = (1..=1000).map(|n| format!(r#""1:{n}":1"#)).collect();
    let data =
        |id: u32| format!(r#"{{"purchase_id":"{id}","lines":{{{}}},"ended_before":"0"}}"#, lines.join(","));
    let mut other = Shop::open(&server);
    let told = other.done("TakeStock", &data(1));
    assert!(
        told.starts_with(
            r#"{"taken":[{"item_id":"1:1","seller_id":7,"name":"desk","quantity":1,"price":10.0}"#
        )
    );
    assert_eq!(shop.done("TakeStock", &data(1)), told, "whoever asks is told the same");
    assert_eq!(server.sql("shop", "SELECT count(*) FROM item_terms"), "0");
    assert!(shop.done("TakeStock", &data(2)).starts_with(r#"{"refused":[{"item_id":"1:1","available":0"#));
}

#[test]
fn nothing_is_taken_if_an_item_has_vanished() {
    let Some(server) = server() else { return };
    let mut shop = Shop::open(&server);
    (0..2).for_each(|_| _ = shop.done("RegisterItem", &item(7, 1)));
    server.sql("shop", "DELETE FROM items WHERE item_id = (1::bigint << 32) + 2");
    let data = r#"{"purchase_id":"1","lines":{"1:1":1,"1:2":1},"ended_before":"0"}"#;
    let told = shop.done("TakeStock", data);
    assert_eq!(told, r#"{"refused":[{"item_id":"1:2","available":0,"quantity":1}]}"#);
    assert_eq!(server.sql("shop", "SELECT quantity FROM items"), "1");
}

#[test]
fn nothing_is_taken_below_the_floor_whoever_knows_of_it() {
    let Some(server) = server() else { return };
    let mut shop = Shop::open(&server);
    shop.done("RegisterItem", &item(7, 1));
    let data = |id: u32, ended_before: u32| {
        format!(r#"{{"purchase_id":"{id}","lines":{{"1:1":1}},"ended_before":"{ended_before}"}}"#)
    };
    let error = shop.refused("TakeStock", &data(4, 5));
    let expected = "purchase 4 has ended: nothing is taken for it any more";
    assert_eq!((error.code, &*error.message), (Code::FailedPrecondition, expected));
    assert_eq!(Shop::open(&server).refused("TakeStock", &data(4, 0)), error, "it is stored");
    assert!(Shop::open(&server).done("TakeStock", &data(5, 0)).starts_with(r#"{"taken""#));
}

#[test]
fn rows_that_make_no_sense_are_a_defect_and_no_crash() {
    let Some(server) = server() else { return };
    let mut shop = Shop::open(&server);
    shop.done("RegisterItem", &item(7, 1));
    for change in [
        "condition = 'odd'",
        "keywords = '{}'",
        "price_cents = -1",
        "price_cents = 100000000001",
        "up = -1",
        "down = 4294967296",
        "seller_id = -1",
    ] {
        server.sql("shop", "CREATE TABLE kept AS SELECT * FROM items");
        server.sql("shop", &format!("UPDATE items SET {change}"));
        let error = shop.refused("GetItem", r#"{"item_id":"1:1"}"#);
        assert_eq!(error.code, Code::Internal, "{change}");
        server.sql("shop", "DELETE FROM items; INSERT INTO items SELECT * FROM kept; DROP TABLE kept");
    }
    server.sql("shop", "INSERT INTO decisions VALUES (1, 'odd', 0, 0, ''), (2, 'refused', 0, 0, 'x')");
    server.sql("shop", "INSERT INTO decisions VALUES (3, 'taken', 1, 1, '')");
    for id in 1..=3 {
        let data = format!(r#"{{"purchase_id":"{id}","lines":{{"1:1":1}},"ended_before":"0"}}"#);
        assert_eq!(shop.refused("TakeStock", &data).code, Code::Internal, "{id}");
    }
}
