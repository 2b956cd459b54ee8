//! [`SqlError`]: what goes wrong with a statement, by the code that PostgreSQL has for it (SQLSTATE).

use std::fmt::Display;

/// An error that a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SqlError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The connection ends with it.
    pub(crate) is_fatal: bool,
}

impl SqlError {
    /// The code of what cannot be read.
    pub(crate) const SYNTAX: &'static str = "42601";

    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), is_fatal: false }
    }

    /// What the real server may know, and this one does not.
    pub(crate) fn unsupported(what: impl Display) -> Self {
        Self::new("0A000", format!("not supported by this server: {what}"))
    }

    /// The types of an expression do not go together.
    pub(crate) fn type_mismatch(what: impl Display) -> Self {
        Self::new("42804", format!("{what} is of another type"))
    }

    pub(crate) fn out_of_range() -> Self {
        Self::new("22003", "bigint out of range")
    }

    /// Others have changed what a transaction sees as it was.
    pub(crate) fn concurrent_update() -> Self {
        Self::new("40001", "could not serialize access due to concurrent update")
    }

    /// There may be no order of transactions in which each would see what it has seen.
    pub(crate) fn dependencies() -> Self {
        let message = "could not serialize access due to read/write dependencies among transactions";
        Self::new("40001", message)
    }

    pub(crate) fn deadlock() -> Self {
        Self::new("40P01", "deadlock detected")
    }

    /// The transaction is to come to its end.
    pub(crate) fn failed_transaction() -> Self {
        let message = "current transaction is aborted, commands ignored until end of transaction block";
        Self::new("25P02", message)
    }

    pub(crate) fn unknown_completion() -> Self {
        Self::new("40003", "it is not known whether the transaction was committed")
    }

    /// A message is not what the protocol says that it is.
    pub(crate) fn protocol(what: impl Into<String>) -> Self {
        Self::new("08P01", what)
    }

    /// The same, where the connection ends with it.
    pub(crate) fn fatal(self) -> Self {
        Self { is_fatal: true, ..self }
    }
}
