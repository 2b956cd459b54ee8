//! What the suites rely on: the client lets no wrong envelope pass, and knows how a call failed.

use std::panic::catch_unwind;

use crate::{Act, Client, Failure, FakeService, wait_until};

/// What becomes of a client's first call.
fn first_call(act: Act) -> Result<String, Failure> {
    let service = FakeService::start(&[act]);
    Client::new(service.address).call("GetItem", "{}").map(|data| data.to_string())
}

#[test]
fn an_envelope_that_is_not_right_to_the_byte_fails_the_test() {
    let right = r#"{"type":"Response","request_id":1,"ok":true,"error":null,"data":{"a":1}}"#;
    assert_eq!(first_call(Act::Line(right)).unwrap(), r#"{"a":1}"#);
    for wrong in [
        r#"{"type":"Response","request_id":2,"ok":true,"error":null,"data":{}}"#,
        r#"{"type":"Response","request_id":"1","ok":true,"error":null,"data":{}}"#,
        r#"{"type":"Response","request_id":1,"ok":true,"error":null,"data":[]}"#,
        r#"{"type":"Response","request_id":1,"ok":true,"error":null,"data":null}"#,
        r#"{"type":"Response","request_id":1,"ok":true,"data":{},"error":null}"#,
        r#"{"type":"Response","request_id":1, "ok":true,"error":null,"data":{}}"#,
        r#"{"type":"Response","request_id":1,"ok":false,"error":{"message":"m","code":"A"},"data":null}"#,
        r#"{"type":"Response","request_id":1,"ok":false,"error":{"code":"A","message":""},"data":null}"#,
        r#"{"type":"Response","request_id":1,"ok":false,"error":{"code":"A","message":"m"},"data":{}}"#,
        r#"{"type":"Response","request_id":1,"ok":false,"error":{"code":"A","message":"m"}}"#,
    ] {
        assert!(catch_unwind(|| first_call(Act::Line(wrong))).is_err(), "{wrong}");
    }
}

#[test]
fn a_call_that_failed_says_whether_it_may_have_been_carried_out() {
    let script = [Act::Close, Act::Reply("{}"), Act::Error("NOT_FOUND"), Act::Error("UNAVAILABLE"), Act::Die];
    let service = FakeService::start(&script);
    let mut client = Client::new(service.address);
    let mut next =
        || client.call("SaveCart", "{}").map_err(|failure| (failure.is_outage(), failure.is_unknown()));
    assert_eq!(next().unwrap_err(), (true, true), "the connection broke");
    next().expect("there is another connection");
    assert_eq!(next().unwrap_err(), (false, false), "it was refused");
    assert_eq!(next().unwrap_err(), (true, true), "a database is away, and nobody knows since when");
    assert_eq!(next().unwrap_err(), (true, true), "the service died");
    // The port is let go a moment later, and a call that finds nobody is known not to be carried out.
    wait_until("nobody there", || next().unwrap_err() == (true, false));
}
