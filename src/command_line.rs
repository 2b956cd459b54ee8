//! What all subcommands share: exit codes, the values of options, and output that survives a closed
//! pipe.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;

use getopts::Matches;
use rustix::termios::tcgetwinsize;

use crate::colours;

/// The service answered with an error, or its answer was lost.
pub(crate) const FAILED: u8 = 1;
/// The command line could not be understood.
pub(crate) const USAGE: u8 = 2;
/// No connection could be made.
pub(crate) const CANNOT_CONNECT: u8 = 3;

/// What all messages about errors begin with.
const ERROR: &str = "error:";

/// The width of a terminal that does not tell it.
const COLUMNS_DEFAULT: u16 = 80;

/// Checks that no arguments were given beside options.
///
/// # Errors
/// There is one.
pub(crate) fn reject_arguments(matches: &Matches) -> Result<(), String> {
    match matches.free.first() {
        Some(word) => Err(format!("unexpected argument {word:?}")),
        None => Ok(()),
    }
}

/// The number that an option was given, or its default.
///
/// # Errors
/// It is no number within the bounds.
pub(crate) fn number<N>(matches: &Matches, option: &str, default: N, min: N, max: N) -> Result<N, String>
where
    N: Copy + std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let Some(text) = given(matches, option) else {
        return Ok(default);
    };
    let value = text.parse().ok().filter(|value| (min..=max).contains(value));
    value.ok_or_else(|| format!("--{option}: {text:?} is not a number from {min} to {max}"))
}

/// The value of an option, if the subcommand has the option and it was given.
pub(crate) fn given(matches: &Matches, option: &str) -> Option<String> {
    matches.opt_defined(option).then(|| matches.opt_str(option)).flatten()
}

/// Reports a mistake in the command line, with the first line of the usage that would have been right.
pub(crate) fn usage_error(message: &str, usage: &str) -> ExitCode {
    let usage = usage.lines().next().unwrap_or_default();
    report(&format!("error: {message}\n{usage}\n`-h` in place of the arguments explains them."));
    ExitCode::from(USAGE)
}

/// Writes `text` to standard output and says how the program should end.
pub(crate) fn print(text: &str) -> ExitCode {
    match write_out(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report_output_error(&error);
            ExitCode::from(FAILED)
        }
    }
}

/// Writes `text` to standard output at once.
///
/// `println!` would panic where the reader has gone, as in `… | head -1`.
pub(crate) fn write_out(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says that standard output failed, unless its reader simply went away.
pub(crate) fn report_output_error(error: &io::Error) {
    if error.kind() != io::ErrorKind::BrokenPipe {
        report(&format!("error: cannot write the output: {error}"));
    }
}

/// How many columns a terminal has, or as many as the environment says if those are fewer. `None`: it is no terminal.
pub(crate) fn columns(stream: &(impl IsTerminal + AsFd)) -> Option<u16> {
    if !stream.is_terminal() {
        return None;
    }
    let size = tcgetwinsize(stream).ok().map(|size| size.ws_col);
    let variable = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let known = [size, variable].into_iter().flatten().filter(|&columns| columns > 0).min();
    Some(known.unwrap_or(COLUMNS_DEFAULT))
}

/// How many lines a terminal has. `None`: it is no terminal, or does not tell.
pub(crate) fn rows(stream: &(impl IsTerminal + AsFd)) -> Option<u16> {
    let size = stream.is_terminal().then(|| tcgetwinsize(stream).ok()).flatten();
    size.map(|size| size.ws_row).filter(|&rows| rows > 0)
}

/// Writes one message to standard error, where an error stands out. If that fails, nobody is left to tell.
pub(crate) fn report(message: &str) {
    let mut out = io::stderr();
    let _ = match message.strip_prefix(ERROR) {
        Some(rest) if colours::are_shown(&out) => writeln!(out, "{}{rest}", colours::alarming(ERROR)),
        _ => writeln!(out, "{message}"),
    };
}
