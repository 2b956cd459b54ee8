//! Which lines a shell keeps for later: none that might hold a secret.
//!
//! A line is kept if it is a command, whole and right, that takes no password. So a password that was typed where
//! none is expected, as in `login ann:secret2`, or behind a misspelled command, leaves no trace.

use std::fs;
use std::path::Path;

use rustyline::history::DefaultHistory;
use rustyline::{Editor, Helper};

use super::arguments;
use super::command::Role;
use super::line::{EXIT_COMMANDS, split};
use super::own;

/// Whether the history may keep `line`.
pub(crate) fn is_kept(role: &Role, line: &str) -> bool {
    if own::is_own(line) {
        return own::parse(line).is_ok();
    }
    // A comment is no part of the command, but of the line.
    let Some(words) = split(line).filter(|_| !line.contains('#')) else { return false };
    let Some((name, rest)) = words.split_first() else { return false };
    if name == "help" {
        return rest.iter().all(|word| role.names().any(|name| name == word));
    }
    let Some(command) = role.command(name) else {
        return EXIT_COMMANDS.contains(&name.as_str()) && rest.is_empty();
    };
    // Whatever stands behind the name of such a command may be a password.
    if command.secrets().next().is_some() {
        return rest.is_empty();
    }
    arguments::parse(command, rest).is_ok()
}

/// Reads the history kept in the file `path`, and drops from it what an earlier version should not have kept.
/// A history that cannot be read is no reason not to work.
pub(crate) fn load<H: Helper>(role: &Role, editor: &mut Editor<H, DefaultHistory>, path: &Path) {
    if editor.load_history(path).is_err() {
        return;
    }
    let all: Vec<String> = editor.history().iter().cloned().collect();
    if all.iter().all(|line| is_kept(role, line)) {
        return;
    }
    let _ = editor.clear_history();
    // The library does not write a history that is empty.
    let _ = fs::remove_file(path);
    for line in all.iter().filter(|line| is_kept(role, line)) {
        let _ = editor.add_history_entry(line.as_str());
    }
    let _ = editor.save_history(path);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::BUYER;

    #[test]
    fn commands_without_a_password_are_kept() {
        for line in [
            "ping",
            " search 'a b' --category 1",
            "login",
            "help login",
            "search -h",
            "exit",
            r"\x off",
            r"\watch 3",
        ] {
            assert!(is_kept(&BUYER, line), "{line}");
        }
    }

    #[test]
    fn no_line_that_might_hold_a_password_is_kept() {
        for line in [
            "login ann --password 'x y'",
            "login ann --password=x",
            "login ann --passw x",
            "login ann secret2",
            "login ann:secret2",
            "login ann/secret2",
            "login ann\\ secret2",
            "login --user ann@secret2",
            "create-account --name ann:secret2",
            "cart # secret2",
            "login ann secret2 again",
            "login ann 'secret2",
            "login ann # secret2",
            "login # secret2",
            "exit # secret2",
            "login ann secret2 -h",
            "create-account ann secret2",
            "logn ann secret2",
            "Login ann secret2",
            "buyer login ann secret2",
            "cart --session 12-secret2",
            "secret2",
            r"\secret2",
            r"\x secret2",
            "help secret2",
            "exit secret2",
            "ping\nlogin ann secret2",
            "",
        ] {
            assert!(!is_kept(&BUYER, line), "{line}");
        }
    }

    #[test]
    fn what_an_earlier_version_kept_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history");
        for (before, after) in [
            ("#V2\nping\nlogin ann secret2\ncart\n", Some("#V2\nping\ncart\n")),
            ("#V2\nlogn ann secret2\n", None),
            ("#V2\nping\n", Some("#V2\nping\n")),
        ] {
            fs::write(&path, before).unwrap();
            let mut editor = rustyline::DefaultEditor::new().unwrap();
            load(&BUYER, &mut editor, &path);
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), after);
        }
    }
}
