//! [`Failure`]: why a command did not do what it should, and what is said of that.

use std::io;

use crate::client::CallError;
use crate::command_line::{CANNOT_CONNECT, FAILED, USAGE, report, report_output_error, write_out};
use crate::text::{self, escape};

/// Why a command did not do what it should.
pub(crate) enum Failure {
    Usage(String),
    /// Ctrl-C came before anything was done.
    Interrupted,
    /// The login would be lost. It says why.
    NotKept(String),
    Call {
        error: CallError,
        json: bool,
        hint: Option<&'static str>,
    },
    Output(io::Error),
}

const HINT_NOT_KEPT: &str = "Nobody is logged in. Set XDG_STATE_HOME to a folder that you can write, or take the session from \
                             `login --json` and give it as MARKETPLACE_SESSION.";

impl Failure {
    /// Prints what happened and returns the exit code.
    pub(crate) fn explain(&self) -> u8 {
        match self {
            Failure::Usage(message) => {
                report(&format!("error: {}", escape(message)));
                USAGE
            }
            Failure::Interrupted => FAILED,
            Failure::NotKept(why) => {
                report(&format!("error: {}\n{HINT_NOT_KEPT}", escape(why)));
                FAILED
            }
            Failure::Output(error) => {
                report_output_error(error);
                FAILED
            }
            Failure::Call { error, json, hint } => explain_call(error, *json, *hint),
        }
    }
}

/// Prints why a call brought nothing, and the hint, and returns the exit code.
pub(crate) fn explain_call(error: &CallError, json: bool, hint: Option<&str>) -> u8 {
    match error {
        CallError::Refused(refusal) if json => {
            if let Err(error) = write_out(&text::json_line(&format!("{{\"error\":{}}}", refusal.json))) {
                report_output_error(&error);
            }
        }
        error => report(&format!("error: {}", escape(&error.to_string()))),
    }
    if let Some(hint) = hint {
        report(hint);
    }
    if matches!(error, CallError::CannotConnect(_)) { CANNOT_CONNECT } else { FAILED }
}
