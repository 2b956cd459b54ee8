//! The target [`admin`]: what is sent to the port where a process is watched.

use std::sync::Arc;

use net::{Document, Event, Input, Limits, Node, Out, Output, Peer, Registry, Service, Site, Time};

use crate::cuts::pieces;
use crate::peer::NOW;

/// Whose pages may read the metrics.
const READER: &str = "http://shop:81";

/// A service that nobody asks anything.
struct Idle;

impl Service for Idle {
    fn handle(&mut self, _now: Time, _event: Event<'_>, _out: &mut Out<'_>) {}

    fn is_drained(&self) -> bool {
        true
    }
}

/// Somebody sends anything, in pieces, and ends. There is one response at most, a whole one, which no page but
/// that of the only reader may read, and then the connection is gone.
///
/// # Panics
/// It is not so.
pub fn admin(input: &[u8]) {
    let (stream, pieces) = pieces(input);
    let registry = Arc::new(Registry::new("net"));
    let page = Document { path: "/", content_type: "text/html", body: "<p>Hello".into() };
    let policy = "default-src 'self'".to_owned();
    let site = Site { documents: vec![page], policy, readers: vec![READER.to_owned()] };
    let mut node = Node::registered(Idle, Limits::default(), 0, registry).with_site(site);
    let conn = node.accept_admin(NOW).expect("there is room");
    let peer = Peer::Admin(conn);
    let (mut heard, mut is_open) = (Vec::new(), true);
    let mut turn = |node: &mut Node<Idle>, is_open: &mut bool| {
        node.end_turn(NOW).expect("it goes on");
        while let Some(output) = node.poll_output() {
            match output {
                Output::Transmit(_) => {
                    heard.extend_from_slice(node.outbox(peer));
                    let count = node.outbox(peer).len();
                    node.handle_input(NOW, Input::Sent(peer, count));
                }
                Output::Close(_) => *is_open = false,
                Output::Finish(_) | Output::Resume(_) => {}
                Output::Connect(_) | Output::Reconnect(_) => unreachable!("it has no backends"),
            }
        }
    };
    for piece in pieces {
        if node.wants_read(peer) {
            node.handle_input(NOW, Input::Received(peer, piece));
            turn(&mut node, &mut is_open);
        }
    }
    if is_open {
        node.handle_input(NOW, Input::Finished(peer));
        turn(&mut node, &mut is_open);
    }
    assert!(!is_open, "who has ended is let go");
    check(&heard, stream);
}

/// Checks what was heard: nothing, or one response whose head tells how long its body is.
fn check(heard: &[u8], stream: &[u8]) {
    if heard.is_empty() {
        return;
    }
    let text = std::str::from_utf8(heard).expect("a response is text");
    let (head, body) = text.split_once("\r\n\r\n").expect("its head has an end");
    assert!(head.starts_with("HTTP/1.1 "), "{head}");
    assert!(head.lines().any(|line| line.starts_with("Content-Security-Policy: default-src '")), "{head}");
    let allowed = head.lines().filter_map(|line| line.strip_prefix("Access-Control-Allow-"));
    for reader in allowed {
        assert_eq!(reader, format!("Origin: {READER}"));
        assert!(stream.windows(READER.len()).any(|word| word == READER.as_bytes()), "{head}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let length: usize = length.expect("it tells its length").parse().expect("which is a number");
    let is_head = stream.windows(5).any(|word| word == b"HEAD ");
    assert!(body.len() == length || (is_head && body.is_empty()), "{text}");
}
