//! PostgreSQL, and what speaks its wire protocol, as the place of the databases: how it is reached, what is asked of it in
//! which words, and what tables it has.
//!
//! All of it is state machines: nothing here has a socket, a clock or a thread, and encryption is its driver's. The one
//! exception is chance: a SCRAM nonce is drawn by the library that knows that method, when a connection is made.

mod answers;
mod config;
#[allow(dead_code, reason = "the service around it is to come")]
mod customer;
#[allow(dead_code, reason = "the service around it is to come")]
mod domain;
mod migration;
#[allow(dead_code, reason = "the service around it is to come")]
mod operation;
#[allow(dead_code, reason = "the service around it is to come")]
mod schema;
mod wire;

pub use self::config::{BadConfig, Config, Encryption, Host, Password};
pub use self::migration::{Migrated, Migration, MigrationError};
pub use self::wire::{
    BadRow, Call, Class, Connection, Event, Failure, Flight, Outcome, Reply, Row, ServerError, Statement,
    Ticket, Value,
};
