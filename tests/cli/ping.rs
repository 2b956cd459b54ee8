//! `marketplace ping`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use support::{Act, FakeService, assert_code, own_host, stderr, stdout};

use super::{User, nobody};

fn ping(act: Act) -> std::process::Output {
    let server = FakeService::start(&[act]);
    User::new().run(&["ping", "--timeout-ms", "300", &server.address.to_string()])
}

#[test]
fn prints_what_the_service_says() {
    let output = ping(Act::Reply(r#"{"service":"db_customer"}"#));
    assert_code(&output, 0);
    assert_eq!(stdout(&output), "{\"service\":\"db_customer\"}\n");
}

#[test]
fn an_error_is_1_and_no_answer_is_3() {
    let output = ping(Act::Error("UNAVAILABLE"));
    assert_code(&output, 1);
    assert_eq!(stderr(&output), "error: UNAVAILABLE: a \\u{1b}[31mmessage\n");
    assert_code(&ping(Act::Close), 3);
    assert_code(&ping(Act::Ignore), 3);
    assert_code(&ping(Act::Line("HTTP/1.1 400 Bad Request")), 3);
    assert_code(&User::new().run(&["ping", &nobody()]), 3);
    assert_code(&User::new().run(&["ping", "no-such-host.invalid:6001"]), 3);
}

#[test]
fn without_an_address_all_four_are_asked() {
    const PONG: Act = Act::Reply(r#"{"service":"x"}"#);
    let host = own_host();
    let ping = || User::new().run(&["ping", "--timeout-ms", "300", "--host", &host.to_string()]);
    let healthy = |port| FakeService::serve((host, port), || |_| PONG);
    let _three = [6001, 6003].map(healthy);
    let asked = Arc::new(AtomicUsize::new(0));
    let _in_trouble = FakeService::serve((host, 6002), move || {
        let asked = Arc::clone(&asked);
        move |_| if asked.fetch_add(1, Ordering::Relaxed) < 2 { Act::Error("UNAVAILABLE") } else { PONG }
    });
    let output = ping();
    assert_code(&output, 3);
    let said: Vec<_> = stdout(&output).lines().collect();
    assert_eq!(said[0], r#"db_customer    {"service":"x"}"#);
    assert_eq!(said[1], r"db_product     error: UNAVAILABLE: a \u{1b}[31mmessage");
    assert_eq!(said[2], r#"server_buyer   {"service":"x"}"#);
    assert!(said[3].starts_with(&format!("server_seller  error: cannot connect to {host}:6004")), "{said:?}");
    let _seller = healthy(6004);
    assert_code(&ping(), 1);
    let output = ping();
    assert_code(&output, 0);
    assert_eq!(stdout(&output).lines().count(), 4);
    let output = User::new().run(&["ping", "--host", "localhost", "127.0.0.1:1"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("--host"), "{}", stderr(&output));
}
