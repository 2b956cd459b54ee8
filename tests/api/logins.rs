//! Floods of wrong logins, and whoever guesses passwords, keep nobody else out.

use std::net::Ipv4Addr;

use serde_json::json;
use services::HashCost;
use support::{Client, request};

use crate::cluster::{Cluster, Setup};

/// More than a frontend has calls under way, and than it once allowed to wait.
const FLOOD: usize = 300;
const FLOODING_HOSTS: usize = 10;

fn login(username: &str, password: &str) -> String {
    json!({"username": username, "password": password}).to_string()
}

#[test]
fn a_flood_of_wrong_logins_keeps_nobody_out() {
    // Hashes take as long as they do for users, so that the flood waits.
    let cluster = Cluster::with(Setup { hash_cost: HashCost::default(), ..Setup::default() });
    cluster.new_buyer("ann");
    let flood: Vec<Client> = (0..FLOOD)
        .map(|n| {
            let host = u8::try_from(n % FLOODING_HOSTS + 2).unwrap();
            let mut client = Client::connect_from(Ipv4Addr::new(127, 0, 0, host), cluster.buyer.address);
            client.send_bytes(request("Login", login(&format!("user {n}"), "guess")).as_bytes());
            client
        })
        .collect();
    for _ in 0..3 {
        cluster.buyer.client().ok("Login", login("ann", "secret"));
    }
    drop(flood);
    cluster.buyer.client().ok("Login", login("ann", "secret"));
}

#[test]
fn whoever_guesses_the_password_of_an_account_does_not_keep_its_owner_out() {
    let cluster = Cluster::with(Setup::default());
    cluster.new_buyer("ann");
    let mut guesser = Client::connect_from(Ipv4Addr::new(127, 0, 0, 2), cluster.buyer.address);
    for _ in 0..20 {
        guesser.refused("Login", login("ann", "guess"), "AUTH_FAILED");
    }
    let message = guesser.refused("Login", login("ann", "secret"), "RESOURCE_EXHAUSTED");
    assert!(message.contains("try again in "), "{message}");
    cluster.buyer.client().ok("Login", login("ann", "secret"));
}

#[test]
fn a_database_takes_no_request_that_nobody_waits_for() {
    let cluster = Cluster::with(Setup::default());
    let mut client = cluster.customer.client();
    let ask = |extra: &str| {
        format!(r#"{{"api":"Login",{extra},"data":{{"username":"ann","password":"x","role":"buyer"}}}}"#)
    };
    for (extra, code) in [
        (r#""deadline_ms":60000,"client_address":"10.0.0.1""#, "AUTH_FAILED"),
        (r#""deadline_ms":null,"client_address":null"#, "AUTH_FAILED"),
        (r#""deadline_ms":0"#, "UNAVAILABLE"),
        (r#""deadline_ms":-1"#, "INVALID_REQUEST"),
        (r#""client_address":"nowhere""#, "INVALID_REQUEST"),
    ] {
        let reply = client.exchange(ask(extra));
        assert!(reply.contains(&format!(r#""code":"{code}""#)), "{extra}: {reply}");
    }
}
