//! What is worth knowing of all runs of a series. Both the terminal's tables and the report's are made of it.

use std::collections::BTreeMap;

use crate::api::Api;
use crate::host::Host;
use crate::results::{ApiRun, Measured, Options, Percentiles, Results, Run, Series, Spread};

use super::compare::beside_other_build;
use super::format::{NONE, counted, integer, number, percent, time_spread};

/// The calls of one API, or of all together.
pub(super) struct Figures<'a> {
    /// The API's name, or `all`.
    pub(super) api: &'a str,
    /// Calls a second over the runs.
    pub(super) throughput: Option<Spread>,
    pub(super) times: Percentiles,
    /// From when calls were sent rather than due, if they were sent on schedule.
    pub(super) service_times: Option<Percentiles>,
    pub(super) sent_bytes_per_call: f64,
    pub(super) received_bytes_per_call: f64,
}

/// The cost of a service: medians over the runs.
pub(super) struct ServiceFigures<'a> {
    pub(super) service: &'a str,
    pub(super) cpu_us_per_call: f64,
    pub(super) memory_peak_bytes: f64,
    /// Only databases have it.
    pub(super) commits_per_second: Option<f64>,
}

/// What was measured in a scenario: the marketplace, and beside it what else was, by name.
pub(super) fn targets(measured: &Measured) -> impl Iterator<Item = (&'static str, &Series)> {
    measured.all_series().map(|(subject, series)| (subject.name(), series))
}

/// All calls together, then each API unless there is only one.
pub(super) fn figures(series: &Series) -> Vec<Figures<'_>> {
    let apis = if series.apis.len() == 2 { &series.apis[..1] } else { &series.apis[..] };
    let figures = apis.iter().map(|total| Figures {
        api: &total.api,
        throughput: Spread::of(series.runs.iter().map(|run| calls_per_second(run, &total.api))),
        times: total.times,
        service_times: total.service_times,
        sent_bytes_per_call: mean(series, &total.api, |api| api.sent_bytes_per_call),
        received_bytes_per_call: mean(series, &total.api, |api| api.received_bytes_per_call),
    });
    figures.collect()
}

/// The calls of this API, or of `all`, in a run.
fn of_api<'a>(run: &'a Run, api: &str) -> impl Iterator<Item = &'a ApiRun> {
    run.apis.iter().filter(move |of| api == "all" || of.api == api)
}

fn calls_per_second(run: &Run, api: &str) -> f64 {
    if api == "all" {
        return run.calls_per_second;
    }
    let calls: u64 = of_api(run, api).map(|of| of.calls).sum();
    if run.duration_s > 0.0 { calls as f64 / run.duration_s } else { 0.0 }
}

/// The mean of a value a call over the calls of all runs.
fn mean(series: &Series, api: &str, value: impl Fn(&ApiRun) -> f64) -> f64 {
    let of_runs = series.runs.iter().flat_map(|run| of_api(run, api));
    let (sum, calls) = of_runs.fold((0.0, 0.0), |(sum, calls), of| {
        let count = of.calls as f64;
        (sum + count * value(of), calls + count)
    });
    if calls > 0.0 { sum / calls } else { 0.0 }
}

/// The services that the benchmark started, in the order of the first run.
pub(super) fn services(series: &Series) -> Vec<ServiceFigures<'_>> {
    let Some(first) = series.runs.first() else { return Vec::new() };
    let figures = first.services.iter().map(|service| {
        let name = service.service.as_str();
        let runs = || series.runs.iter().flat_map(|run| &run.services).filter(|run| run.service == name);
        let median = |values: &mut dyn Iterator<Item = f64>| Spread::of(values).map(|spread| spread.median);
        ServiceFigures {
            service: name,
            cpu_us_per_call: median(&mut runs().map(|run| run.cpu_us_per_call)).unwrap_or(0.0),
            memory_peak_bytes: median(&mut runs().map(|run| run.memory_peak_bytes as f64)).unwrap_or(0.0),
            commits_per_second: median(&mut runs().filter_map(|run| run.commits_per_second)),
        }
    });
    figures.collect()
}

