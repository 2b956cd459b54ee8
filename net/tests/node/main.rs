//! A node driven by hand, without sockets and without a clock: what sessions, links and limits promise.

mod admin;
mod drain;
mod failure;
mod framing;
mod greetings;
mod harness;
mod limits;
mod links;
mod noise;
mod purity;
mod sessions;
mod time;
