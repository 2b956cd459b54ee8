//! [`Interrupt`]: whether, and how urgently, a benchmark is asked to end. Who asks is not known here.

use std::sync::atomic::{AtomicU32, Ordering};

/// Counts how often a benchmark was asked to end. The first time, the run under way is abandoned and what it has put
/// up for sale is taken off the market; the second time, that is given up as well.
#[derive(Debug, Default)]
pub struct Interrupt(AtomicU32);

impl Interrupt {
    /// Asks once more; returns how often that was done.
    pub fn ask(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether anybody has asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Whether it was asked again, because it took too long.
    pub(crate) fn is_urgent(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}
