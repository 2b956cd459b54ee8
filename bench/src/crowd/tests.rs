use std::sync::mpsc::TryRecvError;

use net::sim::{Faults, Sim};
use net::{Limits, Node};

use super::*;

/// Answers each line with success.
struct Server;

impl Service for Server {
    fn handle(&mut self, _: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, _) => {
                out.send(conn, br#"{"type":"Response","request_id":1,"ok":true,"error":null,"data":{}}"#);
            }
            Event::Reject(conn, _) => out.send(conn, b"too many connections"),
            _ => {}
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// Whether a crowd of this size gathers at a server that takes so many connections.
fn gather(size: usize, connections_max: usize) -> Result<(), TryRecvError> {
    let mut sim = Sim::new(1, Time::from_millis(1000), Faults::default());
    let server = sim.add_host(&[]);
    let limits = Limits { connections_max, ..Limits::default() };
    sim.start(server, Node::new(Server, limits, 0));
    let (crowd, gathered) = Crowd::new(size);
    let host = sim.add_host(&vec![server; size]);
    sim.start(host, Node::new(crowd, Limits::default(), size));
    sim.run_until(sim.now() + Duration::from_secs(10));
    gathered.try_recv()
}

#[test]
fn a_crowd_has_gathered_when_all_its_connections_were_answered() {
    for size in [0, 1, GREETINGS_MAX, 2 * GREETINGS_MAX + 1] {
        assert_eq!(gather(size, size.max(1)), Ok(()), "{size}");
    }
}

#[test]
fn a_crowd_of_which_some_are_turned_away_does_not_gather() {
    assert_eq!(gather(10, 9), Err(TryRecvError::Disconnected));
}
