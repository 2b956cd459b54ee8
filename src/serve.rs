//! The four services as subcommands.

use std::process::ExitCode;

/// Runs `service` until it is told to stop.
pub(crate) fn run(service: &str, _args: &[String]) -> ExitCode {
    crate::up::end_with_parent();
    crate::command_line::report(&format!("error: {service} is not built in yet"));
    ExitCode::from(crate::command_line::FAILED)
}
