//! `marketplace seller export`: writes the whole shop as a table.

use std::path::Path;
use std::process::ExitCode;

use getopts::Options;

use super::seat::{Seat, explain};
use super::sheet;
use crate::command_line::{self, FAILED, print, report, usage_error};
use crate::output_file::OutputFile;
use crate::shell::engine::Engine;
use crate::text::escape;

const BRIEF: &str = "\
Usage: marketplace seller export [FILE.csv]

Writes all items of your shop as a table, those that are sold out too, to a file or else to
standard output. The file may be changed in a spreadsheet and imported again.

A cell that a spreadsheet would take for a formula or for a time of the day has an apostrophe
before it, which import takes away again.
Exit status: 0 done, 1 the service answered with an error or the file cannot be written,
2 usage, 3 cannot connect.";

/// Runs the command.
pub(super) fn run(engine: &mut Engine, args: &[String]) -> ExitCode {
    let mut options = Options::new();
    let matches = match command_line::parse(&mut options, BRIEF, args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let file = match &matches.free[..] {
        [] => None,
        [name] => Some(OutputFile::probe(Path::new(name))),
        _ => return usage_error("export takes one file", BRIEF),
    };
    let file = match file.transpose() {
        Ok(file) => file,
        Err(message) => return cannot(&message),
    };
    let json = engine.json;
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
