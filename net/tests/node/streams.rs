//! Streams: bytes to and from a backend, connecting again, at the next address, and encryption from the middle on.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use net::{
    Backend, ByteAddress, ClientTls, Encryption, Event, Input, Limits, Node, Out, Output, Peer, ServerTls,
    Service, StreamEvent, Target, Time,
};

use crate::harness::{LINK, PATIENCE, Reaction, SECOND, World, line, reply};
use crate::tls::{AUTHORITY, ELSEWHERE, EXPIRED, Pair, SERVER, UNKNOWN, client, server};

const BACKEND: Backend = Backend(0);
const CONNECT: Output = Output::Connect(BACKEND);
const CLOSE: Output = Output::Close(LINK);

fn limits() -> Limits {
    Limits {
        stream_unsent_bytes_max: 1000,
        link_retained_bytes_max: 100,
        connect_timeout: SECOND,
        silence_timeout: SECOND,
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(80),
        ..Limits::default()
    }
}

/// A world whose only backend, at so many addresses, is a stream that is being connected.
fn connecting(addresses: usize, tls: Option<ClientTls>, reaction: Option<Reaction>) -> World {
    let address = ByteAddress { address: "localhost:1".into(), tls };
    let mut world = World::with_targets(limits(), vec![Target::Bytes(vec![address; addresses])], reaction);
    assert_eq!(world.turn(), [CONNECT]);
    world
}

fn connect(world: &mut World) {
    world.input(Input::Connected(BACKEND));
    world.turn();
}

/// The same, connected.
fn connected(addresses: usize) -> World {
    let mut world = connecting(addresses, None, None);
    connect(&mut world);
    assert_eq!(world.changes(), ["up at 0"]);
    world
}

fn expect_pause(world: &mut World, pause_ms: u64) {
    assert!(!world.pass(Duration::from_millis(pause_ms - 1)).contains(&CONNECT), "before {pause_ms} ms");
    assert_eq!(world.pass(Duration::from_millis(1)), [CONNECT]);
}

#[test]
fn bytes_pass_both_ways_as_they_come() {
    let mut world = connected(1);
    world.does(|out| {
        out.write(BACKEND, b"one");
        out.write(BACKEND, b"\0two");
    });
    assert_eq!(world.taken(LINK), "one\0two");
    world.answer("th");
    world.answer("ree\n\nfour");
    assert_eq!(world.changes(), ["received th", "received ree\n\nfour"]);
}

#[test]
fn what_the_socket_does_not_take_waits_and_leaves_in_order() {
    let mut world = connected(1);
    world.set_room(LINK, 3);
    world.does(|out| out.write(BACKEND, b"01234"));
    world.does(|out| out.write(BACKEND, b"56789"));
    assert_eq!(world.taken(LINK), "012");
    world.set_room(LINK, usize::MAX);
    world.input(Input::Writable(LINK));
    world.turn();
    assert_eq!(world.taken(LINK), "3456789");
}

#[test]
fn lines_and_bytes_are_exchanged_side_by_side() {
    let addresses = vec![ByteAddress { address: "localhost:2".into(), tls: None }];
    let targets = vec![Target::Lines("localhost:1".into()), Target::Bytes(addresses)];
    let mut world = World::with_targets(limits(), targets, None);
    assert_eq!(world.turn(), [CONNECT, Output::Connect(Backend(1))]);
    connect(&mut world);
    world.input(Input::Connected(Backend(1)));
    world.call(1, "call", PATIENCE);
    world.does(|out| out.write(Backend(1), b"bytes"));
    assert_eq!([world.taken(LINK), world.taken(Peer::Link(1))], ["call\n", "bytes"]);
    world.answer("reply\n");
    world.input(Input::Received(Peer::Link(1), b"more"));
    assert_eq!(world.seen(), [reply(1, "reply")]);
    assert_eq!(world.changes(), ["up", "up at 0", "received more"]);
}

#[test]
fn what_is_written_without_a_connection_is_dropped() {
    let mut world = connecting(1, None, None);
    assert_eq!(world.does(|out| out.write(BACKEND, b"early")), []);
    connect(&mut world);
    assert_eq!(world.taken(LINK), "");
    world.input(Input::Failed(LINK));
    assert_eq!(world.does(|out| out.write(BACKEND, b"late")), [CLOSE]);
    world.pass(SECOND);
    connect(&mut world);
    assert_eq!(world.taken(LINK), "");
    assert_eq!(world.changes(), ["up at 0", "the connection broke", "up at 0"]);
}

