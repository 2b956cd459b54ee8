//! Transactions of a domain whose statements are carried out in turn with those of others: on PostgreSQL and on the fake
//! engine, in the same order. Both must answer alike, have the same transactions wait for the same ones, and hold the same
//! rows in the end; but for what keeps transactions serializable, where either may undo one that the other would not.

mod real;
mod rivals;
mod tables;

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use fake_postgres::Isolation;
use fastrand::Rng;
use net::Time;
use support::Postgres;

pub(in super::super) use self::rivals::Rivals;
use super::super::domain::RemoteDomain;
use super::super::operation::{Next, Refused, Step, Transaction};
use super::super::wire::single::Told;
use super::super::wire::{Call, Reply, Statement};
use super::fake::ISOLATIONS;
use crate::api::error::Error;
use crate::api::fields::Fields;
use crate::engine::caller::Caller;

/// How many times as many seeds are tried.
const MORE: &str = "MARKETPLACE_TEST_INTERLEAVINGS";
/// Statements of a run, about.
const STEPS: usize = 400;
const CLIENTS: usize = 3;

/// What is asked for in a run.
pub(in super::super) trait Script<D: RemoteDomain> {
    /// A replica of the service.
    fn replica(&mut self, seed: u64) -> D;
    /// What is asked for first, one after another.
    fn preparation(&mut self) -> Vec<(&'static str, String)>;
    /// What a client asks for next.
    fn next(&mut self, random: &mut Rng) -> (&'static str, String);
    /// What that was answered.
    fn heard(&mut self, api: &str, answer: &Result<String, Error>);
}

/// A client, and what it is about to do.
struct Client<D> {
    domain: D,
    doing: Option<Doing<D>>,
}

/// A transaction on its way, and what it is part of.
struct Doing<D> {
    api: &'static str,
    transaction: Transaction,
    next: Next<D>,
    /// What is to be carried out next: the first is `BEGIN`, and the last `COMMIT`.
    position: usize,
    replies: Vec<Reply>,
}

/// Runs scripts from seeds, at each level of isolation. Where no PostgreSQL is installed, nothing is run.
pub(in super::super) fn compare<D: RemoteDomain, S: Script<D>>(now: Time, script: impl Fn() -> S) {
    // It says when who waits has looked for a circle and found none, and of errors nothing.
    let settings = ["fsync=off", "deadlock_timeout=10ms", "log_lock_waits=on", "log_min_messages=log"];
    let Some(mut server) = Postgres::start("trust", &settings) else { return };
    let more = env::var(MORE).map_or(1, |more| more.parse().expect("it is a number"));
    let mut met = BTreeMap::new();
    for isolation in ISOLATIONS {
        for seed in 0..more {
            let rivals = Rivals::start(&mut server, isolation, seed, CLIENTS);
            let mut run = Run::new(rivals, script(), now, seed);
            run.prepare();
            run.go(STEPS);
            for (what, times) in run.met {
                *met.entry(format!("{isolation:?} {what}")).or_insert(0) += times;
            }
        }
    }
    for what in ["ReadCommitted wait", "RepeatableRead 40001", "Serializable 40001"] {
        assert!(met.contains_key(what), "{what} was not met: {met:#?}");
    }
    eprintln!("met: {met:#?}");
}

struct Run<'s, D: RemoteDomain, S> {
    rivals: Rivals<'s>,
    script: S,
    clients: Vec<Client<D>>,
    now: Time,
    random: Rng,
    /// How often what has happened.
    met: BTreeMap<String, u32>,
}

impl<'s, D: RemoteDomain, S: Script<D>> Run<'s, D, S> {
    fn new(rivals: Rivals<'s>, mut script: S, now: Time, seed: u64) -> Self {
        let client = |n| Client { domain: script.replica(n as u64 + 1), doing: None };
        let clients = (0..CLIENTS).map(client).collect();
        Self { rivals, script, clients, now, random: Rng::with_seed(seed), met: BTreeMap::new() }
    }

    /// Carries out what comes first, by one client.
    fn prepare(&mut self) {
        for (api, data) in self.script.preparation() {
            self.begin(0, api, &data);
            while self.clients[0].doing.is_some() {
                self.step(0);
            }
        }
    }

    /// Carries out statements in turn, and then what is left of the transactions that are open.
    fn go(&mut self, steps: usize) {
        for _ in 0..steps {
            let client = self.random.usize(..CLIENTS);
            if self.clients[client].doing.is_none() {
                let (api, data) = self.script.next(&mut self.random);
                self.begin(client, api, &data);
            } else if !self.rivals.is_waiting(client) {
                self.step(client);
            }
        }
        while self.clients.iter().any(|client| client.doing.is_some()) {
            let can_go_on = |n: &usize| self.clients[*n].doing.is_some() && !self.rivals.is_waiting(*n);
            let able: Vec<usize> = (0..CLIENTS).filter(can_go_on).collect();
            assert!(able.into_iter().any(|client| self.step(client)), "all wait for each other");
        }
        self.rivals.compare_tables();
    }

