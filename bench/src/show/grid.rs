//! [`Grid`]: rows of text cells, laid out for the width of a terminal; and text beside them. Nothing is ever broken
//! within a word that fits.

use comfy_table::{CellAlignment, Table, presets};

/// A table before it is known how much room there is.
pub(super) struct Grid {
    heads: Vec<String>,
    /// The first columns are text, and the others are numbers.
    labels: usize,
    /// Columns that are left out where there is no room, the one that matters least first.
    expendable: &'static [usize],
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new<H: Into<String>>(heads: impl IntoIterator<Item = H>, labels: usize) -> Self {
        let heads = heads.into_iter().map(Into::into).collect();
        Self { heads, labels, expendable: &[], rows: Vec::new() }
    }

    pub(super) fn leaving_out(self, expendable: &'static [usize]) -> Self {
        Self { expendable, ..self }
    }

    /// Adds a row. Cells that are missing at its end are empty.
    pub(super) fn add_row(&mut self, row: impl Into<Vec<String>>) {
        let mut row = row.into();
        row.resize(self.heads.len(), String::new());
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table, no line of which is longer than `width`, with the end of its last line. Where it does not fit, what
    /// stands in parentheses goes below; then columns are left out, and said to be; and at last each row is shown as
    /// lines of its own. `None`: there is room for all of it.
    pub(super) fn render(&self, width: Option<usize>) -> String {
        let mut columns: Vec<usize> = (0..self.heads.len()).collect();
        let wide = self.table(&columns, |_, text| text.to_owned());
        let Some(width) = width.filter(|width| !fits(&wide, *width)) else { return wide };
        let broken = |is_head: bool, text: &str| {
            text.replace(if is_head { " " } else { " (" }, if is_head { "\n" } else { "\n(" })
        };
        let mut left_out = Vec::new();
        let mut expendable = self.expendable.iter();
        loop {
            let table = self.table(&columns, broken);
            if fits(&table, width) {
                return table + &self.left_out(&left_out, width);
            }
            let Some(column) = expendable.next() else { return self.records(width) };
            columns.retain(|other| other != column);
            left_out.push(*column);
        }
    }

    /// Some columns as a table; `broken` makes the lines of a head or of a cell.
    fn table(&self, columns: &[usize], broken: impl Fn(bool, &str) -> String) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(columns.iter().map(|column| broken(true, &self.heads[*column])));
        table.add_rows(
            self.rows
                .iter()
                .map(|row| columns.iter().map(|column| broken(false, &row[*column])).collect::<Vec<_>>()),
        );
        let labels = columns.iter().filter(|column| **column < self.labels).count();
        for column in table.column_iter_mut().skip(labels) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        format!("{table}\n")
    }

    fn left_out(&self, columns: &[usize], width: usize) -> String {
        if columns.is_empty() {
            return String::new();
        }
        let heads: Vec<_> = columns.iter().map(|column| self.head(*column)).collect();
        wrapped(&format!("left out, for lack of room: {}", heads.join(", ")), Some(width))
    }

    /// Each row as lines: its labels, and below them what each column says.
    fn records(&self, width: usize) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let (labels, numbers) = row.split_at(self.labels);
            let labels: Vec<_> =
                labels.iter().map(|label| label.trim()).filter(|label| !label.is_empty()).collect();
            text += &wrapped(&labels.join(" "), Some(width));
            for (column, cell) in (self.labels..).zip(numbers).filter(|(_, cell)| !cell.is_empty()) {
                text += &wrapped(&format!("- {}: {cell}", self.head(column)), Some(width));
            }
        }
        text
    }

    /// The head of a column in one line.
    fn head(&self, column: usize) -> String {
        self.heads[column].replace('\n', " ")
    }
}

fn fits(text: &str, width: usize) -> bool {
    text.lines().all(|line| line.chars().count() <= width)
}

/// A line of text, broken between words where it is longer than `width`, with the end of its last line. What follows
/// the first line is indented.
pub(super) fn wrapped(line: &str, width: Option<usize>) -> String {
    const INDENT: &str = "  ";
    let Some(width) = width.filter(|width| !fits(line, *width) && *width > 2 * INDENT.len()) else {
        return format!("{line}\n");
    };
    let mut text = String::new();
    let mut room = width;
    for word in line.split(' ') {
        let length = word.chars().count();
        let begins = text.is_empty() || text.ends_with(INDENT);
        if !begins && length < room {
            text.push(' ');
            room -= 1;
        } else if !begins {
            text += &format!("\n{INDENT}");
            room = width - INDENT.len();
        }
        for character in word.chars() {
            if room == 0 {
                text += &format!("\n{INDENT}");
                room = width - INDENT.len();
            }
            text.push(character);
            room -= 1;
        }
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new(["", "calls/s", "p50\nms", "p99 ms"], 1).leaving_out(&[2]);
        grid.add_row(["marketplace", "1,234 (1,000–2,000)", "1.00", "2.00"].map(str::to_owned));
        grid.add_row(["of floor".to_owned(), "0.60".to_owned()]);
        grid
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_is_wide() {
        for width in 8..100 {
            let shown = grid().render(Some(width));
            assert!(fits(&shown, width), "{width}:\n{shown}");
            assert!(shown.replace("\n  ", "").contains("1,000–2,000"), "{width}:\n{shown}");
        }
    }

    #[test]
    fn what_matters_less_goes_first() {
        let whole = grid().render(None);
        let width = whole.lines().map(|line| line.chars().count()).max().expect("there are lines");
        assert_eq!(grid().render(Some(width)), whole);
        let narrower = grid().render(Some(width - 1));
        assert!(
            narrower.contains("p50") && narrower.contains("┆") && !narrower.contains("left out"),
            "{narrower}"
        );
        let without = grid().render(Some(40));
        assert!(without.ends_with("left out, for lack of room: p50 ms\n"), "{without}");
        assert!(without.contains("┆"), "{without}");
        let records = grid().render(Some(29));
        assert!(
            records.starts_with("marketplace\n- calls/s: 1,234\n  (1,000–2,000)\n- p50 ms: 1.00\n"),
            "{records}"
        );
        assert!(records.ends_with("of floor\n- calls/s: 0.60\n"), "{records}");
    }

    #[test]
    fn text_is_broken_between_words() {
        assert_eq!(wrapped("one two three", None), "one two three\n");
        assert_eq!(wrapped("one two three", Some(13)), "one two three\n");
        assert_eq!(wrapped("one two three", Some(8)), "one two\n  three\n");
        assert_eq!(wrapped("a verylongword", Some(6)), "a\n  very\n  long\n  word\n");
    }
}
