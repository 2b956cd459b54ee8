//! How replies are shown: as a table or a sentence on a terminal, as tab-separated values elsewhere.
//!
//! Numbers are shown with the digits that the service sent. Values from the service are escaped;
//! a field that is missing shows as `-`, so that a newer service can still be used.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::value::RawValue;

use super::reply::{cell, cell_at, elements, fields, find};
use crate::text;

/// How a command's reply is shown.
pub(crate) enum View {
    /// A sentence with the reply's fields in braces; in a pipe only the values of those fields.
    Sentence(&'static str),
    /// One object, found at the path `object`, or the reply itself if that is empty.
    Record { object: &'static str, columns: &'static [Column] },
    /// The objects of the array `rows`, and on a terminal the sentence `footer` below them.
    List { rows: &'static str, columns: &'static [Column], footer: &'static str },
    /// A cart, which maps item IDs to quantities.
    Cart,
    /// One purchase: a line for each item in it.
    Purchase,
    /// A page of purchases.
    Purchases,
}

/// A column of a table.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// The fields to follow from the row's object, joined by dots.
    path: &'static str,
    align: CellAlignment,
}

/// The columns of an item.
pub(crate) const ITEM_COLUMNS: &[Column] = &[
    text_column("Item", "item_id"),
    text_column("Name", "name"),
    number_column("Category", "category"),
    text_column("Keywords", "keywords"),
    text_column("Condition", "condition"),
    number_column("Price", "price"),
    number_column("Quantity", "quantity"),
    number_column("Seller", "seller_id"),
    number_column("Up", "feedback.up"),
    number_column("Down", "feedback.down"),
];

/// The columns of a seller's rating.
pub(crate) const RATING_COLUMNS: &[Column] = &[
    number_column("Seller", "seller_id"),
    text_column("Name", "name"),
    number_column("Up", "feedback.up"),
    number_column("Down", "feedback.down"),
    number_column("Sold", "items_sold"),
];

const CART_COLUMNS: &[Column] = &[text_column("Item", ""), number_column("Quantity", "")];

/// Those of the purchase come first, then those of the item bought.
const PURCHASE_COLUMNS: &[Column] =
    &[text_column("Purchase", "purchase_id"), text_column("At", "at"), number_column("Total", "total")];
const BOUGHT_COLUMNS: &[Column] = &[
    text_column("Item", "item_id"),
    text_column("Name", "name"),
    number_column("Quantity", "quantity"),
    number_column("Price", "price"),
];

const fn text_column(title: &'static str, path: &'static str) -> Column {
    Column { title, path, align: CellAlignment::Left }
}

const fn number_column(title: &'static str, path: &'static str) -> Column {
    Column { title, path, align: CellAlignment::Right }
}

/// Where the text is going to be read.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// A terminal, of so many columns if that is known.
    Terminal { width: Option<u16> },
    /// A pipe or a file.
    Plain,
}

/// Renders `data`, the reply of a command with this `view`.
pub(crate) fn render(view: &View, data: &RawValue, target: Target) -> String {
    match view {
        View::Sentence(sentence) => render_sentence(sentence, data, target),
        View::Record { object, columns } => {
            let object = if object.is_empty() { Some(data) } else { find(data, object) };
            let cells = object.map(|object| row(object, columns)).unwrap_or_default();
            render_record(columns, cells, target)
        }
        View::List { rows, columns, footer } => {
            let rows = elements(data, rows).into_iter().map(|object| row(object, columns)).collect();
            render_rows(columns.iter(), rows, target) + &terminal_only(footer, data, target)
        }
        View::Cart => render_rows(CART_COLUMNS.iter(), cart_rows(data), target),
        View::Purchase => {
            render_rows(PURCHASE_COLUMNS.iter().chain(BOUGHT_COLUMNS), purchase_rows(data), target)
        }
        View::Purchases => {
            let rows = elements(data, "purchases").into_iter().flat_map(purchase_rows).collect();
            render_rows(PURCHASE_COLUMNS.iter().chain(BOUGHT_COLUMNS), rows, target)
                + &terminal_only("Purchases so far: {purchases_count}.", data, target)
        }
    }
}

fn render_sentence(sentence: &str, data: &RawValue, target: Target) -> String {
    // Odd pieces are the paths between braces.
    let pieces = sentence.split(['{', '}']).enumerate();
    match target {
        Target::Terminal { .. } => {
            let filled =
                pieces.map(|(i, piece)| if i % 2 == 1 { cell_at(data, piece) } else { piece.to_owned() });
            filled.collect::<String>() + "\n"
        }
        Target::Plain => {
            let values: Vec<_> =
                pieces.filter(|(i, _)| i % 2 == 1).map(|(_, path)| cell_at(data, path)).collect();
            if values.is_empty() { String::new() } else { values.join("\t") + "\n" }
        }
    }
}

fn terminal_only(sentence: &str, data: &RawValue, target: Target) -> String {
    match target {
        Target::Terminal { .. } if !sentence.is_empty() => render_sentence(sentence, data, target),
        _ => String::new(),
    }
}

fn render_record(columns: &[Column], cells: Vec<String>, target: Target) -> String {
    let Target::Terminal { width } = target else {
        return cells.join("\t") + "\n";
    };
    let mut table = new_table(width);
    for (column, cell) in columns.iter().zip(cells) {
        table.add_row([column.title.to_owned(), cell]);
    }
    format!("{table}\n")
}

