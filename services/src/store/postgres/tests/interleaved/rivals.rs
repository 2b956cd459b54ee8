//! [`Rivals`]: PostgreSQL and the fake engine, which are told the same by the same clients.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use fake_postgres::{Engine, Isolation, Output, Session};
use support::Postgres;

use super::real::Real;
use super::{ROLLBACK, level, tables};
use crate::store::postgres::tests::blocking::Blocking;
use crate::store::postgres::wire::single::{Told, asked, start, told};
use crate::store::postgres::wire::{Call, Statement, Value};

const PID: Statement = Statement::once("SELECT pg_backend_pid()::bigint");
const BLOCKERS: Statement = Statement::once("SELECT pg_blocking_pids($1::bigint::int)::text");
const CANCEL: Statement = Statement::once("SELECT pg_cancel_backend($1::bigint::int)::text");
/// Rows are found by keys as the fake engine finds them, so they are locked in the same order.
const BY_KEYS: [Statement; 2] =
    [Statement::once("SET enable_seqscan = off"), Statement::once("SET enable_bitmapscan = off")];
const LEVELS: [Statement; 3] = [
    Statement::once("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED"),
    Statement::once("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
    Statement::once("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
];
/// Whoever is about to wait does so by then.
const PATIENCE: Duration = Duration::from_secs(60);
/// What transactions are undone with so that there is an order of all of them.
const NO_ORDER: &str = "40001";
/// What one of those who wait in a circle is undone with.
const DEADLOCK: &str = "40P01";

pub(in crate::store::postgres) struct Rivals<'s> {
    server: &'s mut Postgres,
    isolation: Isolation,
    admin: Real,
    real: Vec<Real>,
    pids: Vec<i64>,
    fake: Fake,
    /// Who waits for whom.
    waiting: BTreeMap<usize, usize>,
    /// Who is answered after a wait.
    resumed: Vec<(usize, Told)>,
}

/// What PostgreSQL finds when it looks for a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Wait,
    Circle,
}

#[derive(Clone)]
struct Fake {
    engine: Engine,
    sessions: Vec<Session>,
    unread: BTreeMap<Session, BytesMut>,
}

impl<'s> Rivals<'s> {
    /// Both, with the tables, in a database of their own.
    pub(in crate::store::postgres) fn start(
        server: &'s mut Postgres,
        isolation: Isolation,
        seed: u64,
        clients: usize,
    ) -> Self {
        let database = format!("{}_{seed}", level(isolation).replace(' ', "_"));
        server.sql("shop", &format!("CREATE DATABASE {database}"));
        Blocking::connect(&format!("postgres://market@127.0.0.1:{}/{database}", server.port)).migrate();
        let connect = || Real::connect(server.port, &database);
        let place =
            super::ISOLATIONS.iter().position(|known| *known == isolation).expect("it is one of them");
        let mut real: Vec<Real> = (0..clients).map(|_| connect()).collect();
        let prepare = |real: &mut Real| {
            for statement in BY_KEYS.iter().chain([&LEVELS[place]]) {
                real.send(&asked(&statement.with([])));
                real.answer().end().map(|_| ()).expect("it is set");
            }
            real.send(&asked(&PID.with([])));
            real.answer().reply.rows[0].int(0).expect("it is a number")
        };
        let pids = real.iter_mut().map(prepare).collect();
        let (admin, fake) = (connect(), Fake::new(isolation, clients));
        let (waiting, resumed) = (BTreeMap::new(), Vec::new());
        Self { server, isolation, admin, real, pids, fake, waiting, resumed }
    }

    pub(super) fn is_waiting(&self, client: usize) -> bool {
        self.waiting.contains_key(&client)
    }

    /// Whether a statement would have to wait for whom somebody waits already.
    pub(super) fn would_queue(&self, client: usize, call: &Call) -> bool {
        let mut fake = self.fake.clone();
        fake.ask(client, call);
        let blockers: Vec<usize> = (0..self.real.len()).filter_map(|client| fake.blocker(client)).collect();
        blockers.iter().collect::<BTreeSet<_>>().len() < blockers.len()
    }

