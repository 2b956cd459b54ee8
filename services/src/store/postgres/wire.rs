//! The wire protocol, from the side of the client (version 3.0): one connection as a state machine ([`Connection`]), and
//! what is sent over it ([`Flight`]).
//!
//! ```text
//!  driver                Connection
//!  bytes in  ──► received ─► messages ─┬─► handshake   who we are
//!                                      └─► pipeline ─► running    one for each flight, up to its Outcome
//!  bytes out ◄── take_output                ├─► prepared   which statements the server knows
//!  what to do ◄── next_event                └─► checks     its first flights: what it is like
//! ```
//!
//! The codec and SCRAM are those of `postgres-protocol`, which only this folder knows. There is no CancelRequest: one that
//! comes while a commit waits for its replica makes the server report success.

mod checks;
mod connection;
mod error;
mod flight;
mod handshake;
mod messages;
mod pipeline;
mod prepared;
mod row;
mod running;
#[cfg(test)]
pub(super) mod server;
#[cfg(test)]
pub(super) mod single;

pub use self::connection::{Connection, Event};
pub use self::error::{Class, Failure, ServerError};
pub use self::flight::{Call, Flight, Outcome, Reply, Statement, Ticket};
pub use self::row::{BadRow, Row, Value};

#[cfg(test)]
mod tests;
