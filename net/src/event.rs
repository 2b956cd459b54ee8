//! The vocabulary of services: what they are told ([`Event`]), and by which names they know connections, backends and
//! calls. It holds no state, and imports nothing of this crate.

use std::error::Error;

/// A client's connection. The generation keeps a late reply away from a newer connection that
/// was given the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conn {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl Conn {
    /// The slot in the node's table of connections: small, dense, and reused after the connection
    /// is gone. A service may index its own state of a connection by it.
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

/// A backend, by its place in the list that the node was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backend(pub usize);

/// A call to a backend, under a number that the service chose; it comes back with the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call(pub usize);

/// Why a call has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The deadline passed before a connection stood. The backend has not seen the call.
    Unsent,
    /// The deadline passed, or the connection broke or carried something else than its reply, after the call
    /// had been handed to the connection. The backend may have carried it out, or still will.
    Unanswered,
    /// As many calls as a link may have are under way. The backend has not seen the call.
    Overloaded,
}

/// Why the node turns a connection away. The node closes it once the service's answer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// As many connections as the limit allows are open.
    ConnectionsMax(usize),
    /// As many connections as the limit allows are open from the client's address, or from its IPv6 network.
    AddressConnectionsMax(usize),
    /// A line is longer than so many bytes: where the next one begins is unknown.
    LineTooLong(usize),
    /// A line was begun and not ended within so many milliseconds.
    LineTimeout(u64),
    /// The client speaks another protocol, which has this name for people.
    OtherProtocol(&'static str),
    /// The client does not speak TLS, which it must here.
    NotTls,
}

impl Reject {
    /// The names of the reasons, as metrics have them.
    pub(crate) const REASONS: [&str; 6] = [
        "connections_max",
        "address_connections_max",
        "line_too_long",
        "line_timeout",
        "other_protocol",
        "not_tls",
    ];

    /// The place of the reason in [`Reject::REASONS`].
    pub(crate) fn reason(self) -> usize {
        match self {
            Self::ConnectionsMax(_) => 0,
            Self::AddressConnectionsMax(_) => 1,
            Self::LineTooLong(_) => 2,
            Self::LineTimeout(_) => 3,
            Self::OtherProtocol(_) => 4,
            Self::NotTls => 5,
        }
    }
}

/// What happens to a service.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request: one line of a client, without its end. The service owes it exactly one
    /// [`Out::send`](crate::Out::send), now or later.
    Line(Conn, &'a [u8]),
    /// A connection is turned away; the service owes it exactly one [`Out::send`](crate::Out::send) that says why. It comes
    /// when every earlier line is answered, so that the replies stay in order.
    Reject(Conn, Reject),
    /// The reply to a call, or why there is none. Each call gets exactly one.
    Reply(Call, Result<&'a [u8], Lost>),
    /// The connection to a backend with which lines are exchanged stands, and its greeting, if it has one, was answered as it must be.
    Up(Backend),
    /// That connection is gone or could not be made, and why, for people. The node tries again.
    Down(Backend, &'a str),
    /// Something of the connection to a backend with which bytes are exchanged.
    Stream(Backend, StreamEvent<'a>),
    /// A client's connection is gone. What is sent to it from now on is dropped.
    Closed(Conn),
    /// A worker of the service has finished something, or nothing: a wake may be in vain.
    Wake,
    /// The time has come for which the service asked ([`Out::wake_at`](crate::Out::wake_at)). It is asked for anew, if
    /// there is to be another one.
    Timer,
    /// The process is asked to end: finish what is in flight, begin nothing new.
    Drain,
}

/// What happens to a connection that carries bytes. `Up` comes first, and `Down` last; or `Down` alone, if there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// The connection stands, and is not encrypted yet.
    Up {
        /// The address that it is to, by its place in the backend's list.
        address: usize,
    },
    /// The connection is encrypted, as the service has asked for ([`Out::encrypt`](crate::Out::encrypt)), and the backend
    /// is who it must be.
    Encrypted,
    /// Bytes that have come, at least one, cut anywhere. Those of an encrypted connection are decrypted.
    Received(&'a [u8]),
    /// The connection is gone or could not be made, and why, for people. What was written and has not left is dropped.
    /// The node tries again, after a pause, at the next address of the list.
    Down(&'a str),
}

/// Why a service cannot go on.
pub type Failure = Box<dyn Error + Send + Sync>;
