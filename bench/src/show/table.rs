//! [`table`]: all figures as tables on a terminal.

use comfy_table::{CellAlignment, Table, presets};

use crate::results::{Measured, Results, Series};

use super::figures::{Figures, figures, notes, services, targets};
use super::format::{NONE, TimeUnit, host_line, mebibytes, number, options_line, ratio, spread};

/// Tables of each scenario and of what the services cost, at most 120 columns wide.
pub fn table(results: &Results) -> String {
    let mut text = format!("{}\n{}\n", host_line(&results.host), options_line(&results.options));
    for measured in &results.scenarios {
        text += &format!("\n{} clients\n{}\n", measured.scenario, calls(measured));
        for note in notes(&results.options, measured) {
            text += &format!("{note}\n");
        }
    }
    if let Some(services) = costs(results) {
        text += &format!("\nServices, median over the runs\n{services}\n");
    }
    text
}

/// A table in the project's style; its first `labels` columns are text, and the others are numbers.
pub(super) fn new_table<H: Into<String>>(heads: impl IntoIterator<Item = H>, labels: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(heads.into_iter().map(Into::into));
    for column in table.column_iter_mut().skip(labels) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The calls of one scenario by target and API. Times have the unit that fits the median of all.
fn calls(measured: &Measured) -> Table {
    let all = measured.marketplace.apis.first();
    let unit = TimeUnit::fitting(all.map_or(0.0, |all| all.times.p50_us));
    let mut heads = vec![String::new(), "calls/s".to_owned()];
    heads.extend(["avg", "p50", "p90", "p99", "p99.9", "max"].map(|time| format!("{time}\n{}", unit.name())));
    heads.push("out/in\nbytes".to_owned());
    let mut table = new_table(heads, 1);
    for (target, series) in targets(measured) {
        for figures in figures(series) {
            table.add_row(row(target, &figures, unit));
        }
    }
    if let Some(of_floor) = measured.of_floor() {
        table.add_row(["of floor".to_owned(), spread(of_floor, ratio)]);
    }
    table
}

/// APIs are indented below the target that they belong to.
fn row(target: &str, figures: &Figures<'_>, unit: TimeUnit) -> Vec<String> {
    let label = if figures.api == "all" { target.to_owned() } else { format!("  {}", figures.api) };
    let throughput = figures.throughput.map_or(NONE.to_owned(), |throughput| spread(throughput, number));
    let times = figures.times;
    let times = [times.mean_us, times.p50_us, times.p90_us, times.p99_us, times.p999_us, times.max_us];
    let mut row = vec![label, throughput];
    row.extend(times.map(|time_us| unit.number(time_us)));
    row.push(format!("{:.0}/{:.0}", figures.sent_bytes_per_call, figures.received_bytes_per_call));
    row
}

/// What each service cost in each scenario. `None`: the benchmark started none.
fn costs(results: &Results) -> Option<Table> {
    let heads = ["clients", "target", "service", "CPU µs/call of all", "peak memory MiB", "commits/s"];
    let mut table = new_table(heads, 3);
    for measured in &results.scenarios {
        for (target, series) in targets(measured) {
            table.add_rows(cost_rows(&measured.scenario, target, series));
        }
    }
    (!table.is_empty()).then_some(table)
}

/// Only the first row says of what they are.
fn cost_rows(scenario: &str, target: &str, series: &Series) -> Vec<[String; 6]> {
    let rows = services(series).into_iter().enumerate().map(|(place, figures)| {
        let label = |text: &str| if place == 0 { text.to_owned() } else { String::new() };
        [
            label(scenario),
            label(target),
            figures.service.to_owned(),
            number(figures.cpu_us_per_call),
            mebibytes(figures.memory_peak_bytes),
            figures.commits_per_second.map_or(NONE.to_owned(), number),
        ]
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    #[test]
    fn every_scenario_and_what_went_wrong_is_shown_within_120_columns() {
        let mut results = sample::results();
        let run = &mut results.scenarios[1].marketplace.runs[3];
        run.errors.insert("timed_out".to_owned(), 1234);
        run.wrong = 2;
        let shown = table(&results);
        for scenario in ["1+1 clients", "10+10 clients", "100+100 clients"] {
            assert!(shown.contains(scenario), "{shown}");
        }
        assert!(shown.contains("marketplace: failed calls: timed_out 1,234; wrong replies: 2\n"), "{shown}");
        assert!(shown.contains("of floor"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
    }

    #[test]
    fn a_rate_is_shown_with_how_it_was_kept() {
        let mut results = sample::results();
        results.options.rate = Some(5000.0);
        for run in &mut results.scenarios[0].marketplace.runs {
            run.lateness_p99_us = Some(41.5);
        }
        let shown = table(&results);
        assert!(shown.contains("5,000 calls/s on schedule"), "{shown}");
        assert!(shown.contains("% of the 5,000 calls/s of the schedule were made; calls of free clients left late by p99 41.5 µs\n"), "{shown}");
    }

    #[test]
    fn without_a_floor_and_services_they_are_not_mentioned() {
        let mut results = sample::results();
        for measured in &mut results.scenarios {
            measured.floor = None;
            measured.marketplace.runs.iter_mut().for_each(|run| run.services.clear());
        }
        let shown = table(&results);
        assert!(!shown.contains("floor") && !shown.contains("CPU"), "{shown}");
    }
}
