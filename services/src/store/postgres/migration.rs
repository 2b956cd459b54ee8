//! [`Migration`]: makes the tables of both databases, or brings them up to date, flight by flight.
//!
//! Each statement is a transaction of its own, because not all engines have such statements in others, and each may be
//! carried out again. So a migration that is broken off is made good by the next one, and two at a time do no harm. Nothing
//! is changed where the tables of any database are newer than this program.

use std::collections::VecDeque;
use std::fmt;

use super::schema::{SCHEMAS, Schema, VERSIONS, half_copied, is_copy_mark};
use super::wire::{Call, Class, Flight, Outcome, Reply, ServerError, Statement, Value};

/// How often a statement is tried that another program's stands in the way of.
const ATTEMPTS_MAX: u32 = 10;
/// What PostgreSQL says where two programs make or change the same table at a time: it is there already, though it was not
/// when that was looked at, or "tuple concurrently updated". A failed check of a key (23505) is another of these.
const OF_TWO_AT_A_TIME: [&str; 3] = ["42710", "42P07", "XX000"];

const ADD_VERSION: Statement = Statement::kept(
    "schema_add_version",
    "INSERT INTO market_schema (service, version) VALUES ($1, 0) ON CONFLICT (service) DO NOTHING",
);
const RAISE_VERSION: Statement = Statement::kept(
    "schema_raise_version",
    "UPDATE market_schema SET version = $2 WHERE service = $1 AND version < $2",
);

/// A migration under way.
#[derive(Debug)]
pub struct Migration {
    /// The first one is under way.
    steps: VecDeque<Step>,
    /// How often that was tried in vain.
    attempts: u32,
    migrated: Vec<Migrated>,
}

/// What was found and done about one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The service's name without its `db_`.
    pub service: &'static str,
    /// The version of its tables before; 0 if there were none.
    pub from: usize,
    /// Their version now.
    pub to: usize,
}

/// Why a migration has come to its end too early.
#[derive(Debug, PartialEq, Eq)]
pub enum MigrationError {
    /// The tables are of a later version of the program.
    Newer {
        /// The service's name without its `db_`.
        service: &'static str,
        /// Their version.
        found: i64,
        /// The newest one that is known.
        known: usize,
    },
    /// The tables are being filled by a copy.
    HalfCopied {
        /// The service's name without its `db_`.
        service: &'static str,
    },
    /// The engine has refused a statement.
    Refused(ServerError),
    /// The connection was lost.
    Interrupted,
    /// The table of versions is not what it should be.
    BadTable,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Make the table of versions.
    Prepare,
    /// See which version there is.
    Read(&'static Schema),
    /// Carry out a statement of a migration.
    Apply(&'static str),
    /// Write down that a version is reached.
    Record(&'static Schema, usize),
}

impl Migration {
    /// One that has yet to begin.
    pub fn new() -> Self {
        let reads = SCHEMAS.iter().map(Step::Read);
        Self { steps: [Step::Prepare].into_iter().chain(reads).collect(), attempts: 0, migrated: Vec::new() }
    }

    /// What is to be sent next; nothing once it is done.
    pub fn flight(&self) -> Option<Flight> {
        Some(match *self.steps.front()? {
            Step::Prepare => Flight::single(Statement::once(VERSIONS).with([])),
            Step::Apply(statement) => Flight::single(Statement::once(statement).with([])),
            Step::Read(schema) => Flight::single(schema.ask_version()),
            Step::Record(schema, version) => Flight::transaction(record(schema, version)),
        })
    }

    /// What has become of that.
    ///
    /// # Errors
    /// The migration has come to its end.
    pub fn answered(&mut self, outcome: Outcome) -> Result<(), MigrationError> {
        let replies = match outcome {
            Outcome::Done(replies) => replies,
            Outcome::Failed { error, .. } => return self.refused(error),
            Outcome::Lost | Outcome::Unknown => return Err(MigrationError::Interrupted),
        };
        self.attempts = 0;
        if let Some(Step::Read(schema)) = self.steps.pop_front() {
            self.found(schema, &replies)?;
        }
        Ok(())
    }

    /// What was found and done.
    pub fn migrated(&self) -> &[Migrated] {
        &self.migrated
    }

    /// Tries again what another program may have stood in the way of.
    fn refused(&mut self, error: ServerError) -> Result<(), MigrationError> {
        self.attempts += 1;
        let is_passing = matches!(error.class(), Class::Replay | Class::Refusal)
            || OF_TWO_AT_A_TIME.contains(&error.code.as_str());
        match is_passing && self.attempts < ATTEMPTS_MAX {
            true => Ok(()),
            false => Err(MigrationError::Refused(error)),
        }
    }

    /// Plans what is missing in a version that was found.
    fn found(&mut self, schema: &'static Schema, replies: &[Reply]) -> Result<(), MigrationError> {
        let found = Schema::told_version(replies).map_err(|_| MigrationError::BadTable)?;
        let known = schema.version();
        if is_copy_mark(found) {
            return Err(MigrationError::HalfCopied { service: schema.service });
        }
        let from = usize::try_from(found).map_err(|_| MigrationError::BadTable)?;
        if from > known {
            return Err(MigrationError::Newer { service: schema.service, found, known });
        }
        for (number, migration) in (1..).zip(schema.migrations).skip(from) {
            self.steps.extend(migration.iter().copied().map(Step::Apply));
            self.steps.push_back(Step::Record(schema, number));
        }
        self.migrated.push(Migrated { service: schema.service, from, to: known });
        Ok(())
    }
}

impl Default for Migration {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Migrated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, from, to } = self;
        match from {
            0 => write!(f, "{service}: made the tables, version {to}"),
            from if from == to => write!(f, "{service}: up to date, version {to}"),
            from => write!(f, "{service}: brought the tables from version {from} to {to}"),
        }
    }
}

impl fmt::Display for MigrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { service, found, known } => write!(
                f,
                "the tables of {service} have version {found}, and this program knows versions up to {known}: \
                 use the newer program"
            ),
            Self::HalfCopied { service } => f.write_str(&half_copied(service)),
            Self::Refused(error) => write!(f, "the server refuses a statement: {error}"),
            Self::Interrupted => {
                f.write_str("the connection was lost in the middle: run it again, which does no harm")
            }
            Self::BadTable => f.write_str("the table market_schema is not this program's"),
        }
    }
}

fn record(schema: &Schema, version: usize) -> Vec<Call> {
    let version = Value::Int(i64::try_from(version).expect("there are few"));
    vec![ADD_VERSION.with([name(schema)]), RAISE_VERSION.with([name(schema), version])]
}

fn name(schema: &Schema) -> Value {
    Value::Text(schema.service.to_owned())
}

#[cfg(test)]
mod tests;
