//! What stands out on a terminal, and whether it may.

use std::env;
use std::io::IsTerminal;

/// Whether `stream` shows colours: it is a terminal that can, and nobody has asked for none.
pub(crate) fn are_shown(stream: &impl IsTerminal) -> bool {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty());
    let can = set("TERM").is_some_and(|term| term != "dumb");
    can && set("NO_COLOR").is_none() && stream.is_terminal()
}

/// `text` in bold.
pub(crate) fn bold(text: &str) -> String {
    format!("\x1b[1m{text}\x1b[0m")
}

/// `text` in bold and red.
pub(crate) fn alarming(text: &str) -> String {
    format!("\x1b[1;31m{text}\x1b[0m")
}
