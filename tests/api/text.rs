//! Text that looks alike is alike: names, passwords and what a search finds.

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// The same text composed and decomposed.
const ZOE: [&str; 2] = ["Zo\u{e9}", "Zoe\u{301}"];
const MANANA: [&str; 2] = ["ma\u{f1}ana", "man\u{303}ana"];

#[test]
fn a_user_name_is_one_however_it_is_typed() {
    let cluster = Cluster::start();
    for mut client in [cluster.buyer.client(), cluster.seller.client()] {
        for (n, (name, password)) in (1..).zip(ZOE.into_iter().zip(MANANA)) {
            let account = json!({"name": "Z", "username": format!("{name}{n}"), "password": password});
            client.ok("CreateAccount", account);
            for (key, typed) in [("username", ZOE[0]), ("name", ZOE[1])] {
                for password in MANANA {
                    let login = client.ok("Login", json!({key: format!("{typed}{n}"), "password": password}));
                    assert_eq!(login["user_id"], json!(n));
                }
            }
            for taken in ZOE {
                let account = json!({"name": format!("{taken}{n}"), "password": "x"});
                client.refused("CreateAccount", account, "ALREADY_EXISTS");
            }
        }
    }
}

#[test]
fn a_user_name_has_nothing_that_is_not_seen() {
    let cluster = Cluster::start();
    let mut client = cluster.buyer.client();
    for name in
        ["\u{200b}", "\u{feff}", "\u{3164}", "\u{a0}", "\u{e0041}", " ", " Zo\u{e9}", "Zo\u{e9}\u{3000}"]
    {
        for (field, account) in [
            ("`name`", json!({"name": name, "password": "x"})),
            ("`name`", json!({"name": name, "username": "zoe", "password": "x"})),
            ("`username`", json!({"name": "Zoe", "username": name, "password": "x"})),
        ] {
            let message = client.refused("CreateAccount", account, "INVALID_ARGUMENT");
            assert!(message.contains(field) && message.contains("1 to 32"), "{message}");
        }
    }
    // An emoji of several characters is fine to be shown, and not to log in with.
    let astronaut = "👩\u{200d}🚀";
    let account = json!({"name": astronaut, "password": "x"});
    let message = client.refused("CreateAccount", account, "INVALID_ARGUMENT");
    assert!(message.starts_with("`username` is missing: `name` would stand in for it"), "{message}");
    let account = |username: &str| json!({"name": astronaut, "username": username, "password": "x"});
    let message = client.refused("CreateAccount", account(astronaut), "INVALID_ARGUMENT");
    assert!(message.contains("`username`") && message.contains("invisible"), "{message}");
    client.ok("CreateAccount", account("jane"));
    client.refused("Login", json!({"username": "ja\u{ad}ne", "password": "x"}), "AUTH_FAILED");
}

#[test]
fn text_comes_back_in_the_form_nfc_and_is_counted_in_it() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    let item = |name: &str, keyword: &str| json!({"name": name, "category": 1, "keywords": [keyword], "condition": "NEW", "price": 1, "quantity": 1});
    let (name, keyword) = ("e\u{301}".repeat(32), "u\u{308}".repeat(8));
    let registered = seller.ok("RegisterItemForSale", item(&name, &keyword));
    let found = buyer.ok("GetItem", registered);
    assert_eq!(found["item"]["name"], json!("\u{e9}".repeat(32)));
    assert_eq!(found["item"]["keywords"], json!(["\u{fc}".repeat(8)]));
    for (name, keyword, field) in
        [(format!("{name}a"), "k".into(), "`name`"), ("n".into(), format!("{keyword}a"), "`keywords`")]
    {
        let message = seller.refused("RegisterItemForSale", item(&name, &keyword), "INVALID_ARGUMENT");
        assert!(message.contains(field), "{message}");
    }
}

#[test]
fn a_search_finds_what_is_written_alike() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.buyer.client());
    let alike = [
        ("Caf\u{e9}", "CAFE\u{301}"),
        ("Stra\u{df}e", "STRASSE"),
        ("σοφος", "ΣΟΦΟΣ"),
        ("ﬁn", "FIN"),
        ("office", "o\u{fb03}ce"),
        ("10\u{b5}F", "10\u{3bc}f"),
        ("ＡＢＣ", "abc"),
        ("İris", "iris"),
        ("co\u{ad}op", "coop"),
        ("ｶﾞｽ", "ガス"),
    ];
    for (n, (word, _)) in (1..).zip(alike) {
        assert_eq!(seller.sell(n, &format!("a {word}."), &[], 1), format!("{n}:1"));
        assert_eq!(seller.sell(n, "b", &[word], 1), format!("{n}:2"));
    }
    let longer = seller.sell(100, "Weissbier", &[], 1);
    let mut find = |keyword: &str| {
        let found = buyer.ok("SearchItemsForSale", json!({"keywords": [keyword]}));
        let ids = found["items"].as_array().expect("items").iter().map(|item| item["item_id"].clone());
        ids.collect::<Vec<Value>>()
    };
    for (n, (word, keyword)) in (1..).zip(alike) {
        assert_eq!(find(keyword), [json!(format!("{n}:2")), json!(format!("{n}:1"))], "{word} by {keyword}");
    }
    assert_eq!(find("Wei\u{df}bier"), [json!(longer)], "a word may be longer than a keyword");
    assert!(find("cafe").is_empty(), "an accent makes a difference");
}
