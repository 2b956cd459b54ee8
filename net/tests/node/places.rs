//! Places: who makes room when all are taken, who is refused, and who may be idle for how long.

use std::net::SocketAddr;
use std::time::Duration;

use net::{Conn, Input, Limits, Output, Peer, Reject};

use crate::harness::{CLIENT, SECOND, Seen, World, line};

fn limits() -> Limits {
    Limits {
        connections_max: 3,
        refusals_max: 4,
        make_room_after: SECOND,
        in_flight_max: 2,
        ..Limits::default()
    }
}

fn is_refused(world: &mut World, conn: Conn) -> bool {
    world.turn();
    world.seen().contains(&Seen::Reject(conn, Reject::ConnectionsMax(3)))
}

/// Whether a further one finds a place, and who made it for it.
fn newcomer(world: &mut World) -> (Conn, Vec<Output>) {
    let conn = world.accept();
    (conn, world.turn())
}

#[test]
fn the_one_that_has_been_idle_for_longest_makes_room() {
    let mut world = World::echo(limits());
    let [one, two, three] = [(); 3].map(|()| {
        world.pass(SECOND);
        world.accept()
    });
    world.pass(SECOND);
    world.receive(one, "a\n");
    world.pass(SECOND);
    world.seen();
    let (four, outputs) = newcomer(&mut world);
    assert_eq!(outputs, [Output::Close(Peer::Client(two))]);
    assert_eq!(world.seen(), [Seen::Closed(two)]);
    let (five, outputs) = newcomer(&mut world);
    assert_eq!(outputs, [Output::Close(Peer::Client(three))]);
    let (_, outputs) = newcomer(&mut world);
    assert_eq!(outputs, [Output::Close(Peer::Client(one))], "it has its answer");
    world.seen();
    for conn in [four, five] {
        world.receive(conn, "b\n");
        assert_eq!(world.seen(), [line(conn, "b")]);
    }
}

#[test]
fn who_is_in_use_or_was_a_moment_ago_keeps_its_place() {
    let mut world = World::new(limits(), 0);
    let [in_flight, waiting, recent] = [(); 3].map(|()| world.accept());
    world.receive(in_flight, "a\n");
    world.receive(waiting, "a\nb\nc\n");
    world.send(waiting, "A");
    world.send(waiting, "B");
    world.receive(recent, "a\n");
    world.pass(100 * SECOND);
    world.send(recent, "A");
    world.pass(SECOND - Duration::from_nanos(1));
    let refused = world.accept();
    assert!(is_refused(&mut world, refused));
    assert_eq!(world.taken(Peer::Client(refused)), "rejected\n");
    world.pass(Duration::from_nanos(1));
    let (_, outputs) = newcomer(&mut world);
    assert_eq!(outputs, [Output::Close(Peer::Client(recent))]);
}

#[test]
fn whoever_is_waited_for_makes_room_like_one_that_is_idle() {
    let mut world = World::echo(limits());
    let [unfinished, unread, lingering] = [(); 3].map(|()| world.accept());
    world.pass(SECOND);
    world.receive(unfinished, "hal");
    world.pass(SECOND / 2);
    world.set_room(Peer::Client(unread), 0);
    world.receive(unread, "a\n");
    world.pass(SECOND / 2);
    let (_, outputs) = newcomer(&mut world);
    assert_eq!(outputs, [Output::Close(Peer::Client(lingering))], "it came first and did nothing");
    world.receive(unfinished, "f");
    let (_, outputs) = newcomer(&mut world);
    assert_eq!(outputs, [Output::Close(Peer::Client(unfinished))], "a byte is no line");
    let refused = world.accept();
    assert!(is_refused(&mut world, refused));
    world.pass(SECOND / 2);
    let (_, outputs) = newcomer(&mut world);
    assert_eq!(outputs, [Output::Close(Peer::Client(unread))]);
}

