//! Accounts and logging in.

use serde_json::{Value, json};

use crate::cluster::{Cluster, User};

#[test]
fn accounts_are_numbered_from_one_for_each_role() {
    let cluster = Cluster::start();
    let (mut buyer, mut seller) = (cluster.buyer.client(), cluster.seller.client());
    for n in 1..=3 {
        let account = json!({"name": format!("user {n}"), "password": "secret"});
        assert_eq!(buyer.ok_text("CreateAccount", &account), format!(r#"{{"buyer_id":{n}}}"#));
        assert_eq!(seller.ok_text("CreateAccount", &account), format!(r#"{{"seller_id":{n}}}"#));
    }
}

#[test]
fn a_login_returns_a_session_that_is_new_each_time() {
    let cluster = Cluster::start();
    for (mut client, role, api) in [
        (cluster.buyer.client(), "buyer", "DisplayCart"),
        (cluster.seller.client(), "seller", "GetSellerRating"),
    ] {
        client.ok("CreateAccount", json!({"name": "Ann", "username": "ann", "password": "secret"}));
        let mut sessions = Vec::new();
        for key in ["username", "name", "username"] {
            let login = client.ok_text("Login", json!({key: "ann", "password": "secret"}));
            let session = login.strip_prefix(r#"{"session_id":""#).unwrap();
            let session = session.strip_suffix(&format!(r#"","user_id":1,"role":"{role}"}}"#)).unwrap();
            // 128 bits take 22 characters even in base 64.
            assert!(session.len() >= 22, "{session}");
            sessions.push(session.to_owned());
        }
        sessions.sort();
        sessions.dedup();
        assert_eq!(sessions.len(), 3, "no session is given twice");
        for session in sessions {
            client.ok(api, json!({"session_id": session}));
        }
        client.refused("Login", json!({"username": "Ann", "password": "secret"}), "AUTH_FAILED");
    }
}

#[test]
fn a_username_is_unique_for_each_role_and_a_name_need_not_be() {
    let cluster = Cluster::start();
    let (mut buyer, mut seller) = (cluster.buyer.client(), cluster.seller.client());
    let account = |name, username| json!({"name": name, "username": username, "password": "secret"});
    buyer.ok("CreateAccount", account("Ann", "ann"));
    buyer.ok("CreateAccount", account("Ann", "ann2"));
    buyer.ok("CreateAccount", account("Ann", "ANN"));
    seller.ok("CreateAccount", account("Ann", "ann"));
    for client in [&mut buyer, &mut seller] {
        let message = client.refused("CreateAccount", account("Other", "ann"), "ALREADY_EXISTS");
        assert!(message.contains("`ann`"), "{message}");
    }
    buyer.refused("CreateAccount", json!({"name": "ann", "password": "secret"}), "ALREADY_EXISTS");
    buyer.ok("CreateAccount", json!({"name": "Ann", "password": "secret"}));
    buyer.refused("CreateAccount", json!({"name": "Ann", "password": "other"}), "ALREADY_EXISTS");
}

#[test]
fn a_failed_login_does_not_say_why() {
    let cluster = Cluster::start();
    cluster.new_buyer("bob");
    cluster.new_seller("sue");
    let mut client = cluster.buyer.client();
    let mut refused = |username: &str, password: &str| {
        client.refused("Login", json!({"username": username, "password": password}), "AUTH_FAILED")
    };
    let wrong_password = refused("bob", "Secret");
    assert_eq!(refused("nobody", "secret"), wrong_password);
    assert_eq!(refused("sue", "secret"), wrong_password, "an account of the other role");
    assert_eq!(refused("bob", " secret"), wrong_password);
    User::log_in(&mut client, "bob");
}

#[test]
fn guessing_passwords_is_slowed_down() {
    let cluster = Cluster::start();
    cluster.new_buyer("bob");
    cluster.new_seller("bob");
    let mut client = cluster.buyer.client();
    let guess = json!({"username": "bob", "password": "guess"});
    let code = |line: String| serde_json::from_str::<Value>(&line).unwrap()["error"]["code"].clone();
    let line = json!({"api": "Login", "data": guess}).to_string();
    let failed = (0..100).take_while(|_| code(client.exchange(&line)) == "AUTH_FAILED").count();
    assert!((5..100).contains(&failed), "{failed} guesses");
    client.refused("Login", guess, "RESOURCE_EXHAUSTED");
    client.refused("Login", json!({"username": "bob", "password": "secret"}), "RESOURCE_EXHAUSTED");
    User::log_in(&mut cluster.seller.client(), "bob");
}

#[test]
fn names_and_passwords_are_bounded() {
    let cluster = Cluster::start();
    let mut client = cluster.buyer.client();
    let account = |name: &str, username: Value, password: &str| json!({"name": name, "username": username, "password": password});
    let emoji = "😀".repeat(32);
    for (name, username, password) in [
        ("x", json!(null), "x"),
        (&emoji, json!(null), "p"),
        ("Ann", json!("é".repeat(32)), "\n\u{0}\u{1f}"),
        ("Bob", json!("bob"), &"é".repeat(128)),
        ("Cid", json!("c"), &"😀".repeat(128)),
    ] {
        client.ok("CreateAccount", account(name, username.clone(), password));
        let login = if username.is_null() { json!(name) } else { username };
        client.ok("Login", json!({"username": login, "password": password}));
    }
    let long = "é".repeat(33);
    for (name, username, password, field, limit) in [
        ("", json!("a"), "x", "`name`", "1 to 32"),
        (&long, json!("a"), "x", "`name`", "1 to 32"),
        ("a\tb", json!("a"), "x", "`name`", "control"),
        ("a\u{85}", json!("a"), "x", "`name`", "control"),
        ("Ann", json!(""), "x", "`username`", "1 to 32"),
        ("Ann", json!(long), "x", "`username`", "1 to 32"),
        ("Ann", json!("a\u{0}"), "x", "`username`", "control"),
        ("Ann", json!(7), "x", "`username`", "string"),
        ("Ann", json!("a"), "", "`password`", "1 to 128"),
        ("Ann", json!("a"), &"é".repeat(129), "`password`", "1 to 128"),
    ] {
        let message = client.refused("CreateAccount", account(name, username, password), "INVALID_ARGUMENT");
        assert!(message.contains(field) && message.contains(limit), "{message}");
        assert!(!message.contains(&"é".repeat(129)), "a password is not repeated");
    }
    for (data, field) in [
        (json!({"password": "x"}), "`name`"),
        (json!({"name": "Ann"}), "`password`"),
        (json!({"name": "Ann", "password": 7}), "`password`"),
        (json!({"name": "Ann", "password": "x", "role": "buyer"}), "`role`"),
    ] {
        let message = client.refused("CreateAccount", data, "INVALID_ARGUMENT");
        assert!(message.contains(field), "{message}");
    }
    let message = client.refused("Login", json!({"password": "x"}), "INVALID_ARGUMENT");
    assert!(message.contains("`username`") && message.contains("`name`"), "{message}");
    client.refused("Login", json!({"username": "x"}), "INVALID_ARGUMENT");
    let lone = r#"{"name":"a\ud800","password":"x"}"#;
    assert!(client.refused("CreateAccount", lone, "INVALID_ARGUMENT").contains("`name`"));
}

#[test]
fn a_session_id_may_be_sent_where_none_is_needed() {
    let cluster = Cluster::start();
    let mut client = cluster.buyer.client();
    let account = json!({"name": "bob", "password": "secret"});
    let with_session = |session: &str| {
        let mut data = account.clone();
        data["session_id"] = json!(session);
        data
    };
    client.ok("CreateAccount", with_session("whatever"));
    client.ok("Login", with_session("whatever"));
    let session = User::log_in(&mut client, "bob");
    client.ok("Login", with_session(&session));
    client.ok("DisplayCart", json!({"session_id": session}));
}

#[test]
fn accounts_outlive_a_restart() {
    let cluster = Cluster::start();
    let (mut buyer, mut seller) = (cluster.new_buyer("Zoë"), cluster.new_seller("Zoë"));
    let (cart, rating) = (buyer.ok("DisplayCart", json!({})), seller.ok("GetSellerRating", json!({})));
    let cluster = cluster.restart();
    (buyer.client, seller.client) = (cluster.buyer.client(), cluster.seller.client());
    assert_eq!(buyer.ok("DisplayCart", json!({})), cart);
    assert_eq!(seller.ok("GetSellerRating", json!({})), rating);
    User::log_in(&mut buyer.client, "Zoë");
    buyer.client.refused("CreateAccount", json!({"name": "Zoë", "password": "x"}), "ALREADY_EXISTS");
    let account = json!({"name": "Yan", "password": "x"});
    assert_eq!(buyer.client.ok_text("CreateAccount", account), r#"{"buyer_id":2}"#);
}
