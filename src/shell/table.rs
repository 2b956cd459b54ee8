//! Tables that are never wider than the terminal, unless somebody asks for that: columns that matter less are left out,
//! and where the others do not fit either, each row becomes a few lines.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};

use serde_json::value::RawValue;

use super::moment;
use super::money;
use super::reply::cell_at;
use super::screen::{Expanded, Screen};
use crate::colours::bold;
use crate::text;

/// A column of a table.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// The fields to follow from the row's object, joined by dots. A slash stands between two values of one cell.
    path: &'static str,
    form: Form,
    /// Which columns are left out first where there is no room: those of the highest rank. Those of rank 0 never are.
    rank: u8,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Text,
    Number,
    /// An amount of money.
    Price,
    /// Milliseconds since 1970.
    Moment,
}

impl Column {
    /// A column of text, at the left.
    pub(crate) const fn text(title: &'static str, path: &'static str) -> Column {
        Column { title, path, form: Form::Text, rank: 0 }
    }

    /// A column of numbers, at the right.
    pub(crate) const fn number(title: &'static str, path: &'static str) -> Column {
        Column { title, path, form: Form::Number, rank: 0 }
    }

    /// A column of prices, at the right.
    pub(crate) const fn price(title: &'static str, path: &'static str) -> Column {
        Column { title, path, form: Form::Price, rank: 0 }
    }

    /// A column of moments, at the left.
    pub(crate) const fn moment(title: &'static str, path: &'static str) -> Column {
        Column { title, path, form: Form::Moment, rank: 0 }
    }

    /// The same column, left out where there is no room for those of a lower `rank`.
    pub(crate) const fn rank(self, rank: u8) -> Column {
        Column { rank, ..self }
    }

    /// The fields to follow, joined by dots.
    pub(crate) fn path(&self) -> &'static str {
        self.path
    }

    /// What the column holds of `object`, as it was sent.
    pub(crate) fn cell(&self, object: &RawValue) -> String {
        let values = self.path.split('/').map(|path| cell_at(object, path));
        values.collect::<Vec<_>>().join("/")
    }

    /// What a person sees of a cell.
    fn shown(&self, cell: String) -> String {
        match self.form {
            Form::Price => money::with_cents(&cell),
            Form::Moment => moment::in_utc(&cell),
            Form::Text | Form::Number => text::isolate(cell),
        }
    }

    fn alignment(&self) -> CellAlignment {
        match self.form {
            Form::Text | Form::Moment => CellAlignment::Left,
            Form::Number | Form::Price => CellAlignment::Right,
        }
    }
}

/// `rows` under the titles of `columns`, with a line below that names what was left out.
pub(crate) fn list(columns: &[Column], rows: Vec<Vec<String>>, screen: Screen) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| shown(columns, row)).collect();
    let mut table = new_table();
    table.set_header(columns.iter().map(|column| column.title));
    table.add_rows(&rows);
    let widths = table.column_max_content_widths();
    let highest_rank = match screen.expanded {
        Expanded::On => None,
        Expanded::Off => Some(u8::MAX),
        Expanded::Auto => fitting_rank(columns, &widths, screen.width),
    };
    let Some(highest_rank) = highest_rank else {
        let records: Vec<_> = rows.into_iter().map(|row| lines(columns, row, screen)).collect();
        return records.join("\n");
    };
    for (column, formatted) in columns.iter().zip(table.column_iter_mut()) {
        formatted.set_cell_alignment(column.alignment());
        if column.rank > highest_rank {
            formatted.set_constraint(ColumnConstraint::Hidden);
        }
    }
    let left_out: Vec<_> =
        columns.iter().filter(|column| column.rank > highest_rank).map(|column| column.title).collect();
    // The titles stand below the upper edge.
    let table = emphasised(
        &table,
        screen,
        |number, line| if number == 1 { bold_cells(line) } else { line.to_owned() },
    );
    if left_out.is_empty() {
        table
    } else {
        table + &wrap(&format!("No room for: {}.", left_out.join(", ")), screen.width)
    }
}

