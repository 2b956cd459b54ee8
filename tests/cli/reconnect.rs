//! A service that restarts, or is lost in the middle of a call.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use support::{Act, FakeService, assert_code, stderr};

use super::User;

const ITEM: Act = Act::Reply(r#"{"item":{"item_id":"1:42"}}"#);

#[test]
fn a_read_is_repeated() {
    let server = FakeService::start(&[Act::Close, Act::Close, ITEM]);
    assert_code(&User::new().buyer(&server, "item 1:42"), 0);
    assert_eq!(server.apis(), ["GetItem", "GetItem", "GetItem"]);
}

#[test]
fn a_write_is_not_repeated() {
    let create = "create-account ann --password p";
    let buying = ["add 1:42 1", "remove 1:42 1", "save", "clear", "vote 1:42 up", create];
    let selling = ["price 1:42 5", "units 1:42 1", create];
    let buying = buying.map(|words| ("buyer", words)).into_iter();
    for (role, words) in buying.chain(selling.map(|words| ("seller", words))) {
        let server = FakeService::start(&[Act::Close]);
        let address = server.address.to_string();
        let args = [role, "--server", &address, "--session", "s"].into_iter().chain(words.split(' '));
        let output = User::new().command(&args.collect::<Vec<_>>()).output().unwrap();
        assert_code(&output, 1);
        assert!(stderr(&output).contains("may have been carried out"), "{words}: {}", stderr(&output));
        assert_eq!(server.lines().len(), 1, "{words}");
    }
}

#[test]
fn a_purchase_with_a_key_is_repeated() {
    let bought = Act::Reply(r#"{"purchase_id":"p","items":[],"total":0.0}"#);
    let server = FakeService::start(&[Act::Close, bought]);
    assert_code(&User::new().buyer(&server, "--session s buy --key k"), 0);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0]["data"], requests[1]["data"]);
}

/// Nothing was sent over the connection that a restart ended, so even a write just works.
#[test]
fn the_next_command_after_a_restart_just_works() {
    let added = Act::Reply(r#"{"item_id":"1:42","quantity":1}"#);
    let server = FakeService::start(&[added.clone(), added]);
    let address = server.address.to_string();
    let user = User::new();
    let mut command = user.command(&["buyer", "--server", &address, "--session", "s"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        writeln!(input, "add 1:42 1").unwrap();
        assert_eq!(output.next().unwrap().unwrap(), "1:42\t1");
        server.close_connections();
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    let sessions: Vec<_> =
        server.requests().iter().map(|request| request["data"]["session_id"].clone()).collect();
    assert_eq!(sessions, ["s", "s"]);
}
