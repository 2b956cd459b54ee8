//! Runs commands line by line: those that a person types, or those of a script.

use super::engine::Engine;
use super::line::{EXIT_COMMANDS, ReadError, split};
use crate::command_line::{FAILED, USAGE, report};
use crate::text;

/// Runs lines until the input ends or one of them leaves, and returns the exit code. A script ends at the first
/// command that fails, with its code; for a person a failure ends nothing.
pub(crate) fn run(engine: &mut Engine) -> u8 {
    loop {
        let code = match engine.input.line(&prompt(engine)) {
            Ok(line) => match run_line(engine, &line) {
                Some(code) => code,
                None => return 0,
            },
            Err(ReadError::End) => return 0,
            Err(ReadError::Interrupted) => 0,
            Err(ReadError::Refused(what)) => {
                report(&format!("error: {what}"));
                USAGE
            }
            Err(ReadError::Failed(what)) => {
                report(&format!("error: cannot read standard input: {what}"));
                return if engine.input.is_terminal() { FAILED } else { USAGE };
            }
        };
        if code != 0 && !engine.input.is_terminal() {
            return code;
        }
    }
}

/// Runs one line and returns its exit code, or `None` if it asks to leave.
fn run_line(engine: &mut Engine, line: &str) -> Option<u8> {
    let Some(words) = split(line) else {
        report("error: a quotation mark is not closed");
        return Some(USAGE);
    };
    if words.first().is_some_and(|word| EXIT_COMMANDS.contains(&word.as_str())) {
        return None;
    }
    Some(engine.run(&words))
}

fn prompt(engine: &Engine) -> String {
    match engine.session.as_ref().and_then(|session| session.username.as_deref()) {
        Some(username) => format!("{} {}> ", engine.role.name, text::isolate(text::escape(username))),
        None => format!("{}> ", engine.role.name),
    }
}
