//! Tables of items as text (CSV): what a seller may write into one, and what the shop writes.
//!
//! What values may be is known to the services alone. Here it is known how they stand in cells.

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use serde_json::value::RawValue;
use services::item_field;

use super::cells;
use super::complaints::{Complaints, quoted};
use super::item::{Item, Row};
use crate::client::{Data, raw};
use crate::shell::money;

const ITEM_ID: &str = "item_id";
/// The columns, in the order in which they are written. Only the first may be left out.
const COLUMNS: [&str; 7] = [ITEM_ID, "name", "category", "keywords", "condition", "price", "quantity"];
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The rows of a table, all of which could be sent.
///
/// # Errors
/// What is wrong, each with its line, its column and its value.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Row>, Complaints> {
    let text = decode(bytes).map_err(Complaints::one)?;
    let mut lines = Lines { text, counted_bytes: 0, line: 1 };
    let mut records = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut columns: Option<Vec<&'static str>> = None;
    let (mut rows, mut complaints) = (Vec::new(), Complaints::default());
    while records.read_record(&mut record).map_err(|error| Complaints::one(error.to_string()))? {
        let line = lines.at(record.position().map_or(0, |position| position.byte()));
        match &columns {
            None => columns = Some(header(&record).map_err(|what| Complaints::one(at(line, &what)))?),
            // Spreadsheets leave such rows where something was deleted.
            Some(_) if record.iter().all(|cell| cell.trim().is_empty()) => {}
            Some(columns) => rows.extend(row(line, columns, &record, &mut complaints)),
        }
    }
    if columns.is_none() {
        return Err(Complaints::one(format!(
            "it is empty: a header line with {} is missing",
            listed(&COLUMNS)
        )));
    }
    complaints.or(rows)
}

/// The table of these items.
pub(crate) fn write(items: &[Item]) -> String {
    let mut table = WriterBuilder::new().from_writer(Vec::new());
    let mut record = |cells: [&str; 7]| table.write_record(cells).expect("memory takes what is written");
    record(COLUMNS);
    for Item { item_id, description, listing } in items {
        record([
            &cells::guard_id(item_id),
            &cells::guard(&description.name),
            &description.category.to_string(),
            &cells::join(&description.keywords),
            &description.condition,
            &money::of_cents(listing.price_cents),
            &listing.quantity.to_string(),
        ]);
    }
    let table = table.into_inner().expect("memory takes what is written");
    String::from_utf8(table).expect("cells are text")
}

/// The table for a file, which spreadsheets know by this mark to be in UTF-8.
pub(crate) fn marked(table: &str) -> String {
    [BYTE_ORDER_MARK, table].concat()
}

fn decode(bytes: &[u8]) -> Result<&str, String> {
    const HELP: &str = "save it as CSV in UTF-8";
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(format!("it is in UTF-16; {HELP}"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count();
        format!("line {line}: it is not in UTF-8; {HELP}")
    })?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))
}

/// The columns that a header names.
fn header(record: &StringRecord) -> Result<Vec<&'static str>, String> {
    if let [cell] = record.iter().collect::<Vec<_>>()[..]
        && let Some(separator) = cell.chars().find(|c| matches!(c, ';' | '\t'))
    {
        return Err(format!("columns are separated by commas, not by {}", quoted(&separator.to_string())));
    }
    let mut columns = Vec::new();
    for cell in record {
        let name = cell.trim();
        let column = COLUMNS.into_iter().find(|column| *column == name);
        let column = column.ok_or_else(|| {
            format!("there is no column {}; the columns are {}", quoted(name), listed(&COLUMNS))
        })?;
        if columns.contains(&column) {
            return Err(format!("the column \"{column}\" is there twice"));
        }
        columns.push(column);
    }
    let missing: Vec<_> =
        COLUMNS.into_iter().filter(|column| *column != ITEM_ID && !columns.contains(column)).collect();
    match missing[..] {
        [] => Ok(columns),
        [_] => Err(format!("the column {} is missing", listed(&missing))),
        _ => Err(format!("the columns {} are missing", listed(&missing))),
    }
}

/// The row of a record, unless there is something to complain about.
fn row(
    line: u64,
    columns: &[&'static str],
    record: &StringRecord,
    complaints: &mut Complaints,
) -> Option<Row> {
    if record.len() != columns.len() {
        let what = format!("it has {} cells, and the header has {}", record.len(), columns.len());
        complaints.add(at(line, &what));
        return None;
    }
    let before = complaints.count();
    let mut fields = Data::new();
    for (&column, cell) in columns.iter().zip(record) {
        if column == ITEM_ID && cell.trim().is_empty() {
            continue;
        }
        match item_field(column, &json(column, cell)) {
            Ok(value) => {
                let value = RawValue::from_string(value).expect("the services write JSON");
                fields.insert(column, value);
            }
            Err(rule) => {
                complaints.add(at(line, &format!("{column} {}: {}", quoted(cell), must_be(column, rule))))
            }
        }
    }
    if complaints.count() > before {
        return None;
    }
    let fields = serde_json::to_string(&fields).expect("they are JSON");
    Row::from_json(line, &fields).inspect_err(|what| complaints.add(at(line, what))).ok()
}

/// A cell as the JSON that a request would have. What is no JSON is no number either, and is refused as such.
fn json(column: &str, cell: &str) -> String {
    match column {
        ITEM_ID => raw(cells::unguard_id(cell)).get().to_owned(),
        "name" => raw(cells::unguard(cell)).get().to_owned(),
        "keywords" => raw(&cells::split(cell)).get().to_owned(),
        "condition" => raw(cell.trim()).get().to_owned(),
        _ => cell.trim().to_owned(),
    }
}

fn must_be(column: &str, rule: &str) -> String {
    let separated = if column == "keywords" { ", separated by |" } else { "" };
    format!("must be {rule}{separated}")
}

fn at(line: u64, what: &str) -> String {
    format!("line {line}: {what}")
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

/// Counts lines. The reader's own count is that of where a record could begin, empty lines before it among them.
struct Lines<'a> {
    text: &'a str,
    counted_bytes: usize,
    /// The line of the byte up to which is counted.
    line: u64,
}

impl Lines<'_> {
    /// The line of the first record that begins at this byte or later.
    fn at(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let from = usize::try_from(byte).unwrap_or(usize::MAX).clamp(self.counted_bytes, bytes.len());
        let ends = bytes[from..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let start = from + ends;
        let passed = &bytes[self.counted_bytes..start];
        self.line += passed.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.counted_bytes = start;
        self.line
    }
}

#[cfg(test)]
mod tests;
