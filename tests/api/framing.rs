//! Lines: how long, how whole and how many at a time they may be.

use std::time::Duration;

use serde_json::json;
use support::{Client, Reply};

use crate::cluster::{Cluster, Setup};

const PING: &str = r#"{"api":"Ping"}"#;

/// A `Ping` whose line has so many bytes.
fn padded(bytes: usize) -> String {
    let start = r#"{"request_id":7,"api":"Ping","data":{"session_id":""#;
    let end = r#""}}"#;
    format!("{start}{}{end}", "x".repeat(bytes - start.len() - end.len()))
}

fn assert_pong(client: &mut Client, id: &str) {
    Reply::new(client.read_line(), id).data();
}

#[test]
fn a_line_of_the_limit_is_answered_and_a_longer_one_ends_the_connection() {
    let cluster = Cluster::start();
    let (frontend_max, database_max) = (64 * 1024, 1024 * 1024);
    for (server, max) in [
        (&cluster.buyer, frontend_max),
        (&cluster.seller, frontend_max),
        (&cluster.customer, database_max),
        (&cluster.product, database_max),
    ] {
        let mut client = server.client();
        for end in ["\n", "\r\n"] {
            client.send_bytes(format!("{}{end}", padded(max)).as_bytes());
            assert_pong(&mut client, "7");
        }
        // What came before is still answered, and what comes after is not.
        client.try_send(format!("{PING}\n{}\n{PING}\n", padded(max + 1)).as_bytes());
        assert_pong(&mut client, "null");
        let message = Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", "a long line");
        assert!(message.contains(&max.to_string()), "{message}");
        client.assert_closed();

        // It need not end to be too long, and the client may go on sending.
        let mut client = server.client();
        client.try_send("x".repeat(3 * max).as_bytes());
        Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", "a long line");
        client.assert_closed();
        server.client().assert_usable();
    }
}

#[test]
fn the_limit_of_a_line_can_be_set() {
    let mut setup = Setup::default();
    setup.frontend_limits.line_bytes_max = 200;
    let cluster = Cluster::with(setup);
    let mut client = cluster.buyer.client();
    client.send(padded(200));
    assert_pong(&mut client, "7");
    client.send(padded(201));
    let message = Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", "a long line");
    assert!(message.contains("200"), "{message}");
    client.assert_closed();
}

#[test]
fn lines_may_come_byte_by_byte_and_empty_ones_mean_nothing() {
    let cluster = Cluster::start();
    for server in [&cluster.buyer, &cluster.seller, &cluster.customer, &cluster.product] {
        let mut client = server.client();
        for byte in format!("\r\n\n{PING}\r\n\n{PING}\n").bytes() {
            client.send_bytes(&[byte]);
        }
        assert_pong(&mut client, "null");
        assert_pong(&mut client, "null");
        client.send_bytes("\r\n\n\n\r\n".repeat(10_000).as_bytes());
        client.send_bytes(format!("{PING}\r\n").as_bytes());
        assert_pong(&mut client, "null");
        // A `\r` elsewhere is white space to JSON.
        client.send_bytes(b"{\"api\":\r\"Ping\"}\r\r\n");
        assert_pong(&mut client, "null");
    }
}

#[test]
fn half_a_line_and_silence_ends_the_connection_with_an_answer() {
    let mut setup = Setup::default();
    setup.frontend_limits.line_timeout = Duration::from_millis(300);
    setup.database_limits.line_timeout = Duration::from_millis(300);
    let cluster = Cluster::with(setup);
    let servers = [&cluster.buyer, &cluster.seller, &cluster.customer, &cluster.product];
    let mut quiet = servers.map(|server| server.client());
    let mut halves = servers.map(|server| server.client());
    for client in &mut halves {
        client.send_bytes(format!("{PING}\n{{\"api\":").as_bytes());
        assert_pong(client, "null");
    }
    for client in &mut halves {
        let message = Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", "half a line");
        assert!(message.contains("300 ms"), "{message}");
        client.assert_closed();
    }
    quiet.iter_mut().for_each(Client::assert_usable);
}

