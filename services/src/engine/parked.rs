//! [`Parked`]: a flow that waits for a database's reply, whom it is for, and what is to be said if none comes.
//!
//! It makes no call and answers nobody.

use std::net::IpAddr;

use net::{Backend, Conn, Lost, Time};

use super::call::DatabaseCall;
use super::metrics::Started;
use crate::api::Effect;
use crate::api::error::{Code, Error};

/// Where a flow comes from.
pub(super) enum Origin {
    /// A client waits for it.
    Client(Client),
    /// The service does it of itself, and nobody waits.
    Recovery,
}

/// Who is to be answered, and to which request.
pub(super) struct Client {
    pub(super) conn: Conn,
    /// The JSON of the client's request ID. Clients choose theirs alike, so databases do not see it.
    pub(super) id: Box<str>,
    pub(super) started: Started,
    /// A call that changes something was made for it, so it is to be carried to its end.
    pub(super) may_have_changed: bool,
}

/// A flow that waits for a reply.
pub(super) struct Parked<F> {
    pub(super) origin: Origin,
    pub(super) call: DatabaseCall,
    /// Where the client connects from, if the database is to know.
    pub(super) client_address: Option<IpAddr>,
    /// The number under which it was called last.
    pub(super) number: u64,
    /// The connection over which it was called last.
    pub(super) backend: Backend,
    pub(super) deadline: Time,
    /// Until when it waits for a connection, if none stands.
    pub(super) waits_until: Time,
    /// A connection broke or was silent after the call had been handed to it, and the call was repeated.
    pub(super) repeated: bool,
    pub(super) flow: F,
}

/// What waits for the reply to a call.
pub(super) enum Slot<F> {
    Flow(Parked<F>),
    /// Nothing any more: the call was made again over another connection. Its reply is dropped, whether or not it comes.
    Nobody {
        number: u64,
        backend: Backend,
    },
}

impl<F> Slot<F> {
    /// The flow that waits, if one does.
    pub(super) fn flow(&self) -> Option<&Parked<F>> {
        match self {
            Self::Flow(parked) => Some(parked),
            Self::Nobody { .. } => None,
        }
    }

    /// The number that the reply must have.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Flow(parked) => parked.number,
            Self::Nobody { number, .. } => *number,
        }
    }
}

impl<F> Parked<F> {
    /// What is to be said of a call without a reply.
    pub(super) fn lost(&self, lost: Lost) -> Error {
        let (code, what) = match lost {
            Lost::Unsent | Lost::Returned => (Code::Unavailable, "cannot be reached"),
            Lost::Unanswered => (Code::Unavailable, "did not answer"),
            Lost::Overloaded => {
                (Code::ResourceExhausted, "has too many requests in flight, try again in 1 s")
            }
        };
        let outcome = self.outcome(lost == Lost::Unanswered);
        Error::new(code, format!("{} {what}; {outcome}", self.call.lane.database().name()))
    }

    /// What is to be said of a call that is not made, because the database has fallen behind. It says when to come back:
    /// a database that goes on has answered what it owes well within that time.
    pub(super) fn refused_early(&self) -> Error {
        let what = "answers too slowly, try again in 1 s; nothing was changed";
        Error::new(Code::ResourceExhausted, format!("{} {what}", self.call.lane.database().name()))
    }

    /// Whether the call may be made again though it may have been, or will be, carried out: that undoes nothing, and leaves
    /// it time. Only once, since all databases may be silent for the same reason, and not where calls take their turns, which
    /// is where an answer may take long.
    pub(super) fn may_leave(&self, now: Time) -> bool {
        let is_harmless = self.call.effect != Effect::Once && self.call.lane.calls_max().is_none();
        is_harmless && !self.repeated && now < self.deadline
    }

    /// Whether the request may still be refused as if it had not been made. A recovery's may not: it brings to an end what
    /// was begun, is never more than a bounded part of the load, and would otherwise be kept out by those that come.
    pub(super) fn is_refusable(&self) -> bool {
        matches!(&self.origin, Origin::Client(client) if !client.may_have_changed)
    }

    /// What a call leaves behind, of which the last attempt may or cannot reach the database. A flow reads before
    /// it writes, so where a read fails nothing was changed before it either.
    fn outcome(&self, may_have_arrived: bool) -> &'static str {
        if self.call.effect.is_write() && (may_have_arrived || self.repeated) {
            "the change may have been made"
        } else {
            "nothing was changed"
        }
    }
}
