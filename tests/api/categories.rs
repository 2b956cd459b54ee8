//! Categories: which are listed, with how many items, page by page.

use serde_json::{Value, json};
use support::Client;

use crate::cluster::Cluster;

/// The listed categories with their items.
#[track_caller]
fn listed(client: &mut Client, data: Value) -> Vec<(u64, u64)> {
    let page = client.ok("ListCategories", data);
    let categories = page["categories"].as_array().unwrap().iter();
    categories.map(|of| (of["category"].as_u64().unwrap(), of["items"].as_u64().unwrap())).collect()
}

#[test]
fn categories_with_something_in_stock_are_listed_by_number() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    let none = r#"{"categories":[],"next_cursor":null}"#;
    assert_eq!(buyer.ok_text("ListCategories", json!({})), none);
    for category in [10, 2, 2_147_483_647, 10, 0, 2, 10] {
        seller.sell(category, "Pen", &["pen"], 2);
    }
    seller.sell(5, "Pen", &[], 0);
    let all = r#"{"categories":[{"category":0,"items":1},{"category":2,"items":2},{"category":10,"items":3},{"category":2147483647,"items":1}],"next_cursor":null}"#;
    assert_eq!(buyer.ok_text("ListCategories", json!({})), all);
    assert_eq!(buyer.ok_text("ListCategories", json!({"limit": 4, "cursor": null})), all);
    let mut database = cluster.product.client();
    assert_eq!(database.ok_text("ListCategories", json!({})), all);
    // A page goes on behind the last one, whatever has become of it.
    let first = buyer.ok("ListCategories", json!({"limit": 2}));
    assert_eq!(first["categories"][1]["category"], 2);
    for item in ["2:1", "2:2"] {
        seller.ok("UpdateUnitsForSale", json!({"item_id": item, "quantity_delta": -2}));
    }
    let rest = json!({"cursor": first["next_cursor"]});
    assert_eq!(listed(&mut buyer, rest), [(10, 3), (2_147_483_647, 1)]);
}

#[test]
fn the_counts_follow_the_stock_and_outlive_a_restart() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.new_buyer("bob"));
    (0..3).for_each(|_| drop(seller.sell(1, "Pen", &["pen"], 1)));
    seller.sell(7, "Ink", &[], 0);
    buyer.ok("AddItemToCart", json!({"item_id": "1:2", "quantity": 1}));
    buyer.ok("MakePurchase", json!({}));
    assert_eq!(listed(&mut buyer.client, json!({})), [(1, 2)], "what was bought is not in stock");
    seller.ok("UpdateUnitsForSale", json!({"item_id": "7:1", "quantity_delta": 5}));
    seller.ok("UpdateUnitsForSale", json!({"item_id": "7:1", "quantity_delta": -4}));
    seller.ok("ChangeItemPrice", json!({"item_id": "1:1", "price": 3}));
    assert_eq!(listed(&mut buyer.client, json!({})), [(1, 2), (7, 1)]);
    let cluster = cluster.restart();
    (seller.client, buyer.client) = (cluster.seller.client(), cluster.buyer.client());
    assert_eq!(listed(&mut buyer.client, json!({})), [(1, 2), (7, 1)]);
    for item in ["1:1", "1:3", "7:1"] {
        seller.ok("UpdateUnitsForSale", json!({"item_id": item, "quantity_delta": -1}));
    }
    assert_eq!(listed(&mut buyer.client, json!({})), []);
}

#[test]
fn pages_join_to_all_categories() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    let expected: Vec<(u64, u64)> = (0..130).map(|n| (n * 3, 1)).collect();
    for (category, _) in expected.iter().rev() {
        seller.sell(u32::try_from(*category).unwrap(), "Pen", &[], 1);
        seller.sell(u32::try_from(*category + 1).unwrap(), "Pen", &[], 0);
    }
    assert_eq!(listed(&mut buyer, json!({})), expected[..100], "a hundred, if nothing is said");
    for limit in [1, 7, 129, 130, 1000] {
        let (mut all, mut cursor) = (Vec::new(), Value::Null);
        loop {
            let data = json!({"limit": limit, "cursor": cursor});
            let categories = listed(&mut buyer, data.clone());
            assert!((1..=limit).contains(&categories.len()));
            all.extend(categories);
            cursor = buyer.ok("ListCategories", data)["next_cursor"].clone();
            if cursor.is_null() {
                break;
            }
        }
        assert_eq!(all, expected, "in pages of {limit}");
    }
}

#[test]
fn bad_input_is_refused_with_its_field() {
    let cluster = Cluster::start();
    let mut buyer = cluster.buyer.client();
    for (data, field, rule) in [
        (json!({"limit": 0}), "`limit`", "1 to 1000"),
        (json!({"limit": 1001}), "`limit`", "1 to 1000"),
        (json!({"limit": "1"}), "`limit`", "1 to 1000"),
        (json!({"cursor": 1}), "`cursor`", "next_cursor"),
        (json!({"cursor": ""}), "`cursor`", "next_cursor"),
        (json!({"cursor": "-1"}), "`cursor`", "next_cursor"),
        (json!({"cursor": "01"}), "`cursor`", "next_cursor"),
        (json!({"cursor": "+1"}), "`cursor`", "next_cursor"),
        (json!({"cursor": "2147483648"}), "`cursor`", "next_cursor"),
        (json!({"cursor": "9".repeat(65)}), "`cursor`", "next_cursor"),
        (json!({"cursor": "1:1"}), "`cursor`", "next_cursor"),
        (json!({"category": 1}), "`category`", "unknown"),
        (json!({"keywords": []}), "`keywords`", "unknown"),
        (json!({"session_id": 7}), "`session_id`", "string"),
    ] {
        let message = buyer.refused("ListCategories", &data, "INVALID_ARGUMENT");
        assert!(message.contains(field) && message.contains(rule), "{data}: {message}");
    }
    let twice = r#"{"limit":1,"limit":1}"#;
    assert!(buyer.refused("ListCategories", twice, "INVALID_ARGUMENT").contains("`limit`"));
    buyer.ok("ListCategories", json!({"cursor": "2147483647"}));
    let seller = cluster.seller.client().refused("ListCategories", json!({}), "UNIMPLEMENTED");
    assert!(seller.contains("ListCategories"), "{seller}");
}
