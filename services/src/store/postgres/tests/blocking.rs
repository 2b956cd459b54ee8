//! [`Blocking`]: a connection to the PostgreSQL of a test, over which transactions are carried out one by one: in place of
//! the pool, for tests of what is asked of an engine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use fake_postgres::Isolation;

use super::super::config::Config;
use super::super::migration::Migration;
use super::super::operation::{Answer, Refused, Transaction};
use super::super::wire::{Class, Connection, Event, Flight, Outcome};
use super::fake::{Fake, FakeClient};

/// What PostgreSQL calls its levels of isolation.
pub(in super::super) const LEVELS: [&str; 3] = ["read committed", "repeatable read", "serializable"];
/// Nothing is in the way of a transaction as often.
const REPLAYS_MAX: u64 = 200;

/// A connection that blocks.
pub(in super::super) struct Blocking {
    peer: Peer,
    connection: Connection,
    /// How often a transaction was carried out again.
    pub(in super::super) replays: u64,
}

/// What is at the other end.
enum Peer {
    Server(TcpStream),
    Fake(FakeClient),
}

impl Blocking {
    /// A connection to a server that lets everybody in, and need not flush.
    pub(in super::super) fn connect(url: &str) -> Self {
        let config = config(url);
        let host = &config.hosts[0];
        let socket = TcpStream::connect(host.address()).expect("it listens");
        socket.set_nodelay(true).expect("it is a socket");
        socket.set_read_timeout(Some(Duration::from_secs(60))).expect("it is a socket");
        Self::over(Peer::Server(socket), &config)
    }

    /// A connection to an engine in this process.
    pub(in super::super) fn connect_to_fake(fake: &Fake) -> Self {
        Self::over(Peer::Fake(fake.connect()), &config("postgres://market@127.0.0.1/shop"))
    }

    fn over(peer: Peer, config: &Config) -> Self {
        let connection = Connection::new(config, &config.hosts[0]);
        let mut blocking = Self { peer, connection, replays: 0 };
        assert_eq!(blocking.next_event(), Event::Ready);
        blocking
    }

    /// Makes the tables.
    pub(in super::super) fn migrate(&mut self) {
        let mut migration = Migration::new();
        while let Some(flight) = migration.flight() {
            let outcome = self.run(flight);
            migration.answered(outcome).expect("the tables are made");
        }
    }

    /// Carries out a transaction, again and again if something is in its way.
    pub(in super::super) fn carry_out(&mut self, transaction: &Transaction) -> Answer {
        for _ in 0..REPLAYS_MAX {
            let flight = match &*transaction.calls {
                [call] => Flight::single(call.clone()),
                calls => Flight::transaction(calls.to_vec()),
            };
            match self.run(flight) {
                Outcome::Done(replies) => return Ok(replies),
                Outcome::Failed { error, .. } if error.class() == Class::Refusal => return Err(Refused),
                Outcome::Failed { error, .. } if error.class() == Class::Replay => {
                    self.replays += 1;
                    thread::sleep(Duration::from_micros(fastrand::u64(0..20_000)));
                }
                other => panic!("{other:?} of {transaction:?}"),
            }
        }
        panic!("{transaction:?} was in vain {REPLAYS_MAX} times");
    }

    /// What becomes of a flight.
    pub(in super::super) fn run(&mut self, flight: Flight) -> Outcome {
        let ticket = self.connection.submit(flight);
        match self.next_event() {
            Event::Ended(ended, outcome) if ended == ticket => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn next_event(&mut self) -> Event {
        let mut piece = [0; 65_536];
        loop {
            if let Some(event) = self.connection.next_event() {
                return event;
            }
            let output = self.connection.take_output();
            let received = match &mut self.peer {
                Peer::Server(socket) => {
                    socket.write_all(&output).expect("the server reads");
                    let count = socket.read(&mut piece).expect("the server answers");
                    piece[..count].to_vec()
                }
                Peer::Fake(client) => client.exchange(&output),
            };
            match &received[..] {
                [] => self.connection.lost(),
                received => self.connection.received(received),
            }
        }
    }
}

/// An engine in this process, with the tables.
pub(in super::super) fn migrated_fake(isolation: Isolation) -> Fake {
    let fake = Fake::new(isolation);
    Blocking::connect_to_fake(&fake).migrate();
    fake
}

fn config(url: &str) -> Config {
    Config { may_be_unflushed: true, ..Config::parse(url, None).expect("a good URL") }
}
