//! `marketplace ping`.

use support::{Act, FakeService, assert_code, stderr, stdout};

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
