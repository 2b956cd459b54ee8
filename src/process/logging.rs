//! Logging and panics of the services.
//!
//! `simple_logger` panics when standard error cannot be written, because nobody reads it any more or the disk of
//! a log file is full. That is no reason for a service to end, so such a panic is dropped with its line. Any other
//! panic is a broken invariant and ends the process at once, whichever thread it is in.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::process;

use log::{LevelFilter, Log, Metadata, Record, SetLoggerError};
use simple_logger::SimpleLogger;

thread_local! {
    /// This thread is writing a log line.
    static LOGGING: Cell<bool> = const { Cell::new(false) };
}

/// Logs to standard error from now on, at `level` and above, and ends the process at a panic.
///
/// # Errors
/// There is a logger already.
pub(crate) fn init(level: LevelFilter) -> Result<(), SetLoggerError> {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !LOGGING.get() {
            report(info);
            process::abort();
        }
    }));
    let logger = SimpleLogger::new().with_level(level).with_utc_timestamps();
    log::set_max_level(logger.max_level());
    log::set_boxed_logger(Box::new(BestEffort(logger)))
}

/// A logger whose lines are dropped if they cannot be written.
struct BestEffort(SimpleLogger);

impl Log for BestEffort {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        LOGGING.set(true);
        // The panic is the whole report of a failed write, and there is nowhere to report it to.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| self.0.log(record)));
        LOGGING.set(false);
    }

    fn flush(&self) {
        self.0.flush();
    }
}
