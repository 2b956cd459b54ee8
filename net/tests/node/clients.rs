//! Clients: the order of replies, backpressure, bounded turns, half-close, generations.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use net::{Conn, Event, Input, Limits, Node, Out, Output, Peer, Service, Time};

use crate::harness::{CLIENT, Seen, World, line};

fn limits(in_flight_max: usize) -> Limits {
    Limits { in_flight_max, ..Limits::default() }
}

#[test]
fn requests_are_carried_out_one_after_another_and_answered_in_order() {
    let mut world = World::new(limits(1), 0);
    let conn = world.accept();
    world.receive(conn, "a\nb\nc\n");
    for (request, reply) in [("a", "A"), ("b", "B"), ("c", "C")] {
        assert_eq!(world.seen(), [line(conn, request)], "one at a time");
        world.send(conn, reply);
    }
    assert_eq!(world.taken(Peer::Client(conn)), "A\nB\nC\n");
}

#[test]
fn lines_are_the_same_whichever_way_the_bytes_are_cut() {
    let mut world = World::echo(limits(1));
    let conn = world.accept();
    for byte in "one\r\n\n\r\n\ntwo\nthree\n".chars() {
        world.receive(conn, &byte.to_string());
    }
    world.turns();
    let lines = ["one", "two", "three"].map(|text| line(conn, text));
    assert_eq!(world.seen(), lines, "and empty lines are ignored");
    assert_eq!(world.taken(Peer::Client(conn)), "one\ntwo\nthree\n");
}

#[test]
fn a_thousand_pipelined_lines_are_delivered_from_the_ready_queue() {
    let mut world = World::echo(limits(1));
    let conn = world.accept();
    let lines: String = (0..1000).map(|number| format!("{number}\n")).collect();
    world.receive(conn, &lines);
    world.turns();
    assert_eq!(world.taken(Peer::Client(conn)), lines);
}

#[test]
fn lines_in_the_buffer_wait_for_the_reply_and_then_go_on_without_new_input() {
    let mut world = World::new(limits(2), 0);
    let conn = world.accept();
    world.receive(conn, "a\nb\nc\nd\n");
    assert_eq!(world.seen(), [line(conn, "a"), line(conn, "b")]);
    assert!(!world.wants_turn(), "nothing can be done until a reply");
    assert!(!world.node.wants_read(Peer::Client(conn)), "the buffer holds lines");
    world.send(conn, "A");
    assert_eq!(world.seen(), [line(conn, "c")]);
}

#[test]
fn a_turn_delivers_at_most_so_many_lines_of_a_client() {
    let limits = Limits { lines_per_turn_max: 10, ..limits(1000) };
    let mut world = World::echo(limits);
    let (busy, quiet) = (world.accept(), world.accept());
    world.input(Input::Received(Peer::Client(busy), "x\n".repeat(25).as_bytes()));
    world.receive(quiet, "y\n");
    let seen = world.seen();
    assert_eq!(seen.len(), 11, "ten of one, and the other is not kept waiting");
    assert!(seen.contains(&line(quiet, "y")));
    for expected in [10, 5] {
        assert!(world.wants_turn(), "lines are left");
        world.turn();
        assert_eq!(world.seen().len(), expected);
    }
}

#[test]
fn a_turn_delivers_the_lines_of_at_most_so_many_clients() {
    let mut world = World::echo(limits(1));
    let conns: Vec<_> = (0..3000).map(|_| world.accept()).collect();
    for conn in &conns {
        world.input(Input::Received(Peer::Client(*conn), b"x\n"));
    }
    world.turn();
    let first = world.seen().len();
    assert!(first < conns.len(), "{first} in one turn");
    world.turns();
    assert_eq!(first + world.seen().len(), conns.len());
}

#[test]
fn a_client_that_does_not_read_is_not_read_until_it_does() {
    let limits = Limits { outbox_bytes_max: 8, ..limits(1) };
    let mut world = World::echo(limits);
    let conn = world.accept();
    let peer = Peer::Client(conn);
    world.set_room(peer, 0);
    world.receive(conn, "aaa\nbbb\nccc\nddd\n");
    world.turns();
    assert_eq!(world.seen(), [line(conn, "aaa"), line(conn, "bbb")]);
    assert!(!world.node.wants_read(peer));

    world.set_room(peer, usize::MAX);
    world.input(Input::Writable(peer));
    let outputs = world.turns();
    assert_eq!(world.taken(peer), "aaa\nbbb\nccc\nddd\n");
    assert!(outputs.contains(&Output::Resume(peer)), "{outputs:?}");
    assert!(world.node.wants_read(peer));
}

