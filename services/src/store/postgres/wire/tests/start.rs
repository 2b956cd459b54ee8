//! The start of a connection.

use super::server::{admission, authentication, error, message, settings};
use super::*;

/// What becomes of a start in which the server says this.
fn start(url: &str, server: &[u8]) -> Vec<Event> {
    let mut connection = connect(&config(url));
    connection.received(server);
    events(&mut connection)
}

fn failed(failure: Failure) -> [Event; 1] {
    [Event::Failed(failure)]
}

#[test]
fn a_connection_says_who_it_is_and_is_ready_once_the_server_has_told_what_it_is_like() {
    let mut connection = connect(&config(URL));
    let output = connection.take_output();
    assert_eq!(&output[4..8], 196_608_u32.to_be_bytes());
    let text = String::from_utf8_lossy(&output).replace('\0', " ");
    assert!(text.contains("user market database shop client_encoding UTF8"), "{text}");
    connection.received(&admission());
    let asked = ["P  SHOW", "B ", "E", "S"].map(str::to_owned);
    assert_eq!(said(&mut connection), [&asked[..], &asked, &asked].concat());
    assert!(!connection.has_room());
    connection.received(&settings(&["off", "on", "remote_apply"]));
    assert_eq!(events(&mut connection), [Event::Ready]);
    assert!(connection.has_room());
}

#[test]
fn encryption_is_asked_for_first_and_is_the_drivers() {
    let url = "postgres://market@db/shop?sslmode=require";
    let mut connection = connect(&config(url));
    assert_eq!(*connection.take_output(), [0, 0, 0, 8, 4, 210, 22, 47]);
    connection.received(b"S");
    assert_eq!(events(&mut connection), [Event::Encrypt]);
    assert!(connection.take_output().is_empty());
    connection.encrypted();
    assert!(String::from_utf8_lossy(&connection.take_output()).contains("market"));

    assert_eq!(start(url, b"N"), failed(Failure::Unencrypted));
    let before = Failure::Malformed("it speaks before the handshake");
    assert_eq!(start(url, &[&b"S"[..], &admission()].concat()), failed(before));
    let neither = Failure::Malformed("it answers a question about TLS with neither yes nor no");
    assert_eq!(start(url, &error("FATAL", "53300")), failed(neither));
}

#[test]
fn the_password_is_sent_in_clear_text_only_where_nobody_else_reads_it() {
    let asks = authentication(3, &[]);
    let mut connection = connect(&config(URL));
    connection.take_output();
    connection.received(&asks);
    assert_eq!(*connection.take_output(), *message(b'p', b"hush\0"));
    connection.received(&admission());
    assert_eq!(events(&mut connection), []);

    assert_eq!(start("postgres://u@db/d?sslmode=disable", &asks), failed(Failure::Exposed));
}

#[test]
fn what_a_server_asks_for_in_vain_is_told() {
    assert_eq!(start(URL, &authentication(5, &[0; 4])), failed(Failure::UnknownMethod("md5")));
    let other = authentication(10, b"SCRAM-SHA-1\0\0");
    assert_eq!(start(URL, &other), failed(Failure::UnknownMethod("something beside SCRAM-SHA-256")));
    let config = Config::parse(URL, None).unwrap();
    for asks in [authentication(3, &[]), authentication(10, b"SCRAM-SHA-256\0\0")] {
        let mut connection = connect(&config);
        connection.received(&asks);
        assert_eq!(events(&mut connection), failed(Failure::NoPassword));
    }
    let Event::Failed(Failure::Refused(refused)) = &start(URL, &error("FATAL", "28P01"))[0] else { panic!() };
    assert_eq!(refused.to_string(), "it says no (28P01)");
}

/// A connection that awaits the server's proof that it knows the password, too.
fn awaiting_proof() -> Connection {
    let mut connection = connect(&config(URL));
    connection.take_output();
    connection.received(&authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"));
    let output = String::from_utf8(connection.take_output().to_vec()).unwrap();
    let (_, nonce) = output.rsplit_once("r=").unwrap();
    connection.received(&authentication(11, format!("r={nonce}more,s=c2FsdA==,i=4096").as_bytes()));
    assert!(String::from_utf8_lossy(&connection.take_output()).contains(",p="));
    connection
}

#[test]
fn a_server_has_to_prove_that_it_knows_the_password_too() {
    let mut connection = awaiting_proof();
    connection.received(&authentication(12, b"v=AAAA"));
    assert_eq!(events(&mut connection), failed(Failure::NotGenuine));

    let mut connection = awaiting_proof();
    connection.received(&admission());
    let order = Failure::Malformed("the start of a connection has another order");
    assert_eq!(events(&mut connection), failed(order));
}

#[test]
fn a_server_that_takes_no_changes_or_forgets_them_is_of_no_use() {
    let start = |values: &[&str]| start(URL, &[admission(), settings(values)].concat());
    assert_eq!(start(&["on"]), failed(Failure::ReadOnly));
    assert_eq!(start(&["off", "off"]), failed(Failure::Unflushed("fsync")));
    assert_eq!(start(&["off", "on", "off"]), failed(Failure::Unflushed("synchronous_commit")));
}

#[test]
fn whether_a_server_flushes_is_asked_only_where_it_matters_and_where_it_can_say() {
    let mut config = config(URL);
    config.may_be_unflushed = true;
    let mut connection = connect(&config);
    connection.received(&[admission(), settings(&["off"])].concat());
    assert_eq!(events(&mut connection), [Event::Ready]);

    let unknown = [error("ERROR", "42704"), server::ready(b'I')].concat();
    let other = [admission(), settings(&["off"]), unknown.clone(), unknown].concat();
    assert_eq!(start(URL, &other), [Event::Ready]);
}

#[test]
fn a_start_that_is_cut_anywhere_leads_to_the_same() {
    let server = [admission(), settings(&["off", "on", "on"])].concat();
    for cut in 0..server.len() {
        let mut connection = connect(&config(URL));
        connection.received(&server[..cut]);
        assert_eq!(events(&mut connection), [], "{cut}");
        connection.received(&server[cut..]);
        assert_eq!(events(&mut connection), [Event::Ready], "{cut}");
    }
}
