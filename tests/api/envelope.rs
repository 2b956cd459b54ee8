//! What stands around a request and its reply.

use serde_json::Value;
use support::{Client, Reply};

use crate::cluster::Cluster;

/// One client of each of the four services.
fn clients(cluster: &Cluster) -> [(&'static str, Client); 4] {
    [
        ("server_buyer", cluster.buyer.client()),
        ("server_seller", cluster.seller.client()),
        ("db_customer", cluster.customer.client()),
        ("db_product", cluster.product.client()),
    ]
}

#[test]
fn every_service_answers_a_ping_with_its_name() {
    let cluster = Cluster::start();
    for (name, mut client) in clients(&cluster) {
        let pong = client.ok_text("Ping", "{}");
        assert!(pong.starts_with(&format!(r#"{{"service":"{name}""#)), "{pong}");
    }
}

#[test]
fn the_request_id_comes_back_as_it_was_sent() {
    let cluster = Cluster::start();
    let ids = [
        r#""7""#,
        r#""""#,
        "7",
        "0",
        "-7",
        "-0",
        "null",
        "123456789012345678901234567890",
        r#""\u0041\n\"\\\/ \ud83d\ude00""#,
        r#""☃ ,\"ok\":false""#,
    ];
    for (_, mut client) in clients(&cluster) {
        for id in ids {
            let line = client.exchange(format!(r#"{{"type":"Request","request_id":{id},"api":"Ping"}}"#));
            Reply::new(line, id).data();
            let line = client.exchange(format!(r#"{{"request_id": {id} ,"api":"Nothing"}}"#));
            Reply::new(line, id).refused_with("UNIMPLEMENTED", id);
        }
        Reply::new(client.exchange(r#"{"api":"Ping"}"#), "null").data();
    }
}

#[test]
fn the_request_id_passes_through_the_databases_unchanged() {
    let cluster = Cluster::start();
    let mut buyer = cluster.buyer.client();
    let long = Value::from("x".repeat(60_000)).to_string();
    for id in [r#""\u0041\"}""#, "-0", "null", "123456789012345678901234567890", &long] {
        let search = r#""api":"SearchItemsForSale","data":{"category":1}"#;
        let line = buyer.exchange(format!(r#"{{"request_id":{id},{search}}}"#));
        assert_eq!(Reply::new(line, id).data(), r#"{"items":[],"total":0,"next_cursor":null}"#);
        let line =
            buyer.exchange(format!(r#"{{"request_id":{id},"api":"GetItem","data":{{"item_id":"1:1"}}}}"#));
        Reply::new(line, id).refused_with("NOT_FOUND", id);
    }
    let line = buyer.exchange(r#"{"api":"GetItem","data":{"item_id":"1:42"}}"#);
    let expected = r#"{"type":"Response","request_id":null,"ok":false,"error":{"code":"NOT_FOUND","message":"no item 1:42"},"data":null}"#;
    assert_eq!(line, expected);
}

#[test]
fn parts_of_a_request_may_be_left_out_and_stand_in_any_order() {
    let cluster = Cluster::start();
    for (_, mut client) in clients(&cluster) {
        for line in [
            r#"{"api":"Ping","request_id":1}"#,
            r#"{"data":{},"request_id":1,"type":"Request","api":"Ping"}"#,
            r#"  {"request_id" : 1 , "api" : "P\u0069ng" , "data" : { } }  "#,
            r#"{"request_id":1,"api":"Ping","data":{"session_id":"anything"}}"#,
            r#"{"request_id":1,"api":"Ping","data":{"session_id":""}}"#,
        ] {
            Reply::new(client.exchange(line), "1").data();
        }
    }
}

#[test]
fn what_is_no_request_is_an_invalid_request() {
    let cluster = Cluster::start();
    let deep = |levels| format!(r#"{{"request_id":1,"api":"Ping","data":{}"#, "[".repeat(levels));
    let nested = format!("{}{}}}", deep(10_000), "]".repeat(10_000));
    let (open, brackets) = (deep(60_000), "[".repeat(65_000));
    let without_id: [&[u8]; 22] = [
        b"hello",
        b" ",
        b"\"Ping\"",
        b"7",
        b"null",
        b"true",
        b"[]",
        b"[\"Request\",1,\"Ping\",{}]",
        b"{\"api\":\"Ping\"",
        b"{\"api\":\"Ping\"}}",
        b"{\"api\":\"Ping\"} {\"api\":\"Ping\"}",
        b"{\"api\":'Ping'}",
        b"{\"api\":\"Ping\",\"data\":{\"x\":NaN}}",
        b"{\"api\":\"Ping\",\"data\":{\"x\":Infinity}}",
        b"{\"api\":\"Ping\",\"data\":{\"x\":01}}",
        b"{\"api\":\"Pi\tng\"}",
        b"{\"api\":\"Ping\xff\"}",
        b"{\"api\":\"Ping\",\"data\":{\"x\":\"\xed\xa0\x80\"}}",
        b"\xef\xbb\xbf{\"api\":\"Ping\"}",
        nested.as_bytes(),
        open.as_bytes(),
        brackets.as_bytes(),
    ];
    for (_, mut client) in clients(&cluster) {
        for line in without_id {
            let shown = line[..line.len().min(60)].escape_ascii().to_string();
            Reply::new(client.exchange(line), "null").refused_with("INVALID_REQUEST", &shown);
        }
        for id in ["1.5", "1e3", "true", "[1]", "{}", r#""\ud800""#] {
            let line = client.exchange(format!(r#"{{"request_id":{id},"api":"Ping"}}"#));
            let message = Reply::new(line, "null").refused_with("INVALID_REQUEST", id);
            assert!(message.contains("request_id"), "{message}");
        }
        for (rest, part) in [
            ("", "api"),
            (r#","api":5"#, "api"),
            (r#","api":null"#, "api"),
            (r#","api":"\udc00""#, "api"),
            (r#","api":"Ping","type":"Response""#, "type"),
            (r#","api":"Ping","type":7"#, "type"),
        ] {
            let line = client.exchange(format!(r#"{{"request_id":7{rest}}}"#));
            let message = Reply::new(line, "7").refused_with("INVALID_REQUEST", rest);
            assert!(message.contains(part), "{message}");
        }
        client.assert_usable();
    }
}

#[test]
fn data_of_another_shape_and_fields_that_nobody_knows_are_invalid_arguments() {
    let cluster = Cluster::start();
    for (_, mut client) in clients(&cluster) {
        for data in ["[]", "7", "\"x\"", "true", r#"{"\ud800":1}"#] {
            let message = client.refused("Ping", data, "INVALID_ARGUMENT");
            assert!(message.contains("data"), "{message}");
        }
        for (data, field) in [
            (r#"{"colour":1}"#, "`colour`"),
            (r#"{"col\u006fur":1}"#, "`colour`"),
            (r#"{"":1}"#, "``"),
            (r#"{"session_id":"x","session_id":"x"}"#, "`session_id`"),
            (r#"{"session_id":"x","s\u0065ssion_id":"x"}"#, "`session_id`"),
            (r#"{"session_id":5}"#, "`session_id`"),
        ] {
            let message = client.refused("Ping", data, "INVALID_ARGUMENT");
            assert!(message.contains(field), "{message}");
        }
        client.assert_usable();
    }
    let mut buyer = cluster.buyer.client();
    let doubled = r#"{"item_id":"1:1","item_id":"1:1"}"#;
    assert!(buyer.refused("GetItem", doubled, "INVALID_ARGUMENT").contains("`item_id`"));
    let unknown = r#"{"item_id":"1:1","seller_id":1}"#;
    assert!(buyer.refused("GetItem", unknown, "INVALID_ARGUMENT").contains("`seller_id`"));
}

#[test]
fn a_line_full_of_fields_is_refused_without_much_ado() {
    let cluster = Cluster::start();
    let fields: String = (100_000..180_000).map(|n| format!("\"{n}\":0,")).collect();
    for (name, mut client) in clients(&cluster) {
        // As many as a line has room for.
        let fields = if name.starts_with("db_") { &fields } else { &fields[..60_000 / 11 * 11] };
        for api in ["Ping", "Login", "GetItem", "Nothing"] {
            let message = client.refused(api, format!("{{{fields}\"x\":0}}"), "INVALID_ARGUMENT");
            assert!(message.contains("`100000`") && message.contains("16 fields"), "{message}");
        }
    }
}

#[test]
fn an_api_that_is_not_there_is_unimplemented() {
    let cluster = Cluster::start();
    for (name, mut client) in clients(&cluster) {
        for api in ["ping", "", "Nothing", "RegisterItemForSale2"] {
            let message = client.refused(api, "{}", "UNIMPLEMENTED");
            assert!(message.contains(name), "{message}");
        }
        let (hostile, id) = (format!("{}\\u0000\\u001b[31m", "x".repeat(50_000)), "1");
        let line = client.exchange(format!(r#"{{"request_id":1,"api":"{hostile}"}}"#));
        let message = Reply::new(line, id).refused_with("UNIMPLEMENTED", "a long name");
        assert!(message.len() < 200 && !message.contains(char::is_control), "{message}");
    }
    cluster.buyer.client().refused("RegisterItemForSale", "{}", "UNIMPLEMENTED");
    cluster.seller.client().refused("SearchItemsForSale", r#"{"category":1}"#, "UNIMPLEMENTED");
}
