//! Search: what is found, in which order, page by page.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use support::Client;

use crate::cluster::{Cluster, Setup};

/// The IDs that a search finds, with `total`.
fn search(buyer: &mut Client, data: Value) -> (Vec<String>, u64) {
    let found = buyer.ok("SearchItemsForSale", data);
    let items = found["items"].as_array().unwrap();
    let ids = items.iter().map(|item| item["item_id"].as_str().unwrap().to_owned());
    (ids.collect(), found["total"].as_u64().unwrap())
}

#[track_caller]
fn assert_found(buyer: &mut Client, data: Value, ids: &[&str]) {
    let shown = data.to_string();
    let (found, total) = search(buyer, data);
    assert_eq!(found, ids, "{shown}");
    assert_eq!(total, ids.len() as u64, "{shown}");
}

#[test]
fn hits_are_ordered_by_score_then_category_then_number() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    seller.sell(10, "Blue pen", &["office"], 1); // 10:1
    seller.sell(2, "Blue PEN", &[], 1); // 2:1
    seller.sell(2, "Marker", &["pen", "blue"], 1); // 2:2
    seller.sell(2, "Pen", &["PEN"], 1); // 2:3
    seller.sell(10, "pen", &["Blue"], 1); // 10:2
    seller.sell(2, "Pencil", &["pencil"], 1); // 2:4
    seller.sell(2, "Blue pen", &["pen", "blue"], 0); // 2:5

    let keywords = |keywords: &[&str]| json!({"keywords": keywords});
    // A keyword counts 2, a word of the name 1, and no item counts both for one keyword.
    assert_found(&mut buyer, keywords(&["pen"]), &["2:2", "2:3", "2:1", "10:1", "10:2"]);
    assert_found(&mut buyer, keywords(&["PEN"]), &["2:2", "2:3", "2:1", "10:1", "10:2"]);
    assert_found(&mut buyer, keywords(&["pen", "blue"]), &["2:2", "10:2", "2:1", "2:3", "10:1"]);
    assert_found(&mut buyer, keywords(&["blue", "pen", "none"]), &["2:2", "10:2", "2:1", "2:3", "10:1"]);
    assert_found(&mut buyer, keywords(&["pe"]), &[]);
    assert_found(&mut buyer, keywords(&["none"]), &[]);
    assert_found(&mut buyer, json!({"category": 2, "keywords": ["pen"]}), &["2:2", "2:3", "2:1"]);
    assert_found(&mut buyer, json!({"category": 10, "keywords": ["pen", "blue"]}), &["10:2", "10:1"]);
    assert_found(&mut buyer, json!({"category": 3, "keywords": ["pen"]}), &[]);
    // Without a keyword everything of the category matches.
    for no_keywords in [json!({"category": 2}), json!({"category": 2, "keywords": []})] {
        assert_found(&mut buyer, no_keywords, &["2:1", "2:2", "2:3", "2:4"]);
    }
    assert_found(
        &mut buyer,
        json!({"category": 2, "keywords": null, "limit": null}),
        &["2:1", "2:2", "2:3", "2:4"],
    );
}

#[test]
fn a_search_for_nothing_in_particular_is_refused() {
    let cluster = Cluster::start();
    let mut buyer = cluster.buyer.client();
    for data in [json!({}), json!({"keywords": []}), json!({"category": null}), json!({"limit": 5})] {
        let message = buyer.refused("SearchItemsForSale", data, "INVALID_ARGUMENT");
        assert!(message.contains("`category`") && message.contains("`keywords`"), "{message}");
    }
    for (data, field) in [
        (json!({"category": -1}), "`category`"),
        (json!({"category": 2_147_483_648_u64}), "`category`"),
        (json!({"keywords": ["a", "b", "c", "d", "e", "f"]}), "`keywords`"),
        (json!({"keywords": ["123456789"]}), "`keywords`"),
        (json!({"keywords": [""]}), "`keywords`"),
        (json!({"keywords": "pen"}), "`keywords`"),
        (json!({"category": 1, "condition": "new"}), "`condition`"),
    ] {
        let message = buyer.refused("SearchItemsForSale", data, "INVALID_ARGUMENT");
        assert!(message.contains(field), "{message}");
    }
    assert_found(&mut buyer, json!({"category": 0, "keywords": ["a", "b", "c", "d", "12345678"]}), &[]);
    assert_found(&mut buyer, json!({"category": 2_147_483_647, "limit": 1000}), &[]);
}

