//! The target [`secret`]: somebody who calls a database that demands a secret.

use serde_json::Value;

use crate::client::{check, is_empty};
use crate::cuts::pieces;
use crate::disk::Disk;
use crate::marketplace::{guarded_product, set_up};
use crate::peer::Attached;

/// What the database demands.
const SECRET: &str = "open sesame";
const AUTHENTICATE: &str = r#"{"request_id":1,"api":"Authenticate","data":{"secret":"open sesame"}}"#;
/// Tells whether anything was changed.
const PROBE: &str = r#"{"request_id":2,"api":"DisplayItemsForSale","data":{"seller_id":1,"sold_out":true}}"#;

/// Somebody sends anything, in pieces, to a database. Unless the first line shows the secret, it is answered with one
/// refusal and the end of the connection, and nothing is carried out. If it does, the rest is served like anybody's. The
/// secret is never repeated.
///
/// # Panics
/// It is not so.
pub fn secret(input: &[u8]) {
    let (stream, pieces) = pieces(input);
    let disk = Disk::new();
    let attach = || Attached::new(guarded_product(disk.reopen(), SECRET), services::database_limits());
    let mut database = attach();
    assert!(database.send(format!("{AUTHENTICATE}\n").as_bytes()));
    database.take_received();
    set_up(&mut database, false);
    let probe = |database: Attached<_>| {
        let mut database = database.reconnected();
        assert!(database.send(format!("{AUTHENTICATE}\n{PROBE}\n").as_bytes()));
        let told = String::from_utf8(database.take_received()).expect("replies are text");
        assert!(told.starts_with(r#"{"type":"Response","request_id":1,"ok":true"#), "{told}");
        (database, told)
    };
    let (database, before) = probe(database);

    let mut database = database.reconnected();
    let _ = pieces.into_iter().all(|piece| database.send(piece));
    database.finish();
    assert!(!database.is_connected(), "who has ended is let go");
    let received = database.take_received();
    let first = stream.split(|byte| *byte == b'\n').find(|line| !is_empty(line)).unwrap_or_default();
    if shows_secret(first, &received) {
        return check(stream, &received);
    }
    let replies: Vec<Value> =
        received.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    assert_eq!(replies.len(), usize::from(!first.is_empty()), "whoever says anything is refused once");
    for reply in &replies {
        let code = reply["error"]["code"].as_str().expect("it is an error");
        assert!(["PERMISSION_DENIED", "INVALID_REQUEST"].contains(&code), "{reply}");
        assert!(!reply.to_string().contains(SECRET), "{reply}");
    }
    assert_eq!(probe(database).1, before, "nothing was carried out");
}

/// Whether a first line, which was answered with this, shows the secret. It does if it is the plain line; where the
/// database has taken it for one, the secret must be in it at least.
fn shows_secret(line: &[u8], received: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let answer = received.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let is_taken = answer["data"]["authenticated"] == true;
    let request: Value = serde_json::from_slice(line).unwrap_or_default();
    let has_secret = request["api"] == "Authenticate" && request["data"]["secret"] == SECRET;
    assert!(is_taken || line != AUTHENTICATE.as_bytes(), "whoever shows the secret is let in");
    assert!(has_secret || !is_taken, "whoever does not is not: {answer}");
    is_taken
}
