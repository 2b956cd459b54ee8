//! The reactor over real sockets of this machine.

mod backends;
mod harness;
mod listeners;
mod sessions;