    /// Has a client carry out a statement. `None` if it has to wait.
    pub(in crate::store::postgres) fn ask(&mut self, client: usize, call: &Call) -> Option<Told> {
        // What one refuses to commit, the other must not.
        let commits = *call == super::COMMIT.with([]);
        if commits && self.fake.clone().ask(client, call).is_some_and(|told| told.end().is_err()) {
            let told = self.disagree(client, "COMMIT is refused by the fake engine");
            self.settle();
            return Some(told);
        }
        self.real[client].send(&asked(call));
        let real = if commits { Some(self.real[client].answer()) } else { None };
        if real.as_ref().is_some_and(|told| told.end().is_err()) {
            let told = self.disagree(client, "COMMIT is refused by PostgreSQL");
            self.settle();
            return Some(told);
        }
        let fake = self.fake.ask(client, call);
        let told = match (fake, real) {
            (Some(fake), Some(real)) => Some(self.agree(client, call, fake, real)),
            (Some(fake), None) => {
                let real = self.await_answer(client, &fake);
                Some(self.agree(client, call, fake, real))
            }
            (None, _) => self.confirm_wait(client),
        };
        self.settle();
        told
    }

    /// Who has been answered meanwhile, after a wait.
    pub(in crate::store::postgres) fn resumed(&mut self) -> Vec<(usize, Told)> {
        std::mem::take(&mut self.resumed)
    }

    /// Ends a transaction that has failed.
    pub(in crate::store::postgres) fn undo(&mut self, client: usize) {
        self.real[client].send(&asked(&ROLLBACK.with([])));
        self.real[client].answer();
        self.fake.ask(client, &ROLLBACK.with([])).expect("it has not to wait");
        self.settle();
    }

    /// Both hold the same rows.
    pub(in crate::store::postgres) fn compare_tables(&mut self) {
        let reads = tables::reads();
        assert!(reads.len() > 10, "the tables were not found");
        for read in reads {
            self.admin.send(&asked(&read));
            let (real, fake) = (self.admin.answer(), self.fake.ask(0, &read).expect("it reads"));
            assert!(real.end().is_ok(), "{read:?}: {real:?}");
            assert_eq!(fake.rows, real.rows, "{read:?}");
        }
    }

    /// Both have answered.
    #[track_caller]
    fn agree(&mut self, client: usize, call: &Call, fake: Told, real: Told) -> Told {
        if (fake.end(), &fake.rows) == (real.end(), &real.rows) {
            return real;
        }
        let is_order = |told: &Told| told.end() == Err(NO_ORDER);
        if is_order(&fake) || is_order(&real) {
            return self.disagree(client, &format!("{call:?}: {fake:?} {real:?}"));
        }
        panic!("client {client} asks {call:?}: the fake engine says {fake:?}, and PostgreSQL {real:?}");
    }

    /// One of them undoes a transaction that the other does not, so that there is an order of all. Both are undone then.
    #[track_caller]
    fn disagree(&mut self, client: usize, what: &str) -> Told {
        assert_eq!(self.isolation, Isolation::Serializable, "client {client}: {what}");
        if self.waits_in_real(client) {
            self.admin.send(&asked(&CANCEL.with([Value::Int(self.pids[client])])));
            self.admin.answer();
            self.real[client].answer();
        }
        self.real[client].send(&asked(&ROLLBACK.with([])));
        self.real[client].answer();
        self.fake.reconnect(client);
        self.waiting.remove(&client);
        Told::failed(NO_ORDER)
    }

    /// The answer of PostgreSQL where the fake engine has one.
    #[track_caller]
    fn await_answer(&mut self, client: usize, fake: &Told) -> Told {
        if fake.end() != Err(NO_ORDER) {
            let told = self.real[client].answer();
            if told.end() == Err(DEADLOCK) {
                self.await_check(client);
            }
            return told;
        }
        let begun_at = Instant::now();
        while begun_at.elapsed() < PATIENCE {
            if let Some(told) = self.real[client].try_answer() {
                return told;
            }
            if self.waits_in_real(client) {
                // It would be undone only after its wait, unless that is one in a circle.
                return match self.await_check(client) {
                    Check::Circle => self.real[client].answer(),
                    Check::Wait => Told::failed("it waits"),
                };
            }
        }
        panic!("PostgreSQL does nothing")
    }

