//! [`compare`]: two benchmarks side by side.

use crate::difference::{Difference, Verdict};
use crate::results::{Measured, Results, Run, Series, Spread, Subject};

use super::format::{TimeUnit, number, ratio, spread};
use super::grid::{Grid, wrapped};
use super::verdict::{SHARE, SPEED, TIME, Words, long, short};

/// A table of what both measured: each median with its spread over the runs, how they relate, and whether they can be
/// told apart; below it the same of the calls a second in words. Above it stands what else differs, because then the difference may not be the program's. No line is
/// longer than `width`; `None`: there is room for all of it.
pub fn compare(a: &Results, b: &Results, width: Option<usize>) -> String {
    let mut text = wrapped(&format!("A: commit {}, B: commit {}", a.host.commit, b.host.commit), width);
    let flaws = flaws("A", a).into_iter().chain(flaws("B", b));
    for warning in flaws.chain(differences(a, b)) {
        text += &wrapped(&format!("warning: {warning}"), width);
    }
    let mut words = String::new();
    let mut grid = Grid::new(["clients", "", "A", "B", "B/A", "B is (95 % interval)"], 2).leaving_out(&[4]);
    for (of_a, of_b) in a.in_both(b) {
        rows(of_a, of_b).into_iter().for_each(|row| grid.add_row(row));
        let difference = Difference::of(&throughputs(&of_a.marketplace), &throughputs(&of_b.marketplace));
        words += &wrapped(&format!("{}, calls/s: {}", of_a.scenario, told_of_b(difference)), width);
    }
    if grid.is_empty() {
        return text + "There is no scenario in both.\n";
    }
    text + &grid.render(width) + &words
}

/// A sentence of the calls a second.
fn told_of_b(difference: Option<Difference>) -> String {
    let is_told = difference.is_some_and(|difference| difference.verdict() != Verdict::Unknown);
    let verdict = long(difference, SPEED);
    if is_told { format!("B is {verdict}") } else { verdict }
}

/// What runs of the marketplace in turn with those of another build tell, in words.
pub(super) fn beside_other_build(measured: &Measured) -> Vec<String> {
    let Some(other) = &measured.against else { return Vec::new() };
    let line = |name: &str, words, value: fn(&Run) -> f64| {
        let values = |series: &Series| series.runs.iter().map(value).collect::<Vec<_>>();
        let difference = Difference::of(&values(other), &values(&measured.marketplace));
        format!("this build beside the other, {name}: {}", long(difference, words))
    };
    vec![
        line("calls/s", SPEED, |run| run.calls_per_second),
        line("p50", TIME, |run| run.times.p50_us),
        line("p99", TIME, |run| run.times.p99_us),
    ]
}

/// Why results may be worth less than they seem.
fn flaws(name: &str, results: &Results) -> Vec<String> {
    let mut flaws = Vec::new();
    if let Some(why) = &results.incomplete {
        flaws.push(format!("{name} is incomplete: {why}"));
    }
    if !results.is_right() {
        flaws.push(format!("not every reply of {name} was right"));
    }
    if results.scenarios.iter().any(|measured| measured.marketplace.runs.len() < 2) {
        flaws.push(format!("a single run, as in {name}, does not show how much is noise"));
    }
    let mut runs = results.scenarios.iter().flat_map(|measured| &measured.marketplace.runs);
    if runs.any(|run| run.unmade > 0) {
        flaws.push(format!("{name} left calls unmade that were due: its response times lack the longest"));
    }
    flaws
}