#[test]
fn case_is_ignored_beyond_ascii() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    seller.sell(1, "Vélo ÉLECTRIQUE", &["ÄPFEL"], 1);
    seller.sell(1, "x", &["vélo"], 1);
    assert_found(&mut buyer, json!({"keywords": ["VÉLO"]}), &["1:2", "1:1"]);
    assert_found(&mut buyer, json!({"keywords": ["äpfel"]}), &["1:1"]);
    assert_found(&mut buyer, json!({"keywords": ["velo"]}), &[]);
}

#[test]
fn what_is_sold_out_is_not_found_until_it_is_back() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    seller.sell(1, "Red pen", &["pen"], 2);
    seller.sell(1, "Red ink", &["ink"], 0);
    assert_found(&mut buyer, json!({"keywords": ["red"]}), &["1:1"]);
    seller.ok("UpdateUnitsForSale", json!({"item_id": "1:1", "quantity_delta": -2}));
    seller.ok("UpdateUnitsForSale", json!({"item_id": "1:2", "quantity_delta": 1}));
    assert_found(&mut buyer, json!({"keywords": ["red"]}), &["1:2"]);
    assert_found(&mut buyer, json!({"category": 1}), &["1:2"]);
    assert_eq!(buyer.ok("GetItem", json!({"item_id": "1:1"}))["item"]["quantity"], 0);
    let cluster = cluster.restart();
    (seller.client, buyer) = (cluster.seller.client(), cluster.buyer.client());
    assert_found(&mut buyer, json!({"keywords": ["red"]}), &["1:2"]);
    seller.ok("UpdateUnitsForSale", json!({"item_id": "1:1", "quantity_delta": 1}));
    assert_found(&mut buyer, json!({"keywords": ["red", "pen"]}), &["1:1", "1:2"]);
}

#[test]
fn pages_join_to_the_whole_result() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    for n in 0..120_u32 {
        let keywords: &[&str] = if n % 3 == 0 { &["pen"] } else { &[] };
        let name = if n % 4 == 0 { "Blue pen" } else { "Pen" };
        seller.sell(n % 5, name, keywords, 1);
    }
    let default = buyer.ok("SearchItemsForSale", json!({"keywords": ["pen"]}));
    assert_eq!(default["items"].as_array().unwrap().len(), 100);
    for query in [json!({"keywords": ["pen"]}), json!({"keywords": ["pen", "blue"]}), json!({"category": 3})]
    {
        let with = |limit: usize, cursor: &Value| {
            let mut data = query.clone();
            data["limit"] = json!(limit);
            data["cursor"] = cursor.clone();
            data
        };
        let (all, total) = search(&mut buyer, with(1000, &Value::Null));
        assert_eq!(all.len() as u64, total);
        for limit in [1, 10, all.len() - 1, all.len()] {
            let (mut paged, mut cursor) = (Vec::new(), Value::Null);
            loop {
                let page = buyer.ok("SearchItemsForSale", with(limit, &cursor));
                assert_eq!(page["total"], total, "the total is that of all pages");
                let items = page["items"].as_array().unwrap();
                assert!((1..=limit).contains(&items.len()));
                paged.extend(items.iter().map(|item| item["item_id"].as_str().unwrap().to_owned()));
                cursor = page["next_cursor"].clone();
                if cursor.is_null() {
                    break;
                }
            }
            assert_eq!(paged, all, "{query} in pages of {limit}");
        }
    }
}

