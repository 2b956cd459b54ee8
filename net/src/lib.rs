//! The event loop: connections of clients, links to backends, timers and limits, for services that
//! exchange lines over TCP, and the HTTP side through which they are watched. With a backend that speaks another
//! protocol, a service exchanges bytes.
//!
//! A service is a state machine without side effects of its own ([`Service`]). A [`Node`] puts
//! connections around it, still without a system call or a clock. A driver connects a node to the
//! world: [`reactor`] to sockets through mio, [`sim`] to a simulated network in virtual time.
//!
//! This crate knows no word of the marketplace, and never looks into a line, but for a client's first one: whether it
//! belongs to another protocol.

#![forbid(unsafe_code)]

mod admin;
mod buffers;
mod channel;
mod connection;
mod connections;
mod detect;
mod dialer;
mod event;
mod handshakes;
mod io;
mod limits;
mod lines;
mod link;
mod metrics;
mod node;
mod outbox;
mod places;
pub mod reactor;
mod service;
pub mod sim;
mod slots;
mod stream;
mod target;
mod time;
mod timers;
mod tls;
mod worker;

pub use admin::{Document, Site};
pub use event::{Backend, Call, Conn, Event, Failure, Lost, Reject, StreamEvent};
pub use io::{Input, Output, Peer};
pub use limits::Limits;
pub use metrics::{Counter, Exposition, Gauge, Histogram, Metrics, Registry};
pub use node::Node;
pub use places::network;
pub use service::{Out, Service};
pub use target::{ByteAddress, Target};
pub use time::Time;
pub use tls::{BadIdentity, ClientStream, ClientTls, Encryption, Identity, ServerTls};
pub use worker::{
    THREAD_LIMITS, ThreadWorker, Threads, Waker, Work, Worker, Workers, no_thread, spawn_thread,
};
