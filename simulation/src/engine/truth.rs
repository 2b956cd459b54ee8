//! What stands in the tables of an engine once all has ended, and whether it agrees with itself: what no API shows, or
//! shows so that it may be right by chance.

use std::collections::{BTreeMap, BTreeSet};

use services::postgres::Row;

use super::Cluster;

/// The units of each item of a purchase.
type Lines = BTreeMap<i64, i64>;

/// Checks all of it. No purchase is under way.
pub(crate) fn check(engine: &Cluster) {
    check_catalogue(engine);
    check_decisions(engine);
    for unfinished in ["SELECT purchase_id FROM purchases_begun", "SELECT purchase_id FROM purchase_lines"] {
        assert_eq!(numbers(engine, unfinished), Vec::<[i64; 1]>::new(), "{unfinished}");
    }
    let made = made(engine);
    for [purchase_id] in numbers(engine, "SELECT purchase_id FROM purchase_keys") {
        assert!(made.contains(&purchase_id), "a key is kept for {purchase_id}, which was not made");
    }
}

/// How many purchases have not ended.
pub(crate) fn unfinished(engine: &Cluster) -> u64 {
    engine.read("SELECT purchase_id FROM purchases_begun").len() as u64
}

/// Numbers of items have no gaps, shelves know how many they have, and what is in stock can be found, and nothing else.
fn check_catalogue(engine: &Cluster) {
    let items = numbers(engine, "SELECT item_id, seller_id, quantity FROM items");
    let (mut by_category, mut by_seller) = (BTreeMap::new(), BTreeMap::new());
    for [item_id, seller_id, _] in &items {
        let numbers: &mut BTreeSet<i64> = by_category.entry(item_id >> 32).or_default();
        numbers.insert(item_id & i64::from(u32::MAX));
        *by_seller.entry(*seller_id).or_insert(0) += 1;
    }
    for [category, last] in numbers(engine, "SELECT category, last_n FROM categories") {
        let numbers = by_category.remove(&category).unwrap_or_default();
        assert!(
            numbers.iter().copied().eq(1..=last),
            "category {category} has {numbers:?}, not up to {last}"
        );
    }
    assert!(by_category.is_empty(), "items of categories that are not there: {by_category:?}");
    for [seller_id, registered] in numbers(engine, "SELECT seller_id, registered FROM shelves") {
        let count = by_seller.remove(&seller_id).unwrap_or(0);
        assert_eq!(registered, count, "the shelf of seller {seller_id}");
    }
    assert!(by_seller.is_empty(), "items of sellers without a shelf: {by_seller:?}");
    let found: BTreeSet<i64> =
        numbers(engine, "SELECT item_id FROM item_terms").into_iter().map(|[id]| id).collect();
    let in_stock = items.iter().filter(|[_, _, quantity]| *quantity > 0).map(|[id, _, _]| *id).collect();
    assert_eq!(found, in_stock, "what is found is what is in stock");
}

/// What was taken was bought, all of it, and nothing else was.
fn check_decisions(engine: &Cluster) {
    let mut lines = BTreeMap::<i64, Lines>::new();
    for [purchase_id, item_id, units] in
        numbers(engine, "SELECT purchase_id, item_id, quantity FROM decision_lines")
    {
        lines.entry(purchase_id).or_default().insert(item_id, units);
    }
    let made = made(engine);
    for row in engine.read("SELECT purchase_id, decision, lines_wanted, lines_found FROM decisions") {
        let [purchase_id, wanted, found] = [0, 2, 3].map(|column| int(&row, column));
        let taken = lines.remove(&purchase_id).map_or(0, |lines| lines.len() as i64);
        assert_eq!((taken, found), (wanted, wanted), "what was taken for {purchase_id}");
        let is_taken = row.text(1).expect("a text") == "taken";
        assert_eq!(made.contains(&purchase_id), is_taken, "{purchase_id} is made if its stock was taken");
    }
    assert!(lines.is_empty(), "stock was taken without a decision: {lines:?}");
}

/// The purchases that were made.
fn made(engine: &Cluster) -> BTreeSet<i64> {
    numbers(engine, "SELECT purchase_id FROM purchases").into_iter().map(|[id]| id).collect()
}

fn numbers<const COUNT: usize>(engine: &Cluster, sql: &'static str) -> Vec<[i64; COUNT]> {
    let columns = std::array::from_fn(|column| column);
    engine.read(sql).iter().map(|row| columns.map(|column| int(row, column))).collect()
}

fn int(row: &Row, column: usize) -> i64 {
    row.int(column).expect("a number")
}
