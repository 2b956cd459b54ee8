//! Runs commands line by line: those that a person types, or those of a script.

use super::engine::Engine;
use super::line::{EXIT_COMMANDS, ReadError, split};
use super::own::{self, Own};
use super::screen::Expanded;
use super::watch::watch;
use crate::command_line::{FAILED, USAGE, report, report_output_error, write_out};
use crate::text;

/// Runs lines until the input ends or one of them leaves, and returns the exit code. A script ends at the first
/// command that fails, with its code; for a person a failure ends nothing.
pub(crate) fn run(engine: &mut Engine) -> u8 {
    let mut last = Vec::new();
    loop {
        let code = match engine.input.line(&prompt(engine)) {
            Ok(line) if own::is_own(&line) => run_own(engine, &last, &line),
            Ok(line) => match run_line(engine, &mut last, &line) {
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

/// Runs one line and returns its exit code, or `None` if it asks to leave. What calls the service becomes the `last`
/// command.
fn run_line(engine: &mut Engine, last: &mut Vec<String>, line: &str) -> Option<u8> {
    let Some(words) = split(line) else {
        report("error: a quotation mark is not closed");
        return Some(USAGE);
    };
    let Some(name) = words.first() else { return Some(0) };
    if EXIT_COMMANDS.contains(&name.as_str()) {
        return None;
    }
    let command = engine.role.command(name);
    let code = engine.run(&words);
    if let Some(command) = command {
        // Any other one is not repeated, and may hold a password.
        let is_repeatable = engine.role.only_reads(command);
        *last = if is_repeatable { words } else { vec![command.name.to_owned()] };
    }
    Some(code)
}

/// Carries out a command of the shell's own, and returns its exit code.
fn run_own(engine: &mut Engine, last: &[String], line: &str) -> u8 {
    let said = match own::parse(line) {
        Err(message) => {
            report(&format!("error: {}", text::escape(&message)));
            return USAGE;
        }
        Ok(Own::Watch(every)) => return watch(engine, last, every),
        Ok(Own::Help) => own::overview(),
        Ok(Own::Expanded(asked)) => {
            let other = if engine.output.expanded == Expanded::On { Expanded::Auto } else { Expanded::On };
            engine.output.expanded = asked.unwrap_or(other);
            match engine.output.expanded {
                Expanded::On => "Each row is shown as lines.\n".to_owned(),
                Expanded::Off => "Rows are shown as a table, however wide it is.\n".to_owned(),
                Expanded::Auto => "Rows are shown as lines where a table has no room.\n".to_owned(),
            }
        }
        Ok(Own::Timing(asked)) => {
            engine.says_times = asked.unwrap_or(!engine.says_times);
            format!("Times are {}.\n", if engine.says_times { "shown" } else { "not shown" })
        }
    };
    // A script gets what services say, and nothing else.
    if !engine.input.is_terminal() {
        return 0;
    }
    match write_out(&said) {
        Ok(()) => 0,
        Err(error) => {
            report_output_error(&error);
            FAILED
        }
    }
}

fn prompt(engine: &Engine) -> String {
    match engine.session.as_ref().and_then(|session| session.username.as_deref()) {
        Some(username) => format!("{} {}> ", engine.role.name, text::isolate(text::escape(username))),
        None => format!("{}> ", engine.role.name),
    }
}
