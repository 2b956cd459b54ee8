//! A seller's tables: the whole shop into a file that a spreadsheet opens, and back.
//!
//! These commands make many calls, so they are run from the command line alone, not within a shell.

pub(crate) mod carry_out;
mod cells;
pub(crate) mod complaints;
mod export;
mod import;
pub(crate) mod item;
pub(crate) mod listing;
pub(crate) mod plan;
mod seat;
pub(crate) mod sheet;
mod summary;
pub(crate) mod under_way;

use std::process::ExitCode;

use super::command::Role;
use super::engine::Engine;
use crate::narrow::print_help;
use crate::usage::{Usage, row};

/// What the commands take, if this is the role that has them.
pub(crate) fn usages(role: &Role) -> Vec<Usage> {
    if role.name == "seller" { vec![import::usage(), export::usage()] } else { Vec::new() }
}

/// Runs the command that these words begin with, or explains it, if it is one of a seller's tables.
pub(crate) fn run(engine: &mut Engine, words: &[String]) -> Option<ExitCode> {
    let usages = usages(engine.role);
    let usage = |name: &String| usages.iter().find(|usage| usage.name() == name);
    match words {
        [word] if is_help(word) && !usages.is_empty() => {
            let rows = usages.iter().map(|usage| row(usage.name(), &usage.summary));
            Some(print_help(&(engine.role.overview() + &rows.collect::<String>())))
        }
        [word, name] if is_help(word) => usage(name).map(|usage| print_help(&usage.help())),
        [name, args @ ..] => usage(name).map(|usage| match usage.name() {
            "import" => import::run(engine, usage, args),
            _ => export::run(engine, usage, args),
        }),
        [] => None,
    }
}

/// Whether a word asks for help where a command may stand.
fn is_help(word: &str) -> bool {
    matches!(word, "help" | "-h" | "--help")
}