    fn begin(&mut self, client: usize, api: &'static str, data: &str) {
        let domain = &mut self.clients[client].domain;
        let entry = D::APIS.iter().find(|entry| entry.name == api).expect(api);
        let caller = Caller::new([127, 0, 0, 1].into(), self.now, Duration::from_secs(10));
        let fields = Fields::parse(data).expect("an object");
        let step = (entry.handler)(domain, self.now, caller, fields);
        self.follow(client, api, step);
    }

    /// Goes on with what follows in a request.
    fn follow(&mut self, client: usize, api: &'static str, mut step: Result<Step<D>, Error>) {
        let answer = loop {
            match step {
                Err(error) => break Err(error),
                Ok(Step::Reply(json)) => break Ok(String::from_utf8(json).expect("JSON is text")),
                Ok(Step::Work(job)) => {
                    let (done, next) =
                        self.clients[client].domain.poll(self.now).expect("it is done at once");
                    assert_eq!(done, job);
                    step = next;
                }
                Ok(Step::Ask(transaction, next)) => {
                    let doing = Doing { api, transaction, next, position: 0, replies: Vec::new() };
                    self.clients[client].doing = Some(doing);
                    return;
                }
            }
        };
        self.script.heard(api, &answer);
    }

    /// Carries out the next statement of a client's transaction, unless two would come to wait for the same one: who of
    /// them goes on first is left to chance in the real one. False if so.
    fn step(&mut self, client: usize) -> bool {
        let doing = self.clients[client].doing.as_ref().expect("it does something");
        let call = doing.call();
        if self.rivals.would_queue(client, &call) {
            return false;
        }
        // Some leave before they have come to their end.
        let gives_up = self.random.u8(..60) == 0 && doing.position > 0;
        let call = if gives_up { ROLLBACK.with([]) } else { call };
        let told = self.rivals.ask(client, &call);
        if told.is_none() {
            *self.met.entry("wait".to_owned()).or_insert(0) += 1;
        }
        if let Some(told) = told {
            self.told(client, told);
        }
        loop {
            let resumed = self.rivals.resumed();
            if resumed.is_empty() {
                return true;
            }
            for (client, told) in resumed {
                self.told(client, told);
            }
        }
    }

    fn told(&mut self, client: usize, told: Told) {
        let mut doing = self.clients[client].doing.take().expect("it was asked for");
        let end = match told.end() {
            Ok(tag) => tag.split(' ').next().unwrap_or_default(),
            Err(code) => code,
        };
        *self.met.entry(end.to_owned()).or_insert(0) += 1;
        match told.end() {
            Ok("BEGIN") => doing.position += 1,
            Ok("COMMIT") => {
                let domain = &mut self.clients[client].domain;
                let step = (doing.next)(domain, self.now, Ok(doing.replies));
                return self.follow(client, doing.api, step);
            }
            // It begins anew.
            Ok("ROLLBACK") => (doing.position, doing.replies) = (0, Vec::new()),
            Ok(_) => {
                doing.position += 1;
                doing.replies.push(told.reply);
            }
            Err("23505" | "23514") => {
                self.rivals.undo(client);
                let step = (doing.next)(&mut self.clients[client].domain, self.now, Err(Refused));
                return self.follow(client, doing.api, step);
            }
            Err("40001" | "40P01") => {
                self.rivals.undo(client);
                (doing.position, doing.replies) = (0, Vec::new());
            }
            Err(code) => panic!("{code} of {:?}", doing.call()),
        }
        self.clients[client].doing = Some(doing);
    }
}

const BEGIN: Statement = Statement::once("BEGIN");
const COMMIT: Statement = Statement::once("COMMIT");
const ROLLBACK: Statement = Statement::once("ROLLBACK");

impl<D> Doing<D> {
    fn call(&self) -> Call {
        match self.position.checked_sub(1) {
            None => BEGIN.with([]),
            Some(number) => self.transaction.calls.get(number).cloned().unwrap_or_else(|| COMMIT.with([])),
        }
    }
}

/// What PostgreSQL calls a level.
fn level(isolation: Isolation) -> &'static str {
    let place = ISOLATIONS.iter().position(|known| *known == isolation);
    super::blocking::LEVELS[place.expect("it is one of them")]
}
