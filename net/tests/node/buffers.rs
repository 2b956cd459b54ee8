//! Buffers: what they take of memory all together, and who is closed where that is too much.

use net::{Conn, Input, Limits, Output, Peer};

use crate::harness::{PATIENCE, SECOND, World};

const KIB: usize = 1024;

fn limits() -> Limits {
    Limits {
        line_bytes_max: 100 * KIB,
        outbox_bytes_max: 100 * KIB,
        buffer_bytes_max: 800 * KIB,
        socket_send_bytes: None,
        socket_receive_bytes: None,
        retained_bytes_max: KIB,
        link_retained_bytes_max: KIB,
        ..Limits::default()
    }
}

fn text(kib: usize) -> String {
    "x".repeat(kib * KIB)
}

/// A client that has begun a line of such a length.
fn unfinished(world: &mut World, kib: usize) -> (Conn, Vec<Output>) {
    let conn = world.accept();
    (conn, world.receive(conn, &text(kib)))
}

/// A client that has a reply of such a length, and takes nothing of it.
fn unread(world: &mut World, kib: usize) -> (Conn, Vec<Output>) {
    let conn = world.accept();
    world.set_room(Peer::Client(conn), 0);
    world.receive(conn, "a\n");
    (conn, world.send(conn, &text(kib)))
}

fn closed(outputs: &[Output]) -> Vec<Peer> {
    let closed = outputs.iter().filter_map(|output| match output {
        Output::Close(peer) => Some(*peer),
        _ => None,
    });
    closed.collect()
}

/// A number that the node counts.
fn metric(world: &mut World, name: &str) -> usize {
    let peer = Peer::Admin(world.node.accept_admin(world.now).expect("there is room for it"));
    world.input(Input::Received(peer, b"GET /metrics HTTP/1.1\r\n\r\n"));
    world.turn();
    world.input(Input::Finished(peer));
    world.turn();
    let text = world.taken(peer);
    let value = text.lines().find_map(|line| line.strip_prefix(name)).expect("it is counted");
    value.trim().parse().expect("a number")
}

#[test]
fn the_largest_are_closed_where_all_take_too_much_and_the_others_go_on() {
    let mut world = World::echo(limits());
    let small: Vec<_> = (0..10).map(|_| unfinished(&mut world, 10).0).collect();
    let large: Vec<_> = (0..7).map(|_| unfinished(&mut world, 99).0).collect();
    world.pass(SECOND);
    assert_eq!(metric(&mut world, "net_closed_total{reason=\"buffers\"}"), 0);
    let (last, outputs) = unfinished(&mut world, 20);
    let closed = closed(&outputs);
    assert_eq!(closed.len(), 2, "until an eighth is free");
    assert!(closed.iter().all(|peer| large.iter().any(|conn| *peer == Peer::Client(*conn))));
    assert_eq!(metric(&mut world, "net_closed_total{reason=\"buffers\"}"), 2);
    for conn in small.into_iter().chain([last]) {
        world.receive(conn, "\n");
        assert!(world.taken(Peer::Client(conn)).ends_with("x\n"));
    }
}

#[test]
fn who_has_just_been_answered_is_not_closed_before_those_who_do_not_read() {
    let mut world = World::new(limits(), 0);
    (0..3).for_each(|_| _ = unread(&mut world, 80));
    (0..3).for_each(|_| _ = unfinished(&mut world, 90));
    world.pass(SECOND);
    let conn = world.accept();
    world.receive(conn, "a\n");
    let outputs = world.send(conn, &text(400));
    let closed = closed(&outputs);
    assert!(closed.len() == 3 && !closed.contains(&Peer::Client(conn)), "{closed:?}");
    assert_eq!(world.taken(Peer::Client(conn)).len(), 400 * KIB + 1);
}

#[test]
fn who_holds_next_to_nothing_is_closed_last() {
    let mut world = World::echo(limits());
    let idle = world.accept();
    world.receive(idle, "a\n");
    world.pass(SECOND);
    let outputs: Vec<_> = (0..100).flat_map(|_| unfinished(&mut world, 50).1).collect();
    let closed = closed(&outputs);
    assert!(closed.len() > 50 && !closed.contains(&Peer::Client(idle)), "{closed:?}");
}

#[test]
fn what_the_kernel_holds_for_a_client_that_does_not_read_counts() {
    let mut world = World::new(
        Limits { socket_send_bytes: Some(40 * KIB), socket_receive_bytes: Some(24 * KIB), ..limits() },
        0,
    );
    for clients in 1..=6 {
        unread(&mut world, 1);
        let expected = clients * 129 * KIB;
        assert!((expected..expected + 20 * KIB).contains(&metric(&mut world, "net_buffer_bytes ")));
        world.pass(SECOND / 100);
    }
    assert_eq!(closed(&unread(&mut world, 1).1).len(), 2);
}

#[test]
fn the_memory_of_a_burst_goes_back() {
    let mut world = World::echo(limits());
    let conns: Vec<_> = (0..7).map(|_| unfinished(&mut world, 90).0).collect();
    assert!(metric(&mut world, "net_buffer_bytes ") > 600 * KIB);
    for conn in &conns {
        world.receive(*conn, "\n");
    }
    assert!(metric(&mut world, "net_buffer_bytes ") <= 7 * 2 * KIB);
    for conn in conns {
        world.input(Input::Failed(Peer::Client(conn)));
    }
    assert_eq!(metric(&mut world, "net_buffer_bytes "), 0);
}

#[test]
fn links_count_and_are_never_closed() {
    let mut world = World::linked(limits());
    world.set_room(Peer::Link(0), 0);
    let (_, outputs) = unfinished(&mut world, 99);
    assert_eq!(closed(&outputs), []);
    world.call(1, &text(2000), PATIENCE);
    assert!(metric(&mut world, "net_buffer_bytes ") > 2000 * KIB);
    let (_, outputs) = unfinished(&mut world, 99);
    assert_eq!(closed(&outputs), [], "a quarter is for clients in any case");
    world.pass(SECOND);
    let (_, outputs) = unfinished(&mut world, 20);
    assert_eq!(closed(&outputs).len(), 1);
    world.set_room(Peer::Link(0), usize::MAX);
    world.input(Input::Writable(Peer::Link(0)));
    world.turn();
    assert!(metric(&mut world, "net_buffer_bytes ") < 200 * KIB);
}
