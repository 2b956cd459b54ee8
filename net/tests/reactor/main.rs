//! The reactor over real sockets of this machine.

mod backends;
mod clients;
mod harness;
mod listeners;
mod streams;
