//! A node driven by hand, without sockets and without a clock: what it promises to clients, of links and of limits.

mod admin;
mod buffers;
mod clients;
mod drain;
mod failure;
mod framing;
mod greetings;
mod harness;
mod limits;
mod links;
mod noise;
mod places;
mod streams;
mod time;
mod tls;
