//! Lines and passwords from a terminal, with editing, history and completion.
//!
//! All of them come from one rustyline editor, which keeps what it has read ahead for the next line. What is
//! kept in the history is decided elsewhere.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::completion::{Completer, Pair};
use rustyline::config::{ColorMode, CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{
    Cmd, ConditionalEventHandler, Context, Editor as Rustyline, Event, EventContext, EventHandler, Helper,
    KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use super::command::Role;
use super::history;
use super::line::{ReadError, TYPED_BYTES_MAX};
use super::own;
use super::terminal::{Interrupt, Terminal, drop_typed_ahead};
use crate::colours;

/// Terminals that cannot move the cursor, by the name in `TERM`.
const NO_CURSOR: [&str; 3] = ["dumb", "cons25", "emacs"];
const PASTE_ON: &str = "\x1b[?2004h";
const PASTE_OFF: &str = "\x1b[?2004l";

/// An editor on a terminal that can move the cursor.
pub(crate) struct Editor {
    terminal: Terminal,
    editor: Rustyline<LineHelper, DefaultHistory>,
    role: &'static Role,
    history: Option<PathBuf>,
    state: Arc<State>,
}

/// What the keys do at present.
#[derive(Default)]
struct State {
    /// What is typed is secret.
    hides: AtomicBool,
    /// What comes is pasted, so its control characters are no keys.
    pastes: AtomicBool,
    /// Ctrl-C ended the line.
    interrupted: AtomicBool,
    /// The line is as long as it may be, and something was left out.
    is_full: AtomicBool,
}

impl Editor {
    /// Whether the terminal that the environment names can move its cursor.
    pub(crate) fn is_supported() -> bool {
        let term = std::env::var("TERM").unwrap_or_default();
        !NO_CURSOR.iter().any(|name| term.eq_ignore_ascii_case(name))
    }

    /// Takes the terminal over. The history is kept in the file `history`.
    pub(crate) fn open(role: &'static Role, history: Option<PathBuf>) -> Result<Editor, ReadError> {
        let terminal =
            Terminal::open(Interrupt::GivesUp, Some(PASTE_OFF)).map_err(|error| ReadError::of_io(&error))?;
        let config = Config::builder()
            .auto_add_history(false)
            .completion_type(CompletionType::List)
            .color_mode(ColorMode::Forced)
            .build();
        let failed = |error: ReadlineError| ReadError::Failed(error.to_string());
        let mut editor = Rustyline::with_config(config).map_err(failed)?;
        let state = Arc::new(State::default());
        let is_coloured = colours::are_shown(&io::stdout());
        editor.set_helper(Some(LineHelper { role, state: Arc::clone(&state), is_coloured }));
        let keys = Keys { state: Arc::clone(&state), found: terminal.found().clone() };
        editor.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys)));
        if let Some(path) = &history {
            history::load(role, &mut editor, path);
        }
        Ok(Editor { terminal, editor, role, history, state })
    }

    pub(crate) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    pub(crate) fn line(&mut self, prompt: &str) -> Result<String, ReadError> {
        let line = self.read(prompt)?;
        if history::is_kept(self.role, &line) {
            // A history that cannot be kept is no reason not to work.
            let added = self.editor.add_history_entry(&line);
            if let (Ok(true), Some(path)) = (added, &self.history) {
                let _ = self.editor.append_history(path);
            }
        }
        Ok(line)
    }

    pub(crate) fn secret(&mut self, question: &str) -> Result<String, ReadError> {
        self.state.hides.store(true, Ordering::Relaxed);
        let line = self.read(question);
        self.state.hides.store(false, Ordering::Relaxed);
        line
    }

    fn read(&mut self, prompt: &str) -> Result<String, ReadError> {
        // Whoever stopped and continued the program may have changed the mode.
        self.terminal.be_quiet().map_err(|error| ReadError::of_io(&error))?;
        let line = loop {
            match self.editor.readline(prompt) {
                Err(ReadlineError::Signal(_)) => {}
                result => break result,
            }
        };
        let interrupted = self.state.interrupted.swap(false, Ordering::Relaxed);
        let is_full = self.state.is_full.swap(false, Ordering::Relaxed);
        match line {
            Ok(_) if interrupted => Err(ReadError::Interrupted),
            Err(ReadlineError::Interrupted) => Err(ReadError::Interrupted),
            Ok(_) if is_full => {
                Err(ReadError::Refused(format!("the line is longer than {TYPED_BYTES_MAX} bytes")))
            }
            Ok(line) => Ok(line),
            Err(ReadlineError::Eof) => Err(ReadError::End),
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                // The library drops what it has read ahead. The rest of a paste is no line of its own.
                drop_typed_ahead();
                self.state.pastes.store(false, Ordering::Relaxed);
                Err(ReadError::Refused("what was typed is not UTF-8, so all of it was dropped".to_owned()))
            }
            Err(error) => Err(ReadError::Failed(error.to_string())),
        }
    }
}

/// Sees every key before the editor does.
struct Keys {
    state: Arc<State>,
    /// The terminal's mode for other programs.
    found: Termios,
}

