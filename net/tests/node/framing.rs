//! How a connection begins and ends: a first line that belongs to another protocol, and a last one without its end.

use net::{Input, Limits, Output, Peer, Reject};

use crate::harness::{LINK, PATIENCE, SECOND, Seen, World, line, lost, reply};

const REQUEST: &str = "POST / HTTP/1.1\r\nHost: a\r\n\r\n{\"api\":\"x\"}\n";

fn other(conn: net::Conn, protocol: &'static str) -> Seen {
    Seen::Reject(conn, Reject::OtherProtocol(protocol))
}

#[test]
fn another_protocol_is_told_so_once_and_nothing_of_it_is_carried_out() {
    let mut world = World::echo(Limits::default());
    let conn = world.accept();
    let peer = Peer::Client(conn);
    let outputs = world.receive(conn, REQUEST);
    assert_eq!(world.seen(), [other(conn, "HTTP")]);
    assert_eq!(world.taken(peer), "rejected\n");
    assert!(outputs.contains(&Output::Finish(peer)), "{outputs:?}");
    assert!(!outputs.contains(&Output::Close(peer)), "not with a reset");

    // A browser that would use the connection again is not heard.
    assert!(world.node.wants_read(peer), "what comes is discarded");
    world.receive(conn, REQUEST);
    world.receive(conn, "{\"api\":\"x\"}\n");
    assert_eq!((world.seen(), world.taken(peer)), (vec![], String::new()));
    world.pass(2 * SECOND);
    assert_eq!(world.seen(), [Seen::Closed(conn)]);
}

#[test]
fn another_protocol_is_recognised_whichever_way_its_bytes_are_cut() {
    for whole in
        [REQUEST, "\r\n\r\n\0\r\nQUIT\n\u{21}\n{}\n", "\n\n\nSSH-2.0-a\r\n{}\n", "*1\r\n$2\r\n{}\r\n"]
    {
        for cut in 0..=whole.len() {
            let mut world = World::echo(Limits::default());
            let conn = world.accept();
            world.receive(conn, &whole[..cut]);
            world.receive(conn, &whole[cut..]);
            let seen = world.seen();
            assert!(matches!(seen[..], [Seen::Reject(_, Reject::OtherProtocol(_))]), "{cut}: {seen:?}");
        }
        let mut world = World::echo(Limits::default());
        let conn = world.accept();
        whole.chars().for_each(|byte| drop(world.receive(conn, &byte.to_string())));
        assert_eq!(world.seen().len(), 1, "{whole:?} byte by byte");
    }
}

#[test]
fn a_protocol_without_lines_is_told_so_at_once() {
    let mut world = World::echo(Limits::default());
    let conn = world.accept();
    world.receive(conn, "\u{16}\u{3}");
    assert_eq!(world.seen(), []);
    world.receive(conn, "\u{1}\u{2}");
    assert_eq!(world.seen(), [other(conn, "TLS")], "without waiting for a line to end");
}

#[test]
fn only_the_first_line_is_looked_at() {
    let mut world = World::echo(Limits::default());
    let conn = world.accept();
    for text in ["hello", "GET / HTTP/1.1", "SSH-2.0-a"] {
        world.receive(conn, &format!("{text}\r\n"));
        assert_eq!(world.seen(), [line(conn, text)], "a bad request ends nothing");
    }
}

#[test]
fn a_last_line_needs_no_end() {
    for last in ["last", "last\r", "last\n", "last\r\n"] {
        let mut world = World::echo(Limits::default());
        let conn = world.accept();
        let peer = Peer::Client(conn);
        world.input(Input::Received(peer, format!("first\n{last}").as_bytes()));
        world.input(Input::Finished(peer));
        let outputs = world.turns();
        assert_eq!(world.seen(), [line(conn, "first"), line(conn, "last"), Seen::Closed(conn)], "{last:?}");
        assert_eq!(world.taken(peer), "first\nlast\n");
        assert!(outputs.contains(&Output::Close(peer)), "{outputs:?}");
    }
}

#[test]
fn a_last_line_without_an_end_waits_for_the_replies_before_it() {
    let mut world = World::new(Limits::default(), 0);
    let conn = world.accept();
    let peer = Peer::Client(conn);
    world.receive(conn, "first\nla");
    world.receive(conn, "st");
    world.input(Input::Finished(peer));
    world.turn();
    assert_eq!(world.seen(), [line(conn, "first")]);
    world.send(conn, "FIRST");
    assert_eq!(world.seen(), [line(conn, "last")]);
    world.send(conn, "LAST");
    assert_eq!(world.taken(peer), "FIRST\nLAST\n");
    assert_eq!(world.seen(), [Seen::Closed(conn)]);
}

#[test]
fn a_last_line_without_an_end_is_bound_by_what_holds_for_any() {
    let limits = Limits { line_bytes_max: 20, ..Limits::default() };
    for (last, reject) in [
        ("123456789012345678901", Some(Reject::LineTooLong(20))),
        ("BREW /pot HTTP/1.1", Some(Reject::OtherProtocol("HTTP"))),
        ("12345678901234567890", None),
    ] {
        let mut world = World::echo(limits.clone());
        let conn = world.accept();
        let peer = Peer::Client(conn);
        world.input(Input::Received(peer, last.as_bytes()));
        world.input(Input::Finished(peer));
        let outputs = world.turns();
        let seen = reject.map_or(line(conn, last), |reject| Seen::Reject(conn, reject));
        assert_eq!(world.seen(), [seen, Seen::Closed(conn)]);
        assert!(!world.taken(peer).is_empty(), "it is answered");
        assert!(outputs.contains(&Output::Close(peer)), "{outputs:?}");
    }
}

#[test]
fn nothing_left_is_no_line() {
    for nothing in ["", "\r", "\n", "\r\n\r"] {
        let mut world = World::echo(Limits::default());
        let conn = world.accept();
        let peer = Peer::Client(conn);
        world.input(Input::Received(peer, nothing.as_bytes()));
        world.input(Input::Finished(peer));
        assert_eq!(world.turns(), [Output::Close(peer)], "{nothing:?}");
        assert_eq!(world.seen(), [Seen::Closed(conn)]);
    }
}

/// A backend that ends in the middle of a line has crashed, and half a reply might say what the whole one does not.
#[test]
fn half_a_reply_is_none() {
    let mut world = World::linked(Limits::default());
    world.call(1, "a", PATIENCE);
    world.call(2, "b", PATIENCE);
    world.input(Input::Received(LINK, b"A\n{\"half\":1}"));
    world.input(Input::Finished(LINK));
    world.turn();
    assert_eq!(world.seen(), [reply(1, "A"), lost(2, net::Lost::Unanswered)]);
}