#[test]
fn each_attempt_is_made_at_the_next_address() {
    let mut world = connecting(3, None, None);
    for place in [0, 1, 2, 0] {
        assert_eq!(world.node.address(BACKEND), place);
        world.input(Input::NotConnected(BACKEND, "nobody is there"));
        world.pass(SECOND);
    }
    connect(&mut world);
    world.input(Input::Finished(LINK));
    assert_eq!(world.changes()[4..], ["up at 1", "it closed the connection"]);
    world.pass(SECOND);
    connect(&mut world);
    assert_eq!(world.changes(), ["up at 2"]);
}

#[test]
fn the_pause_before_connecting_grows_until_the_service_says_that_the_backend_is_of_use() {
    let mut world = connecting(2, None, None);
    for pause_ms in [10, 20, 40, 80, 80] {
        connect(&mut world);
        world.answer("no use");
        world.input(Input::Failed(LINK));
        expect_pause(&mut world, pause_ms);
    }
    connect(&mut world);
    world.does(|out| out.works(BACKEND));
    world.input(Input::Failed(LINK));
    expect_pause(&mut world, 10);
}

#[test]
fn a_connection_that_is_not_made_in_time_is_given_up() {
    let mut world = connecting(2, None, None);
    assert_eq!(world.pass(SECOND), [CLOSE]);
    assert_eq!(world.changes(), ["no connection within 1000 ms"]);
    expect_pause(&mut world, 10);
    assert_eq!(world.node.address(BACKEND), 1);
}

#[test]
fn silence_is_none_of_the_nodes_business() {
    let mut world = connected(1);
    world.does(|out| out.write(BACKEND, b"well?"));
    assert_eq!(world.pass(1000 * SECOND), []);
    assert_eq!(world.changes(), [""; 0]);
}

#[test]
fn a_reset_ends_the_connection_for_the_reason_that_the_service_gives() {
    let mut world = connected(1);
    world.set_room(LINK, 0);
    let outputs = world.does(|out| {
        out.write(BACKEND, b"unsent");
        out.reset(BACKEND, "it lies");
        out.reset(BACKEND, "again");
        out.write(BACKEND, b"dropped");
    });
    assert!(outputs.ends_with(&[CLOSE]), "{outputs:?}");
    assert_eq!(world.changes(), ["it lies"], "once");
    world.set_room(LINK, usize::MAX);
    expect_pause(&mut world, 10);
    assert_eq!(world.does(|out| out.reset(BACKEND, "too slow")), [CLOSE], "an attempt ends, too");
    assert_eq!(world.does(|out| out.reset(BACKEND, "it is down")), []);
    assert_eq!(world.changes(), ["too slow"]);
    expect_pause(&mut world, 20);
    connect(&mut world);
    assert_eq!(world.taken(LINK), "", "nothing of the old connection is left");
}

#[test]
fn nothing_is_delivered_between_a_reset_and_its_report() {
    let reaction: Reaction = |event, out| match event {
        StreamEvent::Up { .. } => out.write(BACKEND, b"hello"),
        StreamEvent::Received(b"lie") => out.reset(BACKEND, "it lies"),
        StreamEvent::Down("it lies") => out.reset(BACKEND, "it is down already"),
        _ => {}
    };
    let mut world = connecting(1, None, Some(reaction));
    connect(&mut world);
    world.input(Input::Received(LINK, b"lie"));
    assert!(!world.node.wants_read(LINK));
    world.input(Input::Received(LINK, b"more"));
    world.turn();
    assert_eq!(world.changes(), ["up at 0", "received lie", "it lies"]);
}

#[test]
fn a_stream_over_which_too_much_waits_is_ended() {
    let mut world = connected(1);
    world.set_room(LINK, 4);
    world.does(|out| out.write(BACKEND, &[b'x'; 1000]));
    world.does(|out| out.write(BACKEND, b"0123"));
    assert_eq!(world.changes(), [""; 0], "as much as may wait");
    assert_eq!(world.does(|out| out.write(BACKEND, b"4")), [CLOSE]);
    assert_eq!(world.changes(), ["more than 1000 bytes wait to be sent to it"]);
}

#[test]
fn what_a_stream_lets_wait_counts_and_its_memory_is_given_back() {
    let mut world = connected(1);
    world.set_room(LINK, 0);
    world.does(|out| out.write(BACKEND, &[b'x'; 1000]));
    assert!(world.metric("net_buffer_bytes") >= 1000);
    world.set_room(LINK, usize::MAX);
    world.input(Input::Writable(LINK));
    world.turn();
    assert!(world.metric("net_buffer_bytes") <= 200, "each of two buffers keeps 100");
}

#[test]
fn a_drain_does_not_wait_for_streams() {
    let mut world = connected(1);
    world.input(Input::Drain);
    world.turn();
    assert!(world.node.is_drained());
    world.does(|out| out.write(BACKEND, b"goodbye"));
    assert_eq!(world.taken(LINK), "goodbye");
}

