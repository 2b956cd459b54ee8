//! Databases that demand a secret: who is served, and what is said to the others.

use super::harness::Harness;
use crate::engine::secrets::Secrets;

const RIGHT: &str = r#"{"request_id":1,"api":"Authenticate","data":{"secret":"new"}}"#;
const AUTHENTICATED: &str = r#"1 {"authenticated":true}"#;

fn demanding() -> Harness {
    Harness::demanding(Some(Secrets::parse("new\nold").expect("two secrets")))
}

#[test]
fn whoever_shows_a_secret_is_served() {
    for secret in ["new", "old"] {
        let mut db = demanding();
        let client = db.connect();
        db.line(client, &RIGHT.replace("new", secret));
        db.requests(client, &["2 Set x 5", "3 Get x"]);
        db.end_turn();
        db.flush();
        assert_eq!(db.replies(client), [AUTHENTICATED, "2 5", "3 5"]);
    }
}

#[test]
fn whoever_shows_none_is_told_once_and_nothing_is_done() {
    for first in [
        r#"{"request_id":1,"api":"Ping"}"#,
        r#"{"request_id":1,"api":"Set","data":{"name":"x","number":5}}"#,
        r#"{"request_id":1,"api":"Authenticate"}"#,
        r#"{"request_id":1,"api":"Authenticate","data":{"secret":"wrong"}}"#,
        r#"{"request_id":1,"api":"Authenticate","data":{"secret":["new"]}}"#,
        r#"{"request_id":1,"api":"Authenticate","data":{"secret":"new","x":1}}"#,
        r#"{"request_id":1,"api":"Authenticate","data":[]}"#,
    ] {
        let mut db = demanding();
        let client = db.connect();
        db.line(client, &[first, RIGHT].join("\n"));
        db.end_turn();
        assert_eq!(db.replies(client), ["1 PERMISSION_DENIED"], "{first}");
        assert!(db.has_ended(client));
        assert!(db.submitted().is_empty());
    }
    let mut db = demanding();
    let client = db.connect();
    db.line(client, "no JSON");
    db.end_turn();
    assert_eq!(db.replies(client), ["null PERMISSION_DENIED"]);
    assert!(db.has_ended(client));
    let client = db.connect();
    db.line(
        client,
        &format!(r#"{{"api":"Authenticate","data":{{"secret":"new"}},"x":"{}"}}"#, "x".repeat(1 << 14)),
    );
    db.end_turn();
    assert_eq!(db.replies(client), ["null PERMISSION_DENIED"], "it is not even read");
    assert!(db.has_ended(client));
}

#[test]
fn what_one_connection_has_shown_serves_no_other() {
    let mut db = demanding();
    let client = db.connect();
    db.line(client, RIGHT);
    db.end_turn();
    db.disconnect(client);
    let other = db.connect();
    db.request(other, "1 Get x");
    db.end_turn();
    assert_eq!(db.replies(other), ["1 PERMISSION_DENIED"]);
    assert!(db.has_ended(other));
}

#[test]
fn secrets_that_are_replaced_keep_nobody_out_who_is_in() {
    let secrets = Secrets::parse("new").expect("a secret");
    let mut db = Harness::demanding(Some(secrets.clone()));
    let client = db.connect();
    db.line(client, RIGHT);
    db.end_turn();
    secrets.replace(Secrets::parse("newer").expect("a secret"));
    db.request(client, "2 Get x");
    db.line(client, &RIGHT.replace('1', "3"));
    db.end_turn();
    assert_eq!(db.replies(client), [AUTHENTICATED, "2 null", "3 PERMISSION_DENIED"]);
}

#[test]
fn where_none_is_demanded_each_is_as_good() {
    let mut db = Harness::new();
    let client = db.connect();
    db.line(client, &RIGHT.replace("new", "whatever"));
    db.request(client, "2 Get x");
    db.line(client, r#"{"request_id":3,"api":"Authenticate"}"#);
    db.end_turn();
    assert_eq!(db.replies(client), [AUTHENTICATED, "2 null", "3 INVALID_ARGUMENT"]);
}
