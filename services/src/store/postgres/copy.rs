//! [`Copying`]: fills the empty tables of a database with what another store has of it, flight by flight.
//!
//! While that goes on, the version of the tables is a number that stands for what is copied, and no service starts on them:
//! half of a database would look like all of it. So a copy that is broken off can be told from tables in use, and the same
//! copy begun again goes on with it: what is there already is left as it is. A copy of anything else is refused, and so is
//! one of the same once that has changed, because what is there would be of the old.
//!
//! Each transaction makes sure that the version is still that, and keeps others from it. In the end all tables are counted:
//! a service that has run on them since before the copy may have written to them. Only then the version is what it was, of
//! both databases at once.

mod batch;

use std::fmt;

use super::schema::{Schema, copy_mark, is_copy_mark};
use super::wire::{Call, Class, Flight, Outcome, Reply, ServerError, Statement, Value};

pub(super) use self::batch::{Batch, Table, Translator};

/// How often a flight is tried that the engine undoes.
const ATTEMPTS_MAX: u32 = 10;

const MARK: Statement = Statement::kept(
    "copy_mark",
    "UPDATE market_schema SET version = $3 WHERE service = $1 AND version = $2 RETURNING service",
);
const HOLD: Statement =
    Statement::kept("copy_hold", "UPDATE market_schema SET version = version WHERE service = $1");
/// Fails where the version is another one, because the row is there already.
const CHECK: Statement = Statement::kept(
    "copy_check",
    "INSERT INTO market_schema (service, version)
        SELECT service, version FROM market_schema WHERE service = $1 AND version <> $2",
);
/// What has happened where the version is not what was written there.
const CHANGED: &str = "the version of the tables has changed";
/// How many statements of a transaction make sure of the version.
const GUARDS: usize = 2;

/// A copy of one database, whose rows are of type `R`.
///
/// Its driver asks it for [`flight`](Self::flight)s after each other call until there is none, and says what has become of
/// each. It calls [`look`](Self::look), then [`claim`](Self::claim), [`add`](Self::add) for each row,
/// [`add_rest`](Self::add_rest) until that says that nothing is left, and [`count`](Self::count). Each of these is done for
/// all copies before the next one is, but for the rows and what follows from them. At last their
/// [`ending`](Self::ending)s are sent together.
pub struct Copying<R> {
    schema: &'static Schema,
    /// The version of the tables while they are filled.
    mark: i64,
    translator: Box<dyn Translator<R>>,
    batch: Batch,
    /// Whether this goes on with a copy that was broken off.
    is_resumed: bool,
    /// What is under way or to be sent, and how often it was tried in vain.
    next: Option<(Step, Flight)>,
    attempts: u32,
}

/// The last step of copies: their tables may be used from then on, of all of them or of none.
#[derive(Clone, Debug)]
pub struct CopyEnding(Vec<Call>);

/// Why a copy has come to its end too early.
#[derive(Debug, PartialEq, Eq)]
pub enum CopyError {
    /// The tables are of no use as they are, and why.
    Unfit(String),
    /// They are not empty.
    NotEmpty {
        /// One of them.
        table: &'static str,
    },
    /// They hold a part of something else.
    Other {
        /// The service's name without its `db_`.
        service: &'static str,
    },
    /// Somebody else has written to them meanwhile.
    Disturbed {
        /// What was found.
        what: String,
    },
    /// The engine has refused a statement.
    Refused(ServerError),
    /// The connection was lost.
    Interrupted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// See which version there is.
    Version,
    /// See whether the tables are empty.
    Empty,
    /// Write down that they are filled.
    Claim,
    /// Fill them.
    Fill,
    /// See whether they are as they should be.
    Count,
}

