//! What the suites have in common: a client, and the program under test as processes. It knows the program from outside,
//! as its users do, and none of its code.

mod client;
mod failure;
mod marketplace;
mod process;
mod program;
mod reply;
mod service;
mod wait;

pub use client::{Client, request};
pub use failure::Failure;
pub use marketplace::{Addresses, Marketplace};
pub use process::{Process, processes};
pub use program::{Program, assert_code, stderr, stdout};
pub use reply::Reply;
pub use service::{SERVICES, Service, own_host};
pub use wait::{PATIENCE, POLL, wait_until};
