//! [`Sheet`]: the tables of a report, before it is known how they are written, and which figures stand in them.

use crate::results::{Measured, Percentiles, Results, Subject};

use super::figures::{Figures, figures, services, targets};
use super::format::{NONE, mebibytes, number, ratio, spread, time};

/// Rows of text.
pub(super) struct Sheet {
    pub(super) heads: Vec<String>,
    /// The first columns are text, and the others are numbers.
    pub(super) labels: usize,
    pub(super) rows: Vec<Vec<String>>,
}

impl Sheet {
    /// As a table of Markdown.
    pub(super) fn markdown(&self) -> String {
        let rules = (0..self.heads.len()).map(|column| if column < self.labels { "---" } else { "---:" });
        let mut text =
            format!("| {} |\n| {} |\n", self.heads.join(" | "), rules.collect::<Vec<_>>().join(" | "));
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
            text += &format!("| {} |\n", cells.join(" | "));
        }
        text
    }
}

/// Without what ends a cell or begins a tag, such as a marker.
pub(super) fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// The calls of each scenario: those of the marketplace, and of what was measured beside it.
pub(super) fn calls(results: &Results) -> Sheet {
    let floors = floors(results);
    let mut heads =
        ["clients", "calls", "calls/s", "avg", "p50", "p99", "p99.9", "max"].map(str::to_owned).to_vec();
    heads.extend(floors.iter().map(|floor| format!("of {}", floor.name())));
    let rows = results.scenarios.iter().flat_map(|measured| call_rows(measured, &floors)).collect();
    Sheet { heads, labels: 2, rows }
}

/// The floors that have a column: that of the bare relay always, the other if it was measured.
fn floors(results: &Results) -> Vec<Subject> {
    let is_measured =
        |floor: &Subject| results.scenarios.iter().any(|measured| measured.series(*floor).is_some());
    Subject::FLOORS.into_iter().filter(|floor| *floor == Subject::Floor || is_measured(floor)).collect()
}

/// The marketplace by API, then what was measured beside it by the same.
fn call_rows(measured: &Measured, floors: &[Subject]) -> Vec<Vec<String>> {
    let rows = targets(measured).flat_map(|(target, series)| {
        figures(series).into_iter().flat_map(move |figures| {
            let service =
                figures.service_times.map(|times| service_row(measured, target, &figures, times, floors));
            std::iter::once(call_row(measured, target, &figures, floors)).chain(service)
        })
    });
    rows.collect()
}

fn call_row(measured: &Measured, target: &str, figures: &Figures<'_>, floors: &[Subject]) -> Vec<String> {
    let is_total = target == Subject::Marketplace.name() && figures.api == "all";
    let of_floor = |floor: &Subject| measured.of_floor(*floor).filter(|_| is_total);
    let mut row = vec![
        measured.scenario.clone(),
        call_label(target, figures),
        figures.throughput.map_or(NONE.to_owned(), |throughput| spread(throughput, number)),
    ];
    row.extend(shown_times(figures.times));
    row.extend(
        floors.iter().map(|floor| of_floor(floor).map_or(String::new(), |of_floor| spread(of_floor, ratio))),
    );
    row
}

/// The service times of calls that were sent on schedule.
fn service_row(
    measured: &Measured,
    target: &str,
    figures: &Figures<'_>,
    times: Percentiles,
    floors: &[Subject],
) -> Vec<String> {
    let label = format!("{}, service time", call_label(target, figures));
    let mut row = vec![measured.scenario.clone(), label, String::new()];
    row.extend(shown_times(times));
    row.extend(floors.iter().map(|_| String::new()));
    row
}

fn call_label(target: &str, figures: &Figures<'_>) -> String {
    if target == Subject::Marketplace.name() {
        figures.api.to_owned()
    } else {
        format!("{target}: {}", figures.api)
    }
}

fn shown_times(times: Percentiles) -> [String; 5] {
    [times.mean_us, times.p50_us, times.p99_us, times.p999_us, times.max_us].map(time)
}

/// What each service cost in each scenario. `None`: the benchmark started none.
pub(super) fn costs(results: &Results) -> Option<Sheet> {
    let heads = ["clients", "service", "CPU µs/call of all", "peak memory MiB", "commits/s"];
    let rows: Vec<_> = results
        .scenarios
        .iter()
        .flat_map(|measured| {
            services(&measured.marketplace).into_iter().map(|figures| {
                vec![
                    measured.scenario.clone(),
                    figures.service.to_owned(),
                    number(figures.cpu_us_per_call),
                    mebibytes(figures.memory_peak_bytes),
                    figures.commits_per_second.map_or(NONE.to_owned(), number),
                ]
            })
        })
        .collect();
    (!rows.is_empty()).then(|| Sheet { heads: heads.map(str::to_owned).into(), labels: 2, rows })
}
