//! Runs commands line by line: those that a person types, or those of a script.

use super::engine::Engine;
use super::input::ReadError;
use crate::command_line::{FAILED, USAGE, report};
use crate::text;

/// Words that end a shell.
pub(crate) const EXIT_COMMANDS: [&str; 2] = ["exit", "quit"];

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

/// The words of a line, as a POSIX shell would split it, or `None` if a quotation mark is not closed. White space
/// of any kind separates words: a space that was typed with another key held down is hard to tell from one.
pub(crate) fn split(line: &str) -> Option<Vec<String>> {
    let mut quote = None;
    let mut is_escaped = false;
    let spaced = line.chars().map(|c| {
        match (c, quote) {
            _ if is_escaped => is_escaped = false,
            ('\\', None | Some('"')) => is_escaped = true,
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() && c != '\n' => return ' ',
            _ => {}
        }
        c
    });
    shlex::split(&spaced.collect::<String>())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_people_expect() {
        for line in ["a 'b  c' d", "a\t\"b  c\"\u{a0}d\r", "a b\\ \\ c\u{3000}d # e"] {
            assert_eq!(split(line).unwrap(), ["a", "b  c", "d"], "{line:?}");
        }
        assert_eq!(
            split("'a\u{a0}b' \"c\\\"\u{a0}d\" e\\\u{a0}f").unwrap(),
            ["a\u{a0}b", "c\"\u{a0}d", "e\u{a0}f"]
        );
        assert!(split("a 'b").is_none());
    }
}
