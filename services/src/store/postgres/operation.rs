//! [`Step`]: how a request is carried out on an engine: a transaction at a time, each of which goes on with what came of
//! the one before.
//!
//! It sends nothing, and knows neither APIs nor statements.

use net::Time;

use super::wire::{Call, Reply};
use crate::api::error::Error;
use crate::api::{Effect, Encode};
use crate::engine::domain::Job;

/// What a request does next. `S` is what its service keeps between requests, of which nothing is the truth.
pub(super) enum Step<S> {
    /// Have this carried out, and go on with what comes of it.
    Ask(Transaction, Next<S>),
    /// Its work goes on off the thread, and it with what comes of that.
    Work(Job),
    /// The JSON of the reply's `data`.
    Reply(Vec<u8>),
}

/// How a request goes on.
pub(super) type Next<S> = Box<dyn FnOnce(&mut S, Time, Answer) -> Result<Step<S>, Error>>;

/// What came of a transaction: what each of its statements has led to.
pub(super) type Answer = Result<Vec<Reply>, Refused>;

/// A constraint refuses a transaction, so that nothing of it was done. What is in the way is to be read, because engines
/// word that differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// Statements of which all take place, or none.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    /// What it is about. Those of the same key are carried out in the order in which they are asked for. `None`: it looks at
    /// more than one thing, and must see what was done before it.
    pub(super) key: Option<u64>,
    /// Its place among those that share a transaction: all groups take their locks in this order. It is the key of what it
    /// locks first.
    pub(super) rank: u64,
    /// What it changes, and so whether it may be carried out again if nobody knows whether it was.
    pub(super) effect: Effect,
    pub(super) calls: Vec<Call>,
    pub(super) sharing: Sharing,
    /// Whether the engine may well take it for a mistake. That is an answer then, and the log has nothing of it.
    pub(super) is_tentative: bool,
}

/// With which others something may be carried out in one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Whatever they are about.
    All,
    /// Those of the same key. What locks more than its rank tells does so, as long as all of a key lock the same.
    SameKey,
    /// None: one error undoes all of a transaction, so that is for what is likely to be refused, or locks what only it knows.
    Nobody,
}

impl Transaction {
    /// A statement that changes nothing.
    pub(super) fn read(key: Option<u64>, call: Call) -> Self {
        Self::reads(key, vec![call])
    }

    /// A statement that finds what has this key, and changes nothing. It takes so little time that others may be answered
    /// together with it.
    pub(super) fn lookup(key: u64, call: Call) -> Self {
        Self { sharing: Sharing::All, ..Self::read(Some(key), call) }
    }

    /// Statements that change nothing.
    pub(super) fn reads(key: Option<u64>, calls: Vec<Call>) -> Self {
        Self { key, rank: 0, effect: Effect::Read, calls, sharing: Sharing::Nobody, is_tentative: false }
    }

    /// Statements that change what has this key. They may be carried out in one transaction with others.
    pub(super) fn write(key: u64, effect: Effect, calls: Vec<Call>) -> Self {
        assert!(effect.is_write(), "what changes nothing is a read");
        Self { key: Some(key), rank: key, effect, calls, sharing: Sharing::All, is_tentative: false }
    }

    /// The same, which first locks what has another key.
    pub(super) fn ranked(self, rank: u64) -> Self {
        Self { rank, ..self }
    }

    /// The same, in a transaction of its own.
    pub(super) fn alone(self) -> Self {
        Self { sharing: Sharing::Nobody, ..self }
    }

    /// The same, in a transaction with others of its key at most.
    pub(super) fn with_its_like(self) -> Self {
        Self { sharing: Sharing::SameKey, ..self }
    }

    /// The same, which the engine may well take for a mistake.
    pub(super) fn tentative(self) -> Self {
        Self { is_tentative: true, ..self }
    }
}

impl<S> Step<S> {
    /// Have this carried out, and go on with what comes of it.
    ///
    /// # Errors
    /// None; it is a step as flows return it.
    pub(super) fn ask(
        transaction: Transaction,
        next: impl FnOnce(&mut S, Time, Answer) -> Result<Self, Error> + 'static,
    ) -> Result<Self, Error> {
        Ok(Self::Ask(transaction, Box::new(next)))
    }

    /// The request is answered by this.
    ///
    /// # Errors
    /// None; it is a step as flows return it.
    pub(super) fn reply(reply: &impl Encode) -> Result<Self, Error> {
        let mut data = Vec::new();
        reply.encode(&mut data);
        Ok(Self::Reply(data))
    }
}
