//! `marketplace completions`: scripts that complete the words of a command line in bash, zsh and fish.
//!
//! They are made from what `main` lists, so they know what the parser knows. All three find the place in the command line
//! in the same way: from word to word, as long as one is a command there and not the value of an option.

mod bash;
mod fish;
mod place;
mod zsh;

use std::process::ExitCode;

use crate::command_line::print;
use crate::options::Options;
use crate::subcommand::{Group, List, Subcommand};
use crate::suggestion::did_you_mean;
use crate::usage::{Usage, Words};
use place::Place;

const BRIEF: &str = "\
Usage: marketplace completions SHELL

Prints a script that completes the words of this program's command lines in bash, zsh or fish. Keep it where the
shell looks for it, or read it at once:

  bash   marketplace completions bash > ~/.local/share/bash-completion/completions/marketplace
  zsh    marketplace completions zsh > DIR/_marketplace      DIR is a folder in $fpath
  fish   marketplace completions fish > ~/.config/fish/completions/marketplace.fish
  now    source <(marketplace completions bash)";

/// A shell, and what makes the script for it.
type Shell = (&'static str, fn(&[Place]) -> String);

const SHELLS: [Shell; 3] = [("bash", bash::script), ("zsh", zsh::script), ("fish", fish::script)];

/// The subcommand, which knows those of the list.
pub(crate) fn subcommand(list: List) -> Subcommand {
    Subcommand::new(Group::Explain, "completions", usage, move |args| run(list, args))
}

fn usage() -> Usage {
    let summary = "a script that completes command lines in bash, zsh or fish";
    let usage = Usage::new("marketplace completions", summary, BRIEF, Options::new());
    let names = SHELLS.map(|(name, _)| name.to_owned());
    Usage { operands: Words::OneOf(names.to_vec()), ..usage }
}

fn run(list: List, args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let [name] = matches.free.as_slice() else {
        return usage.error("completions takes one SHELL: bash, zsh or fish");
    };
    match SHELLS.iter().find(|(shell, _)| shell == name) {
        Some((_, script)) => print(&script(&place::all(list().iter().map(Subcommand::usage).collect()))),
        None => {
            let meant = did_you_mean(name, SHELLS.map(|(shell, _)| shell));
            usage.error(&format!("SHELL must be bash, zsh or fish, not {name:?}{meant}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made up, with all that is hard to quote.
    pub(super) fn places() -> Vec<Place> {
        let mut options = Options::new();
        options.value("file", "it's a \"file\": [$HOME] `x` \\", "FILE[#SECTION]");
        options.value("dir", "a folder", "DIR");
        options.choice("log", "how much", "LEVEL", &["info", "debug"]);
        options.flag("all", "everything");
        let usage = |path: &str, options| Usage::new(path, "what it's for", "", options);
        let deep = Usage {
            operands: Words::OneOf(vec!["x".to_owned(), "y".to_owned()]),
            ..usage("marketplace a deep", Options::new())
        };
        let a = Usage { commands: vec![deep], ..usage("marketplace a", options) };
        place::all(vec![a, Usage { operands: Words::Files, ..usage("marketplace b", Options::new()) }])
    }

    #[test]
    fn each_script_names_all_there_is() {
        for (shell, script) in SHELLS {
            let script = script(&places());
            for what in ["marketplace a deep", "file", "dir", "log", "info", "debug", "all", "help", "x y"] {
                let words: Vec<_> = what.split(' ').collect();
                let is_there = script.contains(what) || words.iter().all(|word| script.contains(word));
                assert!(is_there, "{what:?} in {shell}: {script}");
            }
        }
    }
}
