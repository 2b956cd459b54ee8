//! A service that cannot go on: it is told of nothing more, and nothing more leaves.

use net::{Input, Limits, Peer, Time};

use crate::harness::{CLIENT, LINK, SECOND, World, line};

#[test]
fn a_reply_that_was_given_and_not_written_does_not_leave() {
    let mut world = World::echo(Limits::default());
    let conn = world.accept();
    world.receive(conn, "before\n");
    world.input(Input::Received(Peer::Client(conn), b"within\n"));
    world.fail("the disk is gone");
    assert_eq!(world.end().as_deref(), Some("the disk is gone"));
    assert_eq!(world.seen(), [line(conn, "before")]);
    assert_eq!(world.node.poll_output(), None);
    assert_eq!(world.node.outbox(Peer::Client(conn)), b"");
    assert_eq!(world.taken(Peer::Client(conn)), "before\n");
}

#[test]
fn a_service_that_fails_while_output_is_written_ends_with_the_next_turn_and_writes_no_more() {
    let mut world = World::echo(Limits::default());
    let (one, two) = (world.accept(), world.accept());
    for conn in [one, two] {
        world.input(Input::Received(Peer::Client(conn), b"a\n"));
    }
    assert_eq!(world.end(), None);
    assert!(world.node.poll_output().is_some(), "the first of two");
    world.fail("the disk is gone");
    world.fail("and this is what follows from it");
    assert_eq!(world.node.poll_output(), None);
    assert_eq!(world.node.poll_timeout(), Some(Time::default()), "the turn is to come at once");
    assert_eq!(world.end().as_deref(), Some("the disk is gone"), "the first error is the reason");
}

#[test]
fn whatever_happens_afterwards_nobody_is_told_and_nothing_is_asked_for() {
    let mut world = World::linked(Limits::default());
    let conn = world.accept();
    world.receive(conn, "a\n");
    world.call(1, "call", SECOND);
    world.seen();
    world.fail("the disk is gone");
    let client = Peer::Client(conn);
    assert!(!world.node.wants_read(client) && !world.node.wants_read(LINK));
    assert!(world.node.accept(world.now, CLIENT).is_none());
    assert!(world.node.accept_admin(world.now).is_none());
    world.input(Input::Received(LINK, b"reply\nnobody asked for this\n"));
    world.input(Input::Received(client, b"b\n"));
    world.input(Input::Finished(client));
    world.input(Input::Failed(LINK));
    world.input(Input::Drain);
    world.now = world.now + 3600 * SECOND;
    assert!(world.end().is_some());
    assert!(world.end().is_some(), "it does not come back to life");
    assert_eq!(world.seen(), []);
    assert_eq!(world.changes(), ["up"]);
    assert_eq!(world.node.poll_output(), None);
}