#[test]
#[should_panic(expected = "is not called")]
fn a_backend_that_exchanges_bytes_is_not_called() {
    connected(1).call(1, "line", PATIENCE);
}

/// Asks whether the backend encrypts, and encrypts if it does.
const ASKS: Reaction = |event, out| match event {
    StreamEvent::Up { .. } => out.write(BACKEND, b"TLS?"),
    StreamEvent::Received(b"S") => out.encrypt(BACKEND),
    StreamEvent::Encrypted => out.write(BACKEND, b"one\n"),
    _ => {}
};

/// A connection on which the backend has just said that it encrypts.
fn pair(client: ClientTls, server: ServerTls) -> Pair {
    let mut near = connecting(2, Some(client), Some(ASKS));
    connect(&mut near);
    assert_eq!(near.taken(LINK), "TLS?");
    near.answer("S");
    assert_eq!(near.changes(), ["up at 0", "received S"]);
    Pair::of(near, Limits::default(), server)
}

#[test]
fn a_stream_is_encrypted_from_the_middle_on() {
    for piece in [1, 7, usize::MAX] {
        let mut pair = pair(client(AUTHORITY, None), server(SERVER, None));
        pair.piece = piece;
        pair.talk();
        let changes = pair.near.changes();
        assert_eq!(changes[0], "encrypted");
        assert_eq!(changes[1..].concat().replace("received ", ""), "one\n", "pieces of {piece}");
        assert_eq!(pair.far.seen(), [line(pair.conn, "one")]);
        pair.near.pass(10 * SECOND);
        assert_eq!(pair.near.changes(), [""; 0], "the handshake is over in time");
    }
}

#[test]
fn what_was_written_before_encryption_leaves_before_it_as_it_is() {
    let mut near = connecting(1, Some(client(AUTHORITY, None)), None);
    connect(&mut near);
    near.set_room(LINK, 2);
    near.does(|out| {
        out.write(BACKEND, b"TLS?");
        out.encrypt(BACKEND);
        out.write(BACKEND, b"one\n");
    });
    assert_eq!(near.taken(LINK), "TL");
    near.set_room(LINK, usize::MAX);
    near.input(Input::Writable(LINK));
    near.turn();
    let sent = near.taken_bytes(LINK);
    assert_eq!(sent[..2], *b"S?");
    let mut pair = Pair::of(near, Limits::default(), server(SERVER, None));
    pair.far.input(Input::Received(Peer::Client(pair.conn), &sent[2..]));
    pair.far.turns();
    pair.talk();
    assert_eq!(pair.near.changes(), ["up at 0", "encrypted", "received one\n"]);
}

#[test]
fn a_backend_that_is_not_who_it_must_be_is_left_for_the_next_one() {
    let cases = [
        (UNKNOWN, "UnknownIssuer"),
        (EXPIRED, "certificate expired"),
        (ELSEWHERE, "not valid for name \"localhost\""),
    ];
    for (identity, cause) in cases {
        let mut pair = pair(client(AUTHORITY, None), server(identity, None));
        pair.talk();
        let changes = pair.near.changes();
        assert!(matches!(&*changes, [down] if down.contains("TLS: ") && down.contains(cause)), "{changes:?}");
        assert_eq!(pair.far.metric("net_tls_failures_total"), 1, "it is told why");
        pair.near.pass(SECOND);
        connect(&mut pair.near);
        assert_eq!(pair.near.taken(LINK), "TLS?", "the next connection begins in plain");
        assert_eq!(pair.near.changes(), ["up at 1"]);
        pair.near.answer("in plain");
        assert_eq!(pair.near.changes(), ["received in plain"]);
    }
}

#[test]
fn a_handshake_that_does_not_come_to_its_end_ends_the_connection() {
    let begun = || pair(client(AUTHORITY, None), server(SERVER, None)).near;
    let mut plain = begun();
    plain.answer("no, rather not");
    assert_eq!(plain.changes(), ["it does not speak TLS"]);
    let mut closed = begun();
    closed.input(Input::Finished(LINK));
    assert_eq!(closed.changes(), ["it closed the connection"]);
    let mut slow = begun();
    assert_eq!(slow.pass(SECOND - Duration::from_millis(1)), []);
    assert_eq!(slow.pass(Duration::from_millis(1)), [CLOSE]);
    assert_eq!(slow.changes(), ["no end of the TLS handshake within 1000 ms"]);
    expect_pause(&mut slow, 10);
}

