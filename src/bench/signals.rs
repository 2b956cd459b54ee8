//! What signals do to a benchmark: the first asks it to end, the second a second later to leave out what takes time,
//! and a third ends the process at once. So does any, once only the results are left to be written.

use std::io;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bench::Interrupt;

use super::INTERRUPTED;
use crate::process::signals::StopSignals;

/// So many requests are met by patience.
const PATIENT_MAX: u32 = 2;

/// Signals that are turned into requests to end.
pub(super) struct SignalWatch {
    pub(super) interrupt: Arc<Interrupt>,
    measured: Arc<AtomicBool>,
}

impl SignalWatch {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn start() -> io::Result<Self> {
        let watch = Self { interrupt: Arc::default(), measured: Arc::default() };
        let (interrupt, measured) = (Arc::clone(&watch.interrupt), Arc::clone(&watch.measured));
        StopSignals::catch()?.watch(move |_, _| {
            if interrupt.ask() > PATIENT_MAX || measured.load(Ordering::Relaxed) {
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