#[test]
fn refused_ones_take_no_place() {
    let mut world = World::new(limits(), 0);
    let served = [(); 3].map(|()| world.accept());
    for conn in served {
        world.receive(conn, "a\n");
    }
    let refused = [(); 4].map(|()| world.accept());
    assert_eq!(world.node.accept(world.now, CLIENT), None, "there are too many even to say so");
    world.turn();
    world.seen();
    for conn in served {
        world.input(Input::Failed(Peer::Client(conn)));
    }
    world.turn();
    world.seen();
    // All that were refused are still there.
    for _ in served {
        let conn = world.accept();
        world.receive(conn, "b\n");
        assert!(world.seen().contains(&line(conn, "b")));
    }
    assert!(refused.iter().all(|conn| world.node.wants_read(Peer::Client(*conn))));
}

#[test]
fn no_more_make_room_in_a_turn_than_there_are_descriptors_for() {
    let mut world = World::new(Limits { connections_max: 100, ..limits() }, 0);
    (0..100).for_each(|_| _ = world.accept());
    world.pass(SECOND);
    for _ in 0..10 {
        let mut accepted = 0;
        while world.node.may_accept() {
            world.accept();
            accepted += 1;
        }
        assert_eq!(accepted, 4);
        assert_eq!(world.turn().len(), 4, "the sockets are closed");
    }
}

#[test]
fn connections_from_one_address_have_a_maximum() {
    let mut world = World::new(Limits { address_connections_max: Some(2), ..limits() }, 0);
    let from = |address: &str| -> SocketAddr { address.parse().expect("an address") };
    let first = world.accept_from(from("[2001:db8::1]:1"));
    world.accept_from(from("[2001:db8::2]:1"));
    world.pass(SECOND);
    let refused = world.accept_from(from("[2001:db8::3]:1"));
    world.turn();
    assert_eq!(world.seen(), [Seen::Reject(refused, Reject::AddressConnectionsMax(2))]);
    world.accept_from(from("[2001:db8:0:1::1]:1"));
    world.turn();
    assert_eq!(world.seen(), [], "that is another network");
    world.input(Input::Failed(Peer::Client(refused)));
    let refused = world.accept_from(from("[2001:db8::3]:1"));
    world.turn();
    let reject = Seen::Reject(refused, Reject::AddressConnectionsMax(2));
    assert!(world.seen().contains(&reject), "one that was refused did not count");
    world.input(Input::Failed(Peer::Client(first)));
    let next = world.accept_from(from("[2001:db8::3]:1"));
    world.receive(next, "a\n");
    assert!(world.seen().contains(&line(next, "a")));
}

#[test]
fn an_idle_client_is_closed_where_there_is_a_limit() {
    let mut world = World::echo(Limits { idle_timeout: Some(10 * SECOND), ..limits() });
    let conn = world.accept();
    world.turn();
    world.receive(conn, "a\n");
    world.pass(9 * SECOND);
    world.receive(conn, "b\nc");
    assert_eq!(world.pass(10 * SECOND), [], "a line that was begun has a time of its own");
    world.receive(conn, "\n");
    world.seen();
    assert_eq!(world.pass(10 * SECOND - Duration::from_nanos(1)), []);
    assert_eq!(world.pass(Duration::from_nanos(1)), [Output::Close(Peer::Client(conn))]);
    assert_eq!(world.seen(), [Seen::Closed(conn)]);
}

#[test]
fn a_client_whose_request_takes_long_is_not_idle() {
    let mut world = World::new(Limits { idle_timeout: Some(SECOND), ..limits() }, 0);
    let conn = world.accept();
    world.receive(conn, "a\n");
    assert_eq!(world.pass(100 * SECOND), []);
    world.send(conn, "A");
    assert_eq!(world.pass(SECOND), [Output::Close(Peer::Client(conn))]);
}

#[test]
fn one_that_came_and_said_nothing_is_idle_too() {
    let mut world = World::new(Limits { idle_timeout: Some(SECOND), ..limits() }, 0);
    let conn = world.accept();
    world.turn();
    assert_eq!(world.pass(SECOND), [Output::Close(Peer::Client(conn))]);
}
