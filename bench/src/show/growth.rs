//! How [`Growth`] is shown: on a terminal, and as a section of a Markdown file.

use crate::growth::{CatalogueCost, Growth, IdleCost};

use super::figures::in_memory;
use super::format::{host_line, integer, mebibytes, number, ratio, time};
use super::grid::{Grid, wrapped};
use super::markers;
use super::sheet::{Sheet, escape};

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

/// Tables for a terminal, no line of them longer than `width`. `None`: there is room for all of it.
pub fn growth_table(growth: &Growth, width: Option<usize>) -> String {
    let mut text = wrapped(&host_line(&growth.host), width);
    text.extend(remarks(growth).iter().map(|remark| wrapped(remark, width)));
    for (heads, rows) in sections(growth) {
        let mut grid = Grid::new(heads, 0);
        rows.into_iter().for_each(|row| grid.add_row(row));
        text += &format!("\n{}", grid.render(width));
    }
    text
}

/// A Markdown file's `text` with the same in its section `name`, as [`report`](super::report()) has it.
///
/// # Errors
/// As there.
pub fn growth_report(text: &str, name: &str, growth: &Growth) -> Result<String, String> {
    let mut content = format!("\n- {}\n", escape(&host_line(&growth.host)));
    content.extend(remarks(growth).iter().map(|remark| format!("- {}\n", escape(remark))));
    for (heads, rows) in sections(growth) {
        let heads = heads.into_iter().map(str::to_owned).collect();
        content += &format!("\n{}", Sheet { heads, labels: 0, rows }.markdown());
    }
    markers::replace(text, name, &(content + "\n"))
}

/// What must be known of all of it.
fn remarks(growth: &Growth) -> Vec<String> {
    let incomplete = growth.incomplete.as_ref().map(|why| format!("incomplete: {why}"));
    incomplete.into_iter().chain(in_memory(&growth.host)).collect()
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
        Growth { host: sample::results().host, catalogues, idle: Vec::new(), incomplete: None }
    }

    #[test]
    fn catalogues_are_compared_with_the_first() {
        let shown = growth_table(&growth(), None);
        assert!(shown.contains("1,000,000") && shown.contains("60.0 µs (× 1.20)"), "{shown}");
        assert!(!shown.contains("idle"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
        let narrow = growth_table(&growth(), Some(80));
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    }

    #[test]
    fn the_report_has_the_same_figures() {
        let text = "<!-- bench:growth -->\n<!-- /bench:growth -->\n";
        let written = growth_report(text, "growth", &growth()).expect("the markers are there");
        assert!(written.contains("| 1,000,000 | 0.500 |"), "{written}");
    }
}
