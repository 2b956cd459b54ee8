//! Changing a password: what it takes, which sessions end with it, and that it is no way around the bounds of guessing.

use serde_json::{Value, json};
use support::Client;

use crate::cluster::{Cluster, Setup, User};

const CHANGED: &str = r#"{"changed":true}"#;

fn change(old: &str, new: &str) -> Value {
    json!({"password": old, "new_password": new})
}

fn login(name: &str, password: &str) -> Value {
    json!({"username": name, "password": password})
}

/// A buyer and a seller of this name, each with an API that needs a session.
fn users(cluster: &Cluster, name: &str) -> [(User, &'static str); 2] {
    [(cluster.new_buyer(name), "DisplayCart"), (cluster.new_seller(name), "GetSellerRating")]
}

#[test]
fn only_the_new_password_opens_the_account_and_only_the_session_that_changed_it_goes_on() {
    let cluster = Cluster::start();
    let users = users(&cluster, "ann").map(|(mut user, api)| {
        let others = [0, 1].map(|_| User::log_in(&mut user.client, "ann"));
        let mut client = user.client;
        client.ok("CreateAccount", json!({"name": "bob", "password": "secret"}));
        let stranger = User::log_in(&mut client, "bob");
        let mut data = change("secret", "new secret");
        data["session_id"] = json!(user.session);
        assert_eq!(client.ok_text("ChangePassword", &data), CHANGED);
        client.ok(api, json!({"session_id": user.session}));
        client.ok(api, json!({"session_id": stranger}));
        for other in &others {
            client.refused(api, json!({"session_id": other}), "NOT_LOGGED_IN");
            assert_eq!(client.ok_text("Logout", json!({"session_id": other})), r#"{"logged_out":true}"#);
        }
        client.refused("Login", login("ann", "secret"), "AUTH_FAILED");
        client.refused("ChangePassword", &data, "AUTH_FAILED");
        client.ok("Login", login("ann", "new secret"));
        (user.session, others, stranger, api)
    });
    let cluster = cluster.restart();
    let clients = [cluster.buyer.client(), cluster.seller.client()];
    for ((session, others, stranger, api), mut client) in users.into_iter().zip(clients) {
        client.ok(api, json!({"session_id": session}));
        client.ok(api, json!({"session_id": stranger}));
        for other in others {
            client.refused(api, json!({"session_id": other}), "NOT_LOGGED_IN");
        }
        client.refused("Login", login("ann", "secret"), "AUTH_FAILED");
        client.ok("Login", login("ann", "new secret"));
        client.ok("Login", login("bob", "secret"));
        let mut data = change("new secret", "new secret");
        data["session_id"] = json!(session);
        assert_eq!(client.ok_text("ChangePassword", &data), CHANGED, "it may be the same");
    }
}

#[test]
fn a_wrong_password_is_answered_as_at_a_login_and_ends_nothing() {
    let cluster = Cluster::start();
    for (mut user, api) in users(&cluster, "ann") {
        let other = User::log_in(&mut user.client, "ann");
        let said = user.client.refused("Login", login("ann", "wrong"), "AUTH_FAILED");
        for wrong in ["wrong", "Secret", "secret "] {
            assert_eq!(user.refused("ChangePassword", change(wrong, "new"), "AUTH_FAILED"), said);
        }
        user.ok(api, json!({}));
        user.client.ok(api, json!({"session_id": other}));
        user.client.refused("Login", login("ann", "new"), "AUTH_FAILED");
        user.client.ok("Login", login("ann", "secret"));
    }
}

#[test]
fn it_is_no_way_around_the_bounds_of_guessing() {
    let cluster = Cluster::with(Setup { replicas_max: 1, ..Setup::default() });
    for (mut user, api) in users(&cluster, "ann") {
        for _ in 0..10 {
            user.client.refused("Login", login("ann", "guess"), "AUTH_FAILED");
            user.refused("ChangePassword", change("guess", "new"), "AUTH_FAILED");
        }
        for password in ["guess", "secret"] {
            let said = user.refused("ChangePassword", change(password, "new"), "RESOURCE_EXHAUSTED");
            assert!(said.contains("20 logins to this account") && said.contains("try again in "), "{said}");
            user.client.refused("Login", login("ann", password), "RESOURCE_EXHAUSTED");
        }
        user.ok(api, json!({}));
        // Whoever is elsewhere, and knows the password, is not kept out.
        let address = user.client.address();
        let mut elsewhere = Client::connect_from([127, 0, 0, 2].into(), address);
        let mut data = change("secret", "new");
        data["session_id"] = json!(user.session);
        assert_eq!(elsewhere.ok_text("ChangePassword", &data), CHANGED);
    }
}

#[test]
fn passwords_are_bounded_and_a_session_is_needed() {
    let cluster = Cluster::start();
    let [buyer, seller] = users(&cluster, "ann");
    let sessions = [buyer.0.session.clone(), seller.0.session.clone()];
    let long = "é".repeat(129);
    for ((mut user, api), other) in [buyer, seller].into_iter().zip(sessions.into_iter().rev()) {
        for (data, field, rule) in [
            (json!({"new_password": "x"}), "`password`", "1 to 128"),
            (json!({"password": "secret"}), "`new_password`", "1 to 128"),
            (json!({"password": null, "new_password": "x"}), "`password`", "1 to 128"),
            (json!({"password": "secret", "new_password": null}), "`new_password`", "1 to 128"),
            (change("", "x"), "`password`", "1 to 128"),
            (change(&long, "x"), "`password`", "1 to 128"),
            (change("secret", ""), "`new_password`", "1 to 128"),
            (change("secret", &long), "`new_password`", "1 to 128"),
            (json!({"password": 7, "new_password": "x"}), "`password`", "1 to 128"),
            (json!({"password": "secret", "new_password": ["x"]}), "`new_password`", "1 to 128"),
            (json!({"password": "secret", "new_password": "x", "name": "ann"}), "`name`", "unknown"),
            (json!({"password": "secret", "new_password": "x", "role": "buyer"}), "`role`", "unknown"),
        ] {
            let message = user.refused("ChangePassword", data, "INVALID_ARGUMENT");
            assert!(message.contains(field) && message.contains(rule), "{message}");
            assert!(!message.contains(&long), "a password is not repeated");
        }
        for session in [json!(null), json!(""), json!("x"), json!(other)] {
            let mut data = change("secret", "x");
            data["session_id"] = session;
            user.client.refused("ChangePassword", data, "NOT_LOGGED_IN");
        }
        // That there is no session comes before what is wrong with the fields.
        user.client.refused("ChangePassword", json!({"password": 7}), "NOT_LOGGED_IN");
        let longest = "😀".repeat(128);
        assert_eq!(user.ok_text("ChangePassword", change("secret", &longest)), CHANGED);
        // One that was typed in another form is the same.
        assert_eq!(user.ok_text("ChangePassword", change(&longest, "ma\u{f1}ana")), CHANGED);
        user.client.ok("Login", login("ann", "man\u{303}ana"));
        user.ok("Logout", json!({}));
        user.refused("ChangePassword", change("ma\u{f1}ana", "x"), "NOT_LOGGED_IN");
        user.refused(api, json!({}), "NOT_LOGGED_IN");
        user.client.ok("Login", login("ann", "ma\u{f1}ana"));
    }
}

#[test]
fn the_carts_of_sessions_that_end_are_gone_and_the_saved_one_stays() {
    let cluster = Cluster::start();
    let (mut seller, mut buyer) = (cluster.new_seller("sue"), cluster.new_buyer("bob"));
    seller.sell(1, "Pen", &[], 9);
    let add = |quantity: u32| json!({"item_id": "1:1", "quantity": quantity});
    let other = User::log_in(&mut buyer.client, "bob");
    buyer.client.ok("AddItemToCart", json!({"item_id": "1:1", "quantity": 3, "session_id": other}));
    buyer.client.ok("SaveCart", json!({"session_id": other}));
    buyer.client.ok("AddItemToCart", json!({"item_id": "1:1", "quantity": 2, "session_id": other}));
    buyer.ok("AddItemToCart", add(1));
    assert_eq!(buyer.ok_text("ChangePassword", change("secret", "new")), CHANGED);
    assert_eq!(buyer.ok_text("DisplayCart", json!({})), r#"{"cart":{"1:1":1}}"#);
    for (api, data) in [("DisplayCart", json!({})), ("MakePurchase", json!({})), ("AddItemToCart", add(1))] {
        let mut data = data.clone();
        data["session_id"] = json!(other);
        buyer.client.refused(api, data, "NOT_LOGGED_IN");
    }
    let session = buyer.client.ok("Login", login("bob", "new"))["session_id"].clone();
    let cart = buyer.client.ok_text("DisplayCart", json!({"session_id": session}));
    assert_eq!(cart, r#"{"cart":{"1:1":3}}"#);
    buyer.ok("MakePurchase", json!({}));
}

#[test]
fn of_several_who_change_it_at_once_one_does() {
    let cluster = Cluster::start();
    for (mut user, api) in users(&cluster, "ann") {
        let sessions: Vec<String> = (0..6).map(|_| User::log_in(&mut user.client, "ann")).collect();
        let server = if api == "DisplayCart" { &cluster.buyer } else { &cluster.seller };
        let mut clients: Vec<Client> = sessions.iter().map(|_| server.client()).collect();
        for (n, (client, session)) in clients.iter_mut().zip(&sessions).enumerate() {
            let mut data = change("secret", &format!("new {n}"));
            data["session_id"] = json!(session);
            client.send(json!({"api": "ChangePassword", "data": data}).to_string());
        }
        let replies: Vec<Value> = clients.iter_mut().map(Client::read_json).collect();
        let winners: Vec<usize> = (0..6).filter(|n| replies[*n]["ok"] == true).collect();
        let [winner] = winners[..] else { panic!("{replies:?}") };
        for (n, reply) in replies.iter().enumerate().filter(|(n, _)| *n != winner) {
            let code = reply["error"]["code"].as_str().unwrap();
            assert!(["AUTH_FAILED", "NOT_LOGGED_IN"].contains(&code), "{n}: {reply}");
        }
        for (n, session) in sessions.iter().enumerate() {
            let data = json!({"session_id": session});
            if n == winner {
                user.client.ok(api, data);
            } else {
                user.client.refused(api, data, "NOT_LOGGED_IN");
            }
        }
        user.client.ok("Login", login("ann", &format!("new {winner}")));
    }
}

#[test]
fn a_database_takes_either_role_unless_one_is_named() {
    let cluster = Cluster::start();
    let mut database = cluster.customer.client();
    for (user, role, other) in
        [(cluster.new_buyer("ann"), "buyer", "seller"), (cluster.new_seller("ann"), "seller", "buyer")]
    {
        let data = |role: Value| {
            let mut data = change("secret", "secret");
            data["session_id"] = json!(user.session);
            data["role"] = role;
            data
        };
        database.refused("ChangePassword", data(json!(other)), "NOT_LOGGED_IN");
        assert_eq!(database.ok_text("ChangePassword", data(json!(role))), CHANGED);
        assert_eq!(database.ok_text("ChangePassword", data(Value::Null)), CHANGED);
    }
}
