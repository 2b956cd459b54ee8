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
mod ledger;
mod load;
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

use serde_json::json;
use support::{Client, Program};

/// What is tested.
const PROGRAM: Program = Program::at(env!("CARGO_BIN_EXE_marketplace"));
/// The password of all accounts.
const PASSWORD: &str = "correct horse";

/// Opens an account and a session.
#[track_caller]
fn log_in(client: &mut Client, name: &str) -> String {
    client.ok("CreateAccount", json!({"name": name, "password": PASSWORD}));
    let login = client.ok("Login", json!({"name": name, "password": PASSWORD}));
    login["session_id"].as_str().expect("a login has it").to_owned()
}
