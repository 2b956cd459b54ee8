//! A line of a shell, wherever it comes from: how long it may be, why there is none, and its words.

use std::io;

/// The longest line that is read, in bytes without its end.
pub(crate) const LINE_BYTES_MAX: usize = 64 << 10;

/// The longest line that can be typed, in bytes. A terminal without an editor knows no longer one either.
pub(crate) const TYPED_BYTES_MAX: usize = 4096;

/// Words that end a shell.
pub(crate) const EXIT_COMMANDS: [&str; 2] = ["exit", "quit"];

/// Why there is no line.
pub(crate) enum ReadError {
    /// The input is at its end.
    End,
    /// Ctrl-C.
    Interrupted,
    /// What was read is no line; the next one can be read.
    Refused(String),
    /// The input failed.
    Failed(String),
}

impl ReadError {
    /// The error of a failed read.
    pub(crate) fn of_io(error: &io::Error) -> ReadError {
        match error.kind() {
            io::ErrorKind::Interrupted => ReadError::Interrupted,
            _ => ReadError::Failed(error.to_string()),
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
