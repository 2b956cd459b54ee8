//! A real PostgreSQL beside the program, and beside the connection that the program has to it.
//!
//! Where no PostgreSQL or PgBouncer is installed, what needs one is skipped and says so, unless
//! `MARKETPLACE_TEST_POSTGRES=required`.

mod copy;
mod driver;
mod flights;
mod migrate;
mod services;
mod up;

use support::Program;

/// What is tested.
const PROGRAM: Program = Program::at(env!("CARGO_BIN_EXE_marketplace"));
