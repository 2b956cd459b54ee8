//! What signals do to a benchmark: the first asks it to end, the second a second later to leave out what takes time,
//! and a third ends the process at once. So does any, once only the results are left to be written.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bench::Interrupt;

use super::INTERRUPTED;
use crate::process::stop::StopSignals;

/// So many requests to end are followed in order; the next one ends the process at once.
const ORDERLY_MAX: u32 = 2;

/// Turns each signal into a request to end.
pub(super) struct InterruptOnSignal {
    pub(super) interrupt: Arc<Interrupt>,
    measured: Arc<AtomicBool>,
}

impl InterruptOnSignal {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn start() -> io::Result<Self> {
        let watch = Self { interrupt: Arc::default(), measured: Arc::default() };
        let (interrupt, measured) = (Arc::clone(&watch.interrupt), Arc::clone(&watch.measured));
        StopSignals::catch()?.watch(move |_, _| {
            if interrupt.ask() > ORDERLY_MAX || measured.load(Ordering::Relaxed) {
                log::logger().flush();
                process::exit(i32::from(INTERRUPTED));
            }
        })?;
        Ok(watch)
    }

    /// All is measured, no service is left, and what remains is to write.
    pub(super) fn measured(&self) {
        self.measured.store(true, Ordering::Relaxed);
    }
}
