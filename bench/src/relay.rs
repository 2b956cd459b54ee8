//! The bare relay: the floor that the marketplace is measured against. Its four processes pass on lines of the same
//! length over the same hops, and neither read JSON, nor keep state, nor write to a disk. What it costs is what
//! sockets and the scheduler cost.
//!
//! It runs on the same event loop as the services, so the floor contains the loop's own work. A request begins with a
//! token for each hop: the database (`C` for `db_customer`, `P` for `db_product`) and the length of its reply in six
//! digits, as in `C000095 P000110 .`; what follows the dot fills the line up. A frontend sends each database in turn
//! the line from its token on, and its client the last reply.

use std::time::Duration;

use net::reactor::{Reactor, RunError};
use net::{Backend, Call, Conn, Event, Limits, Out, Service, Target, Time};
use slab::Slab;

use crate::api::Hops;

/// The length of a reply that is only needed within a frontend, such as that of a session's check.
const INNER_REPLY_BYTES: usize = 95;
/// A letter, six digits and a space.
const TOKEN_BYTES: usize = 8;
/// The longest reply.
const REPLY_BYTES_MAX: usize = 999_999;
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Which of the relay's processes to be.
#[derive(Debug)]
pub enum Part {
    /// In place of `server_buyer` and `server_seller`, in front of these addresses in place of the databases.
    Frontend {
        /// In place of `db_customer`.
        customer: String,
        /// In place of `db_product`.
        product: String,
    },
    /// In place of a database.
    Database,
}

/// Runs a part of the relay until its reactor is drained, within the limits of the service that it stands in for.
///
/// # Errors
/// As [`Reactor::run`].
pub fn serve(reactor: Reactor, part: Part, limits: Limits) -> Result<(), RunError> {
    match part {
        Part::Frontend { customer, product } => {
            let backends = [customer, product].map(Target::Lines).into();
            reactor.run(RelayFrontend::default(), limits, backends).map(drop)
        }
        Part::Database => reactor.run(RelayDatabase::default(), limits, Vec::new()).map(drop),
    }
}

/// Makes a request of the marketplace one for the relay, of the same length, whose last reply is so long.
pub(crate) fn address(line: &mut [u8], hops: Hops, reply_bytes: usize) {
    let mut header = String::new();
    for (number, hop) in (1..).zip(hops.chars()) {
        let bytes = if number < hops.len() { INNER_REPLY_BYTES } else { reply_bytes.min(REPLY_BYTES_MAX) };
        header.push_str(&format!("{hop}{bytes:06} "));
    }
    header.push('.');
    line[..header.len()].copy_from_slice(header.as_bytes());
}

#[derive(Default)]
struct RelayFrontend {
    parked: Slab<Parked>,
}

struct Parked {
    conn: Conn,
    line: Vec<u8>,
    /// Where the token of the next hop begins, if there is one.
    next: usize,
}

impl RelayFrontend {
    /// Sends a request to its next hop, or the reply of the last one to the client.
    fn forward(&mut self, now: Time, mut parked: Parked, reply: &[u8], out: &mut Out<'_>) {
        let backend = match parked.line.get(parked.next) {
            Some(b'C') => Backend(0),
            Some(b'P') => Backend(1),
            _ => return out.send(parked.conn, reply),
        };
        let key = self.parked.vacant_key();
        out.call(backend, Call(key), &parked.line[parked.next..], now + CALL_TIMEOUT);
        parked.next += TOKEN_BYTES;
        self.parked.insert(parked);
    }
}

impl Service for RelayFrontend {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => {
                // A line without hops is answered as it is, like a `Ping`.
                self.forward(now, Parked { conn, line: line.to_vec(), next: 0 }, line, out);
            }
            Event::Reply(Call(key), reply) => {
                let parked = self.parked.remove(key);
                match reply {
                    Ok(reply) => self.forward(now, parked, reply, out),
                    Err(_) => out.send(parked.conn, b"lost"),
                }
            }
            Event::Reject(conn, _) => out.send(conn, b"rejected"),
            Event::Up(_) | Event::Down(..) | Event::Stream(..) | Event::Closed(_) => {}
            Event::Wake | Event::Timer | Event::Drain => {}
        }
    }

    fn is_drained(&self) -> bool {
        self.parked.is_empty()
    }
}

/// Answers with a line of the length that is asked for.
struct RelayDatabase {
    filler: Vec<u8>,
}

impl Default for RelayDatabase {
    fn default() -> Self {
        Self { filler: vec![b'x'; REPLY_BYTES_MAX] }
    }
}

impl Service for RelayDatabase {
    fn handle(&mut self, _: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => {
                let digits = line.get(1..TOKEN_BYTES - 1).and_then(|digits| std::str::from_utf8(digits).ok());
                let length = digits.and_then(|digits| digits.parse().ok()).unwrap_or(1);
                out.send(conn, &self.filler[..length]);
            }
            Event::Reject(conn, _) => out.send(conn, b"rejected"),
            Event::Reply(..) | Event::Up(_) | Event::Down(..) | Event::Stream(..) => {}
            Event::Closed(_) | Event::Wake | Event::Timer | Event::Drain => {}
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
