//! A server that speaks PostgreSQL's wire protocol, for simulations and tests: a state machine that does nothing by itself.
//! Bytes come in and go out, commits are on disk when its host says so, and all chance comes from a seed.
//!
//! It knows as much of SQL as the services of this house use, and refuses all else (0A000). What it is for is what
//! transactions do to each other: rows have versions, statements see snapshots, who changes a row locks it, who waits goes
//! on as PostgreSQL would at the level of isolation, and fails with the same codes. Tests hold it to the real one.
//!
//! ```text
//!  received ──► connection ──► sql (a plan) ──► change ──► store ──► storage (versions, indexes)
//!  next_output ◄── wire          └─ Reader        │          └─ conflicts (who must come before whom)
//!                                                 └─ locks (who waits for whom)
//! ```

#![forbid(unsafe_code)]

mod change;
mod conflicts;
mod connection;
mod core;
mod engine;
mod error;
mod faults;
mod locks;
mod sql;
mod storage;
mod store;
mod value;
mod wire;

pub use self::core::Commit;
pub use self::engine::{Engine, Output, Session};
pub use self::faults::Faults;
pub use self::store::Isolation;

#[cfg(test)]
mod tests;
