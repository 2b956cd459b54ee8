//! [`Stage`]: a pool, its driver and the servers' ends of its connections.

use std::time::Duration;

use net::Time;

use super::peer::Answer as Served;
use super::*;
use crate::store::postgres::wire::{Call, Statement, Value};

const READ: Statement = Statement::kept("read", "SELECT a FROM b WHERE c = $1");
const WRITE: Statement = Statement::kept("write", "UPDATE b SET a = $1");

/// What is asked for has a second.
const PATIENCE: Duration = Duration::from_secs(1);

/// A pool, its driver and the servers' ends of its connections.
pub(super) struct Stage {
    pub(super) pool: Pool,
    pub(super) now: Time,
    pub(super) peers: Vec<Peer>,
    /// What was answered since that was looked at: the number, and what a statement has returned or the words of an error.
    pub(super) ended: Vec<(u64, Result<Vec<i64>, String>)>,
    pub(super) resets: Vec<(usize, String)>,
    pub(super) encrypts: Vec<usize>,
    pub(super) works: Vec<usize>,
    /// The connections that have begun to start.
    pub(super) starts: Vec<usize>,
    /// The parameters of what servers have carried out, in that order.
    pub(super) carried_out: Vec<i64>,
    /// Whether the pool is opened again at once whenever it is not open.
    is_kept_open: bool,
    asked: u64,
}

impl Stage {
    /// A pool without connections, which is open whatever happens.
    pub(super) fn empty(parameters: &str) -> Self {
        Self { is_kept_open: true, ..Self::closed(parameters) }
    }

    /// A pool without connections.
    pub(super) fn closed(parameters: &str) -> Self {
        let url = format!("postgres://market@localhost,127.0.0.1/shop?{parameters}");
        let pool = Pool::new(Config::parse(&url, None).unwrap(), 12);
        let peers = pool.places.iter().map(|_| Peer::default()).collect();
        let now = Time::from_millis(1_000_000);
        let (ended, resets, encrypts, works, starts, carried_out) = Default::default();
        let (is_kept_open, asked) = (false, 0);
        Self { pool, now, peers, ended, resets, encrypts, works, starts, carried_out, is_kept_open, asked }
    }

    /// A pool of so many connections, all of which are ready.
    pub(super) fn ready(connections: usize) -> Self {
        let mut stage = Self::empty(&format!("connections={connections}"));
        (0..connections).for_each(|connection| stage.start(connection));
        assert_eq!(stage.works, (0..connections).collect::<Vec<_>>());
        stage
    }

    /// Makes a connection.
    pub(super) fn start(&mut self, connection: usize) {
        self.pool.up(self.now, connection, 0);
        self.act();
        self.say(connection, &Peer::start());
    }

    /// Asks for something under the next number, which is returned.
    pub(super) fn ask(&mut self, transaction: Transaction) -> u64 {
        self.asked += 1;
        self.pool.ask(self.now, self.asked, transaction, self.now + PATIENCE);
        self.asked
    }

    /// The same, for what is carried out before all else.
    pub(super) fn ask_first(&mut self, transaction: Transaction) {
        self.asked += 1;
        self.pool.ask_first(self.now, self.asked, transaction, self.now + PATIENCE);
        self.act();
    }

    /// Asks for all of these in one turn.
    pub(super) fn ask_all(&mut self, transactions: impl IntoIterator<Item = Transaction>) {
        for transaction in transactions {
            self.ask(transaction);
        }
        self.act();
    }

    /// Some time passes, with all that is due meanwhile. Servers that do not hang answer whether they are still there.
    pub(super) fn wait(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        while let Some(at) = self.pool.next_at().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.pool.expire(self.now);
            self.act();
            assert!(self.pool.next_at().is_none_or(|next| next > self.now), "what is due is done");
            self.answer_questions();
        }
        self.now = end;
    }

    fn answer_questions(&mut self) {
        for connection in 0..self.peers.len() {
            let peer = &mut self.peers[connection];
            if !peer.hangs && peer.is_asked_again() {
                self.say(connection, &Peer::is_read_only("off"));
            }
        }
    }

    /// A server answers its first flight.
    pub(super) fn serve(&mut self, connection: usize, answer: Served) {
        if let Served::Success = answer {
            self.carried_out.extend(&self.flights(connection)[0]);
        }
        let bytes = self.peers[connection].answer(answer);
        self.say(connection, &bytes);
    }

    /// All servers answer all that they are asked for, until there is nothing.
    pub(super) fn serve_all(&mut self) {
        while let Some(connection) = self.peers.iter().position(|peer| !peer.flights().is_empty()) {
            self.serve(connection, Served::Success);
        }
    }

    pub(super) fn say(&mut self, connection: usize, bytes: &[u8]) {
        self.pool.received(self.now, connection, bytes);
        self.act();
    }

    pub(super) fn lose(&mut self, connection: usize) {
        self.peers[connection] = Peer::default();
        self.pool.down(self.now, connection, "it closed the connection");
        self.act();
    }

    /// What a server was sent and has not answered.
    pub(super) fn flights(&self, connection: usize) -> Vec<Vec<i64>> {
        self.peers[connection].flights()
    }

    /// What was answered since that was looked at.
    pub(super) fn take_ended(&mut self) -> Vec<(u64, Result<Vec<i64>, String>)> {
        std::mem::take(&mut self.ended)
    }

    /// A key whose lane is at home at this connection.
    pub(super) fn key(&self, connection: usize) -> u64 {
        (1..).find(|key| self.pool.lane(Some(*key)) == connection).unwrap()
    }

    pub(super) fn act(&mut self) {
        self.pool.is_open |= self.is_kept_open;
        while let Some(action) = self.pool.next_action() {
            match action {
                Action::Ended(number, answer) => self.ended.push((number, worded(answer))),
                Action::Write(connection, bytes) => {
                    // Only what a connection starts with has no tag, but a length.
                    if bytes[0] == 0 {
                        self.starts.push(connection);
                    }
                    self.peers[connection].receive(&bytes);
                }
                Action::Encrypt(connection) => self.encrypts.push(connection),
                Action::Reset(connection, reason) => {
                    self.peers[connection] = Peer::default();
                    self.resets.push((connection, reason));
                }
                Action::Works(connection) => self.works.push(connection),
            }
        }
    }
}

fn worded(answer: Result<Answer, Error>) -> Result<Vec<i64>, String> {
    match answer {
        Ok(Ok(replies)) => {
            Ok(replies.iter().flat_map(|reply| &reply.rows).map(|row| row.int(0).unwrap()).collect())
        }
        Ok(Err(_)) => Err("refused".to_owned()),
        Err(error) => Err(format!("{} {}", Code::NAMES[error.code as usize], error.message)),
    }
}

pub(super) fn read(key: u64, value: i64) -> Transaction {
    Transaction::read(Some(key), call(READ, value))
}

pub(super) fn lookup(key: u64, value: i64) -> Transaction {
    Transaction::lookup(key, call(READ, value))
}

pub(super) fn search(value: i64) -> Transaction {
    Transaction::read(None, call(READ, value))
}

pub(super) fn write(key: u64, effect: Effect, value: i64) -> Transaction {
    Transaction::write(key, effect, vec![call(WRITE, value)])
}

fn call(statement: Statement, value: i64) -> Call {
    statement.with([Value::Int(value)])
}

pub(super) fn nothing_changed(what: &str) -> Result<Vec<i64>, String> {
    Err(format!("unavailable the store {what}; nothing was changed"))
}

pub(super) fn unknown() -> Result<Vec<i64>, String> {
    Err("unavailable the store did not answer; the change may have been made".to_owned())
}
