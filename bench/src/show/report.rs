//! [`report`]: the figures and pictures of a benchmark as a section of a Markdown file.

use crate::results::{Measured, Percentiles, Results, Subject};

use super::figures::{Figures, all_right, figures, notes, remarks, services, targets};
use super::format::{NONE, host_line, mebibytes, number, options_line, ratio, spread, time};
use super::markers;
use super::pictures::PICTURES;

/// A Markdown file's `text` with the results in its section `name`, between the lines `<!-- bench:NAME -->` and
/// `<!-- /bench:NAME -->`. What is outside of it stays as it is. `pictures`: the way from the file's folder to the one
/// that they were drawn in.
///
/// # Errors
/// It does not have the section once.
pub fn report(text: &str, name: &str, results: &Results, pictures: Option<&str>) -> Result<String, String> {
    markers::replace(text, name, &content(results, pictures))
}

/// Whether [`report`] would find its section, so that nobody measures for minutes in vain.
///
/// # Errors
/// As there.
pub fn check_report(text: &str, name: &str) -> Result<(), String> {
    markers::replace(text, name, "").map(drop)
}

fn content(results: &Results, pictures: Option<&str>) -> String {
    let mut text = format!(
        "\n- {}\n- {}\n",
        escape(&host_line(&results.host)),
        escape(&options_line(&results.options)),
    );
    text.extend(remarks(results).iter().map(|remark| format!("- {}\n", escape(remark))));
    text += &format!("\n{}", calls(results));
    let notes: Vec<_> = results
        .scenarios
        .iter()
        .flat_map(|measured| {
            let notes = notes(&results.options, measured).into_iter();
            notes.map(|note| format!("- {}, {}\n", measured.scenario, escape(&note)))
        })
        .collect();
    text += &format!(
        "\n{}{}",
        all_right(results).map_or(String::new(), |said| format!("- {said}\n")),
        notes.concat()
    );
    text += &costs(results).map_or(String::new(), |costs| format!("\n{costs}"));
    if let Some(folder) = pictures {
        for (file, title) in PICTURES {
            text += &format!("\n![{title}]({}/{file})\n", escape_link(folder));
        }
    }
    text + "\n"
}

fn calls(results: &Results) -> String {
    let floors = floors(results);
    let mut heads =
        ["clients", "calls", "calls/s", "avg", "p50", "p99", "p99.9", "max"].map(str::to_owned).to_vec();
    heads.extend(floors.iter().map(|floor| format!("of {}", floor.name())));
    let rows = results.scenarios.iter().flat_map(|measured| call_rows(measured, &floors)).collect();
    table(&heads, 2, rows)
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
fn costs(results: &Results) -> Option<String> {
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
    (!rows.is_empty()).then(|| table(&heads, 2, rows))
}

/// The first `labels` columns are text, and the others are numbers.
pub(super) fn table<H: AsRef<str>>(heads: &[H], labels: usize, rows: Vec<Vec<String>>) -> String {
    let rules = (0..heads.len()).map(|column| if column < labels { "---" } else { "---:" });
    let mut text = format!(
        "| {} |\n| {} |\n",
        heads.iter().map(H::as_ref).collect::<Vec<_>>().join(" | "),
        rules.collect::<Vec<_>>().join(" | ")
    );
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// Without what ends a cell or begins a tag, such as a marker.
pub(super) fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// Without what ends a link.
fn escape_link(way: &str) -> String {
    way.replace('%', "%25").replace(' ', "%20").replace('(', "%28").replace(')', "%29")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    const OPEN: &str = "# Report\n\nProse.\n\n<!-- bench:default -->\n";
    const CLOSE: &str = "<!-- /bench:default -->\n\nMore prose.";

    #[test]
    fn a_report_is_rewritten_between_its_markers() {
        let mut results = sample::results();
        results.options.services = "own <!-- /bench:default -->".to_owned();
        let mut written = format!("{OPEN}{CLOSE}");
        // The second time finds what the first one left.
        for _ in 0..2 {
            written = report(&written, "default", &results, Some("../bench pictures"))
                .expect("the markers are right");
        }
        let section = written.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix(CLOSE));
        let section = section.unwrap_or_else(|| panic!("the prose was changed: {written}"));
        for part in ["| 1+1 | all |", "| 100+100 | floor: all |", "| 10+10 | db_product |", "AMD EPYC"] {
            assert_eq!(section.matches(part).count(), 1, "{part}: {section}");
        }
        assert_eq!(section.matches("](../bench%20pictures/").count(), PICTURES.len(), "{section}");
    }

    #[test]
    fn service_times_stand_below_response_times() {
        let mut results = sample::results();
        sample::schedule(&mut results);
        let written =
            report(&format!("{OPEN}{CLOSE}"), "default", &results, None).expect("the markers are right");
        assert!(written.contains("| 1+1 | all, service time |  | 105 µs |"), "{written}");
        assert!(written.contains("| 1+1 | floor: ChangeItemPrice, service time |"), "{written}");
        assert!(written.contains("\n- 4,440,000 calls, 0 failed\n"), "{written}");
    }

    #[test]
    fn a_file_without_the_markers_is_refused() {
        let error = report(OPEN, "default", &sample::results(), None).expect_err("a marker is missing");
        assert_eq!(check_report(OPEN, "default").as_ref(), Err(&error));
        assert_eq!(error, "there is no line <!-- /bench:default -->");
    }

    #[test]
    fn results_that_are_not_all_there_are_marked() {
        let mut results = sample::results();
        results.incomplete = Some("interrupted after 7 of 30 runs".to_owned());
        let written =
            report(&format!("{OPEN}{CLOSE}"), "default", &results, None).expect("the markers are right");
        assert!(written.contains("\n- incomplete: interrupted after 7 of 30 runs\n\n|"), "{written}");
    }
}
