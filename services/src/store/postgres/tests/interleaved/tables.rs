//! All rows of all tables, as statements.

use crate::store::postgres::schema::SCHEMAS;
use crate::store::postgres::wire::{Call, Statement};

/// A statement for each table, which returns all its rows.
pub(super) fn reads() -> Vec<Call> {
    let statements = SCHEMAS.iter().flat_map(|schema| schema.migrations).copied().flatten();
    statements.filter_map(|sql| read_of(sql)).map(|sql| Statement::once(sql).with([])).collect()
}

/// What reads the table that this statement makes, if it makes one. Tests are short, so the text is never given back.
fn read_of(sql: &str) -> Option<&'static str> {
    let (name, columns) = sql.strip_prefix("CREATE TABLE IF NOT EXISTS ")?.split_once(" (")?;
    let columns = columns.lines().filter(|line| line.trim_end().ends_with(" NOT NULL,"));
    let columns: Vec<&str> = columns.filter_map(|line| line.trim().split(' ').next()).collect();
    Some(format!("SELECT {} FROM {name}", columns.join(", ")).leak())
}