fn render_rows<'a>(
    columns: impl Iterator<Item = &'a Column>,
    rows: Vec<Vec<String>>,
    target: Target,
) -> String {
    let Target::Terminal { width } = target else {
        return rows.into_iter().map(|row| row.join("\t") + "\n").collect();
    };
    if rows.is_empty() {
        return "Nothing to show.\n".to_owned();
    }
    let columns: Vec<_> = columns.collect();
    let mut table = new_table(width);
    table.set_header(columns.iter().map(|column| column.title));
    table.add_rows(rows);
    for (column, formatted) in columns.iter().zip(table.column_iter_mut()) {
        formatted.set_cell_alignment(column.align);
    }
    format!("{table}\n")
}

fn new_table(width: Option<u16>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

fn row(object: &RawValue, columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| cell_at(object, column.path)).collect()
}

fn cart_rows(data: &RawValue) -> Vec<Vec<String>> {
    let mut lines: Vec<_> = find(data, "cart").and_then(fields).unwrap_or_default().into_iter().collect();
    // In the order of the IDs as numbers: 1:9 stands before 1:10.
    lines.sort_by_cached_key(|(item_id, _)| {
        item_id.split(':').map(|part| part.parse::<u64>().unwrap_or(u64::MAX)).collect::<Vec<_>>()
    });
    lines.into_iter().map(|(item_id, quantity)| vec![text::escape(&item_id), cell(quantity)]).collect()
}

fn purchase_rows(purchase: &RawValue) -> Vec<Vec<String>> {
    let about_purchase = row(purchase, PURCHASE_COLUMNS);
    let items = elements(purchase, "items").into_iter();
    items.map(|item| [about_purchase.clone(), row(item, BOUGHT_COLUMNS)].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: &str = r#"{"item_id":"1:42","name":"Intro\u001b[2J to DS","category":1,"keywords":["book","cs"],"condition":"new","price":19.90,"quantity":5,"seller_id":3,"feedback":{"up":7,"down":0}}"#;
    const TERMINAL: Target = Target::Terminal { width: Some(200) };

    fn json(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn plain_lists_are_tab_separated_and_keep_the_digits() {
        let view = View::List { rows: "items", columns: ITEM_COLUMNS, footer: "{total} found." };
        let data = json(&format!(r#"{{"items":[{ITEM}],"total":1,"next_cursor":null}}"#));
        assert_eq!(
            render(&view, &data, Target::Plain),
            "1:42\tIntro\\u{1b}[2J to DS\t1\tbook,cs\tnew\t19.90\t5\t3\t7\t0\n"
        );
    }

    #[test]
    fn a_terminal_gets_a_table_without_control_characters() {
        let view = View::List { rows: "items", columns: ITEM_COLUMNS, footer: "{total} found." };
        let data = json(&format!(r#"{{"items":[{ITEM}],"total":1}}"#));
        let shown = render(&view, &data, TERMINAL);
        assert!(shown.contains("Condition") && shown.ends_with("1 found.\n"), "{shown}");
        assert!(!shown.contains('\x1b'), "{shown:?}");
        let empty = render(&view, &json(r#"{"items":[],"total":0}"#), TERMINAL);
        assert_eq!(empty, "Nothing to show.\n0 found.\n");
    }

    #[test]
    fn sentences_become_values_in_a_pipe() {
        let view = View::Sentence("Price of {item_id}: {price}.");
        let data = json(r#"{"item_id":"1:42","price":10.0}"#);
        assert_eq!(render(&view, &data, TERMINAL), "Price of 1:42: 10.0.\n");
        assert_eq!(render(&view, &data, Target::Plain), "1:42\t10.0\n");
        assert_eq!(render(&View::Sentence("Cart saved."), &json(r#"{"saved":true}"#), Target::Plain), "");
    }

    #[test]
    fn carts_are_sorted_by_number() {
        let data = json(r#"{"cart":{"1:10":1,"1:9":2,"0:3":4}}"#);
        assert_eq!(render(&View::Cart, &data, Target::Plain), "0:3\t4\n1:9\t2\n1:10\t1\n");
    }

    #[test]
    fn purchases_have_a_line_for_each_item() {
        let data = json(
            r#"{"purchases_count":1,"purchases":[{"purchase_id":"p1","total":30.0,"items":[
                {"item_id":"1:1","name":"a","quantity":1,"price":10.0},{"item_id":"1:2","name":"b","quantity":2,"price":10.0}]}]}"#,
        );
        let plain = render(&View::Purchases, &data, Target::Plain);
        assert_eq!(plain, "p1\t-\t30.0\t1:1\ta\t1\t10.0\np1\t-\t30.0\t1:2\tb\t2\t10.0\n");
    }

    #[test]
    fn missing_fields_are_no_panic() {
        for data in ["null", "[]", "7", "{}"] {
            for view in [View::Cart, View::Purchase, View::Purchases] {
                render(&view, &json(data), TERMINAL);
            }
            render(&View::Record { object: "item", columns: ITEM_COLUMNS }, &json(data), Target::Plain);
        }
    }
}
