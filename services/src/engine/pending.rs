//! [`Pending`]: what a connection to a database waits for, request by request. It is data only.

use std::collections::VecDeque;

use net::Time;

use super::domain::Job;
use super::metrics::Started;
use crate::api::error::Code;

/// What a connection waits for. It is never longer than `in_flight_max`, because the node then delivers no
/// more lines.
pub(super) type Queue = VecDeque<Pending>;

pub(super) enum Pending {
    /// A reply that may leave once this group is on disk.
    Reply { group: u64, line: Box<[u8]>, answer: Option<Answered> },
    /// A request, here by its ID, whose work goes on elsewhere.
    Offloaded { job: Job, id: Box<str>, started: Started },
    /// A request that was delivered at this time, and must see what those before it do.
    Request { line: Box<[u8]>, at: Time },
}

/// What is to be counted when the reply to a request leaves.
#[derive(Clone, Copy)]
pub(super) struct Answered {
    pub(super) started: Started,
    pub(super) error: Option<Code>,
}

/// What came of a request.
pub(super) enum Executed {
    /// A reply, which may leave once this group is on disk.
    Reply { group: u64, answer: Answered },
    /// Its work goes on elsewhere.
    Offloaded { job: Job, id: Box<str>, started: Started },
}
