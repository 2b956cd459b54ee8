//! What concerns this process, whichever subcommand it runs: its limits, its parent, signals, its log, and what it tells
//! of itself. Which other processes it starts is not known here.

pub(crate) mod limits;
pub(crate) mod log_writer;
pub(crate) mod logging;
pub(crate) mod memory;
pub(crate) mod parent;
pub(crate) mod signals;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod watched_files;
