//! up
use std::process::ExitCode;
/// Runs.
pub(crate) fn run(_args: &[String]) -> ExitCode {
    ExitCode::SUCCESS
}
