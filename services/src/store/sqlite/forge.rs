//! Files that make no sense, for tests: what could not be told from what was committed.

use std::fs;
use std::path::Path;

use super::commits::SUFFIX;
use super::connection::connect;
use super::file::{beside, file_in};
use super::schema::Schema;
use super::seal::{Seal, State, reseal};

/// Changes the file of a schema in a directory by a statement, as if all of it had been committed like that. Returns how
/// many rows the statement changed.
pub(crate) fn forge<S: Schema>(directory: &Path, statement: &str) -> usize {
    let path = file_in(directory, S::NAME);
    let connection = connect(&path).expect("it opens");
    let seal = Seal::default();
    seal.install(&connection).expect("valid functions");
    seal.begin(State::default());
    let changed = connection.execute(statement, []).expect("a valid statement");
    reseal(&connection, &[S::TABLES, &["lineage"]].concat()).expect("they can be sealed");
    let commits = beside(&path, SUFFIX);
    if commits.exists() {
        fs::remove_file(commits).expect("it is ours");
    }
    changed
}