#[test]
fn a_backend_whose_host_can_have_no_certificate_is_left() {
    let tls = Some(client(AUTHORITY, None));
    let address = ByteAddress { address: "no host:1".into(), tls };
    let mut world = World::with_targets(limits(), vec![Target::Bytes(vec![address])], None);
    world.turn();
    connect(&mut world);
    world.does(|out| out.encrypt(BACKEND));
    assert_eq!(world.changes(), ["up at 0", "\"no host\" is no name of a host"]);
}

/// Ends its connection when the turn in which it came up ends.
#[derive(Default)]
struct Hasty {
    is_up: bool,
    downs: Vec<String>,
}

impl Service for Hasty {
    fn handle(&mut self, _now: Time, event: Event<'_>, _out: &mut Out<'_>) {
        match event {
            Event::Stream(_, StreamEvent::Up { .. }) => self.is_up = true,
            Event::Stream(_, StreamEvent::Down(reason)) => self.downs.push(reason.into()),
            _ => {}
        }
    }

    fn end_turn(&mut self, _now: Time, out: &mut Out<'_>) {
        if mem::take(&mut self.is_up) {
            out.reset(BACKEND, "enough");
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_reset_at_the_end_of_a_turn_is_reported_in_the_next_one_which_comes_at_once() {
    let address = ByteAddress { address: "localhost:1".into(), tls: None };
    let node = Node::new(Hasty::default(), limits(), 1);
    let mut node = node.with_targets(Encryption::default(), vec![Target::Bytes(vec![address])]);
    let now = Time::from_millis(1000);
    node.handle_timeout(now);
    node.end_turn(now).expect("the service goes on");
    node.handle_input(now, Input::Connected(BACKEND));
    node.end_turn(now).expect("the service goes on");
    assert_eq!(node.poll_timeout(), Some(Time::default()), "work is left");
    node.handle_timeout(now);
    node.end_turn(now).expect("the service goes on");
    assert_eq!(node.poll_timeout(), Some(now + limits().backoff_min));
    assert_eq!(node.into_service().downs, ["enough"]);
}

#[test]
fn whatever_happens_each_connection_is_told_of_from_up_to_down() {
    let reaction: Reaction = |event, out| match event {
        StreamEvent::Received([b'r', ..]) => out.reset(BACKEND, "asked for"),
        StreamEvent::Received([b'w', ..]) => out.write(BACKEND, &[b'x'; 300]),
        StreamEvent::Received([b'e', ..]) => out.encrypt(BACKEND),
        StreamEvent::Received(_) => out.works(BACKEND),
        _ => {}
    };
    let mut random = fastrand::Rng::with_seed(3);
    let mut world = connecting(3, Some(client(AUTHORITY, None)), Some(reaction));
    let (mut is_connecting, mut is_up, mut is_encrypted) = (true, false, false);
    let mut counts = BTreeMap::<String, usize>::new();
    for _ in 0..20_000 {
        match random.u8(0..8) {
            0 if is_connecting => world.input(Input::Connected(BACKEND)),
            1 if is_connecting => world.input(Input::NotConnected(BACKEND, "refused")),
            2..5 if world.node.wants_read(LINK) => {
                let letters: &[u8] = if is_encrypted { b"abc" } else { b"rweabcdefghijklwww" };
                let first = *random.choice(letters).expect("letters");
                is_encrypted |= first == b'e';
                world.input(Input::Received(LINK, &[first, b'x']));
            }
            5 if world.node.wants_read(LINK) && random.u8(0..20) == 0 => world.input(Input::Failed(LINK)),
            6 => {
                world.set_room(LINK, random.usize(0..400));
                world.input(Input::Writable(LINK));
            }
            _ => world.now = world.now + SECOND / 100,
        }
        for output in world.turn() {
            match output {
                CONNECT => is_connecting = true,
                CLOSE => (is_connecting, is_encrypted) = (false, false),
                _ => {}
            }
        }
        is_connecting &= !world.node.wants_read(LINK);
        for change in world.changes() {
            let is_of_connection = change.starts_with("received");
            assert!(!is_of_connection || is_up, "{change} without a connection");
            assert!(!is_up || !change.starts_with("up"), "up twice");
            is_up = change.starts_with("up") || (is_up && is_of_connection);
            *counts.entry(change).or_default() += 1;
        }
        assert_eq!(is_up, world.node.wants_read(LINK));
    }
    let met = ["up at 0", "up at 1", "up at 2", "refused", "the connection broke", "asked for"];
    let met_too = ["it does not speak TLS", "more than 1000 bytes wait to be sent to it"];
    assert!(
        met.iter().chain(&met_too).all(|it| counts.get(*it).is_some_and(|count| *count > 5)),
        "{counts:?}"
    );
}
