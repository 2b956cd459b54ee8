//! [`Checks`]: whether a server is one that changes can be entrusted to. It is asked in the first flights of a connection, and
//! of one over which nothing passes now and then again.
//!
//! What an engine does not know, it is not held to: not all that speak the protocol have PostgreSQL's settings.

use std::collections::VecDeque;

use super::error::{Class, Failure};
use super::flight::{Flight, Outcome, Statement};

/// The checks that are not passed yet, in the order of their flights.
#[derive(Default)]
pub(super) struct Checks(VecDeque<Check>);

/// A setting that must not have a value.
#[derive(Clone)]
struct Check {
    ask: Statement,
    unwanted: &'static str,
    failure: Failure,
}

/// It is also on in a replica.
const READ_ONLY: Check =
    Check { ask: Statement::once("SHOW transaction_read_only"), unwanted: "on", failure: Failure::ReadOnly };
const FLUSHES: [Check; 2] = [
    Check { ask: Statement::once("SHOW fsync"), unwanted: "off", failure: Failure::Unflushed("fsync") },
    Check {
        ask: Statement::once("SHOW synchronous_commit"),
        unwanted: "off",
        failure: Failure::Unflushed("synchronous_commit"),
    },
];

impl Checks {
    /// All of them, or without those of flushing.
    pub(super) fn new(may_be_unflushed: bool) -> Self {
        let flushes = if may_be_unflushed { &[][..] } else { &FLUSHES };
        Self([READ_ONLY].iter().chain(flushes).cloned().collect())
    }

    /// What may have changed since: whether the server is there at all, and takes changes.
    pub(super) fn again() -> Self {
        Self([READ_ONLY].into())
    }

    /// How many are left.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// What is to be sent.
    pub(super) fn flights(&self) -> impl Iterator<Item = Flight> {
        self.0.iter().map(|check| Flight::single(check.ask.with([])))
    }

    /// What has become of the first flight that is left. True if none is.
    ///
    /// # Errors
    /// The server is of no use.
    pub(super) fn answered(&mut self, outcome: Outcome) -> Result<bool, Failure> {
        let check = self.0.pop_front().expect("they are asked once each");
        let replies = match outcome {
            Outcome::Done(replies) => replies,
            Outcome::Failed { error, .. } if error.class() == Class::Defect => return Ok(self.0.is_empty()),
            Outcome::Failed { error, .. } => return Err(Failure::Refused(error)),
            Outcome::Lost | Outcome::Unknown => return Err(Failure::Malformed("a setting is not told")),
        };
        let row = replies.first().and_then(|reply| reply.rows.first());
        let value = row.and_then(|row| row.text(0).ok()).ok_or(Failure::Malformed("a setting is no text"))?;
        if value == check.unwanted { Err(check.failure) } else { Ok(self.0.is_empty()) }
    }
}