#[test]
fn a_thousand_requests_in_one_write_are_answered_in_order() {
    let cluster = Cluster::start();
    let mut seller = cluster.new_seller("sue");
    let buyer = cluster.new_buyer("bob");
    seller.sell(1, "Pen", &[], 1000);
    let mut client = buyer.client;
    let apis = ["AddItemToCart", "Ping", "DisplayCart", "GetItem", "Nothing"];
    let mut lines = String::new();
    for n in 0..1000 {
        let data = match apis[n % 5] {
            "AddItemToCart" => json!({"session_id": buyer.session, "item_id": "1:1", "quantity": 1}),
            "GetItem" => json!({"item_id": "1:1"}),
            _ => json!({"session_id": buyer.session}),
        };
        lines += &json!({"request_id": n, "api": apis[n % 5], "data": data}).to_string();
        lines += "\n";
    }
    client.send_bytes(lines.as_bytes());
    for n in 0..1000 {
        let reply = Reply::new(client.read_line(), &n.to_string());
        match apis[n % 5] {
            "AddItemToCart" => {
                assert_eq!(reply.data(), format!(r#"{{"item_id":"1:1","quantity":{}}}"#, n / 5 + 1));
            }
            "DisplayCart" => assert_eq!(reply.data(), format!(r#"{{"cart":{{"1:1":{}}}}}"#, n / 5 + 1)),
            "Nothing" => drop(reply.refused_with("UNIMPLEMENTED", "Nothing")),
            _ => drop(reply.data()),
        }
    }
    client.assert_usable();
}

#[test]
fn what_was_sent_before_the_end_is_answered() {
    let cluster = Cluster::start();
    let buyer = cluster.new_buyer("bob");
    for server in [&cluster.buyer, &cluster.seller, &cluster.customer, &cluster.product] {
        let mut client = server.client();
        client.send_bytes(format!("{PING}\n{PING}\n{{\"api\":\"Pi").as_bytes());
        client.finish();
        assert_pong(&mut client, "null");
        assert_pong(&mut client, "null");
        Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", "half an object");
        client.assert_closed();
        let mut client = server.client();
        client.send_bytes(PING.as_bytes());
        client.finish();
        assert_pong(&mut client, "null");
        client.assert_closed();
        let mut client = server.client();
        client.finish();
        client.assert_closed();
    }
    // The same where a database has to be asked.
    let mut client = cluster.buyer.client();
    let cart = json!({"api": "DisplayCart", "data": {"session_id": buyer.session}}).to_string();
    client.send_bytes(format!("{cart}\n").repeat(100).as_bytes());
    client.finish();
    for _ in 0..100 {
        assert_eq!(Reply::new(client.read_line(), "null").data(), r#"{"cart":{}}"#);
    }
    client.assert_closed();
}

#[test]
fn what_takes_long_is_answered_before_what_ends_the_connection() {
    let cluster = Cluster::start();
    let account = |name: &str| json!({"name": name, "password": "x"});
    let item =
        json!({"seller_id": 1, "name": "Pen", "category": 1, "condition": "new", "price": 1, "quantity": 5});
    let too_long = "x".repeat(1024 * 1024 + 2);
    for (server, api, data, again) in [
        (&cluster.buyer, "CreateAccount", account("ann"), account("bob")),
        (&cluster.customer, "CreateSeller", account("ann"), account("bob")),
        (&cluster.product, "RegisterItem", item.clone(), item),
    ] {
        let mut client = server.client();
        let line = json!({"request_id": 1, "api": api, "data": data});
        client.try_send(format!("{line}\n{too_long}").as_bytes());
        Reply::new(client.read_line(), "1").data();
        Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", "a long line");
        client.assert_closed();

        let mut client = server.client();
        client.send(json!({"request_id": 2, "api": api, "data": again}).to_string());
        client.finish();
        Reply::new(client.read_line(), "2").data();
        client.assert_closed();
    }
}

#[test]
fn a_bad_request_costs_the_good_ones_around_it_nothing() {
    let cluster = Cluster::start();
    let mut client = cluster.buyer.client();
    let mut bytes = Vec::new();
    for n in 0..100 {
        bytes.extend_from_slice(format!(r#"{{"request_id":{n},"api":"Ping"}}"#).as_bytes());
        bytes.extend_from_slice(b"\n\xff\xfe{\n{\"api\":\n\x00\n");
    }
    client.send_bytes(&bytes);
    for n in 0..100 {
        assert_pong(&mut client, &n.to_string());
        for _ in 0..3 {
            let reply = client.read_json();
            assert_eq!(reply["error"]["code"], "INVALID_REQUEST");
        }
    }
    client.assert_usable();
}

#[test]
fn what_a_web_page_posts_is_not_carried_out() {
    let cluster = Cluster::start();
    let mut database = cluster.product.client();
    let item = json!({"seller_id": 1, "name": "Pen", "category": 1, "condition": "new", "price": 99.5,
        "quantity": 1});
    database.ok("RegisterItem", item);
    let body = r#"{"api":"ChangeItemPrice","data":{"item_id":"1:1","price":0}}"#;
    let length = body.len() + 2;
    for head in ["POST / HTTP/1.1", "put /a HTTP/1.0", "\r\nX-Y * HTTP/1.1", " POST / HTTP/1.1"] {
        let mut client = cluster.product.client();
        let headers = format!("Host: a\r\nContent-Type: text/plain\r\nContent-Length: {length}");
        client.try_send(format!("{head}\r\n{headers}\r\n\r\n\n{body}\n").as_bytes());
        let message = Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", head);
        assert!(message.contains("HTTP") && message.contains("JSON"), "{message}");
        client.assert_closed();
    }
    assert_eq!(database.ok("GetItem", json!({"item_id": "1:1"}))["item"]["price"], 99.5);
}

#[test]
fn whoever_speaks_another_protocol_is_told_so_once() {
    let cluster = Cluster::start();
    for server in [&cluster.buyer, &cluster.seller, &cluster.customer, &cluster.product] {
        for (bytes, protocol) in [
            (&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], "HTTP"),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP"),
            // Nothing ends the line, and nobody waits for that.
            (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "TLS"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "PROXY"),
            (b"PROXY TCP4 10.0.0.1 10.0.0.2 5000 6003\r\n{\"api\":\"Ping\"}\n", "PROXY"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
            (b"EHLO a.example\r\n", "SMTP"),
            (b"*1\r\n$4\r\nPING\r\n", "Redis"),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", "PostgreSQL"),
        ] {
            let mut client = server.client();
            client.try_send(bytes);
            let message = Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", protocol);
            assert!(message.contains(protocol), "{message}");
            client.assert_closed();
        }
        // What is no protocol at all is a bad request, which ends nothing.
        let mut client = server.client();
        client.send("hello");
        Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", "no JSON");
        client.send("GET / HTTP/1.1");
        Reply::new(client.read_line(), "null").refused_with("INVALID_REQUEST", "no JSON");
        client.assert_usable();
    }
}
