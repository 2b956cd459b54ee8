//! Clients that do not read, vanish, or are too many: they harm nobody else.

use std::io::{ErrorKind, Write};
use std::iter;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;
use support::Reply;

use crate::cluster::{Cluster, Server, Setup};

/// Sends `line` until the service takes no more, and returns the connection.
fn flood(server: &Server, line: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let lines = format!("{line}\n").repeat(1000);
    // The service stops reading at its limits, so the socket fills up at both ends.
    stream.set_write_timeout(Some(Duration::from_millis(250))).unwrap();
    let error = iter::repeat_with(|| stream.write(lines.as_bytes())).find_map(Result::err).unwrap();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    stream
}

#[test]
fn a_client_that_never_reads_holds_up_nobody() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("sue");
    for _ in 0..100 {
        seller.sell(1, "A pen with a rather long name", &["pen"], 1);
    }
    let search = json!({"api": "SearchItemsForSale", "data": {"category": 1}}).to_string();
    let database_search = json!({"api": "SearchItems", "data": {"category": 1}}).to_string();
    let (frontend, database) = (flood(&cluster.buyer, &search), flood(&cluster.product, &database_search));
    let mut buyer = cluster.new_buyer("bob");
    for _ in 0..20 {
        assert_eq!(buyer.ok("SearchItemsForSale", json!({"category": 1}))["total"], 100);
        cluster.product.client().assert_usable();
    }
    drop((frontend, database));
    buyer.client.assert_usable();
}

#[test]
fn a_client_that_stalls_is_given_up() {
    let mut setup = Setup::default();
    setup.frontend_limits.stall_timeout = Duration::from_millis(200);
    let cluster = Cluster::with(setup);
    let line = format!("{{\"request_id\":\"{}\",\"api\":\"Ping\"}}\n", "x".repeat(60_000));
    let mut stream = TcpStream::connect(cluster.buyer.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let error = iter::repeat_with(|| stream.write_all(line.as_bytes())).find_map(Result::err).unwrap();
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    cluster.buyer.client().assert_usable();
}

#[test]
fn a_client_that_vanishes_in_the_middle_of_a_call_leaves_no_trace() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("sue");
    seller.sell(1, "Pen", &[], 1000);
    let mut buyer = cluster.new_buyer("bob");
    let add = json!({"session_id": buyer.session, "item_id": "1:1", "quantity": 1});
    let requests = [
        json!({"api": "AddItemToCart", "data": add}),
        json!({"api": "Login", "data": {"name": "bob", "password": "secret"}}),
        json!({"api": "SearchItemsForSale", "data": {"category": 1}}),
    ];
    for round in 0..60 {
        let mut client = cluster.buyer.client();
        client.send(requests[round % 3].to_string());
        if round % 2 == 0 {
            client.send_bytes(b"{\"api\":");
        }
        drop(client);
        let mut database = cluster.customer.client();
        database.send(json!({"api": "CreateBuyer", "data": {"name": "eve", "password": "x"}}).to_string());
        drop(database);
    }
    buyer.client.assert_usable();
    // A request is carried out as a whole or not at all.
    let cart = buyer.ok("DisplayCart", json!({}));
    let units = cart["cart"]["1:1"].as_u64().unwrap_or(0);
    assert!(units <= 20, "{cart}");
    seller.client.assert_usable();
    cluster.customer.client().assert_usable();
}

#[test]
fn connections_beyond_the_limit_are_told_so() {
    let mut setup = Setup::default();
    setup.frontend_limits.connections_max = 3;
    setup.replicas_max = 1;
    setup.frontend_limits.make_room_after = Duration::from_secs(3600);
    let cluster = Cluster::with(setup);
    let mut clients = [(); 3].map(|()| cluster.buyer.client());
    clients.iter_mut().for_each(|client| client.assert_usable());
    for _ in 0..3 {
        let mut refused = cluster.buyer.client();
        let line = refused.read_line();
        let message = Reply::new(line, "null").refused_with("RESOURCE_EXHAUSTED", "a fourth connection");
        assert!(message.contains('3'), "{message}");
        refused.assert_closed();
    }
    clients.iter_mut().for_each(|client| client.assert_usable());
    // Once one has gone, the next may come.
    let [mut first, ..] = clients;
    first.finish();
    first.assert_closed();
    drop(first);
    cluster.buyer.client().assert_usable();
}

#[test]
fn many_clients_are_served_at_once() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("sue");
    seller.sell(1, "Pen", &[], 1);
    let mut clients: Vec<_> = (0..200).map(|_| cluster.buyer.client()).collect();
    for round in 0..5 {
        for client in &mut clients {
            client.send(format!(r#"{{"request_id":{round},"api":"GetItem","data":{{"item_id":"1:1"}}}}"#));
        }
        for client in &mut clients {
            Reply::new(client.read_line(), &round.to_string()).data();
        }
    }
}