/// What is not the same in both, apart from the program itself.
fn differences(a: &Results, b: &Results) -> Vec<String> {
    let rate =
        |rate: Option<f64>| rate.map_or("closed loop".to_owned(), |rate| format!("{} calls/s", number(rate)));
    let calls = |results: &Results| match results.options.duration_s {
        Some(duration_s) => format!("those of {} s", number(duration_s)),
        None => results.options.calls.to_string(),
    };
    let place = |results: &Results| results.options.data.clone().unwrap_or("temporary files".to_owned());
    let items = |results: &Results| results.options.items.map_or("-".to_owned(), |items| items.to_string());
    let both = [
        ("host", a.host.name.clone(), b.host.name.clone()),
        ("processor", a.host.cpu.clone(), b.host.cpu.clone()),
        ("number of processors", a.host.processors.to_string(), b.host.processors.to_string()),
        ("kernel", a.host.kernel.clone(), b.host.kernel.clone()),
        ("mix", a.options.mix.clone(), b.options.mix.clone()),
        ("number of items", items(a), items(b)),
        ("number of runs", a.options.runs.to_string(), b.options.runs.to_string()),
        ("number of calls", calls(a), calls(b)),
        ("warm-up", a.options.warmup.to_string(), b.options.warmup.to_string()),
        ("rate", rate(a.options.rate), rate(b.options.rate)),
        ("seed", a.options.seed.to_string(), b.options.seed.to_string()),
        ("services", a.options.services.clone(), b.options.services.clone()),
        ("place of the data", place(a), place(b)),
        ("scenarios", scenarios(a), scenarios(b)),
        ("data in memory", a.host.data_in_memory.to_string(), b.host.data_in_memory.to_string()),
    ];
    let different = both.into_iter().filter(|(_, a, b)| a != b);
    different.map(|(what, a, b)| format!("not the same {what}: A {a}, B {b}")).collect()
}

fn scenarios(results: &Results) -> String {
    let names: Vec<&str> = results.scenarios.iter().map(|measured| measured.scenario.as_str()).collect();
    names.join(" ")
}

/// The rows of a scenario that is in both.
fn rows(a: &Measured, b: &Measured) -> Vec<[String; 6]> {
    let mut rows = Vec::new();
    rows.extend(row("calls/s", throughputs(&a.marketplace), throughputs(&b.marketplace), SPEED, number));
    for floor in Subject::FLOORS {
        let name = format!("of {}", floor.name());
        rows.extend(row(&name, a.shares_of_floor(floor), b.shares_of_floor(floor), SHARE, ratio));
    }
    rows.extend(time_row("p50", a, b, |run| run.times.p50_us));
    rows.extend(time_row("p99", a, b, |run| run.times.p99_us));
    if let Some(first) = rows.first_mut() {
        first[0].clone_from(&a.scenario);
    }
    rows
}

fn time_row(name: &str, a: &Measured, b: &Measured, value: fn(&Run) -> f64) -> Option<[String; 6]> {
    let over_runs = |measured: &Measured| measured.marketplace.runs.iter().map(value).collect::<Vec<_>>();
    let (a, b) = (over_runs(a), over_runs(b));
    let unit = TimeUnit::fitting(Spread::of(a.iter().copied())?.median);
    row(&format!("{name} {}", unit.name()), a, b, TIME, |time_us| unit.number(time_us))
}

/// `None`: one of them has no such values.
fn row(
    name: &str,
    a: Vec<f64>,
    b: Vec<f64>,
    words: Words,
    show: impl Fn(f64) -> String,
) -> Option<[String; 6]> {
    let verdict = short(Difference::of(&a, &b), words);
    let (a, b) = (Spread::of(a)?, Spread::of(b)?);
    let ratio = ratio(b.median / a.median);
    Some([String::new(), name.to_owned(), spread(a, &show), spread(b, &show), ratio, verdict])
}

