//! The target [`client`]: the bytes of a client of `server_buyer`, with both databases behind it.

use serde_json::Value;

use crate::cuts::pieces;
use crate::marketplace::marketplace;

/// A client sends anything, in pieces, and ends. Each of its lines is answered once, in order, and it is let go.
///
/// # Panics
/// It is not so.
pub fn client(input: &[u8]) {
    let (stream, pieces) = pieces(input);
    let mut marketplace = marketplace();
    pieces.into_iter().for_each(|piece| marketplace.send(piece));
    check(stream, &marketplace.finish());
}

/// Checks what a client that has sent this stream has heard.
pub(crate) fn check(stream: &[u8], heard: &[u8]) {
    let heard = std::str::from_utf8(heard).expect("replies are text");
    let replies: Vec<Value> =
        heard.lines().map(|line| serde_json::from_str(line).expect("a reply is JSON")).collect();
    let lines: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').filter(|line| !is_empty(line)).collect();
    for reply in &replies {
        assert_eq!(reply["type"], "Response", "{reply}");
        let is_ok = reply["ok"].as_bool().expect("it is or is not");
        assert_eq!(is_ok, reply["error"].is_null(), "{reply}");
        assert!(is_ok || reply["error"]["code"] != "INTERNAL", "{reply}");
    }
    // A client that speaks another protocol is told so, once.
    if replies.len() == 1 && replies[0]["error"]["code"] == "INVALID_REQUEST" {
        return;
    }
    assert_eq!(replies.len(), lines.len(), "each line is answered once: {heard}");
    for (line, reply) in lines.iter().zip(&replies) {
        let request: Value = serde_json::from_slice(line).unwrap_or_default();
        let id = &request["request_id"];
        let is_answered =
            reply["request_id"] == *id || (reply["ok"] == false && reply["request_id"].is_null());
        assert!(is_answered || !(id.is_u64() || id.is_string()), "{reply} answers {request}");
    }
}

/// Whether a line is none.
pub(crate) fn is_empty(line: &[u8]) -> bool {
    matches!(line, b"" | b"\r")
}
