//! [`draw`]: the pictures of a benchmark. What they show is decided here, and how a chart looks in `chart`.

use crate::results::{ApiTotal, Measured, Percentiles, Point, Results, Series, Spread, Subject};

use super::axis::Axis;
use super::chart::{Chart, Line, Stroke};

/// The pictures' files and titles.
pub(super) const PICTURES: [(&str, &str); 4] = [
    ("throughput.svg", "Throughput by clients: median and range of the runs"),
    ("response-time.svg", "Response time by clients"),
    ("distribution.svg", "Distribution of response times"),
    ("runs.svg", "Throughput of each run"),
];

type Statistic = fn(&Percentiles) -> f64;

/// What is shown of response times, in the order in which the lines lie.
const STATISTICS: [(&str, Statistic); 3] =
    [("p99", |times| times.p99_us), ("mean", |times| times.mean_us), ("p50", |times| times.p50_us)];

/// The names of the files for what [`draw`] makes.
pub fn picture_files() -> impl Iterator<Item = &'static str> {
    PICTURES.into_iter().map(|(file, _)| file)
}

/// Four pictures in SVG, in the order of [`picture_files`].
pub fn draw(results: &Results) -> Vec<String> {
    let charts = [throughput(results), response_time(results), distribution(results), runs(results)];
    PICTURES.into_iter().zip(charts).map(|((_, title), chart)| chart.render(title)).collect()
}

/// Calls a second against clients, with the least and the most of all runs.
fn throughput(results: &Results) -> Chart {
    let mut lines =
        Vec::from(Subject::ALL.map(|subject| Line::new(subject.name(), 0).stroked(stroke(subject))));
    for measured in by_clients(results) {
        for (subject, series) in measured.all_series() {
            let Some(spread) = series.throughput() else { continue };
            let line = &mut lines[subject as usize];
            line.points.push((measured.clients as f64, spread.median));
            line.whiskers.push((measured.clients as f64, spread.min, spread.max));
        }
    }
    lines.retain(|line| !line.points.is_empty());
    let most = greatest(lines.iter().flat_map(|line| &line.whiskers).map(|whisker| whisker.2));
    Chart { x: clients_axis(results), y: Axis::linear("calls a second", most), lines }
}

/// Response times against clients.
fn response_time(results: &Results) -> Chart {
    let mut lines = Vec::new();
    for (colour, (name, statistic)) in STATISTICS.into_iter().enumerate() {
        let mut of_subjects = Subject::ALL.map(|subject| subject_line(name, subject, colour));
        for measured in by_clients(results) {
            for (subject, series) in measured.all_series() {
                let point = all(series).map(|all| (measured.clients as f64, statistic(&all.times)));
                of_subjects[subject as usize].points.extend(point);
            }
        }
        lines.extend(of_subjects);
    }
    lines.retain(|line| !line.points.is_empty());
    Chart { x: clients_axis(results), y: times_axis(&lines), lines }
}

/// Response times against quantiles, for each scenario.
fn distribution(results: &Results) -> Chart {
    let mut lines = Vec::new();
    let mut calls = 0;
    for (colour, measured) in results.scenarios.iter().enumerate() {
        for (subject, series) in measured.all_series() {
            let Some(all) = all(series) else { continue };
            calls = calls.max(all.calls);
            let mut line = subject_line(&measured.scenario, subject, colour).without_marks();
            // The slowest call is the last of all, and a quantile of 1 would be infinitely far away.
            let slowest = 1.0 - 1.0 / all.calls.max(1) as f64;
            let points = |points: &[Point]| -> Vec<(f64, f64)> {
                points.iter().map(|point| (point.quantile.min(slowest), point.time_us)).collect()
            };
            line.points = points(&all.distribution);
            lines.push(line);
            // A schedule has no floor, whose line would look like this one.
            let name = subject_name(&measured.scenario, subject) + ", service";
            let mut service = Line::new(name, colour).stroked(Stroke::Dashes);
            service.points = points(&all.service_distribution);
            lines.push(service.without_marks());
        }
    }
    lines.retain(|line| !line.points.is_empty());
    Chart { x: Axis::nines("quantile of all calls", calls), y: times_axis(&lines), lines }
}

