//! What passes between a [`Node`](crate::Node) and its driver. When what may be said, the node's documentation says.

use crate::event::{Backend, Conn};

/// The other end of one of the node's connections.
///
/// A client or an administrator has its name for good: whatever a driver says of one that is gone is ignored. A link
/// has its number for good, through all connections that it makes, one at a time, and no generation: what a driver
/// says of it is taken to be about its present connection, so the driver must not speak of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// A client.
    Client(Conn),
    /// A backend, by its number, whether lines or bytes are exchanged with it.
    Link(usize),
    /// Somebody who asks over HTTP how the process is.
    Admin(Conn),
}

/// What a driver tells a node.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes arrived, at least one, and at most [`Limits::read_bytes_max`](crate::Limits::read_bytes_max) at a time.
    /// Only while [`Node::wants_read`](crate::Node::wants_read) says so: else nothing bounds what the node buffers.
    Received(Peer, &'a [u8]),
    /// The socket took so many bytes of [`Node::outbox`](crate::Node::outbox), from its front: all, some, or none if it
    /// would have blocked. It answers [`Output::Transmit`], and nothing else.
    Sent(Peer, usize),
    /// A socket that had taken less than it was given takes more. [`Output::Transmit`] follows. It may come in vain.
    Writable(Peer),
    /// The peer will send nothing more; it comes after all bytes that it has sent, and once.
    Finished(Peer),
    /// The connection broke, or could not be watched. [`Output::Close`] follows, unless the peer is gone already.
    Failed(Peer),
    /// The connection to a backend stands: one of the two answers to [`Output::Connect`].
    Connected(Backend),
    /// The connection to a backend could not be made, and why, for people: the other answer. [`Output::Close`] follows.
    NotConnected(Backend, &'a str),
    /// A worker of the service has finished something. Several wakes may be told as one, and one in vain.
    Wake,
    /// End: finish what is in flight. The driver accepts no further connection of a client.
    Drain,
}

/// What a node asks of its driver.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Write [`Node::outbox`](crate::Node::outbox), once. Unless it is empty, answer with [`Input::Sent`], or with
    /// [`Input::Failed`], before the next turn ends: there is no other [`Output::Transmit`] for the peer until then. If
    /// fewer bytes were taken than there were, report [`Input::Writable`] when the socket takes more.
    Transmit(Peer),
    /// The peer may be read from again. If bytes of it were left unread because the node did not want them, nothing
    /// else will say that they are there.
    Resume(Peer),
    /// Everything was written: shut the write side of the connection, and go on reading it to its end.
    Finish(Peer),
    /// Close the connection, and forget it. Of a link, this also ends an attempt to connect, which is then answered no
    /// more.
    Close(Peer),
    /// Close the connection of a link, and forget it, as [`Output::Close`] says; then connect, as [`Output::Connect`] says.
    /// The connection was of use: another one is to take its place, which may lead elsewhere if the name of the backend
    /// stands for other addresses by now.
    Reconnect(Backend),
    /// Connect to [`Node::address`](crate::Node::address); answer with [`Input::Connected`] or [`Input::NotConnected`],
    /// once, whenever that is known.
    Connect(Backend),
}
