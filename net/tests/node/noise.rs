//! Nothing that comes from the network panics a node, or makes it lose count.

use net::{Input, Limits, Output, Peer, Reject};

use crate::harness::{SECOND, Seen, World};

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
