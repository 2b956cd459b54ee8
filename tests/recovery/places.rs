//! Connections that take what others need: places and memory.

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

#[test]
fn requests_that_do_not_end_take_no_more_memory_than_they_may() {
    const MIB: f64 = 1024.0 * 1024.0;
    let data = tempfile::tempdir().unwrap();
    let database = database(&data, "--buffers-max-mib=1");
    let mut client = Client::connect(database.address());
    client.ok("Ping", json!({}));
    let mut unfinished: Vec<_> = (0..40).map(|_| Client::connect(database.address())).collect();
    let line = "x".repeat(60_000);
    unfinished.iter_mut().for_each(|connection| connection.try_send(line.as_bytes()));
    let closed = r#"marketplace_closed_total{reason="buffers"}"#;
    wait_until("some of them are closed", || database.metrics()[closed] >= 20.0);
    assert!(database.metrics()["marketplace_buffer_bytes"] <= MIB);
    client.ok("Ping", json!({}));
    drop(unfinished);
    wait_until("the memory is given back", || database.metrics()["marketplace_buffer_bytes"] < MIB / 10.0);
}