impl ConditionalEventHandler for Keys {
    /// `None` leaves the key to the editor.
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let &KeyEvent(key, modifiers) = event.get(0)?;
        let state = &self.state;
        match (key, modifiers) {
            (KeyCode::BracketedPasteStart | KeyCode::BracketedPasteEnd, _) => {
                state.pastes.store(key == KeyCode::BracketedPasteStart, Ordering::Relaxed);
                Some(Cmd::Noop)
            }
            (KeyCode::Char('C'), Modifiers::CTRL) => {
                // Not `Cmd::Interrupt`, after which the library drops what it has read ahead.
                state.interrupted.store(true, Ordering::Relaxed);
                state.pastes.store(false, Ordering::Relaxed);
                Some(Cmd::AcceptLine)
            }
            // Pasted lines are commands like typed ones.
            (KeyCode::Enter, Modifiers::NONE) | (KeyCode::Char('J'), Modifiers::CTRL) => {
                Some(Cmd::AcceptLine)
            }
            (KeyCode::Char(_), Modifiers::NONE) if context.line().len() >= TYPED_BYTES_MAX => {
                state.is_full.store(true, Ordering::Relaxed);
                Some(Cmd::Noop)
            }
            (KeyCode::Char(_), Modifiers::NONE) => None,
            (KeyCode::Tab, Modifiers::NONE) if state.pastes.load(Ordering::Relaxed) => {
                Some(Cmd::SelfInsert(1, ' '))
            }
            _ if state.pastes.load(Ordering::Relaxed) => Some(Cmd::Noop),
            (KeyCode::Char('Z'), Modifiers::CTRL) => {
                stop(&self.found);
                Some(Cmd::Repaint)
            }
            _ if state.hides.load(Ordering::Relaxed) => hidden(key, modifiers),
            _ => None,
        }
    }
}

/// What a key does to a secret: nothing that would keep it for another line, or bring another line in.
fn hidden(key: KeyCode, modifiers: Modifiers) -> Option<Cmd> {
    match (key, modifiers) {
        (KeyCode::Backspace, Modifiers::NONE) | (KeyCode::Char('D'), Modifiers::CTRL) => None,
        (KeyCode::Char('U'), Modifiers::CTRL) => Some(Cmd::Undo(RepeatCount::MAX)),
        _ => Some(Cmd::Noop),
    }
}

/// Stops the program until it is continued. Others find the terminal in the mode `found`.
fn stop(found: &Termios) {
    let set = |mode: &Termios, paste: &str| {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, mode);
        let _ = io::stdout().write_all(paste.as_bytes()).and_then(|()| io::stdout().flush());
    };
    let Ok(own) = tcgetattr(io::stdin()) else { return };
    set(found, &format!("{PASTE_OFF}\n"));
    let _ = kill_current_process_group(Signal::TSTP);
    set(&own, PASTE_ON);
}

/// Helps a person: completes command names, and the options of the command that the line begins with.
struct LineHelper {
    role: &'static Role,
    state: Arc<State>,
    is_coloured: bool,
}

impl LineHelper {
    fn candidates(&self, before: &str, word: &str) -> Vec<String> {
        if own::is_own(before) || before.trim().is_empty() && own::is_own(word) {
            let all = own::candidates(before).into_iter().filter(|candidate| candidate.starts_with(word));
            return all.map(str::to_owned).collect();
        }
        let all: Vec<String> = match before.split_whitespace().next() {
            None | Some("help") => self.role.names().map(str::to_owned).collect(),
            Some(name) if word.starts_with('-') => {
                let parameters = self.role.command(name).map_or(&[][..], |command| command.parameters);
                let flags =
                    parameters.iter().map(|parameter| parameter.flag).chain(["json", "header", "help"]);
                flags.map(|flag| format!("--{flag}")).collect()
            }
            Some(_) => Vec::new(),
        };
        all.into_iter().filter(|candidate| candidate.starts_with(word)).collect()
    }
}

impl Completer for LineHelper {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>), ReadlineError> {
        let line = &line[..pos];
        let start = line.trim_end_matches(|c: char| !c.is_whitespace()).len();
        let (before, word) = line.split_at(start);
        let pair = |display: String| Pair { replacement: format!("{display} "), display };
        Ok((start, self.candidates(before, word).into_iter().map(pair).collect()))
    }
}

impl Highlighter for LineHelper {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _default: bool) -> Cow<'b, str> {
        if self.is_coloured { Cow::Owned(colours::bold(prompt)) } else { Cow::Borrowed(prompt) }
    }

    /// Shows nothing of a secret.
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if self.state.hides.load(Ordering::Relaxed) {
            Cow::Owned(" ".repeat(line.chars().count()))
        } else {
            Cow::Borrowed(line)
        }
    }

    fn highlight_char(&self, _line: &str, _pos: usize, kind: CmdKind) -> bool {
        self.state.hides.load(Ordering::Relaxed) && kind != CmdKind::MoveCursor
    }
}

impl Hinter for LineHelper {
    type Hint = String;
}
impl Validator for LineHelper {}
impl Helper for LineHelper {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{BUYER, SELLER};

    #[test]
    fn completes_commands_and_then_their_options() {
        let person = |role| LineHelper { role, state: Arc::default(), is_coloured: false };
        let seller = person(&SELLER);
        assert_eq!(seller.candidates("", "r"), ["rating", "register"]);
        assert_eq!(seller.candidates("", "q"), ["quit"]);
        assert_eq!(seller.candidates("help ", "pr"), ["price"]);
        assert_eq!(seller.candidates("items ", "--s"), ["--sold-out"]);
        assert_eq!(
            seller.candidates("price 1:42 ", "--"),
            ["--item", "--price", "--json", "--header", "--help"]
        );
        assert!(seller.candidates("nonsense ", "--no").is_empty());
        assert!(person(&BUYER).candidates("", "reg").is_empty());
        assert_eq!(seller.candidates("", "\\"), ["\\x", "\\timing", "\\watch", "\\?"]);
        assert_eq!(seller.candidates("\\x ", "o"), ["on", "off"]);
    }
}
