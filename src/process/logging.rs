//! Logging and panics of the services.
//!
//! Lines are written by a thread of their own, so that a service goes on while nobody reads its standard error, and lose
//! nothing but themselves: see [`LogWriter`]. `simple_logger` gives them their form, and panics when standard error cannot
//! be written, because its reader has gone or the disk of a log file is full. That is no reason for a service to end,
//! so such a panic is dropped with its line. Any other panic is a broken invariant and ends the process at once,
//! whichever thread it is in.

use std::cell::Cell;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log, Metadata, Record};
use simple_logger::SimpleLogger;

use super::log_writer::{Entry, LogWriter};

/// `simple_logger` tells the time at which a line is written. One that had to wait for longer says how long.
const DELAY_TOLD: Duration = Duration::from_millis(100);

thread_local! {
    /// This thread is writing a log line.
    static WRITING: Cell<bool> = const { Cell::new(false) };
}

static WRITER: OnceLock<LogWriter<Line>> = OnceLock::new();

/// What waits to be written.
struct Line {
    level: Level,
    target: String,
    message: String,
    at: Instant,
}

/// Logs to standard error from now on, at `level` and above, and ends the process at a panic.
///
/// # Errors
/// There is a logger already, or the system has no thread to give.
pub(crate) fn init(level: LevelFilter) -> io::Result<()> {
    let logger = SimpleLogger::new().with_level(level).with_utc_timestamps();
    let writer = LogWriter::start(move |entry| write(&logger, entry))?;
    log::set_boxed_logger(Box::new(Queued { writer: writer.clone(), level })).map_err(io::Error::other)?;
    log::set_max_level(level);
    WRITER.get_or_init(|| writer);
    panic::set_hook(Box::new(|panic| {
        if !WRITING.get() {
            let (current, error) = (thread::current(), panic.to_string());
            let name = current.name().unwrap_or_default();
            log::error!("event=panic thread={name} error=\"{}\" action=abort", error.escape_debug());
            log::logger().flush();
            process::abort();
        }
    }));
    Ok(())
}

/// Lines of this process's log that were dropped so far.
pub(crate) fn dropped_total() -> u64 {
    WRITER.get().map_or(0, LogWriter::dropped_total)
}

/// Hands lines to the thread that writes.
struct Queued {
    writer: LogWriter<Line>,
    level: LevelFilter,
}

impl Log for Queued {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = Line {
                level: record.level(),
                target: record.target().to_owned(),
                message: record.args().to_string(),
                at: Instant::now(),
            };
            let bytes = line.target.len() + line.message.len();
            self.writer.push(line, bytes);
        }
    }

    /// Waits until all is written, but not for ever. Whoever ends the process calls it.
    fn flush(&self) {
        self.writer.flush();
    }
}

fn write(logger: &SimpleLogger, entry: Entry<Line>) {
    match entry {
        Entry::Line(Line { level, target, message, at }) => {
            let delay = at.elapsed();
            if delay > DELAY_TOLD {
                let delay_ms = delay.as_millis();
                write_line(logger, level, &target, format_args!("written_late_ms={delay_ms} {message}"));
            } else {
                write_line(logger, level, &target, format_args!("{message}"));
            }
        }
        Entry::Dropped(lines) => {
            write_line(logger, Level::Warn, module_path!(), format_args!("event=log_dropped lines={lines}"));
        }
    }
}

fn write_line(logger: &SimpleLogger, level: Level, target: &str, message: std::fmt::Arguments<'_>) {
    let record = Record::builder().level(level).target(target).args(message).build();
    WRITING.set(true);
    // The panic is the whole report of a failed write, and there is nowhere to report it to.
    let _ = panic::catch_unwind(AssertUnwindSafe(|| logger.log(&record)));
    WRITING.set(false);
}