/// What must be known of all results.
pub(super) fn remarks(results: &Results) -> Vec<String> {
    let incomplete = results.incomplete.as_ref().map(|why| format!("incomplete: {why}"));
    incomplete.into_iter().chain(in_memory(&results.host)).collect()
}

/// What must be known of a host whose flushes cost nothing.
pub(super) fn in_memory(host: &Host) -> Option<String> {
    host.data_in_memory.then(|| {
        "the data lay in memory, where flushing costs nothing: a folder on a disk, named by --data, would tell more".to_owned()
    })
}

/// What must be said of a scenario beside its figures: how the schedule was kept, what was made again, and what went
/// wrong. Of what was measured in vain or beside the items of others, that is said, too.
pub(super) fn notes(options: &Options, measured: &Measured) -> Vec<String> {
    let mut notes = beside_other_build(measured);
    notes.extend(waiting(&measured.marketplace).map(str::to_owned));
    for (target, series) in targets(measured) {
        if let Some(rate) = options.rate {
            let late = Spread::of(series.runs.iter().filter_map(|run| run.lateness_p99_us));
            let late = late.map_or(NONE.to_owned(), time_spread);
            let made = series.throughput().map_or(0.0, |made| made.median);
            notes.push(format!(
                "{target}: {} of the {} calls/s of the schedule were made; calls of free clients left late by p99 {late}",
                percent(made / rate),
                number(rate)
            ));
        }
        let repeated: u64 = series.runs.iter().map(|run| run.repeated).sum();
        if repeated > 0 {
            notes.push(format!("{target}: calls made again: {}", integer(repeated as f64)));
        }
        let unmade: u64 = series.runs.iter().map(|run| run.unmade).sum();
        if unmade > 0 {
            notes.push(format!(
                "{target}: calls that were due and never made, because their client was busy until the time was up: {}",
                integer(unmade as f64)
            ));
        }
        notes.extend(in_vain(series).map(|api| {
            format!(
                "{target}: every call of {api} was in vain: there was nothing to find and nothing to change"
            )
        }));
        notes.extend(found_before(series).map(|matches| {
            format!("{target}: searches also found items that were for sale before, up to {matches}: others sell, or a benchmark could not end in order")
        }));
        notes.extend(problems(series).map(|problems| format!("{target}: {problems}")));
    }
    notes
}

/// What the two kinds of times of scheduled calls are. `None`: service times were not measured.
fn waiting(series: &Series) -> Option<&'static str> {
    series.apis.first()?.service_times?;
    Some(
        "response times are from when a call was due, service times from when it was sent: between them it waited for its client",
    )
}

/// What is said of a series in which all went well. `None`: something failed, and [`notes`] say what.
pub(super) fn none_failed(series: &Series) -> Option<String> {
    let calls: u64 = series.runs.iter().map(|run| run.calls).sum();
    problems(series).is_none().then(|| format!("{}, 0 failed", counted(calls as f64, "call")))
}

/// The same of all results.
pub(super) fn all_right(results: &Results) -> Option<String> {
    let runs = results.scenarios.iter().flat_map(targets).flat_map(|(_, series)| &series.runs);
    let calls: u64 = runs.map(|run| run.calls).sum();
    results.is_right().then(|| format!("{}, 0 failed", counted(calls as f64, "call")))
}

/// The APIs whose calls have all found and changed nothing.
fn in_vain(series: &Series) -> impl Iterator<Item = &str> {
    let in_vain =
        |api: &str| series.runs.iter().flat_map(|run| of_api(run, api)).map(|of| of.in_vain).sum::<u64>();
    let apis = series.apis.iter().filter(|total| total.api != "all" && total.calls > 0);
    apis.filter(move |total| in_vain(&total.api) == total.calls).map(|total| total.api.as_str())
}

/// The most items that a run has searched beside its own. `None`: there were none, or nobody searched.
fn found_before(series: &Series) -> Option<String> {
    let searched = series.apis.iter().any(|total| total.api == Api::SearchItemsForSale.name());
    let most = series.runs.iter().map(|run| run.matches_before).max().filter(|most| searched && *most > 0)?;
    Some(integer(most as f64))
}

