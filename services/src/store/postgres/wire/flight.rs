//! [`Flight`]: what is sent to an engine together, and [`Outcome`]: what becomes of it.

use super::error::ServerError;
use super::row::{Row, Value};

/// A statement of SQL, which is fixed when the program is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What the server is to remember it by; empty if it need not, because it is used once.
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

/// A statement with its parameters. The types of these are always the same for the same statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(super) statement: Statement,
    pub(super) values: Vec<Value>,
}

/// What is sent together: statements that change nothing, one that does, or those of a transaction.
#[derive(Clone, Debug)]
pub struct Flight {
    pub(super) calls: Vec<Call>,
    pub(super) is_transaction: bool,
}

/// Which flight of a connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(pub(super) u64);

/// What a statement has led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// What it returns.
    pub rows: Vec<Row>,
    /// Whether it has changed any row.
    pub is_change: bool,
}

/// What has become of a flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is committed; what each of its statements has led to.
    Done(Vec<Reply>),
    /// Nothing of it was done. The error is that of the statement of this number, counted from 0; one more than there
    /// are is the commit's.
    Failed {
        /// Which statement.
        call: usize,
        /// Why.
        error: ServerError,
    },
    /// Nothing of it was done: the connection was lost before its commit was sent.
    Lost,
    /// It may have been done, or not.
    Unknown,
}

impl Statement {
    /// A statement that is used again and again: each connection prepares it once, under this name, which no other
    /// statement has.
    pub const fn kept(name: &'static str, sql: &'static str) -> Self {
        assert!(!name.is_empty(), "a statement that is kept has a name");
        Self { name, sql }
    }

    /// A statement that is hardly ever used.
    pub const fn once(sql: &'static str) -> Self {
        Self { name: "", sql }
    }

    /// It, with its parameters.
    pub fn with(self, values: impl Into<Vec<Value>>) -> Call {
        Call { statement: self, values: values.into() }
    }
}

impl Flight {
    /// The most statements of a flight: a purchase of a thousand lines, with four for each.
    pub const CALLS_MAX: usize = 4096;

    /// One statement, which is a transaction of its own.
    pub fn single(call: Call) -> Self {
        Self { calls: vec![call], is_transaction: false }
    }

    /// Statements that change nothing, whose answers come together; 1 to 4096.
    ///
    /// A server ends what came before a Sync in one go, and then sends what it has to say: that costs it more than to find a
    /// row does. Without a BEGIN it need not be told to, either.
    pub fn lookups(calls: Vec<Call>) -> Self {
        assert!((1..=Self::CALLS_MAX).contains(&calls.len()), "a flight has 1 to 4096 statements");
        Self { calls, is_transaction: false }
    }

    /// Statements of which all take place, or none; 1 to 4096.
    pub fn transaction(calls: Vec<Call>) -> Self {
        assert!((1..=Self::CALLS_MAX).contains(&calls.len()), "a transaction has 1 to 4096 statements");
        Self { calls, is_transaction: true }
    }
}
