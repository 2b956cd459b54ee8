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

use super::engine::Engine;

/// The commands, as the list of all commands shows them.
pub(crate) const OVERVIEW: &str =
    "  import          bring a table of items (CSV) into your shop; from the command line only
  export          write your shop as a table (CSV); from the command line only
";

/// Runs the command that these words begin with, if it is one of a seller's tables.
pub(crate) fn run(engine: &mut Engine, words: &[String]) -> Option<ExitCode> {
    let (name, args) = words.split_first().filter(|_| engine.role.name == "seller")?;
    match name.as_str() {
        "import" => Some(import::run(engine, args)),
        "export" => Some(export::run(engine, args)),
        _ => None,
    }
}