#[test]
fn a_cursor_stays_good_when_its_item_is_sold_out() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    (0..4).for_each(|_| drop(seller.sell(1, "Pen", &["pen"], 1)));
    let page = buyer.ok("SearchItemsForSale", json!({"keywords": ["pen"], "limit": 2}));
    seller.ok("UpdateUnitsForSale", json!({"item_id": "1:2", "quantity_delta": -1}));
    let rest = json!({"keywords": ["pen"], "limit": 2, "cursor": page["next_cursor"]});
    let rest = buyer.ok("SearchItemsForSale", rest);
    assert_eq!(rest["items"][0]["item_id"], "1:3");
    assert_eq!((&rest["items"][1]["item_id"], &rest["total"]), (&json!("1:4"), &json!(3)));
    assert_eq!(rest["next_cursor"], Value::Null);
}

#[test]
fn browsing_needs_no_session_and_checks_one_that_is_sent() {
    let timeout = Duration::from_millis(400);
    let cluster = Cluster::with(Setup { session_timeout: timeout, ..Setup::default() });
    let mut seller = cluster.new_seller("sue");
    seller.sell(1, "Pen", &[], 1);
    let mut buyer = cluster.new_buyer("bob");
    let browsing = [
        ("ListCategories", json!({})),
        ("SearchItemsForSale", json!({"category": 1})),
        ("GetItem", json!({"item_id": "1:1"})),
    ];
    for (api, data) in browsing {
        let with = |session: Value| {
            let mut data = data.clone();
            data["session_id"] = session;
            data
        };
        let without = buyer.client.ok_text(api, &data);
        assert_eq!(buyer.client.ok_text(api, with(json!(buyer.session))), without);
        assert_eq!(buyer.client.ok_text(api, with(json!(null))), without);
        for session in ["", "x", &seller.session] {
            buyer.client.refused(api, with(json!(session)), "NOT_LOGGED_IN");
        }
        buyer.client.refused(api, with(json!(7)), "INVALID_ARGUMENT");
    }
    sleep(timeout);
    buyer.refused("ListCategories", json!({}), "SESSION_TIMEOUT");
    buyer.refused("SearchItemsForSale", json!({"category": 1}), "SESSION_TIMEOUT");
    buyer.refused("GetItem", json!({"item_id": "1:1"}), "SESSION_TIMEOUT");
    buyer.client.ok("GetItem", json!({"item_id": "1:1"}));
}

#[test]
fn a_full_page_of_the_longest_items_passes_through() {
    let cluster = Cluster::start();
    let mut database = cluster.product.client();
    let (name, keywords) =
        ("😀".repeat(32), ["a", "b", "c", "d", "e"].map(|word| word.to_owned() + &"😀".repeat(7)));
    let item = json!({"seller_id": 4_294_967_295_u32, "name": name, "category": 2_147_483_647, "keywords": keywords,
        "condition": "used", "price": 999_999_999.99, "quantity": 1_000_000_000});
    database.send_bytes(format!("{{\"api\":\"RegisterItem\",\"data\":{item}}}\n").repeat(1001).as_bytes());
    (0..1001).for_each(|_| drop(database.read_line()));
    let mut buyer = cluster.buyer.client();
    let data = json!({"keywords": keywords, "limit": 1000});
    let line = json!({"api": "SearchItemsForSale", "data": data}).to_string();
    // The second reply is made while the first still waits to be read.
    buyer.send(format!("{line}\n{line}"));
    for _ in 0..2 {
        let page: Value = serde_json::from_str(&buyer.read_line()).unwrap();
        let (items, total) = (page["data"]["items"].as_array().unwrap(), &page["data"]["total"]);
        assert_eq!((items.len(), total), (1000, &json!(1001)));
        assert_eq!(items[999]["item_id"], "2147483647:1000");
        assert!(page["data"]["next_cursor"].is_string());
    }
}
