//! What sellers do with their items.

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// The IDs of the items in a reply.
fn ids(reply: &Value) -> Vec<String> {
    let items = reply["items"].as_array().unwrap();
    items.iter().map(|item| item["item_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_item_is_returned_as_it_was_registered_everywhere() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    let item = r#""name":"Intro to \"DS\" \u00e9","category":1,"keywords":["Book","cs"],"condition":"NEW","price":19.99,"quantity":5"#;
    let registered = format!(r#"{{"session_id":"{}",{item}}}"#, seller.session);
    assert_eq!(seller.client.ok_text("RegisterItemForSale", registered), r#"{"item_id":"1:1"}"#);

    let item = r#"{"item_id":"1:1","name":"Intro to \"DS\" é","category":1,"keywords":["Book","cs"],"condition":"new","price":19.99,"quantity":5,"seller_id":1,"feedback":{"up":0,"down":0}}"#;
    let id = json!({"item_id": "1:1"});
    assert_eq!(buyer.ok_text("GetItem", &id), format!(r#"{{"item":{item}}}"#));
    let found = format!(r#"{{"items":[{item}],"total":1,"next_cursor":null}}"#);
    assert_eq!(buyer.ok_text("SearchItemsForSale", json!({"category": 1})), found);
    let listed = format!(r#"{{"items":[{item}],"next_cursor":null}}"#);
    assert_eq!(seller.ok_text("DisplayItemsForSale", json!({})), listed);

    let cluster = cluster.restart();
    assert_eq!(cluster.buyer.client().ok_text("GetItem", &id), format!(r#"{{"item":{item}}}"#));
}

#[test]
fn items_are_numbered_from_one_in_each_category() {
    let cluster = Cluster::start();
    let (mut sue, mut tom) = (cluster.new_seller("sue"), cluster.new_seller("tom"));
    assert_eq!(sue.sell(7, "Pen", &[], 1), "7:1");
    assert_eq!(sue.sell(0, "Pen", &[], 1), "0:1");
    assert_eq!(tom.sell(7, "Pen", &[], 0), "7:2");
    assert_eq!(sue.sell(2_147_483_647, "Pen", &[], 1), "2147483647:1");
    assert_eq!(tom.sell(7, "Pen", &[], 1), "7:3");
    let cluster = cluster.restart();
    sue.client = cluster.seller.client();
    assert_eq!(sue.sell(7, "Pen", &[], 1), "7:4");
    assert_eq!(sue.sell(0, "Pen", &[], 1), "0:2");
}

#[test]
fn units_go_up_and_down_and_never_below_zero() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("sue");
    let item = seller.sell(1, "Pen", &[], 5);
    let change = |delta: i64| json!({"item_id": item, "quantity_delta": delta});
    for (delta, quantity) in
        [(3, 8), (-8, 0), (1_000_000_000, 1_000_000_000), (-1_000_000_000, 0), (0, 0), (2, 2)]
    {
        let updated = seller.ok_text("UpdateUnitsForSale", change(delta));
        assert_eq!(updated, format!(r#"{{"item_id":"1:1","quantity":{quantity}}}"#));
    }
    seller.refused("UpdateUnitsForSale", change(-3), "OUT_OF_STOCK");
    seller.refused("UpdateUnitsForSale", change(-1_000_000_000), "OUT_OF_STOCK");
    for delta in [999_999_999, 1_000_000_001, -1_000_000_001, i64::MIN, i64::MAX] {
        let message = seller.refused("UpdateUnitsForSale", change(delta), "INVALID_ARGUMENT");
        assert!(message.contains("`quantity_delta`") && message.contains("1000000000"), "{message}");
    }
    let item = cluster.buyer.client().ok("GetItem", json!({"item_id": "1:1"}));
    assert_eq!(item["item"]["quantity"], 2, "what was refused changed nothing");
}

#[test]
fn another_sellers_item_is_not_to_be_touched() {
    let cluster = Cluster::start();
    let (mut sue, mut tom) = (cluster.new_seller("sue"), cluster.new_seller("tom"));
    let item = sue.sell(1, "Pen", &[], 5);
    let before = sue.ok_text("DisplayItemsForSale", json!({}));
    let (price, units) =
        (json!({"item_id": item, "price": 1}), json!({"item_id": item, "quantity_delta": 1}));
    tom.refused("ChangeItemPrice", price, "PERMISSION_DENIED");
    tom.refused("UpdateUnitsForSale", units, "PERMISSION_DENIED");
    for api in ["ChangeItemPrice", "UpdateUnitsForSale"] {
        let field = if api == "ChangeItemPrice" { "price" } else { "quantity_delta" };
        let message = tom.refused(api, json!({"item_id": "1:2", field: 1}), "NOT_FOUND");
        assert!(message.contains("1:2"), "{message}");
        let message =
            tom.refused(api, json!({"item_id": "1:1", field: 1, "seller_id": 1}), "INVALID_ARGUMENT");
        assert!(message.contains("`seller_id`"), "nobody speaks for another seller: {message}");
    }
    assert_eq!(sue.ok_text("DisplayItemsForSale", json!({})), before);
    assert_eq!(tom.ok_text("DisplayItemsForSale", json!({})), r#"{"items":[],"next_cursor":null}"#);
}

#[test]
fn sold_out_items_are_listed_on_request_only() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("sue");
    seller.sell(2, "Pen", &[], 0);
    seller.sell(1, "Pen", &[], 1);
    seller.sell(1, "Pen", &[], 2);
    let mut listed = |data| ids(&seller.ok("DisplayItemsForSale", data));
    assert_eq!(listed(json!({})), ["1:1", "1:2"]);
    assert_eq!(listed(json!({"sold_out": false})), ["1:1", "1:2"]);
    assert_eq!(listed(json!({"sold_out": null})), ["1:1", "1:2"]);
    assert_eq!(listed(json!({"sold_out": true})), ["1:1", "1:2", "2:1"]);
    for value in [json!(1), json!("true"), json!([])] {
        let message = seller.refused("DisplayItemsForSale", json!({"sold_out": value}), "INVALID_ARGUMENT");
        assert!(message.contains("`sold_out`"), "{message}");
    }
    seller.ok("UpdateUnitsForSale", json!({"item_id": "1:1", "quantity_delta": -1}));
    seller.ok("UpdateUnitsForSale", json!({"item_id": "2:1", "quantity_delta": 1}));
    assert_eq!(ids(&seller.ok("DisplayItemsForSale", json!({}))), ["1:2", "2:1"]);
}

#[test]
fn a_long_list_comes_in_pages() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("sue");
    let mut other = cluster.new_seller("tom");
    for n in 0..105 {
        seller.sell(n % 3, "Pen", &[], n % 5);
        if n % 10 == 0 {
            other.sell(1, "Ink", &[], 1);
        }
    }
    let all = seller.ok("DisplayItemsForSale", json!({"sold_out": true, "limit": 1000}));
    assert_eq!((ids(&all).len(), &all["next_cursor"]), (105, &Value::Null));
    let first = seller.ok("DisplayItemsForSale", json!({"sold_out": true}));
    assert_eq!(ids(&first), ids(&all)[..100], "a page has 100 items if not asked otherwise");
    for sold_out in [true, false] {
        let all = ids(&seller.ok("DisplayItemsForSale", json!({"sold_out": sold_out, "limit": 1000})));
        for limit in [1, 7, all.len() - 1, all.len(), all.len() + 1] {
            let (mut paged, mut cursor) = (Vec::new(), Value::Null);
            loop {
                let data = json!({"sold_out": sold_out, "limit": limit, "cursor": cursor});
                let page = seller.ok("DisplayItemsForSale", data);
                assert!(ids(&page).len() <= limit && !ids(&page).is_empty());
                paged.extend(ids(&page));
                cursor = page["next_cursor"].clone();
                if cursor.is_null() {
                    break;
                }
                assert!(cursor.is_string() && ids(&page).len() == limit);
            }
            assert_eq!(paged, all, "in pages of {limit}");
        }
    }
}
