//! Connections whose places others need.

use serde_json::json;
use support::{Client, wait_until};

use super::admin::Watched;

fn database(data: &tempfile::TempDir, option: &str) -> Watched {
    let data = format!("--data={}", data.path().display());
    Watched::start("db_product", &[data, option.to_owned()])
}

/// Whether a newcomer is: one that is not reads why.
fn is_served(newcomer: &mut Client) -> bool {
    newcomer.try_send(b"ping\n");
    newcomer.try_read_line().is_ok_and(|reply| !reply.contains("RESOURCE_EXHAUSTED"))
}

#[test]
fn connections_that_do_nothing_keep_nobody_out() {
    let data = tempfile::tempdir().unwrap();
    let database = database(&data, "--connections-max=5");
    let mut idle: Vec<_> = (0..5).map(|_| Client::connect(database.address())).collect();
    idle[1].send_bytes(b"{\"request_id\":");
    wait_until("one of them has been idle for long enough", || {
        is_served(&mut Client::connect(database.address()))
    });
    idle[0].assert_ended();
    let metrics = database.metrics();
    assert_eq!(metrics[r#"marketplace_closed_total{reason="made_room"}"#], 1.0);
    assert!(metrics["marketplace_connections"] >= 4.0);
}

#[test]
fn an_address_has_as_many_connections_as_it_may_have() {
    let data = tempfile::tempdir().unwrap();
    let database = database(&data, "--address-connections-max=2");
    let [mut one, mut two] = [(); 2].map(|()| Client::connect(database.address()));
    let mut three = Client::connect(database.address());
    let refusal = three.read_line();
    assert!(refusal.contains("RESOURCE_EXHAUSTED"), "{refusal}");
    assert!(refusal.contains("there are 2 connections from this address"), "{refusal}");
    three.assert_closed();
    for client in [&mut one, &mut two] {
        client.ok("Ping", json!({}));
    }
    drop(one);
    wait_until("a place is free", || is_served(&mut Client::connect(database.address())));
    assert!(database.metrics()[r#"marketplace_rejected_total{reason="address_connections_max"}"#] >= 1.0);
}

#[test]
fn a_connection_may_be_idle_for_as_long_as_it_may() {
    let data = tempfile::tempdir().unwrap();
    let database = database(&data, "--idle-timeout=1");
    let mut client = Client::connect(database.address());
    client.ok("Ping", json!({}));
    client.assert_ended();
    assert_eq!(database.metrics()[r#"marketplace_closed_total{reason="idle"}"#], 1.0);
}
