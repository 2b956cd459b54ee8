//! [`Schedule`]: what is still to happen on the simulated network, in the order in which it will.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::connection::Side;
use crate::Time;

/// An event of the simulation: something that happens to one side of a connection, or to a host.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum SimEvent {
    Arrive(u64, Side, Vec<u8>),
    Finish(u64, Side),
    Fail(u64, Side),
    Readable(u64, Side),
    Writable(u64, Side),
    /// The host's link is to have this connection.
    Connect {
        host: usize,
        link: usize,
        id: u64,
    },
    Wake {
        host: usize,
        incarnation: u32,
    },
    Timer {
        host: usize,
        incarnation: u32,
    },
}

#[derive(Default)]
pub(super) struct Schedule {
    queue: BinaryHeap<Reverse<(Time, u64, SimEvent)>>,
    /// Settles the order of what happens at the same time: first scheduled, first to happen.
    sequence: u64,
    trace: DefaultHasher,
}

impl Schedule {
    pub(super) fn push(&mut self, at: Time, event: SimEvent) {
        self.sequence += 1;
        self.queue.push(Reverse((at, self.sequence, event)));
    }

    /// Takes what happens next, if it happens by `until`.
    pub(super) fn pop(&mut self, until: Time) -> Option<(Time, SimEvent)> {
        let Reverse((at, _, _)) = self.queue.peek()?;
        if *at > until {
            return None;
        }
        let Reverse((at, _, event)) = self.queue.pop()?;
        (at, &event).hash(&mut self.trace);
        Some((at, event))
    }

    /// A digest of everything that was taken.
    pub(super) fn trace(&self) -> u64 {
        self.trace.finish()
    }
}
