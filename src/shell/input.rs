//! Where a shell's lines and passwords come from. There is one reader for all of a shell's life, so what was
//! typed ahead, pasted or piped is never lost between a command and its password.

use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Write};

use super::editor::Editor;
use super::line::{LINE_BYTES_MAX, ReadError, TYPED_BYTES_MAX};
use super::terminal::{Interrupt, Terminal};

/// A source of lines.
pub(crate) enum Input {
    /// What is piped in: a script, or a password.
    Script(Script),
    /// A terminal whose lines the kernel edits.
    Plain(Plain),
    /// A terminal whose lines the shell edits.
    Editor(Box<Editor>),
}

/// Standard input that is no terminal.
#[derive(Default)]
pub(crate) struct Script {
    lines: u64,
}

/// A terminal without an editor.
pub(crate) struct Plain {
    interrupt: Interrupt,
    /// One command takes it over when it needs a password.
    terminal: Option<Terminal>,
    /// What the terminal gave beyond the lines taken so far.
    pending: Vec<u8>,
}

impl Input {
    /// Standard input for one command, which reads no more than a password.
    pub(crate) fn for_command() -> Input {
        if io::stdin().is_terminal() {
            Input::Plain(Plain { interrupt: Interrupt::Ends, terminal: None, pending: Vec::new() })
        } else {
            Input::Script(Script::default())
        }
    }

    /// The next line, without its end. A person is shown `prompt`.
    pub(crate) fn line(&mut self, prompt: &str) -> Result<String, ReadError> {
        match self {
            Input::Script(script) => script.line(),
            Input::Plain(plain) => plain.read(&mut io::stdout(), prompt, false),
            Input::Editor(editor) => editor.line(prompt),
        }
    }

    /// The next line, which nobody sees. A person is asked `question`.
    pub(crate) fn secret(&mut self, question: &str) -> Result<String, ReadError> {
        match self {
            Input::Script(script) => script.line(),
            // Standard output and standard error may be redirected.
            Input::Plain(plain) => match OpenOptions::new().write(true).open("/dev/tty") {
                Ok(mut tty) => plain.read(&mut tty, question, true),
                Err(_) => plain.read(&mut io::stderr(), question, true),
            },
            Input::Editor(editor) => editor.secret(question),
        }
    }

    /// Whether a person types the lines.
    pub(crate) fn is_terminal(&self) -> bool {
        !matches!(self, Input::Script(_))
    }

    /// The terminal, if Ctrl-C gives up what the shell waits for.
    pub(crate) fn terminal(&self) -> Option<&Terminal> {
        match self {
            Input::Script(_) => None,
            Input::Plain(plain) if plain.interrupt == Interrupt::Ends => None,
            Input::Plain(plain) => plain.terminal.as_ref(),
            Input::Editor(editor) => Some(editor.terminal()),
        }
    }
}

impl Script {
    fn line(&mut self) -> Result<String, ReadError> {
        self.read(io::stdin().lock())
    }

    fn read(&mut self, input: impl BufRead) -> Result<String, ReadError> {
        let mut line = Vec::new();
        // Room for the end of a line that is as long as it may be, and one byte to see that it is longer.
        let longest = LINE_BYTES_MAX as u64 + 3;
        input.take(longest).read_until(b'\n', &mut line).map_err(|error| ReadError::of_io(&error))?;
        if line.is_empty() {
            return Err(ReadError::End);
        }
        self.lines += 1;
        if self.lines == 1 && line.starts_with("\u{feff}".as_bytes()) {
            // Some editors begin a file with this mark, which is no part of its text.
            line.drain(.."\u{feff}".len());
        }
        decode(line).map_err(|what| ReadError::Refused(format!("line {} of the input {what}", self.lines)))
    }
}

impl Plain {
    /// Takes the terminal over for many lines.
    pub(crate) fn open() -> io::Result<Plain> {
        let terminal = Some(Terminal::open(Interrupt::GivesUp, None)?);
        Ok(Plain { interrupt: Interrupt::GivesUp, terminal, pending: Vec::new() })
    }

    fn read(&mut self, out: &mut dyn Write, question: &str, is_secret: bool) -> Result<String, ReadError> {
        let failed = |error: io::Error| ReadError::of_io(&error);
        let terminal = match &mut self.terminal {
            Some(terminal) => terminal,
            none => none.insert(Terminal::open(self.interrupt, None).map_err(failed)?),
        };
        let read = terminal.read_line(out, question, is_secret, &mut self.pending);
        let end = self.pending.iter().position(|&byte| byte == b'\n');
        if is_secret || (read.is_ok() && end.is_none()) {
            // No end of a line was shown.
            let _ = out.write_all(b"\n");
        }
        read.map_err(failed)?;
        let rest = self.pending.split_off(end.map_or(self.pending.len(), |end| end + 1));
        let line = std::mem::replace(&mut self.pending, rest);
        if line.is_empty() {
            return Err(ReadError::End);
        }
        if line.len() >= TYPED_BYTES_MAX {
            // The kernel leaves out what does not fit, and says nothing.
            return Err(ReadError::Refused(format!("the line is longer than {} bytes", TYPED_BYTES_MAX - 2)));
        }
        decode(line).map_err(|what| ReadError::Refused(format!("the line {what}")))
    }
}

/// A line without its end. An `Err` says what is wrong with it.
fn decode(mut line: Vec<u8>) -> Result<String, String> {
    if line.ends_with(b"\n") {
        line.pop();
    }
    if line.ends_with(b"\r") {
        line.pop();
    }
    if line.len() > LINE_BYTES_MAX {
        return Err(format!("is longer than {LINE_BYTES_MAX} bytes"));
    }
    String::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `input`, each without its end, and why there is no other.
    fn lines(mut input: &[u8]) -> (Vec<String>, ReadError) {
        let mut script = Script::default();
        let mut lines = Vec::new();
        loop {
            match script.read(&mut input) {
                Ok(line) => lines.push(line),
                Err(error) => return (lines, error),
            }
        }
    }

    #[test]
    fn a_line_is_what_stands_before_its_end() {
        let (lines, error) = lines(b"s e\"cret \r\n next\n\n\rlast");
        assert_eq!(lines, ["s e\"cret ", " next", "", "\rlast"]);
        assert!(matches!(error, ReadError::End));
    }

    #[test]
    fn a_byte_order_mark_is_no_text_at_the_start() {
        let (lines, _) = lines("\u{feff}ping\r\n\u{feff}x\n".as_bytes());
        assert_eq!(lines, ["ping", "\u{feff}x"]);
    }

    #[test]
    fn a_line_that_is_no_text_is_named() {
        let (lines, error) = lines(b"ping\ncaf\xe9\nping\n");
        assert_eq!(lines, ["ping"]);
        assert!(matches!(error, ReadError::Refused(what) if what == "line 2 of the input is not UTF-8"));
    }

    #[test]
    fn a_line_has_a_longest_length() {
        let longest = [vec![b'x'; LINE_BYTES_MAX], b"\r\n".to_vec()].concat();
        assert_eq!(lines(&longest).0.len(), 1);
        let (none, error) = lines(&vec![b'x'; LINE_BYTES_MAX + 1]);
        assert!(none.is_empty());
        assert!(matches!(error, ReadError::Refused(what) if what.contains("longer than 65536 bytes")));
    }
}