fn throughputs(series: &Series) -> Vec<f64> {
    series.runs.iter().map(|run| run.calls_per_second).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    #[test]
    fn a_slower_program_is_told_in_every_scenario() {
        let shown = compare(&sample::results(), &sample::slower(1.5), None);
        assert_eq!(shown.matches("slower by 33 % (31").count(), 3, "{shown}");
        assert_eq!(shown.matches("smaller by 33 % (").count(), 3, "{shown}");
        assert_eq!(shown.matches("longer by 50 % (").count(), 6, "{shown}");
        assert_eq!(shown.matches(" 0.67 ").count(), 6, "{shown}");
        assert_eq!(shown.matches(" 1.50 ").count(), 6, "{shown}");
        assert!(!shown.contains("warning"), "{shown}");
        assert!(shown.contains("\n10+10, calls/s: B is slower by 33 % (95 % interval "), "{shown}");
        for width in [120, 80, 40, 20] {
            let narrow = compare(&sample::results(), &sample::slower(1.5), Some(width));
            assert!(narrow.lines().all(|line| line.chars().count() <= width), "{narrow}");
            assert_eq!(narrow.contains('┆'), width >= 80, "{narrow}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
    }

    #[test]
    fn a_difference_within_noise_is_not_told() {
        let shown = compare(&sample::results(), &sample::slower(1.005), None);
        assert_eq!(shown.matches("not told apart (").count(), 12, "{shown}");
        assert_eq!(
            shown.matches("calls/s: no difference can be told from these runs (95 % interval -").count(),
            3,
            "{shown}"
        );
    }

    #[test]
    fn runs_whose_ranges_meet_can_be_told_apart() {
        let shown = compare(&sample::results(), &sample::slower(1.05), None);
        assert_eq!(shown.matches(", calls/s: B is slower by 4.8 % (").count(), 3, "{shown}");
    }

    #[test]
    fn another_build_is_compared_in_words() {
        let mut results = sample::results();
        for (measured, slower) in results.scenarios.iter_mut().zip(sample::slower(1.5).scenarios) {
            measured.against = Some(slower.marketplace);
        }
        let told = beside_other_build(&results.scenarios[0]);
        assert!(
            told[0].starts_with("this build beside the other, calls/s: faster by 50 % (95 % interval "),
            "{told:?}"
        );
        assert!(told[2].starts_with("this build beside the other, p99: shorter by 33 % ("), "{told:?}");
        assert!(beside_other_build(&sample::results().scenarios[0]).is_empty());
    }

    #[test]
    fn results_are_kept_as_before_where_nothing_new_was_asked_for() {
        let kept = serde_json::to_string(&sample::results()).expect("results are JSON");
        for new in [
            "duration_s\":null",
            "against",
            "flushed_floor",
            "service_times",
            "service_distribution",
            "unmade",
            "\"data\"",
        ] {
            assert!(!kept.contains(new), "{new}");
        }
        let read: Results = serde_json::from_str(&kept).expect("what is not there has a default");
        assert_eq!(compare(&sample::results(), &read, None).matches("not told apart (").count(), 12);
    }

    #[test]
    fn what_else_differs_is_said() {
        let a = sample::results();
        let mut b = sample::results();
        b.host.processors = 8;
        b.options.mix = "shopping".to_owned();
        b.options.rate = Some(5000.0);
        b.scenarios.remove(0);
        b.scenarios[0].marketplace.runs.truncate(1);
        b.scenarios[0].marketplace.runs[0].wrong = 1;
        b.scenarios[0].marketplace.runs[0].unmade = 1;
        b.incomplete = Some("interrupted after 11 of 20 runs".to_owned());
        let shown = compare(&a, &b, None);
        for difference in [
            "warning: B is incomplete: interrupted after 11 of 20 runs\n",
            "warning: not every reply of B was right\n",
            "warning: a single run, as in B, does not show how much is noise\n",
            "warning: B left calls unmade that were due: its response times lack the longest\n",
            "warning: not the same number of processors: A 2, B 8\n",
            "warning: not the same mix: A default, B shopping\n",
            "warning: not the same rate: A closed loop, B 5,000 calls/s\n",
            "warning: not the same scenarios: A 1+1 10+10 100+100, B 10+10 100+100\n",
        ] {
            assert!(shown.contains(difference), "{shown}");
        }
        b.scenarios.clear();
        assert!(compare(&a, &b, None).ends_with("There is no scenario in both.\n"));
    }
}
