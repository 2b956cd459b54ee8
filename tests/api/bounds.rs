//! The bounds of every value, from both sides, and that a refusal names the field and the limit.

use serde_json::{Value, json};
use support::Client;

use crate::cluster::{Cluster, User};

/// An item that is fine, with one field replaced by this JSON.
fn item_with(seller: &User, field: &str, json: &str) -> String {
    let mut item = json!({"session_id": seller.session, "name": "Pen", "category": 1, "keywords": [],
        "condition": "new", "price": 1, "quantity": 1});
    item[field] = json!("@");
    item.to_string().replace("\"@\"", json)
}

/// Checks that `field` is refused with each of these values, and that the message says why.
#[track_caller]
fn assert_refused(seller: &mut User, field: &str, limit: &str, values: &[&str]) {
    for value in values {
        let item = item_with(seller, field, value);
        let message = seller.client.refused("RegisterItemForSale", item, "INVALID_ARGUMENT");
        assert!(message.contains(&format!("`{field}`")) && message.contains(limit), "{value}: {message}");
    }
}

/// Checks that `field` is taken with each of these values, and comes back as the other.
#[track_caller]
fn assert_taken(seller: &mut User, buyer: &mut Client, field: &str, values: &[(&str, &str)]) {
    for (sent, returned) in values {
        let item = item_with(seller, field, sent);
        let registered = seller.client.ok_text("RegisterItemForSale", item);
        let item = buyer.ok_text("GetItem", registered);
        assert!(item.contains(&format!("\"{field}\":{returned},")), "{sent}: {item}");
    }
}

#[test]
fn prices_are_exact_and_bounded() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("ann"), cluster.buyer.client());
    let taken = [
        ("0", "0.0"),
        ("-0", "0.0"),
        ("-0.0", "0.0"),
        ("0.00", "0.0"),
        ("0e400", "0.0"),
        ("0.01", "0.01"),
        ("19.99", "19.99"),
        ("10", "10.0"),
        ("1e1", "10.0"),
        ("1E+1", "10.0"),
        ("0.1e1", "1.0"),
        ("1.50", "1.5"),
        ("12.340000000000000000000", "12.34"),
        ("1999e-2", "19.99"),
        ("100000e-5", "1.0"),
        ("999999999.99", "999999999.99"),
        ("1000000000", "1000000000.0"),
        ("1000000000.00", "1000000000.0"),
        ("1e9", "1000000000.0"),
        ("0.07", "0.07"),
        ("1.15", "1.15"),
        ("72057594.03", "72057594.03"),
    ];
    assert_taken(&mut seller, &mut buyer, "price", &taken);
    let refused = [
        "-0.01",
        "-1",
        "0.001",
        "19.999",
        "10.000000000000000000001",
        "1e-3",
        "1000000000.01",
        "1000000001",
        "1e10",
        "1e400",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "-1e400",
        "123456789012345678901234567890",
        "\"1\"",
        "null",
        "[1]",
        "{}",
        "true",
    ];
    assert_refused(&mut seller, "price", "0 to 1000000000 with at most two decimals", &refused);
}

