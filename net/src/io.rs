//! What passes between a [`Node`](crate::Node) and its driver.

use crate::event::{Backend, Conn};

/// The other end of one of the node's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// A client.
    Client(Conn),
    /// A backend, by its number.
    Link(usize),
    /// Somebody who asks over HTTP how the process is.
    Admin(Conn),
}

/// What a driver tells a node.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes arrived.
    Received(Peer, &'a [u8]),
    /// The socket took so many bytes of [`Node::outbox`](crate::Node::outbox).
    Sent(Peer, usize),
    /// A socket that had taken less than it was given takes more.
    Writable(Peer),
    /// The peer will send nothing more.
    Finished(Peer),
    /// The connection broke.
    Failed(Peer),
    /// The connection to a backend stands.
    Connected(Backend),
    /// The connection to a backend could not be made, and why, for people.
    NotConnected(Backend, &'a str),
    /// A worker of the service has finished something.
    Wake,
    /// End: finish what is in flight. The driver accepts no further connection.
    Drain,
}

/// What a node asks of its driver.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write [`Node::outbox`](crate::Node::outbox) once and answer with [`Input::Sent`].
    Transmit(Peer),
    /// The peer may be read from again; the driver's own notes say whether something is there.
    Resume(Peer),
    /// Shut the write side of the connection.
    Finish(Peer),
    /// Close the connection.
    Close(Peer),
    /// Connect; answer with [`Input::Connected`] or [`Input::NotConnected`].
    Connect(Backend),
}