    /// Sees that a client waits for the same transaction on both. Its answer, if one of them has undone it.
    #[track_caller]
    fn confirm_wait(&mut self, client: usize) -> Option<Told> {
        let blocker = self.fake.blocker(client).expect("it waits");
        let is_new = self.waiting.insert(client, blocker) != Some(blocker);
        let begun_at = Instant::now();
        while begun_at.elapsed() < PATIENCE {
            if self.blockers(client).contains(&self.pids[blocker]) {
                if is_new {
                    assert_eq!(self.await_check(client), Check::Wait, "client {client} waits for {blocker}");
                }
                return None;
            }
            if let Some(told) = self.real[client].try_answer() {
                let what = format!("it waits for {blocker} on the fake engine, and PostgreSQL says {told:?}");
                return Some(self.disagree(client, &what));
            }
        }
        panic!("client {client} waits for {blocker} on the fake engine, and not on PostgreSQL");
    }

    /// Waits until PostgreSQL has looked whether a client that waits does so in a circle, which it logs once for each
    /// wait. Until then, it is open who of those in a circle finds out.
    fn await_check(&mut self, client: usize) -> Check {
        let process = format!("process {} ", self.pids[client]);
        loop {
            let line = self.server.wait_for(&process);
            if line.contains("detected deadlock") {
                return Check::Circle;
            }
            if line.contains("still waiting") {
                return Check::Wait;
            }
        }
    }

    fn waits_in_real(&mut self, client: usize) -> bool {
        !self.blockers(client).is_empty()
    }

    fn blockers(&mut self, client: usize) -> Vec<i64> {
        self.admin.send(&asked(&BLOCKERS.with([Value::Int(self.pids[client])])));
        let told = self.admin.answer();
        let pids = told.reply.rows[0].text(0).expect("it is text").trim_matches(['{', '}']);
        pids.split(',').filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Takes the answers of those whose wait is over, and sees that all others still wait.
    #[track_caller]
    fn settle(&mut self) {
        loop {
            let mut is_changed = false;
            for client in self.waiting.keys().copied().collect::<Vec<_>>() {
                let told = match self.fake.told(client) {
                    Some(fake) => {
                        let real = self.await_answer(client, &fake);
                        self.waiting.remove(&client);
                        Some(self.agree(client, &ROLLBACK.with([]), fake, real))
                    }
                    None => self.confirm_wait(client),
                };
                is_changed |= told.is_some();
                self.resumed.extend(told.map(|told| (client, told)));
            }
            if !is_changed {
                return;
            }
        }
    }
}

impl Fake {
    fn new(isolation: Isolation, clients: usize) -> Self {
        let mut fake =
            Self { engine: Engine::new(isolation, 1), sessions: Vec::new(), unread: BTreeMap::new() };
        for client in 0..clients {
            fake.sessions.push(fake.engine.open());
            fake.begin(client);
        }
        for call in migrations() {
            fake.ask(0, &call).expect("nothing is in the way").end().expect("the tables are made");
        }
        fake
    }

    /// What a statement is answered, unless it has to wait.
    fn ask(&mut self, client: usize, call: &Call) -> Option<Told> {
        self.engine.received(self.sessions[client], &asked(call));
        self.settle();
        self.told(client)
    }

    fn told(&mut self, client: usize) -> Option<Told> {
        self.unread.get_mut(&self.sessions[client]).and_then(told)
    }

    fn blocker(&self, client: usize) -> Option<usize> {
        let on = self.engine.waits_for(self.sessions[client])?;
        self.sessions.iter().position(|session| *session == on)
    }

    /// Ends a connection, and begins another.
    fn reconnect(&mut self, client: usize) {
        self.engine.close(self.sessions[client]);
        self.sessions[client] = self.engine.open();
        self.begin(client);
    }

    fn begin(&mut self, client: usize) {
        self.engine.received(self.sessions[client], &start("market", "shop"));
        self.settle();
        self.told(client).expect("it is let in");
    }

    fn settle(&mut self) {
        while let Some((session, output)) = self.engine.next_output() {
            match output {
                Output::Bytes(bytes) => self.unread.entry(session).or_default().extend_from_slice(&bytes),
                Output::Commit(commit) => self.engine.committed(commit),
                Output::End => panic!("the engine ends a connection"),
            }
        }
    }
}

/// What makes all tables.
fn migrations() -> Vec<Call> {
    use crate::store::postgres::schema::SCHEMAS;
    let statements = SCHEMAS.iter().flat_map(|schema| schema.migrations).copied().flatten();
    statements.map(|sql| Statement::once(sql).with([])).collect()
}
