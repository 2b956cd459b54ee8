//! What is sent for a command, and what is printed for its reply.

use support::{Act, FakeService, assert_code, stderr, stdout};

use super::{User, nobody};

const PAGE: &str = r#"{"items":[{"item_id":"1:42","name":"Intro to DS","category":1,"keywords":["book","cs"],"condition":"new","price":19.90,"quantity":5,"seller_id":3,"feedback":{"up":0,"down":0}}],"total":2,"next_cursor":"a b"}"#;

#[test]
fn a_request_has_the_envelope_and_the_typed_digits() {
    let server = FakeService::start(&[Act::Reply(r#"{"item_id":"1:42","price":9.9}"#)]);
    let output = User::new().seller(&server, "--session s price 1:42 9.90");
    assert_code(&output, 0);
    assert_eq!(stdout(&output), "1:42\t9.9\n");
    assert_eq!(
        server.lines(),
        [
            r#"{"type":"Request","request_id":"1","api":"ChangeItemPrice","data":{"item_id":"1:42","price":9.90,"session_id":"s"}}"#
        ]
    );
}

#[test]
fn lists_are_tab_separated_in_a_pipe() {
    let server = FakeService::start(&[Act::Reply(PAGE)]);
    let output = User::new().buyer(&server, "search book");
    assert_code(&output, 0);
    assert_eq!(stdout(&output), "1:42\tIntro to DS\t1\tbook,cs\tnew\t19.90\t5\t3\t0\t0\n");
    assert_eq!(stderr(&output), "There is more: repeat the command with --cursor 'a b'\n");
}

#[test]
fn json_is_printed_as_it_came() {
    for words in ["--json search book", "search book --json"] {
        let server = FakeService::start(&[Act::Reply(PAGE)]);
        let output = User::new().buyer(&server, words);
        assert_code(&output, 0);
        assert_eq!((stdout(&output), stderr(&output)), (format!("{PAGE}\n").as_str(), ""));
    }
}

#[test]
fn errors_are_printed_with_their_code() {
    let server = FakeService::start(&[Act::Error("UNIMPLEMENTED"), Act::Error("NOT_FOUND")]);
    let output = User::new().buyer(&server, "--session s buy --key k");
    assert_code(&output, 1);
    assert_eq!((stdout(&output), stderr(&output)), ("", "error: UNIMPLEMENTED: a \\u{1b}[31mmessage\n"));
    let output = User::new().buyer(&server, "--json item 1:42");
    assert_code(&output, 1);
    assert_eq!(
        stdout(&output),
        "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"a \\u001b[31mmessage\"}}\n"
    );
    assert_eq!(stderr(&output), "");
}

#[test]
fn nonsense_is_an_error_and_no_panic() {
    for line in ["", "null", "[]", r#"{"ok":true}"#, r#"{"request_id":"9","ok":true,"data":{}}"#, "\u{7f}{"] {
        let server = FakeService::start(&[Act::Line(line)]);
        let output = User::new().buyer(&server, "item 1:42");
        assert_code(&output, 1);
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
    }
}

#[test]
fn no_connection_is_3() {
    let user = User::new();
    let output = user.run(&["buyer", "--server", &nobody(), "item", "1:42"]);
    assert_code(&output, 3);
    assert!(stderr(&output).starts_with("error: cannot connect to 127.0.0.1:"), "{}", stderr(&output));
}

#[test]
fn a_script_stops_at_the_first_failure() {
    let server = FakeService::start(&[Act::Reply(r#"{"saved":true}"#), Act::Error("NOT_FOUND")]);
    let output =
        User::new().script(&server, &["--session", "s"], "\nsave # a comment\nitem '1:4 2'\nclear\n");
    assert_code(&output, 1);
    assert_eq!(server.apis(), ["SaveCart", "GetItem"]);
    assert_eq!(server.requests()[1]["data"]["item_id"], "1:4 2");
    let output = User::new().script(&server, &[], "item 'x\n");
    assert_code(&output, 2);
    let output = User::new().script(&server, &[], "exit\nbogus\n");
    assert_code(&output, 0);
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let server = FakeService::start(&[Act::Reply(PAGE)]);
    let user = User::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let address = server.address.to_string();
    let output =
        user.command(&["buyer", "--server", &address, "search", "x"]).stdout(writer).output().unwrap();
    assert_code(&output, 1);
    assert_eq!(stderr(&output), "");
}