#[test]
fn what_is_read_ahead_is_bounded() {
    let mut world = World::new(limits(1), 0);
    let conn = world.accept();
    let peer = Peer::Client(conn);
    world.receive(conn, "a\n");
    assert!(world.node.wants_read(peer), "one piece may be read ahead");
    world.receive(conn, "b\n");
    assert!(!world.node.wants_read(peer));
    let outputs = world.send(conn, "A");
    assert!(outputs.contains(&Output::Resume(peer)), "{outputs:?}");
}

#[test]
fn replies_of_a_turn_leave_in_one_write() {
    let mut world = World::echo(limits(100));
    let (one, two) = (world.accept(), world.accept());
    world.input(Input::Received(Peer::Client(one), b"a\nb\nc\n"));
    world.input(Input::Received(Peer::Client(two), b"d\ne\n"));
    let mut transmits = world.turn();
    transmits.retain(|output| matches!(output, Output::Transmit(_)));
    let expected = [one, two].map(|conn| Output::Transmit(Peer::Client(conn)));
    assert_eq!(transmits, expected);
    assert_eq!(world.taken(Peer::Client(one)), "a\nb\nc\n");
}

#[test]
fn a_socket_that_is_full_is_written_to_again_only_when_it_takes_more() {
    let mut world = World::new(limits(100), 0);
    let conn = world.accept();
    let peer = Peer::Client(conn);
    world.receive(conn, "1\n2\n3\n");
    world.set_room(peer, 2);
    world.send(conn, "one");
    assert_eq!(world.send(conn, "two"), [], "the socket is full");
    world.input(Input::Writable(peer));
    world.set_room(peer, 100);
    assert_eq!(world.turn(), [Output::Transmit(peer)]);
    assert_eq!(world.taken(peer), "one\ntwo\n");

    world.input(Input::Writable(peer));
    assert_eq!(world.turn(), [], "nothing is left to write");
    assert_eq!(world.send(conn, "three"), [Output::Transmit(peer)]);
}

#[test]
fn a_client_that_shuts_its_side_is_answered_and_then_closed() {
    let mut world = World::new(limits(1), 0);
    let conn = world.accept();
    let peer = Peer::Client(conn);
    world.input(Input::Received(peer, b"a\nb\n"));
    world.input(Input::Finished(peer));
    world.turn();
    world.send(conn, "A");
    world.set_room(peer, 1);
    assert_eq!(world.seen(), [line(conn, "a"), line(conn, "b")]);
    world.send(conn, "B");
    assert_eq!(world.seen(), [], "its last reply has not left");
    world.set_room(peer, 100);
    world.input(Input::Writable(peer));
    let outputs = world.turns();
    assert_eq!(world.taken(peer), "A\nB\n");
    assert!(outputs.contains(&Output::Close(peer)), "{outputs:?}");
    assert_eq!(world.seen(), [Seen::Closed(conn)]);
}

#[test]
fn a_client_that_says_nothing_and_shuts_its_side_is_closed_at_once() {
    let mut world = World::new(limits(1), 0);
    let conn = world.accept();
    world.input(Input::Finished(Peer::Client(conn)));
    assert_eq!(world.turn(), [Output::Close(Peer::Client(conn))]);
    assert_eq!(world.seen(), [Seen::Closed(conn)]);
}

#[test]
fn a_late_reply_does_not_reach_a_newer_connection_in_the_same_slot() {
    let mut world = World::new(limits(1), 0);
    let old = world.accept();
    world.receive(old, "a\n");
    world.input(Input::Failed(Peer::Client(old)));
    let new = world.accept();
    assert_eq!(old.slot(), new.slot(), "the test needs the slot reused");
    assert_ne!(old, new);
    world.receive(new, "b\n");
    assert_eq!(world.seen(), [line(old, "a"), Seen::Closed(old), line(new, "b")]);

    world.send(old, "A");
    world.close(old);
    world.input(Input::Received(Peer::Client(old), b"late\n"));
    world.input(Input::Finished(Peer::Client(old)));
    world.turn();
    assert_eq!(world.seen(), [], "the newer connection is untouched");
    assert_eq!(world.taken(Peer::Client(new)), "");
    world.send(new, "B");
    assert_eq!(world.taken(Peer::Client(new)), "B\n");
}

