//! PostgreSQL and this engine, which are told the same by the same clients: they must answer alike, and have the same
//! clients wait for the same ones. Where no PostgreSQL is installed, nothing is compared.
//!
//! What the statements of the services come to is compared elsewhere, with those (`services`, `store/postgres/tests`). Here is
//! what they rely on: the protocol, single statements, and transactions that meet.

mod protocol;
mod real;
mod statements;
mod transactions;

use std::collections::BTreeMap;

use support::{Postgres, wait_until};

use self::real::Real;
use super::client::{Clients, statement, sync, words};
use super::{ACCOUNTS, Isolation, LEVELS, accounts};
use crate::Session;

/// What PostgreSQL calls its levels of isolation.
const NAMES: [&str; 3] = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];
/// Of those who wait in a circle, it undoes the one who is first to look for one. Here the one who closes it is undone,
/// which in all that is asked here is this client.
const CLOSER: usize = 2;

/// Both, with the accounts.
struct Both {
    isolation: Isolation,
    port: u16,
    admin: Real,
    real: BTreeMap<usize, Real>,
    fake: Clients,
    /// Who waits on both.
    waiting: Vec<usize>,
}

/// A server that need not flush, nor wait for a standby unless somebody asks it to.
fn postgres() -> Option<Postgres> {
    let settings = ["fsync=off", "synchronous_commit=local", "synchronous_standby_names=nobody"];
    Postgres::start("trust", &settings)
}

impl Both {
    fn start(server: &Postgres, isolation: Isolation) -> Self {
        let mut admin = Real::connect(server.port);
        admin.run("DROP TABLE IF EXISTS accounts");
        for sql in ACCOUNTS {
            admin.run(sql);
        }
        let (real, fake) = (BTreeMap::new(), accounts(isolation));
        Self { isolation, port: server.port, admin, real, fake, waiting: Vec::new() }
    }

    /// Has a client carry out a statement on both. What it is told; `waits` if it has to wait, and then what those are told
    /// whose wait is over.
    #[track_caller]
    fn ask(&mut self, client: usize, sql: &str) -> String {
        assert!(!self.waiting.contains(&client), "client {client} waits, and is to say: {sql}");
        let mut told = vec![self.say(client, &[statement(sql), sync()].concat())];
        told.extend(self.settle());
        if told[0].is_empty() {
            self.waiting.push(client);
            told[0] = "waits".to_owned();
        }
        told.join(", ")
    }

    /// What those are told whose wait is over.
    #[track_caller]
    fn settle(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for client in std::mem::take(&mut self.waiting) {
            match self.hear(client) {
                Some(words) => told.push(words),
                None => self.waiting.push(client),
            }
        }
        told
    }

    /// Has a client send these bytes to both. What it is told, or nothing if it has to wait.
    #[track_caller]
    fn say(&mut self, client: usize, bytes: &[u8]) -> String {
        self.real(client).send(bytes);
        let session = self.fake.session(client);
        self.fake.send(session, bytes);
        self.hear(client).unwrap_or_default()
    }

    /// What both tell a client, which must be the same. `None` if it waits on both.
    #[track_caller]
    fn hear(&mut self, client: usize) -> Option<String> {
        let session = self.fake.session(client);
        let fake = essence(&self.fake.take_bytes(session), self.fake.ended.contains(&session));
        if fake.is_empty() {
            self.confirm_wait(client, session);
            return None;
        }
        let times = fake.iter().filter(|word| word.starts_with("Z ")).count();
        let heard = self.real(client).hear(times);
        let (bytes, is_over) =
            heard.unwrap_or_else(|| panic!("PostgreSQL waits, and the fake engine says {fake:?}"));
        assert_eq!(fake, essence(&bytes, is_over), "the fake engine, and PostgreSQL");
        Some(fake.join(" "))
    }

    /// Sees that who waits for another on the fake engine does so on PostgreSQL.
    #[track_caller]
    fn confirm_wait(&mut self, client: usize, session: Session) {
        let on = self.fake.engine.waits_for(session).expect("who is told nothing waits");
        let is_blocker = |other: &usize| self.fake.known(*other) == Some(on);
        let blocker = (0..10).find(is_blocker).expect("it is one of the clients");
        let blocker_pid = self.real(blocker).pid;
        let waits = format!("SELECT {blocker_pid} = ANY(pg_blocking_pids({}))", self.real(client).pid);
        wait_until("PostgreSQL waits", || {
            if let Some((bytes, is_over)) = self.real(client).hear_soon() {
                let real = essence(&bytes, is_over);
                panic!(
                    "client {client} waits for {blocker} on the fake engine, and PostgreSQL says {real:?}"
                );
            }
            self.admin.run(&waits).starts_with("(t)")
        });
    }

    /// A client's connection to PostgreSQL.
    fn real(&mut self, client: usize) -> &mut Real {
        let (port, isolation) = (self.port, self.isolation);
        self.real.entry(client).or_insert_with(|| {
            let mut real = Real::connect(port);
            let name = LEVELS.iter().zip(NAMES).find(|(level, _)| **level == isolation);
            let name = name.expect("it is one of them").1;
            real.run(&format!("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {name}"));
            let patience = if client == CLOSER { "10ms" } else { "1h" };
            real.run(&format!("SET deadlock_timeout = '{patience}'"));
            // Rows are found by keys here, so they are locked in the same order.
            real.run("SET enable_seqscan = off");
            real
        })
    }
}

/// What is compared of what a client is told: all but notices, settings and the words of errors; and whether the connection
/// is over.
fn essence(bytes: &[u8], is_over: bool) -> Vec<String> {
    let words = words(bytes).into_iter().filter(|word| !matches!(&**word, "N" | "S"));
    let mut told: Vec<String> =
        words.map(|word| if word.starts_with("E ") { word[..7].to_owned() } else { word }).collect();
    told.extend(is_over.then(|| "over".to_owned()));
    told
}
