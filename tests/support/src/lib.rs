//! What the suites have in common: a client. It knows the protocol from outside, like any client, and no service's code.

mod client;
mod failure;
mod reply;
mod wait;

pub use client::{Client, request};
pub use failure::Failure;
pub use reply::Reply;
pub use wait::{PATIENCE, POLL, wait_until};
