//! What the suites have in common: a client, users who check what was acknowledged, the program under test as processes, and
//! a service that answers from a script. It knows the program from outside,
//! as its users do, and none of its code.

mod client;
mod failure;
mod fake;
mod guard;
mod installed;
mod ledger;
mod load;
mod marketplace;
mod patroni;
mod postgres;
mod process;
mod program;
mod reply;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod users;
mod wait;

pub use client::{Client, request};
pub use failure::Failure;
pub use fake::{ANY_PORT, Act, Call, FakeService};
pub use ledger::{Known, Report};
pub use load::{StopAtEnd, run_during};
pub use marketplace::{Addresses, Marketplace};
pub use patroni::Patroni;
pub use postgres::Postgres;
pub use process::{Process, processes};
pub use program::{Program, assert_code, stderr, stdout};
pub use reply::Reply;
pub use service::{SERVICES, Service, own_host};
pub use store::{EngineDatabase, Store};
pub use users::{PASSWORD, assert_history, log_in};
pub use wait::{PATIENCE, POLL, wait_until};