impl<R> Copying<R> {
    /// A copy into these tables. `fingerprint` tells what is copied from everything else.
    pub(super) fn new(schema: &'static Schema, fingerprint: u64, translator: Box<dyn Translator<R>>) -> Self {
        let (mark, batch) = (copy_mark(fingerprint), Batch::new(translator.tables()));
        Self { schema, mark, translator, batch, is_resumed: false, next: None, attempts: 0 }
    }

    /// Sees whether the tables can be filled. Nothing is changed.
    pub fn look(&mut self) {
        self.send(Step::Version, Flight::single(self.schema.ask_version()));
    }

    /// Writes down that they are filled.
    pub fn claim(&mut self) {
        if !self.is_resumed {
            let change = [self.service(), self.version(), Value::Int(self.mark)];
            self.send(Step::Claim, Flight::single(MARK.with(change)));
        }
    }

    /// Takes a row, in the order in which a service loads them. False if it makes no sense.
    pub fn add(&mut self, row: R) -> bool {
        let makes_sense = self.translator.add(row, &mut self.batch);
        if self.batch.is_full() {
            self.fill();
        }
        makes_sense
    }

    /// Takes some of what follows from all rows together. False if nothing is left to send.
    pub fn add_rest(&mut self) -> bool {
        self.translator.add_rest(&mut self.batch);
        self.fill()
    }

    /// Counts what is there.
    pub fn count(&mut self) {
        self.send(Step::Count, self.counts());
    }

    /// What is to be sent next, if anything is.
    pub fn flight(&self) -> Option<Flight> {
        self.next.as_ref().map(|(_, flight)| flight.clone())
    }

    /// What has become of that.
    ///
    /// # Errors
    /// The copy has come to its end.
    pub fn answered(&mut self, outcome: Outcome) -> Result<(), CopyError> {
        let (step, flight) = self.next.take().expect("it was sent");
        let replies = match outcome {
            Outcome::Done(replies) => replies,
            Outcome::Failed { error, .. }
                if error.class() == Class::Replay && self.attempts < ATTEMPTS_MAX =>
            {
                self.attempts += 1;
                self.next = Some((step, flight));
                return Ok(());
            }
            Outcome::Failed { call, error } => return Err(self.refused(step, call, error)),
            Outcome::Lost | Outcome::Unknown => return Err(CopyError::Interrupted),
        };
        self.attempts = 0;
        match step {
            Step::Version => self.found(&replies),
            Step::Empty => self.check_empty(&replies),
            Step::Claim if replies.first().is_none_or(|reply| reply.rows.is_empty()) => {
                Err(self.disturbed(CHANGED))
            }
            Step::Claim | Step::Fill => Ok(()),
            Step::Count => self.check_counts(&replies),
        }
    }