/// One row, beside its titles.
pub(crate) fn record(columns: &[Column], row: Vec<String>, screen: Screen) -> String {
    let row = shown(columns, row);
    let mut table = new_table();
    for (column, cell) in columns.iter().zip(&row) {
        table.add_row([column.title, cell]);
    }
    let needed = table_width(table.column_max_content_widths().into_iter());
    let is_table = match screen.expanded {
        Expanded::On => false,
        Expanded::Off => true,
        Expanded::Auto => needed <= usize::from(screen.width),
    };
    if !is_table {
        return lines(columns, row, screen);
    }
    emphasised(&table, screen, |_, line| match line.split_once('┆') {
        Some((title, cell)) => bold_cells(title) + "┆" + cell,
        None => line.to_owned(),
    })
}

/// One row as lines of `Title: cell`.
fn lines(columns: &[Column], row: Vec<String>, screen: Screen) -> String {
    let line = |(column, cell): (&Column, String)| {
        let title = format!("{}:", column.title);
        let wrapped = wrap(&format!("{title} {cell}"), screen.width);
        match wrapped.strip_prefix(&title) {
            Some(rest) if screen.is_coloured => bold(&title) + rest,
            _ => wrapped,
        }
    };
    columns.iter().zip(row).map(line).collect()
}

/// `line`, broken between words where it is too long.
fn wrap(line: &str, width: u16) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    table.add_row([line]);
    for column in table.column_iter_mut() {
        column.set_padding((0, 0));
    }
    table.trim_fmt() + "\n"
}

/// The lines of a table, each as `emphasise` makes it, if it is coloured.
fn emphasised(table: &Table, screen: Screen, emphasise: impl Fn(usize, &str) -> String) -> String {
    let table = format!("{table}\n");
    if !screen.is_coloured {
        return table;
    }
    table.lines().enumerate().map(|(number, line)| emphasise(number, line) + "\n").collect()
}

/// A line of a table with what stands between its borders in bold.
fn bold_cells(line: &str) -> String {
    let cells = line.split_inclusive(['│', '┆']).map(|piece| {
        let cell = piece.trim_end_matches(['│', '┆']);
        if cell.is_empty() { piece.to_owned() } else { bold(cell) + &piece[cell.len()..] }
    });
    cells.collect()
}

fn shown(columns: &[Column], row: Vec<String>) -> Vec<String> {
    columns.iter().zip(row).map(|(column, cell)| column.shown(cell)).collect()
}

/// The highest rank of which all columns fit, with those of the lower ones, if any do.
fn fitting_rank(columns: &[Column], widths: &[u16], width: u16) -> Option<u8> {
    let highest = columns.iter().map(|column| column.rank).max()?;
    (0..=highest).rev().find(|&rank| {
        let fits = columns.iter().zip(widths).filter(|(column, _)| column.rank <= rank);
        table_width(fits.map(|(_, &width)| width)) <= usize::from(width)
    })
}

