//! Nothing that comes from the network panics a node, or makes it lose count.

use std::collections::BTreeSet;

use net::{Backend, Input, Limits, Output, Peer, Reject};

use crate::harness::{LINK, SECOND, Seen, World};

#[test]
fn bytes_without_sense_are_lines_or_rejections_and_nothing_worse() {
    let limits = Limits {
        connections_max: 8,
        line_bytes_max: 20,
        in_flight_max: 2,
        outbox_bytes_max: 64,
        lines_per_turn_max: 3,
        line_timeout: 3 * SECOND,
        stall_timeout: 5 * SECOND,
        linger_timeout: SECOND / 4,
        ..Limits::default()
    };
    let mut random = fastrand::Rng::with_seed(2);
    let mut world = World::echo(limits);
    let mut conns = Vec::new();
    let (mut lines, mut rejects, mut closed, mut opened) = (0, 0, 0, 0);
    for _ in 0..20_000 {
        if conns.len() < 10 {
            conns.push(world.accept());
            opened += 1;
        }
        let conn = conns[random.usize(..conns.len())];
        let peer = Peer::Client(conn);
        match random.u8(0..10) {
            0..6 => {
                let bytes: Vec<u8> = (0..random.usize(0..40))
                    .map(|_| *random.choice(b"abcd\r\n\0\xff").expect("bytes"))
                    .collect();
                if world.node.wants_read(peer) {
                    world.input(Input::Received(peer, &bytes));
                }
            }
            6 | 7 => {
                world.set_room(peer, random.usize(0..200));
                world.input(Input::Writable(peer));
            }
            8 if random.u8(0..20) == 0 => world.input(Input::Finished(peer)),
            9 if random.u8(0..20) == 0 => world.input(Input::Failed(peer)),
            _ => world.now = world.now + SECOND / 50,
        }
        for output in world.turn() {
            if let Output::Close(Peer::Client(gone)) = output {
                conns.retain(|conn| *conn != gone);
            }
        }
        for seen in world.seen() {
            match seen {
                Seen::Line(_, line) => {
                    assert!(line.len() <= 60 && !line.contains('\n') && !line.is_empty());
                    lines += 1;
                }
                Seen::Reject(_, Reject::ConnectionsMax(max)) => assert_eq!(max, 8),
                Seen::Reject(..) => rejects += 1,
                Seen::Closed(_) => closed += 1,
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(lines > 1000 && rejects > 10, "{lines} lines, {rejects} rejects");
    assert!(closed > 50 && opened == closed + conns.len(), "{closed} of {opened}");
}

#[test]
fn a_backend_without_sense_costs_connections_and_no_call_its_outcome() {
    let mut random = fastrand::Rng::with_seed(3);
    let mut world = World::careful(narrow());
    let (mut calls, mut pending, mut served) = (0, BTreeSet::new(), 0);
    // The driver has answered the first wish to connect.
    let mut wanted = false;
    let (mut is_up, mut ups) = (false, 0);
    for _ in 0..30_000 {
        let oldest = pending.first().copied().unwrap_or_default();
        let mut outputs = match random.u8(0..16) {
            0..3 => {
                calls += 1;
                pending.insert(calls);
                world.call(calls, "what?", SECOND * random.u32(0..100) / 10)
            }
            3..8 if is_up => world.answer(&format!("{oldest}:x\n")),
            3..8 => world.answer("me\n"),
            8 if random.u8(0..20) == 0 => {
                let byte = |_| *random.choice(b"1:\r\nme").expect("bytes") as char;
                let bytes: String = (0..20).map(byte).collect();
                world.answer(&bytes[..random.usize(0..20)])
            }
            9 if wanted && random.bool() => {
                world.input(Input::NotConnected(Backend(0), "nobody is there"));
                world.turn()
            }
            10 if wanted => {
                world.input(Input::Connected(Backend(0)));
                wanted = false;
                world.turn()
            }
            11 if random.u8(0..20) == 0 => {
                world.input(if random.bool() { Input::Finished(LINK) } else { Input::Failed(LINK) });
                world.turn()
            }
            12 => {
                world.set_room(LINK, random.usize(0..200));
                world.input(Input::Writable(LINK));
                world.turn()
            }
            _ => world.pass(SECOND / 50),
        };
        while world.wants_turn() {
            outputs.extend(world.turn());
        }
        for output in outputs {
            match output {
                Output::Connect(_) => wanted = true,
                Output::Close(LINK) => wanted = false,
                _ => {}
            }
        }
        for change in world.changes() {
            is_up = change == "up";
            ups += usize::from(is_up);
        }
        for seen in world.seen() {
            let Seen::Reply(call, reply) = seen else { panic!("{seen:?}") };
            assert!(pending.remove(&call), "{call} has one outcome");
            served += usize::from(reply.is_ok());
        }
    }
    assert!(pending.len() <= 5, "{pending:?}: each has come to an end, but for the last");
    let lost = calls - served - pending.len();
    assert!(served > 100 && lost > 100 && ups > 100, "{served} served, {lost} lost, {ups} times up");
}

/// Limits that calls run into.
fn narrow() -> Limits {
    Limits {
        calls_max: 5,
        link_bytes_max: 64,
        reply_bytes_max: 12,
        waiting_timeout: SECOND / 2,
        connect_timeout: SECOND,
        silence_timeout: 2 * SECOND,
        ..Limits::default()
    }
}