/// Failed calls by the code of their error, and wrong replies. `None`: there are none.
fn problems(series: &Series) -> Option<String> {
    let mut errors = BTreeMap::<&str, u64>::new();
    for (code, count) in series.runs.iter().flat_map(|run| &run.errors) {
        *errors.entry(code).or_default() += count;
    }
    let wrong: u64 = series.runs.iter().map(|run| run.wrong).sum();
    let mut problems = Vec::new();
    if !errors.is_empty() {
        // A code came from a service, so it might hold anything.
        let errors =
            errors.iter().map(|(code, count)| format!("{} {}", code.escape_debug(), integer(*count as f64)));
        problems.push(format!("failed calls: {}", errors.collect::<Vec<_>>().join(", ")));
    }
    if wrong > 0 {
        problems.push(format!("wrong replies: {}", integer(wrong as f64)));
    }
    (!problems.is_empty()).then(|| problems.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    #[test]
    fn the_calls_of_the_apis_add_up() {
        let results = sample::results();
        let all = figures(&results.scenarios[0].marketplace);
        let medians: Vec<f64> =
            all.iter().map(|figures| figures.throughput.expect("it ran").median).collect();
        assert_eq!(all[0].api, "all");
        assert!((medians[0] - medians[1] - medians[2]).abs() < 1.0, "{medians:?}");
        assert_eq!(
            all[0].sent_bytes_per_call,
            f64::midpoint(all[1].sent_bytes_per_call, all[2].sent_bytes_per_call)
        );
    }

    #[test]
    fn a_single_api_is_not_shown_twice() {
        let mut series = sample::results().scenarios.remove(0).marketplace;
        series.apis.pop();
        assert_eq!(figures(&series).len(), 1);
    }

    #[test]
    fn calls_made_again_are_no_problem_and_are_told() {
        let mut results = sample::results();
        results.scenarios[0].marketplace.runs[0].repeated = 1200;
        results.scenarios[0].marketplace.runs[1].repeated = 34;
        let notes = notes(&results.options, &results.scenarios[0]);
        assert_eq!(notes, ["marketplace: calls made again: 1,234"]);
        assert!(results.is_right());
    }

    #[test]
    fn what_was_measured_in_vain_is_told() {
        let mut results = sample::results();
        let Measured { marketplace, .. } = &mut results.scenarios[0];
        for run in &mut marketplace.runs {
            run.apis[1].in_vain = run.apis[1].calls;
        }
        let shown = notes(&results.options, &results.scenarios[0]);
        assert_eq!(
            shown,
            [
                "marketplace: every call of SearchItemsForSale was in vain: there was nothing to find and nothing to change"
            ]
        );
        results.scenarios[0].marketplace.runs[3].apis[1].in_vain -= 1;
        assert!(notes(&results.options, &results.scenarios[0]).is_empty(), "one of them was not");
    }

    #[test]
    fn items_that_were_for_sale_before_are_told() {
        let mut results = sample::results();
        results.scenarios[0].marketplace.runs[2].matches_before = 1200;
        let shown = notes(&results.options, &results.scenarios[0]);
        assert!(shown[0].contains("for sale before, up to 1,200"), "{shown:?}");
        results.scenarios[0].marketplace.apis.remove(2);
        assert!(notes(&results.options, &results.scenarios[0]).is_empty(), "nobody searched");
    }

    #[test]
    fn that_nothing_failed_is_said_of_what_did_not() {
        let mut series = sample::results().scenarios.remove(0).marketplace;
        assert_eq!(none_failed(&series).as_deref(), Some("20,000 calls, 0 failed"));
        series.runs[3].wrong = 1;
        assert_eq!(none_failed(&series), None);
        series.runs.clear();
        assert_eq!(none_failed(&series).as_deref(), Some("0 calls, 0 failed"));
    }

    #[test]
    fn codes_of_errors_are_escaped() {
        let mut results = sample::results();
        results.scenarios[0].marketplace.runs[0].errors.insert("\x1b[2J".to_owned(), 7);
        let notes = notes(&results.options, &results.scenarios[0]);
        assert_eq!(notes, ["marketplace: failed calls: \\u{1b}[2J 7"]);
    }
}
