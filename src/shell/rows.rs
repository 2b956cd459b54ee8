//! Rows of cells as text: a table for people, and tabs between cells for programs.

use super::screen::Screen;
use super::table::{self, Column};

/// Where the text is going to be read.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// A terminal.
    Terminal(Screen),
    /// A pipe or a file, with a first line of titles if that is asked for.
    Plain { header: bool },
}

/// Renders rows of cells: for people with titles, or with a word where there is none.
pub(crate) fn render_rows(columns: &[Column], rows: Vec<Vec<String>>, target: Target) -> String {
    match target {
        Target::Plain { header } => plain(columns.iter().map(Column::path), rows, header),
        Target::Terminal(_) if rows.is_empty() => "Nothing to show.\n".to_owned(),
        Target::Terminal(screen) => table::list(columns, rows, screen),
    }
}

/// Renders them for programs, which know a field by its name.
pub(crate) fn plain<'a>(
    fields: impl Iterator<Item = &'a str>,
    rows: Vec<Vec<String>>,
    header: bool,
) -> String {
    let header = header.then(|| fields.map(str::to_owned).collect());
    header.into_iter().chain(rows).map(|row: Vec<String>| row.join("\t") + "\n").collect()
}
