//! What a service sees: the events that reach it, and [`Out`], through which it answers.

use std::sync::Arc;

use crate::{Metrics, Out, Time};

/// A client's connection. The generation keeps a late reply away from a newer connection that
/// was given the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conn {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl Conn {
    /// The slot in the node's table of sessions: small, dense, and reused after the connection
    /// is gone. A service may index its own state of a connection by it.
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

/// A backend, by its place in the list of addresses that the node was given.
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
    /// The deadline passed, or the connection broke, after the call had been handed to the
    /// connection. The backend may have carried it out.
    Unanswered,
    /// As many calls as a link may have are under way. The backend has not seen the call.
    Overloaded,
}

/// Why the node turns a connection away. The node closes it once the service's answer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// As many sessions as the limit allows are open.
    ConnectionsMax(usize),
    /// A line is longer than so many bytes: where the next one begins is unknown.
    LineTooLong(usize),
    /// A line was begun and not ended within so many milliseconds.
    LineTimeout(u64),
    /// The client speaks another protocol, which has this name for people.
    OtherProtocol(&'static str),
}

impl Reject {
    /// The names of the reasons, as metrics have them.
    pub(crate) const REASONS: [&str; 4] =
        ["connections_max", "line_too_long", "line_timeout", "other_protocol"];

    /// The place of the reason in [`Reject::REASONS`].
    pub(crate) fn reason(self) -> usize {
        match self {
            Self::ConnectionsMax(_) => 0,
            Self::LineTooLong(_) => 1,
            Self::LineTimeout(_) => 2,
            Self::OtherProtocol(_) => 3,
        }
    }
}

/// What happens to a service.
#[derive(Debug)]
pub enum Event<'a> {
    /// A request: one line of a client, without its end. The service owes it exactly one
    /// [`Out::send`], now or later.
    Line(Conn, &'a [u8]),
    /// A connection is turned away; the service owes it exactly one [`Out::send`] that says why. It comes
    /// when every earlier line is answered, so that the replies stay in order.
    Reject(Conn, Reject),
    /// The reply to a call, or why there is none. Each call gets exactly one.
    Reply(Call, Result<&'a [u8], Lost>),
    /// A client's connection is gone. What is sent to it from now on is dropped.
    Closed(Conn),
    /// A worker of the service has finished something, or nothing: a wake may be in vain.
    Wake,
    /// The process is asked to end: finish what is in flight, begin nothing new.
    Drain,
}

/// A state machine that answers lines. It reads no clock, socket, file or random source.
pub trait Service {
    /// Reacts to an event. Must not panic on anything that came from the network.
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out);

    /// Called once after the events of a turn: the place for work that is shared between them. Connections
    /// that break while the turn's output is written are reported after it, and belong to the next turn.
    fn end_turn(&mut self, _now: Time, _out: &mut Out) {}

    /// What the service counts, if anything. Asked once, when its node is made.
    fn metrics(&self) -> Option<Arc<dyn Metrics>> {
        None
    }

    /// Whether nothing is in flight any more. Asked only after [`Event::Drain`].
    fn is_drained(&self) -> bool;
}