/// The width of a table whose cells need `widths`: each has a space at both sides, and a line between it and the next.
fn table_width(widths: impl Iterator<Item = u16>) -> usize {
    widths.map(|width| usize::from(width) + 3).sum::<usize>() + 1
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        Column::text("Item", "item"),
        Column::text("Name", "name"),
        Column::text("Keywords", "keywords").rank(2),
        Column::price("Price", "price"),
        Column::number("Seller", "seller").rank(1),
    ];

    fn row(name: &str) -> Vec<String> {
        ["1:1", name, "book,cs", "17.5", "3"].map(str::to_owned).to_vec()
    }

    fn shown(name: &str, width: u16) -> String {
        list(COLUMNS, vec![row(name)], Screen::plain(width))
    }

    /// How many columns a terminal needs for the widest line.
    fn width_of(text: &str) -> u16 {
        let mut table = Table::new();
        table.add_row([text]);
        table.column_max_content_widths()[0]
    }

    #[test]
    fn columns_that_matter_less_are_left_out_first() {
        assert!(shown("Intro to DS", 48).contains("Keywords"));
        assert_eq!(
            shown("Intro to DS", 47),
            "┌──────┬─────────────┬───────┬────────┐\n\
             │ Item ┆ Name        ┆ Price ┆ Seller │\n\
             ╞══════╪═════════════╪═══════╪════════╡\n\
             │ 1:1  ┆ Intro to DS ┆ 17.50 ┆      3 │\n\
             └──────┴─────────────┴───────┴────────┘\n\
             No room for: Keywords.\n"
        );
        assert!(shown("Intro to DS", 30).ends_with("No room for: Keywords, Seller.\n"));
    }

    #[test]
    fn a_row_becomes_lines_where_nothing_else_fits() {
        assert_eq!(
            shown("Intro to DS", 29),
            "Item: 1:1\nName: Intro to DS\nKeywords: book,cs\nPrice: 17.50\nSeller: 3\n"
        );
        let two = list(COLUMNS, vec![row("a"), row("b")], Screen::plain(20));
        assert!(two.contains("Seller: 3\n\nItem: 1:1\n"), "{two}");
        let narrow = shown("Introduction to data structures", 20);
        assert!(narrow.contains("Name: Introduction\nto data structures\n"), "{narrow}");
    }

    #[test]
    fn rows_are_lines_or_a_table_where_somebody_asks_for_that() {
        let list =
            |expanded, width| list(COLUMNS, vec![row("Intro")], Screen { expanded, ..Screen::plain(width) });
        let record =
            |expanded, width| record(COLUMNS, row("Intro"), Screen { expanded, ..Screen::plain(width) });
        let lines = "Item: 1:1\nName: Intro\nKeywords: book,cs\nPrice: 17.50\nSeller: 3\n";
        assert_eq!([list(Expanded::On, 200), record(Expanded::On, 200)], [lines, lines]);
        assert_eq!(list(Expanded::Off, 10), list(Expanded::Auto, 200), "no column is left out");
        assert_eq!(record(Expanded::Off, 10), record(Expanded::Auto, 200));
        assert!(list(Expanded::On, 9).contains("Keywords:\nbook,cs\n"));
    }

    #[test]
    fn titles_stand_out_and_nothing_else_changes() {
        let unstyled = |text: &str| text.replace("\x1b[1m", "").replace("\x1b[0m", "");
        for (expanded, width) in
            [(Expanded::Auto, 80), (Expanded::Auto, 40), (Expanded::On, 40), (Expanded::On, 5)]
        {
            let plain = Screen { expanded, ..Screen::plain(width) };
            let coloured = Screen { is_coloured: true, ..plain };
            let rows = || vec![row("a ┆ │ Item: b"), row("b")];
            assert_eq!(unstyled(&list(COLUMNS, rows(), coloured)), list(COLUMNS, rows(), plain));
            let row = || row("a ┆ │ Item: b");
            assert_eq!(unstyled(&record(COLUMNS, row(), coloured)), record(COLUMNS, row(), plain));
        }
        let coloured = Screen { is_coloured: true, ..Screen::plain(80) };
        let shown = list(COLUMNS, vec![row("Name")], coloured);
        assert!(shown.contains("│\x1b[1m Item \x1b[0m┆\x1b[1m Name \x1b[0m┆"), "{shown}");
        assert_eq!(shown.matches("\x1b[1m").count(), COLUMNS.len(), "{shown}");
        let shown = record(COLUMNS, row("Name"), coloured);
        assert_eq!(shown.matches("\x1b[1m").count(), COLUMNS.len(), "{shown}");
        let lines = list(COLUMNS, vec![row("Name: x")], Screen { expanded: Expanded::On, ..coloured });
        assert!(lines.contains("\x1b[1mName:\x1b[0m Name: x\n"), "{lines}");
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        let wide = "書".repeat(32);
        let books = "📚 ".repeat(10);
        let accents = "e\u{301}".repeat(32);
        let names =
            ["x", "Introduction to data structures", &wide, &books, &accents, "👩‍👩‍👧‍👦 family", "ספר של דנה"];
        for name in names {
            for width in 5..120 {
                let list = shown(name, width);
                let record = record(COLUMNS, row(name), Screen::plain(width));
                let too_wide = list.lines().chain(record.lines()).find(|line| width_of(line) > width);
                assert_eq!(too_wide, None, "at {width}");
            }
        }
    }

    #[test]
    fn accents_and_wide_characters_keep_the_columns_straight() {
        for name in ["書書", "e\u{301}e\u{301}", "📚", "ספר"] {
            let list = shown(name, 80);
            let widths: Vec<_> = list.lines().map(width_of).collect();
            assert!(widths.iter().all(|&width| width == widths[0]), "{list}");
        }
    }

    #[test]
    fn a_cell_from_right_to_left_leaves_the_others_where_they_are() {
        let list = shown("ספר", 80);
        assert!(list.contains("┆ \u{2068}ספר\u{2069}  ┆ book,cs"), "{list}");
        assert!(!shown("Intro", 80).contains('\u{2068}'));
    }
}
