//! A cart with what its items are and cost, and the receipt for one. Of a cart, the service's reply has only the IDs and
//! quantities of its items.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::money;
use super::reply::{cell, cell_at, elements, fields, find};
use super::rows::{Target, plain, render_rows};
use super::table::Column;

use crate::client::{CallError, Client, Data, raw};
use crate::text;

/// The items of a cart by their IDs, as far as they are known.
pub(crate) type Items = BTreeMap<String, Box<RawValue>>;

const COLUMNS: &[Column] = &[
    Column::text("Item", ""),
    Column::text("Name", ""),
    Column::price("Price", ""),
    Column::number("Quantity", ""),
    Column::price("Sum", ""),
];

/// What stands for a value that is not known.
const UNKNOWN: &str = "-";

/// The IDs of what is in the cart of the reply `data`.
pub(crate) fn item_ids(data: &RawValue) -> Vec<String> {
    lines(data).into_iter().map(|(item_id, _)| item_id).collect()
}

/// Asks the service about items. One that is gone is left out.
///
/// # Errors
/// The service does not answer.
pub(crate) fn fetch(client: &mut Client, item_ids: Vec<String>) -> Result<Items, CallError> {
    let all: Vec<_> = item_ids.iter().map(|item_id| Data::from([("item_id", raw(item_id))])).collect();
    let replies = client.call_all("GetItem", &all)?;
    let items = item_ids.into_iter().zip(replies).filter_map(|(item_id, reply)| {
        let item = find(&reply.ok()?, "item")?.to_owned();
        Some((item_id, item))
    });
    Ok(items.collect())
}

/// Renders the cart of the reply `data`: for people with names, sums and their total, for programs as it came.
pub(crate) fn render(data: &RawValue, items: &Items, target: Target) -> String {
    let lines = lines(data);
    if let Target::Plain { header } = target {
        let rows = lines.into_iter().map(|(item_id, quantity)| vec![text::escape(&item_id), cell(quantity)]);
        return plain(["item_id", "quantity"].into_iter(), rows.collect(), header);
    }
    let mut rows = Vec::with_capacity(lines.len());
    let mut total = Some(0);
    for (item_id, quantity) in lines {
        let item = items.get(&item_id);
        let about = |path| item.map_or_else(|| UNKNOWN.to_owned(), |item| cell_at(item, path));
        let (row, sum) = priced_row(text::escape(&item_id), about("name"), cell(quantity), about("price"));
        total = total.zip(sum).and_then(|(total, sum): (i128, i128)| total.checked_add(sum));
        rows.push(row);
    }
    let below = match total {
        _ if rows.is_empty() => String::new(),
        Some(total) => format!("Total: {}.\n", money::of_cents(total)),
        None => "The total is not known: the service said nothing about some of the items.\n".to_owned(),
    };
    render_rows(COLUMNS, rows, target) + &below
}

/// Renders a receipt for people: what was bought, as a cart, and the total as it was sent.
pub(crate) fn render_receipt(data: &RawValue, target: Target) -> String {
    let row = |item: &RawValue| {
        let [item_id, name, quantity, price] =
            ["item_id", "name", "quantity", "price"].map(|path| cell_at(item, path));
        priced_row(item_id, name, quantity, price).0
    };
    let rows = elements(data, "items").into_iter().map(row).collect();
    let total = money::with_cents(&cell_at(data, "total"));
    let purchase_id = text::isolate(cell_at(data, "purchase_id"));
    render_rows(COLUMNS, rows, target) + &format!("Total: {total}.\nPurchase {purchase_id} is made.\n")
}

/// The row of an item, and what so many units of it cost, if that is known.
fn priced_row(item_id: String, name: String, quantity: String, price: String) -> (Vec<String>, Option<i128>) {
    let cents = money::cents(&price).zip(quantity.parse().ok());
    let sum = cents.and_then(|(cents, units)| cents.checked_mul(units));
    let shown = sum.map_or_else(|| UNKNOWN.to_owned(), money::of_cents);
    (vec![item_id, name, price, quantity, shown], sum)
}

/// The IDs and quantities of a cart, in the order of the IDs as numbers: 1:9 stands before 1:10.
fn lines(data: &RawValue) -> Vec<(String, &RawValue)> {
    let mut lines: Vec<_> = find(data, "cart").and_then(fields).unwrap_or_default().into_iter().collect();
    lines.sort_by_cached_key(|(item_id, _)| {
        item_id.split(':').map(|part| part.parse::<u64>().unwrap_or(u64::MAX)).collect::<Vec<_>>()
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::screen::Screen;

    fn terminal() -> Target {
        Target::Terminal(Screen::plain(80))
    }

    fn json(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn items(items: &[(&str, &str)]) -> Items {
        items.iter().map(|&(id, item)| (id.to_owned(), json(item))).collect()
    }

    #[test]
    fn programs_get_lines_sorted_by_number() {
        let data = json(r#"{"cart":{"1:10":1,"1:9":2,"0:3":4}}"#);
        assert_eq!(
            render(&data, &Items::new(), Target::Plain { header: false }),
            "0:3\t4\n1:9\t2\n1:10\t1\n"
        );
        assert_eq!(item_ids(&data), ["0:3", "1:9", "1:10"]);
    }

    #[test]
    fn people_see_what_each_line_costs_and_the_exact_total() {
        let data = json(r#"{"cart":{"1:1":3,"1:2":1000000000}}"#);
        let items =
            items(&[("1:1", r#"{"name":"a","price":0.1}"#), ("1:2", r#"{"name":"b","price":999999999.99}"#)]);
        assert_eq!(
            render(&data, &items, terminal()),
            "┌──────┬──────┬──────────────┬────────────┬───────────────────────┐\n\
             │ Item ┆ Name ┆        Price ┆   Quantity ┆                   Sum │\n\
             ╞══════╪══════╪══════════════╪════════════╪═══════════════════════╡\n\
             │ 1:1  ┆ a    ┆         0.10 ┆          3 ┆                  0.30 │\n\
             │ 1:2  ┆ b    ┆ 999999999.99 ┆ 1000000000 ┆ 999999999990000000.00 │\n\
             └──────┴──────┴──────────────┴────────────┴───────────────────────┘\n\
             Total: 999999999990000000.30.\n"
        );
    }

    #[test]
    fn an_item_that_nothing_is_known_about_is_shown_all_the_same() {
        let data = json(r#"{"cart":{"1:1":3,"1:2":1,"1:3":1}}"#);
        let shown =
            render(&data, &items(&[("1:1", r#"{"name":"a","price":17.5}"#), ("1:3", "{}")]), terminal());
        assert!(shown.contains("│ 1:1  ┆ a    ┆ 17.50 ┆        3 ┆ 52.50 │"), "{shown}");
        assert!(shown.contains("│ 1:2  ┆ -    ┆     - ┆        1 ┆     - │"), "{shown}");
        assert!(shown.ends_with("some of the items.\n"), "{shown}");
        assert_eq!(render(&json(r#"{"cart":{}}"#), &Items::new(), terminal()), "Nothing to show.\n");
    }
}
