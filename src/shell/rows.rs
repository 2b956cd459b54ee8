//! Rows of cells as text: a table for people, and tabs between cells for programs.

use super::table::{self, Column};

/// Where the text is going to be read.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// A terminal of so many columns.
    Terminal { width: u16 },
    /// A pipe or a file.
    Plain,
}

/// Renders rows of cells: for people with titles, or with a word where there is none.
pub(crate) fn render_rows(columns: &[Column], rows: Vec<Vec<String>>, target: Target) -> String {
    match target {
        Target::Plain => plain(rows),
        Target::Terminal { .. } if rows.is_empty() => "Nothing to show.\n".to_owned(),
        Target::Terminal { width } => table::list(columns, rows, width),
    }
}

/// For programs.
pub(crate) fn plain(rows: Vec<Vec<String>>) -> String {
    rows.into_iter().map(|row| row.join("\t") + "\n").collect()
}