#[test]
fn a_changed_price_obeys_the_same_rules() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("ann");
    let item = seller.sell(1, "Pen", &[], 1);
    for (sent, returned) in
        [("1e1", "10.0"), ("19.99", "19.99"), ("-0", "0.0"), ("1000000000.00", "1000000000.0")]
    {
        let change = format!(r#"{{"session_id":"{}","item_id":"{item}","price":{sent}}}"#, seller.session);
        let changed = seller.client.ok_text("ChangeItemPrice", change);
        assert_eq!(changed, format!(r#"{{"item_id":"{item}","price":{returned}}}"#));
    }
    for sent in ["1e400", "0.001", "-1", "null"] {
        let change = format!(r#"{{"session_id":"{}","item_id":"{item}","price":{sent}}}"#, seller.session);
        let message = seller.client.refused("ChangeItemPrice", change, "INVALID_ARGUMENT");
        assert!(message.contains("`price`") && message.contains("1000000000"), "{message}");
    }
}

#[test]
fn the_other_fields_of_an_item_are_bounded() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("ann"), cluster.buyer.client());
    let quoted = |text: &str, count: usize| format!("\"{}\"", text.repeat(count));

    for fits in
        [quoted("x", 1), quoted("é", 32), quoted("😀", 32), quoted("a b", 10), quoted("a\u{2028}b", 1)]
    {
        assert_taken(&mut seller, &mut buyer, "name", &[(&fits, &fits)]);
    }
    let escaped = format!("\"{}\"", r"\ud83d\ude00".repeat(32));
    assert_taken(&mut seller, &mut buyer, "name", &[(&escaped, &quoted("😀", 32))]);
    let long = [quoted("x", 33), quoted("é", 33), format!("\"{}\"", r"\u00e9".repeat(33))];
    assert_refused(&mut seller, "name", "1 to 32 characters", &long.each_ref().map(String::as_str));
    let names = [
        r#""""#,
        r#""a\u0000""#,
        r#""a\n""#,
        r#""\u007f""#,
        r#""\u0085""#,
        r#""\ud800""#,
        r#"" ""#,
        r#"" a""#,
        r#""a\u00a0""#,
        r#""\u200b""#,
        r#""\u2800""#,
        "7",
        "null",
    ];
    assert_refused(&mut seller, "name", "1 to 32 characters", &names);

    let categories = [("0", "0"), ("2147483647", "2147483647")];
    assert_taken(&mut seller, &mut buyer, "category", &categories);
    let categories =
        ["-1", "2147483648", "4294967296", "1e400", "1.0", "\"1\"", "null", "99999999999999999999"];
    assert_refused(&mut seller, "category", "0 to 2147483647", &categories);

    let quantities = [("0", "0"), ("1000000000", "1000000000")];
    assert_taken(&mut seller, &mut buyer, "quantity", &quantities);
    let quantities = ["-1", "1000000001", "1.5", "1e400", "\"1\"", "null", "99999999999999999999"];
    assert_refused(&mut seller, "quantity", "0 to 1000000000", &quantities);

    let conditions = [("\"new\"", "\"new\""), ("\"USED\"", "\"used\""), ("\"nEw\"", "\"new\"")];
    assert_taken(&mut seller, &mut buyer, "condition", &conditions);
    let conditions = ["\"\"", "\"broken\"", "\"new \"", "7", "null", "[\"new\"]"];
    assert_refused(&mut seller, "condition", "\"new\" or \"used\"", &conditions);

    let keywords = [
        ("[]", "[]"),
        (r#"["a","b","c","d","e"]"#, r#"["a","b","c","d","e"]"#),
        (r#"["éééééééé","Book"]"#, r#"["éééééééé","Book"]"#),
        (r#"["😀😀😀😀😀😀😀😀"]"#, r#"["😀😀😀😀😀😀😀😀"]"#),
    ];
    assert_taken(&mut seller, &mut buyer, "keywords", &keywords);
    let keywords = [
        r#"["a","b","c","d","e","f"]"#,
        r#"["123456789"]"#,
        r#"["éééééééée"]"#,
        r#"[""]"#,
        r#"[" "]"#,
        r#"["a "]"#,
        r#"["\u200b"]"#,
        "[7]",
        "[null]",
        "\"a\"",
        "{}",
    ];
    assert_refused(&mut seller, "keywords", "at most 5 strings, each of 1 to 8 characters", &keywords);
}

#[test]
fn fields_that_are_missing_are_named() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("ann");
    for field in ["name", "category", "condition", "price", "quantity"] {
        let mut item: Value = serde_json::from_str(&item_with(&seller, "price", "1")).unwrap();
        item.as_object_mut().unwrap().remove(field);
        let message = seller.client.refused("RegisterItemForSale", item, "INVALID_ARGUMENT");
        assert!(message.contains(&format!("`{field}`")), "{message}");
    }
    for (api, data, field) in [
        ("ChangeItemPrice", json!({"price": 1}), "`item_id`"),
        ("ChangeItemPrice", json!({"item_id": "1:1"}), "`price`"),
        ("UpdateUnitsForSale", json!({"item_id": "1:1"}), "`quantity_delta`"),
    ] {
        let message = seller.refused(api, data, "INVALID_ARGUMENT");
        assert!(message.contains(field), "{message}");
    }
    let mut buyer = cluster.new_buyer("bob");
    for (api, data, field) in [
        ("GetItem", json!({}), "`item_id`"),
        ("AddItemToCart", json!({"item_id": "1:1"}), "`quantity`"),
        ("RemoveItemFromCart", json!({"quantity": 1}), "`item_id`"),
        ("ProvideFeedback", json!({"item_id": "1:1"}), "`vote`"),
        ("GetSellerRating", json!({}), "`seller_id`"),
    ] {
        let message = buyer.refused(api, data, "INVALID_ARGUMENT");
        assert!(message.contains(field), "{message}");
    }
}

#[test]
fn item_ids_votes_and_units_are_checked() {
    let cluster = Cluster::start();
    let mut buyer = cluster.new_buyer("bob");
    let ids =
        ["", "1", "1:", ":1", "1:0", "-1:1", "1:-1", "1:1:1", " 1:1", "1:1 ", "+1:1", "01:1", "1:01", "a:b"];
    let more = ["2147483648:1", "1:4294967296", "99999999999999999999:1", "1:٣", "1.0:1"];
    for id in ids.iter().chain(&more) {
        let message = buyer.refused("GetItem", json!({"item_id": id}), "INVALID_ARGUMENT");
        assert!(message.contains("`item_id`") && message.contains("<category>:<n>"), "{message}");
    }
    for id in [json!(7), json!(null), json!({}), json!(["1:1"])] {
        buyer.refused("GetItem", json!({"item_id": id}), "INVALID_ARGUMENT");
    }
    for id in ["2147483647:1", "0:1", "1:4294967295"] {
        let message = buyer.refused("GetItem", json!({"item_id": id}), "NOT_FOUND");
        assert_eq!(message, format!("no item {id}"));
    }
    for api in ["AddItemToCart", "RemoveItemFromCart"] {
        for quantity in [json!(0), json!(-1), json!(1_000_000_001), json!(1.5), json!("1"), json!(null)] {
            let data = json!({"item_id": "1:1", "quantity": quantity});
            let message = buyer.refused(api, data, "INVALID_ARGUMENT");
            assert!(message.contains("`quantity`") && message.contains("1 to 1000000000"), "{message}");
        }
        for quantity in [1, 1_000_000_000] {
            buyer.refused(api, json!({"item_id": "1:1", "quantity": quantity}), "NOT_FOUND");
        }
    }
    for vote in [json!("UP"), json!("sideways"), json!(1), json!(null), json!("")] {
        let message =
            buyer.refused("ProvideFeedback", json!({"item_id": "1:1", "vote": vote}), "INVALID_ARGUMENT");
        assert!(message.contains("`vote`"), "{message}");
    }
    for id in [json!(0), json!(-1), json!("1"), json!(4_294_967_296_u64), json!(1.0)] {
        let message = buyer.refused("GetSellerRating", json!({"seller_id": id}), "INVALID_ARGUMENT");
        assert!(message.contains("`seller_id`"), "{message}");
    }
    buyer.refused("GetSellerRating", json!({"seller_id": 4_294_967_295_u64}), "NOT_FOUND");
}

#[test]
fn pages_are_bounded_and_nonsense_cursors_do_no_harm() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("ann"), cluster.new_buyer("bob"));
    seller.sell(1, "Pen", &["pen"], 1);
    let cursors =
        ["x", "1", "2:", "2:1", "2:1:", "2:1:0", "-1:1:1", "256:1:1", "2:1:1:1", "2:2147483648:1", "é"];
    let lists = [
        (false, "SearchItemsForSale", json!({"keywords": ["pen"]})),
        (false, "ListCategories", json!({})),
        (false, "GetBuyerPurchases", json!({})),
        (true, "DisplayItemsForSale", json!({})),
    ];
    for (is_seller, api, data) in lists {
        let user = if is_seller { &mut seller } else { &mut buyer };
        let with = |field: &str, value: Value| {
            let mut data = data.clone();
            data[field] = value;
            data
        };
        for limit in [json!(1), json!(1000), json!(null)] {
            user.ok(api, with("limit", limit));
        }
        for limit in [json!(0), json!(1001), json!(-1), json!(1.5), json!("1"), json!(1e300)] {
            let message = user.refused(api, with("limit", limit), "INVALID_ARGUMENT");
            assert!(message.contains("`limit`") && message.contains("1 to 1000"), "{message}");
        }
        for cursor in
            cursors.map(Value::from).into_iter().chain([json!(""), json!("x".repeat(1000)), json!(7)])
        {
            // What looks like a cursor of another list may be taken for one of this.
            if cursor != "1" && cursor != "2:1" {
                let message = user.refused(api, with("cursor", cursor), "INVALID_ARGUMENT");
                assert!(message.contains("`cursor`"), "{message}");
            }
        }
        user.ok(api, with("cursor", json!(null)));
        user.client.assert_usable();
    }
    // Well-formed positions where no hit is, or could be.
    for cursor in ["0:1:1", "255:1:1", "2:2147483647:4294967295", "255:2147483647:4294967295", "0:0:1"] {
        buyer.ok("SearchItemsForSale", json!({"keywords": ["pen"], "cursor": cursor}));
        buyer.ok("SearchItemsForSale", json!({"keywords": ["pen", "ink"], "cursor": cursor}));
        buyer.ok("SearchItemsForSale", json!({"category": 1, "cursor": cursor}));
    }
}
