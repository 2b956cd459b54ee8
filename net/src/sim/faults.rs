//! [`Faults`]: what the simulated network does to connections.

use std::time::Duration;

use super::connection::{Parting, Side};
use super::{HostId, Sim};
use crate::Time;

/// How rough the simulated network is.
#[derive(Clone, Debug)]
pub struct Faults {
    /// The longest time that bytes, connects and wakes take; the shortest is a microsecond.
    pub delay_max: Duration,
    /// Chance, per million deliveries, that the connection breaks instead.
    pub cuts_per_million: u32,
    /// Chance, in percent, that a connection that breaks, or whose host crashes, is left half-open: the other side is not
    /// told, and learns of it when it sends something to a host that runs.
    pub half_open_percent: u32,
    /// Bytes that a connection holds in one direction until the reader takes them.
    pub window_bytes_max: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay_max: Duration::from_millis(5),
            cuts_per_million: 0,
            half_open_percent: 0,
            window_bytes_max: 16 * 1024,
        }
    }
}

/// A connection that broke.
#[derive(Clone, Copy, Debug)]
pub struct Break {
    /// When.
    pub at: Time,
    /// The host that was told, and the one at the other end.
    pub hosts: [HostId; 2],
    /// The other one was not told.
    pub is_half_open: bool,
}

impl Sim {
    /// Makes the network rougher or smoother from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// The connections that broke by chance since this was asked before.
    pub fn take_breaks(&mut self) -> Vec<Break> {
        std::mem::take(&mut self.breaks)
    }

    /// How many connections have been left half-open.
    pub fn half_open_count(&self) -> u64 {
        self.half_open_count
    }

    pub(super) fn note_break(&mut self, id: u64, side: Side, parting: Parting) {
        if let Some(connection) = self.connections.get(&id) {
            let hosts = [side, side.other()].map(|side| HostId(connection.host(side)));
            self.breaks.push(Break { at: self.now.get(), hosts, is_half_open: parting == Parting::Unsaid });
        }
    }

    /// How a connection goes that breaks.
    pub(super) fn parting(&mut self) -> Parting {
        // Where it cannot happen, chance is left alone.
        let percent = self.faults.half_open_percent;
        if percent == 0 || self.rng.u32(0..100) >= percent {
            return Parting::Broken;
        }
        self.half_open_count += 1;
        Parting::Unsaid
    }
}
