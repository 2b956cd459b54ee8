//! Log lines on standard error, each with the time in UTC, its level and the module that wrote it.
//!
//! A line that cannot be written is dropped: that nobody reads the log, or that its disk is full, is no reason
//! for a service to end. (The crate `simple_logger` panics there.)

use std::io::{self, Write};
use std::time::SystemTime;

use log::{LevelFilter, Log, Metadata, Record, SetLoggerError};

/// Logs records of `level` and above from now on.
///
/// # Errors
/// There is a logger already.
pub(crate) fn init(level: LevelFilter) -> Result<(), SetLoggerError> {
    log::set_max_level(level);
    log::set_logger(&Logger)
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let now = humantime::format_rfc3339_millis(SystemTime::now());
            let line = format!("{now} {:<5} [{}] {}\n", record.level(), record.target(), record.args());
            // One write, so that lines of several processes on one terminal do not mix.
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}
