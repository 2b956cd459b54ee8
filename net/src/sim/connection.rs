//! One simulated connection: what is under way and unread in each direction. It takes no chances and knows
//! no time of its own.

use crate::{Peer, Time};

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// How one end leaves, and so what the other one is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// That there is no more, behind what is still under way to it.
    Finished,
    /// At once that the connection is broken.
    Broken,
    /// Nothing.
    Unsaid,
}

/// One end, with what is on its way to it.
pub(super) struct End {
    /// Where it is, or was.
    host: usize,
    /// The host and its name for the connection; none once this end is closed.
    owner: Option<(usize, Peer)>,
    /// Arrived and not read.
    unread: Vec<u8>,
    /// Bytes under way to this end.
    pub(super) in_transit: usize,
    /// Nothing arrives before this, so that nothing is overtaken.
    pub(super) last_arrival: Time,
    /// The other end will send nothing more.
    pub(super) finished: bool,
    /// This end's writer waits for the other end's reader.
    pub(super) blocked: bool,
}

pub(super) struct Connection {
    ends: [End; 2],
}

impl Connection {
    /// A connection between a client and a server, each given as its host and the host's peer.
    pub(super) fn new(owners: [(usize, Peer); 2]) -> Self {
        Self {
            ends: owners.map(|owner| End {
                host: owner.0,
                owner: Some(owner),
                unread: Vec::new(),
                in_transit: 0,
                last_arrival: Time::default(),
                finished: false,
                blocked: false,
            }),
        }
    }

    pub(super) fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    pub(super) fn owner(&self, side: Side) -> Option<(usize, Peer)> {
        self.ends[side as usize].owner
    }

    /// Where this side is, closed or not.
    pub(super) fn host(&self, side: Side) -> usize {
        self.ends[side as usize].host
    }

    /// How many bytes this side may send before the other's window is full.
    pub(super) fn room(&self, side: Side, window_bytes_max: usize) -> usize {
        let reader = &self.ends[side.other() as usize];
        window_bytes_max.saturating_sub(reader.in_transit + reader.unread.len())
    }

    pub(super) fn arrive(&mut self, side: Side, bytes: &[u8]) {
        let end = self.end(side);
        end.in_transit -= bytes.len();
        end.unread.extend_from_slice(bytes);
    }

    pub(super) fn take_unread(&mut self, side: Side) -> Vec<u8> {
        std::mem::take(&mut self.end(side).unread)
    }

    /// Closes one end; returns who had it.
    pub(super) fn close(&mut self, side: Side) -> Option<(usize, Peer)> {
        self.end(side).owner.take()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.ends.iter().all(|end| end.owner.is_none())
    }
}
