//! The process of the marketplace that has started this one, if one has: this one ends when it does.

use std::env;
use std::process::{self, Command};

use crate::command_line::{FAILED, report};

/// Tells a child which process has started it.
const PARENT_VARIABLE: &str = "MARKETPLACE_UP_PID";

/// Tells the process that `command` starts that this one is its parent.
pub(crate) fn adopt(command: &mut Command) {
    command.env(PARENT_VARIABLE, process::id().to_string());
}

/// Whether another process of the marketplace has started this one, and ends it.
pub(crate) fn has_parent() -> bool {
    env::var_os(PARENT_VARIABLE).is_some()
}

/// Ends this process when its parent ends in whatever way, even by SIGKILL.
///
/// Each service calls this once, at its start. Does nothing if it was started in another way, or
/// on a system other than Linux.
#[cfg(target_os = "linux")]
pub(crate) fn end_with_parent() {
    use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
    let Some(parent) = env::var(PARENT_VARIABLE).ok().and_then(|pid| pid.parse().ok()) else {
        return;
    };
    if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
        report(&format!("error: cannot follow the end of process {parent}: {error}"));
    }
    // It may have ended before we asked to be told.
    if getppid() != Pid::from_raw(parent) {
        process::exit(i32::from(FAILED));
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn end_with_parent() {}
