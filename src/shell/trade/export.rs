//! `marketplace seller export`: writes the whole shop as a table.

use std::path::Path;
use std::process::ExitCode;

use super::seat::{Seat, explain};
use super::sheet;
use crate::command_line::{FAILED, print, report};
use crate::options::Options;
use crate::output_file::OutputFile;
use crate::shell::engine::Engine;
use crate::text::escape;
use crate::usage::{Usage, Words};

const BRIEF: &str = "\
Usage: marketplace seller export [FILE.csv]

Writes all items of your shop as a table, those that are sold out too, to a file or else to
standard output. The file may be changed in a spreadsheet and imported again.

A cell that a spreadsheet would take for a formula or for a time of the day has an apostrophe
before it, which import takes away again.
Exit status: 0 done, 1 the service answered with an error or the file cannot be written,
2 usage, 3 cannot connect.";

/// What the command takes.
pub(super) fn usage() -> Usage {
    let options = Options::new();
    let usage = Usage::new(
        "marketplace seller export",
        "write your shop as a table (CSV); from the command line only",
        BRIEF,
        options,
    );
    Usage { operands: Words::Files, ..usage }
}

/// Runs the command.
pub(super) fn run(engine: &mut Engine, usage: &Usage, args: &[String]) -> ExitCode {
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let file = match &matches.free[..] {
        [] => None,
        [name] => Some(OutputFile::probe(Path::new(name))),
        _ => return usage.error("export takes one file"),
    };
    let file = match file.transpose() {
        Ok(file) => file,
        Err(message) => return cannot(&message),
    };
    let json = engine.output.json;
    let items = match Seat::of(engine).items() {
        Ok(items) => items,
        Err(error) => return explain(&error, json),
    };
    let table = sheet::write(&items);
    let Some(mut file) = file else {
        return print(&table);
    };
    match file.write(&sheet::marked(&table)) {
        Ok(()) => print(&format!("Items written: {}.\n", items.len())),
        Err(message) => cannot(&message),
    }
}

fn cannot(message: &str) -> ExitCode {
    report(&format!("error: {}", escape(message)));
    ExitCode::from(FAILED)
}
