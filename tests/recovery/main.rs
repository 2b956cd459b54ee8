//! The real services as processes that are killed, stopped, starved and misused: what was acknowledged
//! survives, and what fails says so.
//!
//! Each test has services of its own, on a loopback address of its own, which takes Linux.

mod abandoned;
mod admin;
mod backups;
mod databases;
mod descriptors;
mod kills;
mod memory;
mod options;
mod outages;
mod places;
mod purchases;
mod races;
mod replicas;
mod rogue_databases;
mod rogue_frontends;
mod secrets;
mod signals;
mod tls;
mod up;
mod up_options;
mod upgrades;

use support::{PASSWORD, Program, log_in};

/// What is tested.
const PROGRAM: Program = Program::at(env!("CARGO_BIN_EXE_marketplace"));
