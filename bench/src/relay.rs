//! The bare relay: the floor that the marketplace is measured against. Its four processes pass on lines of the same
//! length over the same hops, and neither read JSON, nor keep state, nor write to a disk. What it costs is what
//! sockets and the scheduler cost. The floor with the flush is the same, but that where the marketplace would have changed
//! something, a reply waits until as many bytes as the request has are on disk, in groups as databases have them.
//!
//! It runs on the same event loop as the services, so the floor contains the loop's own work. A request begins with a
//! token for each hop: the database (`C` for `db_customer`, `P` for `db_product`) and the length of its reply in six
//! digits, as in `C000095 P000110 .`, or a small letter (`c`, `p`) for a reply that waits for the disk; what follows the dot fills the line up. A frontend sends each database in turn
//! the line from its token on, and its client the last reply.

mod flush;

use std::time::Duration;

use net::reactor::{Reactor, RunError};
use net::{Backend, Call, Conn, Event, Limits, Out, Service, Target, ThreadWorker, Time, Work, Worker};
use slab::Slab;

use flush::Group;

use crate::api::Hops;

pub use flush::Flusher;

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
    Database {
        /// What its changes are flushed by, if they are.
        flusher: Option<Flusher>,
    },
}

/// Runs a part of the relay until its reactor is drained, within the limits of the service that it stands in for.
///
/// # Errors
/// As [`Reactor::run`].
pub fn serve(reactor: Reactor, part: Part, limits: Limits) -> Result<(), RunError> {
    let (service, backends): (Box<dyn Service>, _) = match part {
        Part::Frontend { customer, product } => {
            // Changes go over connections of their own, as those of a frontend do, so that nothing waits behind a flush.
            let addresses = [customer.clone(), product.clone(), customer, product];
            (Box::new(RelayFrontend::default()), addresses.map(Target::Lines).into())
        }
        Part::Database { flusher } => {
            let start = |flusher| {
                let worker = ThreadWorker::spawn("flusher", flusher, reactor.handle().waker());
                worker.map(|(worker, _)| Box::new(worker) as Box<FlushWorker>)
            };
            let worker = flusher.map(start).transpose().map_err(RunError::Driver)?;
            (Box::new(RelayDatabase::new(worker)), Vec::new())
        }
    };
    reactor.run(service, limits, backends).map(drop)
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
            Some(b'c') => Backend(2),
            Some(b'p') => Backend(3),
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

type FlushWorker = dyn Worker<Group, <Flusher as Work>::Done>;

/// Answers with a line of the length that is asked for.
struct RelayDatabase {
    filler: Vec<u8>,
    flusher: Option<Box<FlushWorker>>,
    /// What has come in this turn, and waits for the disk.
    group: Group,
    /// Replies that wait for it altogether.
    waiting: usize,
}

impl RelayDatabase {
    /// Without a flusher, no reply waits.
    fn new(flusher: Option<Box<FlushWorker>>) -> Self {
        Self { filler: vec![b'x'; REPLY_BYTES_MAX], flusher, group: Group::default(), waiting: 0 }
    }

    fn answer(&mut self, conn: Conn, line: &[u8], out: &mut Out<'_>) {
        let digits = line.get(1..TOKEN_BYTES - 1).and_then(|digits| std::str::from_utf8(digits).ok());
        let length = digits.and_then(|digits| digits.parse().ok()).unwrap_or(1);
        if matches!(line.first(), Some(b'c' | b'p')) && self.flusher.is_some() {
            self.group.replies.push((conn, length));
            self.group.bytes += line.len();
            self.waiting += 1;
        } else {
            out.send(conn, &self.filler[..length]);
        }
    }

    /// Answers what is on disk by now, and hands over what has come meanwhile.
    fn flush(&mut self, out: &mut Out<'_>) {
        let Some(flusher) = &mut self.flusher else { return };
        while let Some((group, written)) = flusher.poll() {
            self.waiting -= group.replies.len();
            for (conn, length) in group.replies {
                let line = if written.is_ok() { &self.filler[..length] } else { b"not flushed" };
                out.send(conn, line);
            }
        }
        if !self.group.replies.is_empty() {
            flusher.submit(std::mem::take(&mut self.group));
        }
    }
}

impl Service for RelayDatabase {
    fn handle(&mut self, _: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => self.answer(conn, line, out),
            Event::Reject(conn, _) => out.send(conn, b"rejected"),
            Event::Reply(..) | Event::Up(_) | Event::Down(..) | Event::Stream(..) => {}
            Event::Closed(_) | Event::Wake | Event::Timer | Event::Drain => {}
        }
    }

    fn end_turn(&mut self, _: Time, out: &mut Out<'_>) {
        self.flush(out);
    }

    fn is_drained(&self) -> bool {
        self.waiting == 0
    }
}

#[cfg(test)]
mod tests;
