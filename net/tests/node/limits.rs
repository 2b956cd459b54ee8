//! Limits: lines that are too long or never end, clients that never read, too many connections.

use std::time::Duration;

use net::{Input, Limits, Output, Peer, Reject};

use crate::harness::{CLIENT, SECOND, Seen, World, line};

fn limits() -> Limits {
    Limits {
        connections_max: 2,
        line_bytes_max: 8,
        in_flight_max: 4,
        line_timeout: 30 * SECOND,
        stall_timeout: 60 * SECOND,
        linger_timeout: 2 * SECOND,
        ..Limits::default()
    }
}

fn line_timeout() -> Reject {
    Reject::LineTimeout(30_000)
}

#[test]
fn a_line_that_is_too_long_is_answered_and_the_connection_closed_gently() {
    let mut world = World::echo(limits());
    let conn = world.accept();
    let peer = Peer::Client(conn);
    let outputs = world.receive(conn, "ok\n123456789\nnever\n");
    let reject = Seen::Reject(conn, Reject::LineTooLong(8));
    assert_eq!(world.seen(), [line(conn, "ok"), reject]);
    assert_eq!(world.taken(peer), "ok\nrejected\n");
    assert!(outputs.contains(&Output::Finish(Peer::Client(conn))), "{outputs:?}");
    assert!(!outputs.contains(&Output::Close(peer)), "not with a reset");

    assert!(world.node.wants_read(peer), "what comes is discarded");
    assert_eq!(world.receive(conn, "more\nmore\n"), []);
    world.input(Input::Finished(peer));
    assert_eq!(world.turn(), [Output::Close(peer)]);
    assert_eq!(world.seen(), [Seen::Closed(conn)]);
}

#[test]
fn a_line_is_too_long_before_its_end_is_seen() {
    let mut world = World::new(limits(), 0);
    let conn = world.accept();
    world.receive(conn, "12345678");
    assert_eq!(world.seen(), []);
    world.receive(conn, "90");
    assert_eq!(world.seen(), [Seen::Reject(conn, Reject::LineTooLong(8))]);
}

#[test]
fn a_rejection_does_not_overtake_the_replies_to_earlier_lines() {
    let mut world = World::new(limits(), 0);
    let conn = world.accept();
    world.receive(conn, "a\nb\n123456789\n");
    world.send(conn, "A");
    world.send(conn, "B");
    let reject = Seen::Reject(conn, Reject::LineTooLong(8));
    assert_eq!(world.seen(), [line(conn, "a"), line(conn, "b"), reject]);
    assert_eq!(world.taken(Peer::Client(conn)), "A\nB\nrejected\n");
}

#[test]
fn a_client_that_does_not_close_after_us_is_closed_in_the_end() {
    let mut world = World::new(limits(), 0);
    let conn = world.accept();
    world.receive(conn, "123456789\n");
    assert_eq!(world.pass(SECOND), []);
    world.receive(conn, "still here\n");
    assert_eq!(world.pass(SECOND), [Output::Close(Peer::Client(conn))]);
}

#[test]
fn half_a_line_and_then_silence_is_rejected() {
    let mut world = World::new(limits(), 0);
    let conn = world.accept();
    world.receive(conn, "whole\nhal");
    world.send(conn, "WHOLE");
    world.pass(29 * SECOND);
    assert_eq!(world.seen(), [line(conn, "whole")]);
    world.pass(SECOND);
    assert_eq!(world.seen(), [Seen::Reject(conn, line_timeout())]);
    assert_eq!(world.taken(Peer::Client(conn)), "WHOLE\nrejected\n");
}

#[test]
fn a_line_that_trickles_is_rejected() {
    let mut world = World::new(limits(), 0);
    let conn = world.accept();
    for _ in 0..3 {
        assert_eq!(world.seen(), []);
        world.receive(conn, "x");
        world.pass(10 * SECOND);
    }
    assert_eq!(world.seen(), [Seen::Reject(conn, line_timeout())]);
}

#[test]
fn each_line_has_its_own_time_even_if_the_buffer_always_ends_within_one() {
    let mut world = World::echo(limits());
    let conn = world.accept();
    world.receive(conn, "x");
    for _ in 0..10 {
        world.pass(10 * SECOND);
        world.receive(conn, "x\nx");
    }
    let seen = world.seen();
    assert_eq!(seen, vec![line(conn, "xx"); 10]);
}

#[test]
fn a_line_that_ends_in_the_turn_of_its_deadline_is_in_time() {
    let mut world = World::echo(limits());
    let conn = world.accept();
    world.receive(conn, "a");
    world.now = world.now + 30 * SECOND;
    world.receive(conn, "b\n");
    assert_eq!(world.seen(), [line(conn, "ab")]);
}

#[test]
fn an_idle_client_may_stay() {
    let mut world = World::echo(limits());
    let conn = world.accept();
    world.receive(conn, "a\n");
    assert_eq!(world.pass(Duration::from_secs(1_000_000)), []);
    assert!(world.node.wants_read(Peer::Client(conn)));
}

#[test]
fn a_client_that_never_reads_is_closed() {
    let mut world = World::echo(limits());
    let conn = world.accept();
    let peer = Peer::Client(conn);
    world.set_room(peer, 0);
    world.receive(conn, "a\n");
    assert_eq!(world.pass(59 * SECOND), []);
    assert_eq!(world.pass(SECOND), [Output::Close(peer)]);
    assert_eq!(world.seen(), [line(conn, "a"), Seen::Closed(conn)]);
}

#[test]
fn a_client_that_reads_slowly_stays() {
    let mut world = World::echo(limits());
    let conn = world.accept();
    let peer = Peer::Client(conn);
    world.set_room(peer, 0);
    world.receive(conn, "abcdef\n");
    for _ in 0..6 {
        world.pass(59 * SECOND);
        world.set_room(peer, 1);
        world.input(Input::Writable(peer));
        assert_eq!(world.turn(), [Output::Transmit(peer)]);
    }
    assert_eq!(world.taken(peer), "abcdef");
}

#[test]
fn a_connection_too_many_is_told_so_and_then_dropped() {
    let mut world = World::new(limits(), 0);
    let (one, _two, three) = (world.accept(), world.accept(), world.accept());
    let outputs = world.turn();
    assert_eq!(world.seen(), [Seen::Reject(three, Reject::ConnectionsMax(2))]);
    assert_eq!(world.taken(Peer::Client(three)), "rejected\n");
    assert!(outputs.contains(&Output::Finish(Peer::Client(three))), "{outputs:?}");

    let refused = (0..1000).map_while(|_| world.node.accept(world.now, CLIENT));
    let refused = refused.count();
    assert!(refused < 100, "{refused} were told, the rest not even that");

    world.turn();
    world.pass(2 * SECOND);
    world.input(Input::Failed(Peer::Client(one)));
    world.seen();
    let four = world.accept();
    world.receive(four, "a\n");
    assert_eq!(world.seen(), [line(four, "a")], "a place was free again");
}
