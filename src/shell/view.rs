//! How replies are shown: as a table or a sentence on a terminal, as tab-separated values elsewhere.
//!
//! Programs get numbers with the digits that the service sent, people get prices with two decimals. Values from the
//! service are escaped; a field that is missing shows as `-`, so that a newer service can still be used.

use serde_json::value::RawValue;

use super::cart;
use super::money;
use super::reply::{cell_at, elements, find};
use super::rows::{Target, plain, render_rows};
use super::table::{self, Column};
use crate::text;

/// How a command's reply is shown.
pub(crate) enum View {
    /// A sentence with the reply's fields in braces, prices as `{$price}`; in a pipe only the values of those fields.
    Sentence(&'static str),
    /// One object, found at the path `object`, or the reply itself if that is empty.
    Record { object: &'static str, columns: &'static [Column] },
    /// The items of a page, and on a terminal the sentence `footer` below them.
    Items { footer: &'static str },
    /// A page of categories.
    Categories,
    /// A cart, which maps item IDs to quantities.
    Cart,
    /// A purchase that was just made: its receipt; in a pipe a line for each item in it.
    Purchase,
    /// A page of purchases.
    Purchases,
}

/// All about an item.
pub(crate) const ITEM_COLUMNS: &[Column] = &[
    Column::text("Item", "item_id"),
    Column::text("Name", "name"),
    Column::number("Category", "category"),
    Column::text("Keywords", "keywords"),
    Column::text("Condition", "condition"),
    Column::price("Price", "price"),
    Column::number("Quantity", "quantity"),
    Column::number("Seller", "seller_id"),
    Column::number("Up", "feedback.up"),
    Column::number("Down", "feedback.down"),
];

const CATEGORY_COLUMNS: &[Column] =
    &[Column::number("Category", "category"), Column::number("Items", "items")];

/// A seller's rating.
pub(crate) const RATING_COLUMNS: &[Column] = &[
    Column::number("Seller", "seller_id"),
    Column::text("Name", "name"),
    Column::number("Up", "feedback.up"),
    Column::number("Down", "feedback.down"),
    Column::number("Sold", "items_sold"),
];

/// What fits of an item in a line of 80 columns. The category stands in its ID.
const ITEM_LIST_COLUMNS: &[Column] = &[
    Column::text("Item", "item_id"),
    Column::text("Name", "name"),
    Column::text("Keywords", "keywords").rank(4),
    Column::text("Condition", "condition").rank(1),
    Column::price("Price", "price"),
    Column::number("Units", "quantity"),
    Column::number("Seller", "seller_id").rank(3),
    Column::number("Up/Down", "feedback.up/feedback.down").rank(2),
];

/// Those of the purchase come first, then those of the item bought.
const PURCHASE_COLUMNS: &[Column] = &[
    Column::text("Purchase", "purchase_id").rank(3),
    Column::moment("At (UTC)", "at").rank(1),
    Column::price("Total", "total").rank(2),
];
const BOUGHT_COLUMNS: &[Column] = &[
    Column::text("Item", "item_id"),
    Column::text("Name", "name"),
    Column::number("Quantity", "quantity"),
    Column::price("Price", "price"),
];

/// Renders `data`, the reply of a command with this `view`.
pub(crate) fn render(view: &View, data: &RawValue, target: Target) -> String {
    match view {
        View::Sentence(sentence) => render_sentence(sentence, data, target),
        View::Record { object, columns } => {
            let object = if object.is_empty() { Some(data) } else { find(data, object) };
            let cells = object.map(|object| row(object, columns)).unwrap_or_default();
            match target {
                Target::Terminal { width } => table::record(columns, cells, width),
                Target::Plain => plain(vec![cells]),
            }
        }
        View::Items { footer } => {
            let columns = match target {
                Target::Terminal { .. } => ITEM_LIST_COLUMNS,
                Target::Plain => ITEM_COLUMNS,
            };
            let rows = elements(data, "items").into_iter().map(|item| row(item, columns)).collect();
            render_rows(columns, rows, target) + &terminal_only(footer, data, target)
        }
        View::Categories => {
            let rows = elements(data, "categories").into_iter().map(|of| row(of, CATEGORY_COLUMNS)).collect();
            render_rows(CATEGORY_COLUMNS, rows, target)
        }
        View::Cart => cart::render(data, &cart::Items::default(), target),
        View::Purchase => match target {
            Target::Terminal { .. } => cart::render_receipt(data, target),
            Target::Plain => render_purchases(vec![data], target),
        },
        View::Purchases => {
            render_purchases(elements(data, "purchases"), target)
                + &terminal_only("Purchases so far: {purchases_count}.", data, target)
        }
    }
}

fn render_sentence(sentence: &str, data: &RawValue, target: Target) -> String {
    // Odd pieces are the paths between braces.
    let pieces = sentence.split(['{', '}']).enumerate();
    let values = |piece: &str| match (piece.strip_prefix('$'), target) {
        (Some(price), Target::Terminal { .. }) => money::with_cents(&cell_at(data, price)),
        (Some(price), Target::Plain) => cell_at(data, price),
        (None, Target::Terminal { .. }) => text::isolate(cell_at(data, piece)),
        (None, Target::Plain) => cell_at(data, piece),
    };
    match target {
        Target::Terminal { .. } => {
            let filled = pieces.map(|(i, piece)| if i % 2 == 1 { values(piece) } else { piece.to_owned() });
            filled.collect::<String>() + "\n"
        }
        Target::Plain => {
            let cells: Vec<_> = pieces.filter(|(i, _)| i % 2 == 1).map(|(_, piece)| values(piece)).collect();
            if cells.is_empty() { String::new() } else { plain(vec![cells]) }
        }
    }
}

fn terminal_only(sentence: &str, data: &RawValue, target: Target) -> String {
    match target {
        Target::Terminal { .. } if !sentence.is_empty() => render_sentence(sentence, data, target),
        _ => String::new(),
    }
}

fn render_purchases(purchases: Vec<&RawValue>, target: Target) -> String {
    let columns = [PURCHASE_COLUMNS, BOUGHT_COLUMNS].concat();
    let rows = purchases.into_iter().flat_map(purchase_rows).collect();
    render_rows(&columns, rows, target)
}

fn row(object: &RawValue, columns: &[Column]) -> Vec<String> {
    columns.iter().map(|column| column.cell(object)).collect()
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
    const TERMINAL: Target = Target::Terminal { width: 200 };

    fn json(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn plain_lists_are_tab_separated_and_keep_the_digits() {
        let view = View::Items { footer: "{total} found." };
        let data = json(&format!(r#"{{"items":[{ITEM}],"total":1,"next_cursor":null}}"#));
        assert_eq!(
            render(&view, &data, Target::Plain),
            "1:42\tIntro\\u{1b}[2J to DS\t1\tbook,cs\tnew\t19.90\t5\t3\t7\t0\n"
        );
    }

    #[test]
    fn a_terminal_gets_a_table_without_control_characters() {
        let view = View::Items { footer: "{total} found." };
        let data = json(&format!(r#"{{"items":[{ITEM}],"total":1}}"#));
        let shown = render(&view, &data, TERMINAL);
        assert!(shown.contains("Condition") && shown.ends_with("1 found.\n"), "{shown}");
        assert!(!shown.contains('\x1b'), "{shown:?}");
        let empty = render(&view, &json(r#"{"items":[],"total":0}"#), TERMINAL);
        assert_eq!(empty, "Nothing to show.\n0 found.\n");
    }

    #[test]
    fn sentences_become_values_in_a_pipe() {
        let view = View::Sentence("Price of {item_id}: {$price}.");
        let data = json(r#"{"item_id":"1:42","price":10.0}"#);
        assert_eq!(render(&view, &data, TERMINAL), "Price of 1:42: 10.00.\n");
        assert_eq!(render(&view, &data, Target::Plain), "1:42\t10.0\n");
        assert_eq!(render(&View::Sentence("Cart saved."), &json(r#"{"saved":true}"#), Target::Plain), "");
    }

    #[test]
    fn people_see_prices_with_two_decimals() {
        let item = json(&format!(r#"{{"item":{ITEM},"items":[{ITEM}],"total":1}}"#));
        for view in [View::Items { footer: "" }, View::Record { object: "item", columns: ITEM_COLUMNS }] {
            let shown = render(&view, &item, TERMINAL);
            assert!(shown.contains(" 19.90 "), "{shown}");
        }
        let bought =
            r#"{"purchase_id":"p","total":17.5,"items":[{"item_id":"1:1","price":8.75},{"price":7}]}"#;
        let bought = json(&format!(r#"{{"purchases":[{bought}]}}"#));
        let shown = render(&View::Purchases, &bought, TERMINAL);
        assert!(
            shown.contains("┆ 17.50 ┆") && shown.contains(" 8.75 │") && shown.contains(" 7.00 │"),
            "{shown}"
        );
    }

    #[test]
    fn an_item_fits_in_80_columns() {
        let data = json(&format!(r#"{{"items":[{}]}}"#, ITEM.replace("\\u001b[2J", "")));
        let shown = render(&View::Items { footer: "" }, &data, Target::Terminal { width: 80 });
        assert!(shown.contains("Up/Down") && shown.contains("Keywords"), "{shown}");
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
    fn a_receipt_shows_what_each_line_costs_and_the_total_with_all_its_digits() {
        let data = json(
            r#"{"purchase_id":"1886417008722083840","items":[
                {"item_id":"1:1","name":"pen","quantity":2,"price":0.5},
                {"item_id":"1:2","name":"gold","quantity":1000000000,"price":999999999.99}],"total":999999999990000001.0}"#,
        );
        assert_eq!(
            render(&View::Purchase, &data, TERMINAL),
            "┌──────┬──────┬──────────────┬────────────┬───────────────────────┐\n\
             │ Item ┆ Name ┆        Price ┆   Quantity ┆                   Sum │\n\
             ╞══════╪══════╪══════════════╪════════════╪═══════════════════════╡\n\
             │ 1:1  ┆ pen  ┆         0.50 ┆          2 ┆                  1.00 │\n\
             │ 1:2  ┆ gold ┆ 999999999.99 ┆ 1000000000 ┆ 999999999990000000.00 │\n\
             └──────┴──────┴──────────────┴────────────┴───────────────────────┘\n\
             Total: 999999999990000001.00.\n\
             Purchase 1886417008722083840 is made.\n"
        );
        let plain = render(&View::Purchase, &data, Target::Plain);
        assert!(
            plain.starts_with("1886417008722083840\t-\t999999999990000001.0\t1:1\tpen\t2\t0.5\n"),
            "{plain}"
        );
    }

    #[test]
    fn people_see_when_a_purchase_was_made() {
        let data = json(
            r#"{"purchases_count":1,"purchases":[{"purchase_id":"1886417008722083840","at":1798761599000,"total":1.0,"items":[
                {"item_id":"1:1","name":"pen","quantity":2,"price":0.5}]}]}"#,
        );
        let shown = render(&View::Purchases, &data, Target::Terminal { width: 100 });
        assert!(shown.contains("┆ 2026-12-31 23:59:59 ┆"), "{shown}");
        assert!(
            shown.contains("1886417008722083840") && shown.ends_with("Purchases so far: 1.\n"),
            "{shown}"
        );
        let shown = render(&View::Purchases, &data, Target::Terminal { width: 80 });
        assert!(
            shown.contains("┆ 2026-12-31 23:59:59 ┆") || shown.contains("│ 2026-12-31 23:59:59 ┆"),
            "{shown}"
        );
        let plain = render(&View::Purchases, &data, Target::Plain);
        assert_eq!(plain, "1886417008722083840\t1798761599000\t1.0\t1:1\tpen\t2\t0.5\n");
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
