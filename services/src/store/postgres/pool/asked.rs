//! [`Asked`]: a transaction that was asked for and is not answered, or whose late outcome is yet to come; and what is said
//! of one that has not come to a good end.
//!
//! It sends nothing, and has no clock.

use std::time::Duration;

use net::Time;

use super::super::operation::{Sharing, Transaction};
use crate::api::Effect;
use crate::api::error::{Code, Error};

/// The longest pause before the first time that something is tried again, which the longest doubles with each time: about
/// what the transaction takes that was in the way.
const PAUSE_MAX_FIRST: Duration = Duration::from_millis(1);
/// It doubles so often: up to 64 ms, which leaves a call some attempts within its deadline.
const PAUSE_DOUBLINGS_MAX: u32 = 6;

/// A transaction that was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// What it is answered under.
    pub(super) number: u64,
    /// Its place among all that were asked for.
    pub(super) order: u64,
    pub(super) transaction: Transaction,
    pub(super) deadline: Time,
    /// It is not sent earlier.
    pub(super) not_before: Time,
    /// How often it was tried in vain, for reasons that another time may find gone.
    pub(super) attempts: u32,
    /// An attempt was made of which nobody knows what has become.
    pub(super) may_be_done: bool,
    /// Its deadline has passed while it was under way. It is a tombstone, which keeps its place to swallow the outcome.
    pub(super) is_answered: bool,
}

impl Asked {
    /// One that is to be sent as soon as may be.
    pub(super) fn new(number: u64, order: u64, transaction: Transaction, deadline: Time) -> Self {
        Self {
            number,
            order,
            transaction,
            deadline,
            not_before: Time::default(),
            attempts: 0,
            may_be_done: false,
            is_answered: false,
        }
    }

    /// Whether it may be answered together with others.
    pub(super) fn is_lookup(&self) -> bool {
        !self.transaction.effect.is_write() && self.transaction.sharing == Sharing::All
    }

    /// Whether it may be carried out again if nobody knows whether it was.
    pub(super) fn is_repeatable(&self) -> bool {
        self.transaction.effect != Effect::Once
    }

    /// It is tried again after a pause. Who were in each other's way would be again if all paused alike, so it lasts from
    /// nothing to the longest, as chance has it.
    pub(super) fn pause(&mut self, now: Time, chance: u64) {
        let longest = PAUSE_MAX_FIRST * (1 << self.attempts.min(PAUSE_DOUBLINGS_MAX));
        let longest_nanos = u64::try_from(longest.as_nanos()).expect("it is short");
        self.not_before = now + Duration::from_nanos(chance % (longest_nanos + 1));
        self.attempts = self.attempts.saturating_add(1);
    }

    /// What is said when its deadline passes while it waits. `hindrance`: what is said of one that was never sent.
    pub(super) fn late(&self, hindrance: &str) -> Error {
        self.unavailable(match (self.may_be_done, self.attempts) {
            (true, _) => "did not answer",
            (false, 1..) => "could not carry it out in time",
            (false, 0) => hindrance,
        })
    }

    /// What is said if its outcome is unknown, or has not come by its deadline.
    pub(super) fn unanswered(&mut self) -> Error {
        self.may_be_done = true;
        self.unavailable("did not answer")
    }

    /// What is said if the engine takes it for a mistake.
    pub(super) fn defective(&self) -> Error {
        Error::new(Code::Internal, format!("the store refuses a statement; {}", self.what_was_changed()))
    }

    fn unavailable(&self, what: &str) -> Error {
        Error::new(Code::Unavailable, format!("the store {what}; {}", self.what_was_changed()))
    }

    fn what_was_changed(&self) -> &'static str {
        if self.may_be_done && self.transaction.effect.is_write() {
            "the change may have been made"
        } else {
            "nothing was changed"
        }
    }
}

/// What is said where too much waits already.
pub(super) fn refused_early() -> Error {
    let message = "the store has too many requests in flight, try again in 1 s; nothing was changed";
    Error::new(Code::ResourceExhausted, message)
}
