//! The real services as processes that are killed, stopped, starved and misused: what was acknowledged
//! survives, and what fails says so.
//!
//! Each test has services of its own, on a loopback address of its own, which takes Linux.

mod admin;
mod backups;
mod client;
mod databases;
mod descriptors;
mod kills;
mod ledger;
mod load;
mod marketplace;
mod options;
mod outages;
mod process;
mod service;
mod signals;
mod up;

/// The password of all accounts.
const PASSWORD: &str = "correct horse";
