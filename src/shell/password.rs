//! Asks for a password: without echo on a terminal, else as a line of standard input.

use std::borrow::Cow;
use std::io::{self, IsTerminal};

use rustyline::completion::Completer;
use rustyline::config::{Behavior, Config};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, Editor, Helper};

/// Reads a password; `twice` asks a person to repeat it. An `Err` says why there is none.
pub(crate) fn ask(twice: bool) -> Result<String, String> {
    if !io::stdin().is_terminal() {
        return read_line(io::stdin().lock());
    }
    let password = prompt("Password: ")?;
    if twice && prompt("The same again: ")? != password {
        return Err("the two passwords differ".to_owned());
    }
    Ok(password)
}

fn read_line(mut input: impl io::BufRead) -> Result<String, String> {
    let mut line = String::new();
    match input.read_line(&mut line) {
        Ok(0) => Err("no password was given".to_owned()),
        Ok(_) => {
            let line = line.strip_suffix('\n').unwrap_or(&line);
            Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
        }
        Err(error) => Err(format!("cannot read the password: {error}")),
    }
}

/// The editor restores the terminal even where Ctrl-C ends the question, which a bare read with
/// echo switched off would not.
fn prompt(question: &str) -> Result<String, String> {
    let config = Config::builder()
        .behavior(Behavior::PreferTerm)
        .color_mode(ColorMode::Forced)
        .auto_add_history(false)
        .build();
    let read = || {
        let mut editor = Editor::<Hidden, DefaultHistory>::with_config(config)?;
        editor.set_helper(Some(Hidden));
        editor.readline(question)
    };
    read().map_err(|_: rustyline::error::ReadlineError| "no password was given".to_owned())
}

/// Shows nothing of what is typed.
struct Hidden;

impl Highlighter for Hidden {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        Cow::Owned(" ".repeat(line.chars().count()))
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

impl Completer for Hidden {
    type Candidate = String;
}
impl Hinter for Hidden {
    type Hint = String;
}
impl Validator for Hidden {}
impl Helper for Hidden {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piped_password_is_one_line_without_its_end() {
        let mut input: &[u8] = b"s e\"cret \r\nnext\n\n";
        assert_eq!(read_line(&mut input).unwrap(), "s e\"cret ");
        assert_eq!(read_line(&mut input).unwrap(), "next");
        assert_eq!(read_line(&mut input).unwrap(), "");
        assert!(read_line(&mut input).is_err());
    }
}