/// Calls a second of each run against the time at which it began.
fn runs(results: &Results) -> Chart {
    let mut lines = Vec::new();
    for (colour, measured) in results.scenarios.iter().enumerate() {
        for (subject, series) in measured.all_series() {
            let mut line = subject_line(&measured.scenario, subject, colour);
            line.points = series.runs.iter().map(|run| (run.started_after_s, run.calls_per_second)).collect();
            lines.push(line);
        }
    }
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = Axis::linear("seconds since the start", greatest(points().map(|point| point.0)));
    let y = Axis::linear("calls a second", greatest(points().map(|point| point.1)));
    Chart { x, y, lines }
}

/// A line of the marketplace, or of what was measured beside it.
fn subject_line(name: &str, subject: Subject, colour: usize) -> Line {
    Line::new(subject_name(name, subject), colour).stroked(stroke(subject))
}

fn subject_name(name: &str, subject: Subject) -> String {
    match subject {
        Subject::Marketplace => name.to_owned(),
        other => format!("{name}, {}", other.name()),
    }
}

fn stroke(subject: Subject) -> Stroke {
    match subject {
        Subject::Marketplace => Stroke::Solid,
        Subject::Against => Stroke::LongDashes,
        Subject::Floor => Stroke::Dashes,
        Subject::FlushedFloor => Stroke::Dots,
    }
}

fn by_clients(results: &Results) -> Vec<&Measured> {
    let mut scenarios: Vec<&Measured> = results.scenarios.iter().collect();
    scenarios.sort_by_key(|measured| measured.clients);
    scenarios
}

fn all(series: &Series) -> Option<&ApiTotal> {
    series.apis.first()
}

fn clients_axis(results: &Results) -> Axis {
    let counts: Vec<usize> = by_clients(results).iter().map(|measured| measured.clients).collect();
    Axis::counts("clients (buyers and sellers together)", &counts)
}

fn times_axis(lines: &[Line]) -> Axis {
    let times = lines.iter().flat_map(|line| &line.points).map(|point| point.1);
    let (least, most) = Spread::of(times).map_or((1.0, 1.0), |spread| (spread.min, spread.max));
    Axis::times("response time", least, most)
}

fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    /// Draws the pictures, in the order of [`PICTURES`].
    fn drawn(results: &Results) -> Vec<String> {
        let pictures = draw(results);
        assert_eq!(pictures.len(), picture_files().count());
        pictures.iter().for_each(|svg| assert_well_formed(svg));
        pictures
    }

    /// Elements are closed in turn, and numbers are finite.
    fn assert_well_formed(svg: &str) {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').expect("a tag ends");
            let name = tag.split(|c: char| c.is_whitespace()).next().expect("a split has a first piece");
            if let Some(name) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{svg}");
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty() && svg.starts_with("<svg"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(!svg.contains(&i32::MIN.to_string()) && !svg.contains(&i32::MAX.to_string()), "{svg}");
    }

    fn contains_text(svg: &str, text: &str) -> bool {
        svg.contains(&format!("\n{text}\n"))
    }

    #[test]
    fn full_results_are_drawn_with_the_floor() {
        let files = drawn(&sample::results());
        assert!(contains_text(&files[0], "floor") && contains_text(&files[0], "200"), "{}", files[0]);
        assert!(contains_text(&files[1], "p99, floor") && contains_text(&files[1], "10 ms"), "{}", files[1]);
        assert!(
            contains_text(&files[2], "10+10, floor") && contains_text(&files[2], "99.9 %"),
            "{}",
            files[2]
        );
        assert!(contains_text(&files[3], "100+100, floor"), "{}", files[3]);
    }

    #[test]
    fn service_times_are_drawn_beside_response_times() {
        let mut results = sample::results();
        assert!(!drawn(&results)[2].contains("service"));
        sample::schedule(&mut results);
        results.scenarios.iter_mut().for_each(|measured| measured.floor = None);
        let files = drawn(&results);
        assert!(contains_text(&files[2], "10+10, service"), "{}", files[2]);
    }

    #[test]
    fn a_single_scenario_is_drawn() {
        let mut results = sample::results();
        results.scenarios.truncate(1);
        let files = drawn(&results);
        assert!(contains_text(&files[3], "1+1") && !contains_text(&files[3], "10+10"), "{}", files[3]);
    }

    #[test]
    fn nothing_is_said_of_a_floor_that_was_not_measured() {
        let mut results = sample::results();
        results.scenarios.iter_mut().for_each(|measured| measured.floor = None);
        assert!(drawn(&results).iter().all(|svg| !svg.contains("floor")));
    }

    #[test]
    fn results_without_calls_are_drawn_empty() {
        let mut results = sample::results();
        results.scenarios.clear();
        drawn(&results);
    }
}
