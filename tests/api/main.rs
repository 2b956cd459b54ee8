//! The four services over real TCP, in one process: every API, every error and every bound of the protocol, bad
//! input, and databases that come and go. How fast it all is, and what a crash leaves behind, are not tested here.
//!
//! With `MARKETPLACE_CLUSTER` in the environment, the services of most tests are real ones: see [`external`]. With
//! `MARKETPLACE_TEST_STORE`, the databases have their truth in PostgreSQL, and there are three of each service: see
//! [`Store`](support::Store).

mod accounts;
mod bounds;
mod carts;
mod categories;
mod cluster;
mod connections;
mod customer_database;
mod envelope;
mod external;
mod feedback;
mod framing;
mod items;
mod logins;
mod lost_replies;
mod memory;
mod mutations;
mod outages;
mod passwords;
mod product_database;
mod proxy;
mod purchases;
mod search;
mod sessions;
mod text;
mod wrong_replies;

use support::Program;

/// What makes the tables of an engine.
const PROGRAM: Program = Program::at(env!("CARGO_BIN_EXE_marketplace"));
/// How long a database may take for one of many requests that a client has sent at once, however busy the machine is.
const DEADLINE_MS: u64 = 60_000;
