//! `db_product`, called directly as other tools do.

use serde_json::{Value, json};
use support::{Client, Reply};

use crate::DEADLINE_MS;
use crate::cluster::Cluster;

fn item(seller_id: u64, category: u32, quantity: u32) -> Value {
    json!({"seller_id": seller_id, "name": "Red pen", "category": category, "keywords": ["pen"],
        "condition": "Used", "price": 1.5, "quantity": quantity})
}

/// A client of a `db_product` in which seller 3 sells 5 units of item `1:1`.
fn with_item(cluster: &Cluster) -> Client {
    let mut client = cluster.product.client();
    assert_eq!(client.ok_text("RegisterItem", item(3, 1, 5)), r#"{"item_id":"1:1"}"#);
    client
}

#[test]
fn items_are_registered_found_and_listed() {
    let cluster = Cluster::start();
    let mut client = with_item(&cluster);
    let shown = r#"{"item_id":"1:1","name":"Red pen","category":1,"keywords":["pen"],"condition":"used","price":1.5,"quantity":5,"seller_id":3,"feedback":{"up":0,"down":0}}"#;
    assert_eq!(client.ok_text("GetItem", json!({"item_id": "1:1"})), format!(r#"{{"item":{shown}}}"#));
    let found = format!(r#"{{"items":[{shown}],"total":1,"next_cursor":null}}"#);
    assert_eq!(client.ok_text("SearchItems", json!({"keywords": ["RED"]})), found);
    let listed = format!(r#"{{"items":[{shown}],"next_cursor":null}}"#);
    assert_eq!(client.ok_text("DisplayItemsForSale", json!({"seller_id": 3})), listed);
    let none = r#"{"items":[],"next_cursor":null}"#;
    assert_eq!(client.ok_text("DisplayItemsForSale", json!({"seller_id": 4})), none);
    for (api, data, field) in [
        ("DisplayItemsForSale", json!({}), "`seller_id`"),
        ("DisplayItemsForSale", json!({"seller_id": 0}), "`seller_id`"),
        ("RegisterItem", item(0, 1, 1), "`seller_id`"),
        ("RegisterItem", json!({"seller_id": 3}), "`name`"),
        ("SearchItems", json!({}), "`category`"),
        ("GetItem", json!({}), "`item_id`"),
    ] {
        let message = client.refused(api, data, "INVALID_ARGUMENT");
        assert!(message.contains(field), "{message}");
    }
    client.refused("GetItem", json!({"item_id": "1:2"}), "NOT_FOUND");
}

#[test]
fn a_seller_that_is_named_must_own_the_item() {
    let cluster = Cluster::start();
    let mut client = with_item(&cluster);
    for (api, field) in [("ChangeItemPrice", "price"), ("UpdateUnitsForSale", "quantity_delta")] {
        client.ok(api, json!({"item_id": "1:1", field: 1}));
        client.ok(api, json!({"item_id": "1:1", field: 1, "seller_id": 3}));
        client.refused(api, json!({"item_id": "1:1", field: 1, "seller_id": 4}), "PERMISSION_DENIED");
        client.refused(api, json!({"item_id": "1:1", field: 1, "seller_id": "3"}), "INVALID_ARGUMENT");
        client.refused(api, json!({"item_id": "1:9", field: 1, "seller_id": 3}), "NOT_FOUND");
        client.refused(api, json!({"item_id": "1:1", field: 1, "colour": 1}), "INVALID_ARGUMENT");
    }
    let available = json!({"item_id": "1:1", "quantity": 7});
    assert_eq!(client.ok_text("CheckAvailability", available), r#"{"available":7,"ok":true}"#);
}

#[test]
fn availability_is_what_is_in_stock() {
    let cluster = Cluster::start();
    let mut client = with_item(&cluster);
    for (quantity, ok) in [(0, true), (1, true), (5, true), (6, false), (1_000_000_000, false)] {
        let available = client.ok_text("CheckAvailability", json!({"item_id": "1:1", "quantity": quantity}));
        assert_eq!(available, format!(r#"{{"available":5,"ok":{ok}}}"#));
    }
    client.refused("CheckAvailability", json!({"item_id": "1:2", "quantity": 1}), "NOT_FOUND");
    for quantity in [json!(-1), json!(1_000_000_001), json!(null), json!("1")] {
        let data = json!({"item_id": "1:1", "quantity": quantity});
        assert!(client.refused("CheckAvailability", data, "INVALID_ARGUMENT").contains("`quantity`"));
    }
}

#[test]
fn votes_without_a_buyer_add_up_and_those_of_one_replace_each_other() {
    let cluster = Cluster::start();
    let mut client = with_item(&cluster);
    for (buyer_id, vote, up, down) in [
        (json!(null), "up", 1, 0),
        (json!(null), "up", 2, 0),
        (json!(1), "up", 3, 0),
        (json!(1), "down", 2, 1),
        (json!(2), "down", 2, 2),
        (json!(null), "down", 2, 3),
        (json!(1), "down", 2, 3),
    ] {
        let data = json!({"item_id": "1:1", "vote": vote, "buyer_id": buyer_id});
        let voted = client.ok_text("ProvideFeedback", data);
        let expected = format!(r#"{{"item_id":"1:1","feedback":{{"up":{up},"down":{down}}}"#);
        assert!(voted.starts_with(&expected), "{voted}");
    }
    client.refused("ProvideFeedback", json!({"item_id": "1:2", "vote": "up"}), "NOT_FOUND");
    client.refused(
        "ProvideFeedback",
        json!({"item_id": "1:1", "vote": "up", "buyer_id": 0}),
        "INVALID_ARGUMENT",
    );
}

#[test]
fn a_read_behind_a_write_sees_it_and_replies_keep_their_order() {
    let cluster = Cluster::start();
    let mut client = with_item(&cluster);
    let apis = ["UpdateUnitsForSale", "CheckAvailability", "RegisterItem", "SearchItems", "GetItem"];
    let mut lines = String::new();
    for n in 0..200 {
        for (api, data) in apis.into_iter().zip([
            json!({"item_id": "1:1", "quantity_delta": 1}),
            json!({"item_id": "1:1", "quantity": 1}),
            item(1, 2, 1),
            json!({"category": 2, "limit": 1}),
            json!({"item_id": format!("2:{}", n + 1)}),
        ]) {
            let id = format!("{n}{api}");
            lines +=
                &json!({"request_id": id, "deadline_ms": DEADLINE_MS, "api": api, "data": data}).to_string();
            lines += "\n";
        }
    }
    client.send_bytes(lines.as_bytes());
    for n in 0..200 {
        let replies = apis.map(|api| Reply::new(client.read_line(), &format!("\"{n}{api}\"")).data());
        assert_eq!(replies[0], format!(r#"{{"item_id":"1:1","quantity":{}}}"#, n + 6));
        assert_eq!(replies[1], format!(r#"{{"available":{},"ok":true}}"#, n + 6));
        assert_eq!(replies[2], format!(r#"{{"item_id":"2:{}"}}"#, n + 1));
        assert!(replies[3].contains(&format!(r#"],"total":{},"#, n + 1)), "{}", replies[3]);
        assert!(replies[4].starts_with(r#"{"item":{"#), "{}", replies[4]);
    }
}

#[test]
fn units_are_neither_lost_nor_gained_by_many_at_once() {
    let cluster = Cluster::start();
    let mut client = with_item(&cluster);
    let mut clients: Vec<_> = (0..10).map(|_| cluster.product.client()).collect();
    let take = json!({"api": "UpdateUnitsForSale", "data": {"item_id": "1:1", "quantity_delta": -1}});
    let lines = format!("{take}\n{take}");
    clients.iter_mut().for_each(|client| client.send(&lines));
    let mut codes = Vec::new();
    for client in &mut clients {
        for _ in 0..2 {
            let reply = client.read_json();
            codes.push(reply["error"]["code"].as_str().map(str::to_owned));
        }
    }
    assert_eq!(codes.iter().filter(|code| code.is_none()).count(), 5);
    assert_eq!(codes.iter().filter(|code| code.as_deref() == Some("OUT_OF_STOCK")).count(), 15);
    let left = client.ok_text("CheckAvailability", json!({"item_id": "1:1", "quantity": 1}));
    assert_eq!(left, r#"{"available":0,"ok":false}"#);
}

#[test]
fn the_stock_of_a_purchase_is_taken_as_a_whole_and_once() {
    let cluster = Cluster::start();
    let mut client = with_item(&cluster);
    client.ok("RegisterItem", item(4, 1, 1));
    let take = |id: &str, lines: Value| json!({"purchase_id": id, "lines": lines, "ended_before": "10"});
    let short = r#"{"refused":[{"item_id":"1:2","available":1,"quantity":2},{"item_id":"9:9","available":0,"quantity":1}]}"#;
    let of_too_much = take("10", json!({"1:1": 5, "1:2": 2, "9:9": 1}));
    assert_eq!(client.ok_text("TakeStock", of_too_much), short);
    let taken = r#"{"taken":[{"item_id":"1:1","seller_id":3,"name":"Red pen","quantity":5,"price":1.5},{"item_id":"1:2","seller_id":4,"name":"Red pen","quantity":1,"price":1.5}]}"#;
    for _ in 0..2 {
        assert_eq!(client.ok_text("TakeStock", take("11", json!({"1:1": 5, "1:2": 1}))), taken);
    }
    let left = json!({"item_id": "1:1", "quantity": 0});
    assert_eq!(client.ok_text("CheckAvailability", left), r#"{"available":0,"ok":true}"#);
    let late = client.refused("TakeStock", take("9", json!({"1:1": 1})), "FAILED_PRECONDITION");
    assert!(late.contains("purchase 9 has ended"), "{late}");
    for (data, field) in [
        (json!({"lines": {"1:1": 1}, "ended_before": "0"}), "`purchase_id`"),
        (json!({"purchase_id": "1", "ended_before": "0"}), "`lines`"),
        (json!({"purchase_id": "1", "lines": {"1:1": 1}}), "`ended_before`"),
        (take("x", json!({"1:1": 1})), "`purchase_id`"),
        (take("12", json!({})), "`lines`"),
        (take("12", json!({"1:1": 0})), "`lines`"),
        (take("12", json!({"1:1": 1_000_000_001})), "`lines`"),
        (take("12", json!({"x": 1})), "`lines`"),
    ] {
        let message = client.refused("TakeStock", data, "INVALID_ARGUMENT");
        assert!(message.contains(field), "{message}");
    }
}