#[test]
fn a_connection_that_the_service_closes_is_answered_lingers_and_discards() {
    let mut world = World::new(limits(2), 0);
    let conn = world.accept();
    let peer = Peer::Client(conn);
    world.receive(conn, "a\nb\nc\n");
    world.close(conn);
    world.send(conn, "A");
    let outputs = world.send(conn, "B");
    assert!(outputs.contains(&Output::Finish(Peer::Client(conn))), "{outputs:?}");
    assert_eq!(world.taken(peer), "A\nB\n");
    world.receive(conn, "d\n");
    assert_eq!(world.seen(), [line(conn, "a"), line(conn, "b")]);
    world.input(Input::Finished(peer));
    assert_eq!(world.turn(), [Output::Close(peer)]);
}

/// Tells each client where it connects from, and remembers those who have asked.
#[derive(Default)]
struct Mirror(Rc<RefCell<Vec<Conn>>>);

impl Service for Mirror {
    fn handle(&mut self, _: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, _) => {
                self.0.borrow_mut().push(conn);
                let address = out.peer_address(conn).expect("it is there");
                out.send(conn, address.to_string().as_bytes());
            }
            Event::Closed(conn) => assert_eq!(out.peer_address(conn), None, "it is gone"),
            _ => {
                let asked = self.0.borrow();
                let known: Vec<_> = asked.iter().map(|conn| out.peer_address(*conn)).collect();
                assert_eq!(known, [None, Some(CLIENT)], "the newer one in the slot is another");
            }
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_service_knows_where_each_client_connects_from_until_it_is_gone() {
    let now = Time::from_millis(1_000_000);
    let mut node = Node::new(Mirror::default(), Limits::default(), 0);
    let ask = |node: &mut Node<Mirror>, address: SocketAddr| {
        let conn = node.accept(now, address).expect("there is room");
        node.handle_input(now, Input::Received(Peer::Client(conn), b"where?\n"));
        node.end_turn(now).expect("the service goes on");
        assert_eq!(node.outbox(Peer::Client(conn)), format!("{address}\n").as_bytes());
        conn
    };
    let first = ask(&mut node, "[2001:db8::1]:6000".parse().expect("an address"));
    node.handle_input(now, Input::Failed(Peer::Client(first)));
    let second = ask(&mut node, CLIENT);
    assert_eq!(first.slot(), second.slot(), "the test needs the slot reused");
    node.handle_input(now, Input::Wake);
}

/// Answers lines that begin with `now` at once, and all others when a connection has ended.
#[derive(Default)]
struct Executor {
    waiting: Vec<Conn>,
    rejected: Rc<Cell<bool>>,
}

impl Service for Executor {
    fn handle(&mut self, _: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, b"now") => out.send(conn, b"done"),
            Event::Line(conn, _) => self.waiting.push(conn),
            Event::Closed(_) => self.waiting.drain(..).for_each(|conn| out.send(conn, b"done")),
            Event::Reject(conn, _) => {
                self.rejected.set(true);
                out.send(conn, b"rejected");
            }
            _ => {}
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[test]
fn a_client_is_turned_away_at_once_when_it_is_the_end_of_another_that_answers_its_lines() {
    let now = Time::from_millis(1_000_000);
    let (service, limits) = (Executor::default(), Limits { line_bytes_max: 5, ..limits(2) });
    let rejected = Rc::clone(&service.rejected);
    let mut node = Node::new(service, limits, 0);
    let [testator, heir] = [(); 2].map(|()| node.accept(now, CLIENT).expect("there is room"));
    node.handle_input(now, Input::Received(Peer::Client(heir), b"later\nand much too long"));
    node.handle_input(now, Input::Received(Peer::Client(testator), b"now\n"));
    node.handle_input(now, Input::Finished(Peer::Client(testator)));
    node.end_turn(now).expect("the service goes on");
    assert!(!rejected.get(), "the line before that is not answered");
    // It is while output is written that the connection ends; nothing more happens in this turn.
    node.handle_input(now, Input::Sent(Peer::Client(testator), 5));
    assert!(rejected.get());
    assert_eq!(node.outbox(Peer::Client(heir)), b"done\nrejected\n");
}

#[test]
#[should_panic(expected = "answered a line twice")]
fn a_service_that_answers_twice_is_caught() {
    let mut world = World::echo(limits(1));
    let conn = world.accept();
    world.receive(conn, "a\n");
    world.send(conn, "again");
}
