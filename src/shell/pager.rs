//! What is taller than the terminal goes through a pager: the command in `PAGER`, or `less`.

use std::env;
use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

use signal_hook::consts::SIGINT;

use crate::command_line::{rows, write_out};
use crate::process::signals::CaughtSignals;

const VARIABLE: &str = "PAGER";
const DEFAULT: &str = "less";
/// What `less` is told unless its user has told it something else: to leave at the end of a page that fits, to show colours,
/// to cut long lines, which can be scrolled to, and to leave what it has shown on the screen; and that text is UTF-8,
/// whatever the locale is.
const LESS: [(&str, &str); 2] = [("LESS", "FRSX"), ("LESSCHARSET", "utf-8")];
/// What a shell says of a command that is not there, or is no program.
const NOT_RUN: [i32; 2] = [126, 127];

/// Writes `text` to standard output, through a pager if that is a terminal with fewer lines.
pub(crate) fn show(text: &str) -> io::Result<()> {
    let is_taller = rows(&io::stdout()).is_some_and(|rows| text.lines().count() >= usize::from(rows));
    let Some(pager) = chosen(env::var(VARIABLE).ok()).filter(|_| is_taller) else {
        return write_out(text);
    };
    // Ctrl-C is the pager's, which may do without it; this program ends after it.
    let _kept_from_us = CaughtSignals::catch([SIGINT])?;
    let Ok(child) = start(&pager) else { return write_out(text) };
    match page(child, text)? {
        Some(code) if NOT_RUN.contains(&code) => write_out(text),
        _ => Ok(()),
    }
}

/// The pager to start, if what `PAGER` says does not mean none.
fn chosen(variable: Option<String>) -> Option<String> {
    let pager = variable.unwrap_or_else(|| DEFAULT.to_owned());
    let is_none = matches!(pager.trim(), "" | "cat");
    (!is_none).then_some(pager)
}

fn start(pager: &str) -> io::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command.envs(LESS.into_iter().filter(|(variable, _)| env::var_os(variable).is_none()));
    command.args(["-c", pager]).stdin(Stdio::piped()).spawn()
}

/// Gives `text` to a pager and waits for its end. Returns its exit code, if it has one.
fn page(mut pager: Child, text: &str) -> io::Result<Option<i32>> {
    if let Some(mut input) = pager.stdin.take() {
        // Whoever has seen enough leaves before the end.
        let _ = input.write_all(text.as_bytes());
    }
    Ok(pager.wait()?.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pager_can_be_chosen_or_switched_off() {
        assert_eq!(chosen(None).as_deref(), Some("less"));
        assert_eq!(chosen(Some("more -f".to_owned())).as_deref(), Some("more -f"));
        for none in ["", " ", "cat"] {
            assert_eq!(chosen(Some(none.to_owned())), None);
        }
    }
}
