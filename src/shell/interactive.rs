//! Reads commands line by line: from a terminal with editing, history and completion, or from a
//! script on standard input.

use std::io;
use std::path::Path;

use rustyline::completion::{Completer, Pair};
use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};

use super::command::Role;
use super::engine::Engine;
use super::session::create_private_dir;
use crate::command_line::{FAILED, USAGE, report};
use crate::text::escape;

/// Words that end a shell.
const LEAVE: [&str; 2] = ["exit", "quit"];

/// Reads commands from the terminal until the user leaves. A command that fails ends nothing.
pub(crate) fn run_terminal(engine: &mut Engine, history: Option<&Path>) -> u8 {
    match read_terminal(engine, history) {
        Ok(()) => 0,
        Err(error) => {
            report(&format!("error: cannot read the terminal: {error}"));
            FAILED
        }
    }
}

/// Runs the lines of standard input up to the first that fails, and returns its exit code.
pub(crate) fn run_script(engine: &mut Engine) -> u8 {
    let mut line = String::new();
    loop {
        line.clear();
        // Not `lines()`, which would hold the lock: a password is read from the same input.
        match io::stdin().read_line(&mut line) {
            Ok(0) => return 0,
            Ok(_) => match run_line(engine, &line) {
                Some(0) => {}
                Some(code) => return code,
                None => return 0,
            },
            Err(error) => {
                report(&format!("error: cannot read standard input: {error}"));
                return USAGE;
            }
        }
    }
}

/// Runs one line and returns its exit code, or `None` if it asks to leave.
fn run_line(engine: &mut Engine, line: &str) -> Option<u8> {
    let Some(words) = shlex::split(line) else {
        report("error: a quotation mark is not closed");
        return Some(USAGE);
    };
    if words.first().is_some_and(|word| LEAVE.contains(&word.as_str())) {
        return None;
    }
    Some(engine.run(&words))
}

fn read_terminal(engine: &mut Engine, history: Option<&Path>) -> Result<(), ReadlineError> {
    let config = Config::builder().auto_add_history(false).completion_type(CompletionType::List).build();
    let mut editor = Editor::<Completion, DefaultHistory>::with_config(config)?;
    editor.set_helper(Some(Completion { role: engine.role }));
    // A history that cannot be kept is no reason not to work.
    let history = history.filter(|path| path.parent().is_some_and(|dir| create_private_dir(dir).is_ok()));
    if let Some(path) = history {
        let _ = editor.load_history(path);
    }
    loop {
        match editor.readline(&prompt(engine)) {
            Ok(line) => {
                if !holds_password(&line) && editor.add_history_entry(&line)? {
                    let _ = history.map(|path| editor.append_history(path));
                }
                if run_line(engine, &line).is_none() {
                    return Ok(());
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn prompt(engine: &Engine) -> String {
    match engine.session.as_ref().and_then(|session| session.username.as_deref()) {
        Some(username) => format!("{} {}> ", engine.role.name, escape(username)),
        None => format!("{}> ", engine.role.name),
    }
}

/// Whether a line must not be kept: rather one too many than a password.
fn holds_password(line: &str) -> bool {
    line.contains("password")
}

/// Completes command names, and the options of the command that the line begins with.
struct Completion {
    role: &'static Role,
}

impl Completion {
    fn candidates(&self, before: &str, word: &str) -> Vec<String> {
        let names = || self.role.commands.iter().map(|command| command.name);
        let all: Vec<String> = match before.split_whitespace().next() {
            None => names().chain(["help"]).chain(LEAVE).map(str::to_owned).collect(),
            Some("help") => names().map(str::to_owned).collect(),
            Some(name) if word.starts_with('-') => {
                let parameters = self.role.command(name).map_or(&[][..], |command| command.parameters);
                let flags = parameters.iter().map(|parameter| parameter.flag).chain(["json", "help"]);
                flags.map(|flag| format!("--{flag}")).collect()
            }
            Some(_) => Vec::new(),
        };
        all.into_iter().filter(|candidate| candidate.starts_with(word)).collect()
    }
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>), ReadlineError> {
        let line = &line[..pos];
        let start = line.trim_end_matches(|c: char| !c.is_whitespace()).len();
        let (before, word) = line.split_at(start);
        let pair = |display: String| Pair { replacement: format!("{display} "), display };
        Ok((start, self.candidates(before, word).into_iter().map(pair).collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::{BUYER, SELLER};

    #[test]
    fn completes_commands_and_then_their_options() {
        let seller = Completion { role: &SELLER };
        assert_eq!(seller.candidates("", "r"), ["rating", "register"]);
        assert_eq!(seller.candidates("", "q"), ["quit"]);
        assert_eq!(seller.candidates("help ", "pr"), ["price"]);
        assert_eq!(seller.candidates("items ", "--s"), ["--sold-out"]);
        assert_eq!(seller.candidates("price 1:42 ", "--"), ["--item", "--price", "--json", "--help"]);
        assert!(seller.candidates("nonsense ", "--no").is_empty());
        assert!(Completion { role: &BUYER }.candidates("", "reg").is_empty());
    }

    #[test]
    fn lines_with_passwords_are_not_kept() {
        assert!(holds_password("login ann --password 'x y'"));
        assert!(holds_password("login ann --password=x"));
        assert!(!holds_password("login ann"));
    }
}