    /// How many rows each table has got.
    pub fn copied(&self) -> &[(&'static str, u64)] {
        self.batch.counts()
    }

    fn send(&mut self, step: Step, flight: Flight) {
        assert!(self.next.is_none(), "one flight is answered before the next one is sent");
        self.next = Some((step, flight));
    }

    /// Sends what was gathered. False if that is nothing.
    fn fill(&mut self) -> bool {
        let calls = self.batch.take();
        if calls.is_empty() {
            return false;
        }
        let guards: [_; GUARDS] =
            [HOLD.with([self.service()]), CHECK.with([self.service(), Value::Int(self.mark)])];
        self.send(Step::Fill, Flight::transaction(guards.into_iter().chain(calls).collect()));
        true
    }

    fn counts(&self) -> Flight {
        let tables = self.translator.tables();
        Flight::transaction(tables.iter().map(|table| table.count.with([])).collect())
    }

    fn found(&mut self, replies: &[Reply]) -> Result<(), CopyError> {
        let found = Schema::told_version(replies).map_err(|error| CopyError::Unfit(error.to_string()))?;
        if found == self.mark {
            self.is_resumed = true;
            return Ok(());
        }
        if is_copy_mark(found) {
            return Err(CopyError::Other { service: self.schema.service });
        }
        self.schema.check_version(found).map_err(CopyError::Unfit)?;
        if self.version() != Value::Int(found) {
            let service = self.schema.service;
            let what = format!(
                "the tables of {service} have version {found}, which is newer than this program: use the newer program"
            );
            return Err(CopyError::Unfit(what));
        }
        self.send(Step::Empty, self.counts());
        Ok(())
    }

    fn check_empty(&self, replies: &[Reply]) -> Result<(), CopyError> {
        let tables = self.translator.tables().iter();
        let filled = tables.zip(replies).find(|(_, reply)| rows_of(reply) != Some(0));
        filled.map_or(Ok(()), |(table, _)| Err(CopyError::NotEmpty { table: table.name }))
    }

    fn check_counts(&self, replies: &[Reply]) -> Result<(), CopyError> {
        for ((table, expected), reply) in self.copied().iter().zip(replies) {
            let found = rows_of(reply);
            if found != Some(*expected) {
                let found = found.unwrap_or_default();
                return Err(self.disturbed(&format!("{table} has {found} rows in place of {expected}")));
            }
        }
        Ok(())
    }

    fn refused(&self, step: Step, call: usize, error: ServerError) -> CopyError {
        match step {
            // Whoever is asked knows no such table.
            Step::Version if error.class() == Class::Defect => {
                CopyError::Unfit(self.schema.check_version(0).expect_err("there must be some"))
            }
            Step::Fill if error.class() == Class::Refusal && call < GUARDS => self.disturbed(CHANGED),
            _ => CopyError::Refused(error),
        }
    }

    fn disturbed(&self, what: &str) -> CopyError {
        CopyError::Disturbed { what: format!("{}: {what}", self.schema.service) }
    }

    fn service(&self) -> Value {
        Value::Text(self.schema.service.to_owned())
    }

    /// The version of the tables when nothing is copied.
    fn version(&self) -> Value {
        Value::Int(i64::try_from(self.schema.version()).expect("there are few"))
    }

    /// What is to be done when all copies have been [counted](Self::count).
    pub fn ending(&self) -> CopyEnding {
        CopyEnding(vec![MARK.with([self.service(), Value::Int(self.mark), self.version()])])
    }
}

impl CopyEnding {
    /// This one and another.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// What is to be sent.
    pub fn flight(&self) -> Flight {
        Flight::transaction(self.0.clone())
    }

    /// What has become of that.
    ///
    /// # Errors
    /// The copies have not come to their end, or nobody knows.
    pub fn answered(&self, outcome: Outcome) -> Result<(), CopyError> {
        match outcome {
            Outcome::Done(replies) if replies.iter().all(|reply| !reply.rows.is_empty()) => Ok(()),
            Outcome::Done(_) => Err(CopyError::Disturbed { what: CHANGED.to_owned() }),
            Outcome::Failed { error, .. } => Err(CopyError::Refused(error)),
            Outcome::Lost | Outcome::Unknown => Err(CopyError::Interrupted),
        }
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(what) => f.write_str(what),
            Self::NotEmpty { table } => {
                write!(f, "the table {table} has rows already: a copy goes into tables without any")
            }
            Self::Other { service } => write!(
                f,
                "the tables of {service} have a part of other data, or of these before they were changed: make a new \
                 database for them, and run `marketplace migrate`"
            ),
            Self::Disturbed { what } => write!(
                f,
                "somebody else has written to the tables ({what}): stop the services that use them, make a new database \
                 for them, and run `marketplace migrate`"
            ),
            Self::Refused(error) => write!(f, "the server refuses a statement: {error}"),
            Self::Interrupted => {
                f.write_str("the connection was lost in the middle: run it again, which goes on with it")
            }
        }
    }
}

/// What a table's count says.
fn rows_of(reply: &Reply) -> Option<u64> {
    reply.rows.first().and_then(|row| row.int(0).ok()).and_then(|count| u64::try_from(count).ok())
}

#[cfg(test)]
mod tests;
