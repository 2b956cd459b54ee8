//! [`table`]: all figures as tables on a terminal.

use crate::results::{Measured, Percentiles, Results, Series, Subject};

use super::figures::{Figures, figures, none_failed, notes, remarks, services, targets};
use super::format::{NONE, TimeUnit, host_line, mebibytes, number, options_line, ratio, spread};
use super::grid::{Grid, wrapped};

/// What is left out of the calls where there is no room, in order: bytes, p90, the average, the longest, p99.9.
const CALLS_EXPENDABLE: &[usize] = &[8, 4, 2, 7, 6];
/// Of the costs: groups that were flushed, then memory.
const COSTS_EXPENDABLE: &[usize] = &[5, 4];

/// Tables of each scenario and of what the services cost, no line of them longer than `width`. `None`: there is room
/// for all of it.
pub fn table(results: &Results, width: Option<usize>) -> String {
    let line = |text: &str| wrapped(text, width);
    let mut text = line(&host_line(&results.host)) + &line(&options_line(&results.options));
    text.extend(remarks(results).iter().map(|remark| line(remark)));
    for measured in &results.scenarios {
        text += &format!("\n{} clients\n{}", measured.scenario, calls(measured).render(width));
        for (target, series) in targets(measured) {
            text.extend(none_failed(series).map(|said| line(&format!("{target}: {said}"))));
        }
        text.extend(notes(&results.options, measured).iter().map(|note| line(note)));
    }
    let costs = costs(results);
    if !costs.is_empty() {
        text += &format!("\n{}{}", line("Services, median over the runs"), costs.render(width));
    }
    text
}

/// The calls of one scenario by target and API. Times have the unit that fits the median of all.
fn calls(measured: &Measured) -> Grid {
    let all = measured.marketplace.apis.first();
    let unit = TimeUnit::fitting(all.map_or(0.0, |all| all.times.p50_us));
    let mut heads = vec![String::new(), "calls/s".to_owned()];
    heads.extend(["avg", "p50", "p90", "p99", "p99.9", "max"].map(|time| format!("{time}\n{}", unit.name())));
    heads.push("out/in\nbytes".to_owned());
    let mut grid = Grid::new(heads, 1).leaving_out(CALLS_EXPENDABLE);
    for (target, series) in targets(measured) {
        for figures in figures(series) {
            grid.add_row(row(target, &figures, unit));
            if let Some(times) = figures.service_times {
                let mut row = vec![format!("{}service time", indent(&figures, 2)), String::new()];
                row.extend(shown_times(times, unit));
                grid.add_row(row);
            }
        }
    }
    for floor in Subject::FLOORS {
        if let Some(of_floor) = measured.of_floor(floor) {
            grid.add_row([format!("of {}", floor.name()), spread(of_floor, ratio)]);
        }
    }
    grid
}

/// APIs are indented below the target that they belong to.
fn row(target: &str, figures: &Figures<'_>, unit: TimeUnit) -> Vec<String> {
    let name = if figures.api == "all" { target } else { figures.api };
    let label = format!("{}{name}", indent(figures, 0));
    let throughput = figures.throughput.map_or(NONE.to_owned(), |throughput| spread(throughput, number));
    let mut row = vec![label, throughput];
    row.extend(shown_times(figures.times, unit));
    row.push(format!("{:.0}/{:.0}", figures.sent_bytes_per_call, figures.received_bytes_per_call));
    row
}

/// What stands before the name of what lies so many columns below figures, or in their own row.
fn indent(figures: &Figures<'_>, deeper: usize) -> String {
    " ".repeat(deeper + if figures.api == "all" { 0 } else { 2 })
}

fn shown_times(times: Percentiles, unit: TimeUnit) -> [String; 6] {
    let times = [times.mean_us, times.p50_us, times.p90_us, times.p99_us, times.p999_us, times.max_us];
    times.map(|time_us| unit.number(time_us))
}

/// What each service cost in each scenario; empty if the benchmark started none.
fn costs(results: &Results) -> Grid {
    let heads = ["clients", "target", "service", "CPU µs/call of all", "peak memory MiB", "commits/s"];
    let mut grid = Grid::new(heads, 3).leaving_out(COSTS_EXPENDABLE);
    for measured in &results.scenarios {
        for (target, series) in targets(measured) {
            cost_rows(&measured.scenario, target, series).into_iter().for_each(|row| grid.add_row(row));
        }
    }
    grid
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
        let shown = table(&results, None);
        for scenario in ["1+1 clients", "10+10 clients", "100+100 clients"] {
            assert!(shown.contains(scenario), "{shown}");
        }
        assert!(shown.contains("marketplace: failed calls: timed_out 1,234; wrong replies: 2\n"), "{shown}");
        assert_eq!(shown.matches("\nmarketplace: 20,000 calls, 0 failed\n").count(), 1, "{shown}");
        assert!(!shown.contains("marketplace: 200,000 calls, 0 failed"), "{shown}");
        assert!(shown.contains("\nfloor: 200,000 calls, 0 failed\n"), "{shown}");
        assert!(shown.contains("of floor"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_is_wide() {
        let mut results = sample::results();
        results.incomplete = Some("interrupted after 7 of 30 runs".to_owned());
        results.options.rate = Some(5000.0);
        for width in [20, 40, 60, 72, 80, 100, 120] {
            let shown = table(&results, Some(width));
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{width}:\n{shown}");
            assert!(shown.contains("p50") && shown.contains("p99"), "{width}:\n{shown}");
        }
        let shown = table(&results, Some(80));
        assert!(shown.contains("p99.9") && shown.contains("commits/s"), "{shown}");
    }

    #[test]
    fn what_a_reader_must_know_of_all_results_stands_above_them() {
        let mut results = sample::results();
        results.incomplete = Some("interrupted after 7 of 30 runs".to_owned());
        results.host.data_in_memory = true;
        let shown = table(&results, None);
        let above = &shown[..shown.find("1+1 clients").expect("there is such a scenario")];
        assert!(above.contains("incomplete: interrupted after 7 of 30 runs\n"), "{shown}");
        assert!(above.contains("in memory"), "{shown}");
    }

    #[test]
    fn a_rate_is_shown_with_how_it_was_kept() {
        let mut results = sample::results();
        results.options.rate = Some(5000.0);
        for run in &mut results.scenarios[0].marketplace.runs {
            run.lateness_p99_us = Some(41.5);
        }
        let shown = table(&results, None);
        assert!(!shown.contains("service time"), "{shown}");
        sample::schedule(&mut results);
        let shown = table(&results, None);
        assert_eq!(shown.matches("│   service time ").count(), 2 * 3, "{shown}");
        assert_eq!(shown.matches("│     service time ").count(), 2 * 2 * 3, "{shown}");
        assert!(shown.contains("service times from when it was sent"), "{shown}");
        let narrow = table(&results, Some(40));
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
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
        let shown = table(&results, None);
        assert!(!shown.contains("floor") && !shown.contains("CPU"), "{shown}");
    }
}
