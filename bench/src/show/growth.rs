//! How [`Growth`] is shown: on a terminal, and as a section of a Markdown file.

use std::path::Path;

use crate::growth::{CatalogueCost, Growth, IdleCost};

use super::format::{host_line, integer, mebibytes, number, ratio, time};
use super::report::{self, escape};
use super::table::new_table;

const CATALOGUE_HEADS: [&str; 8] = [
    "items",
    "load s",
    "memory MiB",
    "bytes/item",
    "search avg",
    "search p50",
    "search p99",
    "CPU µs/search",
];
const IDLE_HEADS: [&str; 4] = ["idle connections", "memory MiB", "bytes/connection", "calls/s beside them"];

/// Tables for a terminal.
pub fn growth_table(growth: &Growth) -> String {
    let mut text = format!("{}\n", host_line(&growth.host));
    for (heads, rows) in sections(growth) {
        let mut table = new_table(heads, 0);
        table.add_rows(rows);
        text += &format!("\n{table}\n");
    }
    text
}

/// Writes the same into the section `name` of a Markdown file, as [`report`](super::report()) does.
///
/// # Errors
/// As there.
pub fn growth_report(path: &Path, name: &str, growth: &Growth) -> Result<(), String> {
    report::rewrite(path, name, |_| {
        let mut text = format!("\n- {}\n", escape(&host_line(&growth.host)));
        for (heads, rows) in sections(growth) {
            text += &format!("\n{}", report::table(&heads, 0, rows));
        }
        Ok(text + "\n")
    })
}

/// Heads and rows of the tables that have rows.
fn sections(growth: &Growth) -> Vec<(Vec<&'static str>, Vec<Vec<String>>)> {
    let first = growth.catalogues.first();
    let catalogues =
        growth.catalogues.iter().map(|cost| catalogue_row(cost, first.unwrap_or(cost))).collect();
    let idle = growth.idle.iter().map(idle_row).collect();
    let sections = [(CATALOGUE_HEADS.to_vec(), catalogues), (IDLE_HEADS.to_vec(), idle)];
    sections.into_iter().filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty()).collect()
}

/// Searches are compared with those of the first catalogue.
fn catalogue_row(cost: &CatalogueCost, first: &CatalogueCost) -> Vec<String> {
    let of_first = |value: f64, first: f64| format!(" (× {})", ratio(value / first));
    let search = &cost.search;
    vec![
        integer(cost.items as f64),
        number(cost.load_s),
        mebibytes(cost.memory_bytes as f64),
        integer(cost.memory_bytes as f64 / cost.items as f64),
        time(search.mean_us),
        time(search.p50_us) + &of_first(search.p50_us, first.search.p50_us),
        time(search.p99_us),
        number(cost.search_cpu_us) + &of_first(cost.search_cpu_us, first.search_cpu_us),
    ]
}

fn idle_row(cost: &IdleCost) -> Vec<String> {
    vec![
        integer(cost.connections as f64),
        mebibytes(cost.memory_bytes as f64),
        integer(cost.bytes_per_connection),
        number(cost.calls_per_second),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Percentiles;
    use crate::show::sample;

    fn growth() -> Growth {
        let cost = |items, p50_us| CatalogueCost {
            items,
            load_s: 0.5,
            memory_bytes: items * 400,
            search: Percentiles { p50_us, ..Percentiles::default() },
            search_cpu_us: 10.0,
        };
        let catalogues = vec![cost(1000, 50.0), cost(1_000_000, 60.0)];
        Growth { host: sample::results().host, catalogues, idle: Vec::new() }
    }

    #[test]
    fn catalogues_are_compared_with_the_first() {
        let shown = growth_table(&growth());
        assert!(shown.contains("1,000,000") && shown.contains("60.0 µs (× 1.20)"), "{shown}");
        assert!(!shown.contains("idle"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
    }

    #[test]
    fn the_report_has_the_same_figures() {
        let dir = tempfile::tempdir().expect("there is a temporary folder");
        let path = dir.path().join("REPORT.md");
        std::fs::write(&path, "<!-- bench:growth -->\n<!-- /bench:growth -->\n").expect("it can be written");
        growth_report(&path, "growth", &growth()).expect("the markers are there");
        let written = std::fs::read_to_string(&path).expect("it is there");
        assert!(written.contains("| 1,000,000 | 0.500 |"), "{written}");
    }
}
