//! [`compare`]: two benchmarks side by side.

use crate::results::{Measured, Results, Run, Spread};

use super::format::{TimeUnit, number, ratio, spread};
use super::grid::{Grid, wrapped};

/// A table of what both measured: each median with its spread over the runs, how they relate, and whether they can be
/// told apart. Above it stands what else differs, because then the difference may not be the program's. No line is
/// longer than `width`; `None`: there is room for all of it.
pub fn compare(a: &Results, b: &Results, width: Option<usize>) -> String {
    let mut text = wrapped(&format!("A: commit {}, B: commit {}", a.host.commit, b.host.commit), width);
    let flaws = flaws("A", a).into_iter().chain(flaws("B", b));
    for warning in flaws.chain(differences(a, b)) {
        text += &wrapped(&format!("warning: {warning}"), width);
    }
    let mut grid = Grid::new(["clients", "", "A", "B", "B/A", "B is"], 2).leaving_out(&[4]);
    for of_a in &a.scenarios {
        let of_b = b.scenarios.iter().find(|of_b| of_b.scenario == of_a.scenario);
        of_b.into_iter().flat_map(|of_b| rows(of_a, of_b)).for_each(|row| grid.add_row(row));
    }
    if grid.is_empty() {
        return text + "There is no scenario in both.\n";
    }
    text + &grid.render(width)
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
    let throughput = |measured: &Measured| measured.marketplace.throughput();
    let mut rows = Vec::new();
    rows.extend(row("calls/s", throughput(a), throughput(b), Better::Greater, number));
    rows.extend(row("of floor", a.of_floor(), b.of_floor(), Better::Greater, ratio));
    rows.extend(time_row("p50", a, b, |run| run.times.p50_us));
    rows.extend(time_row("p99", a, b, |run| run.times.p99_us));
    if let Some(first) = rows.first_mut() {
        first[0].clone_from(&a.scenario);
    }
    rows
}

fn time_row(name: &str, a: &Measured, b: &Measured, value: fn(&Run) -> f64) -> Option<[String; 6]> {
    let over_runs = |measured: &Measured| Spread::of(measured.marketplace.runs.iter().map(value));
    let (a, b) = (over_runs(a)?, over_runs(b)?);
    let unit = TimeUnit::fitting(a.median);
    let name = format!("{name} {}", unit.name());
    row(&name, Some(a), Some(b), Better::Less, |time_us| unit.number(time_us))
}

/// `None`: one of them has no such value.
fn row(
    name: &str,
    a: Option<Spread>,
    b: Option<Spread>,
    better: Better,
    show: impl Fn(f64) -> String,
) -> Option<[String; 6]> {
    let (a, b) = (a?, b?);
    let ratio = ratio(b.median / a.median);
    let verdict = verdict(a, b, better).to_owned();
    Some([String::new(), name.to_owned(), spread(a, &show), spread(b, &show), ratio, verdict])
}

/// Which of two values is the better one.
#[derive(Clone, Copy, PartialEq)]
enum Better {
    Greater,
    Less,
}

/// What can be said of B. Where the spreads overlap, chance may have made the difference.
fn verdict(a: Spread, b: Spread, better: Better) -> &'static str {
    if a.min <= b.max && b.min <= a.max {
        "within noise"
    } else if (b.median > a.median) == (better == Better::Greater) {
        "better"
    } else {
        "worse"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    fn spread(min: f64, max: f64) -> Spread {
        Spread { min, median: f64::midpoint(min, max), max }
    }

    #[test]
    fn spreads_that_overlap_are_within_noise() {
        let a = spread(10.0, 20.0);
        for overlapping in [spread(20.0, 30.0), spread(1.0, 10.0), spread(12.0, 13.0), spread(1.0, 99.0), a] {
            assert_eq!(verdict(a, overlapping, Better::Greater), "within noise");
        }
        assert_eq!(verdict(a, spread(20.1, 30.0), Better::Greater), "better");
        assert_eq!(verdict(a, spread(20.1, 30.0), Better::Less), "worse");
        assert_eq!(verdict(a, spread(1.0, 9.9), Better::Greater), "worse");
        assert_eq!(verdict(a, spread(1.0, 9.9), Better::Less), "better");
    }

    #[test]
    fn a_slower_program_is_worse_in_every_scenario() {
        let shown = compare(&sample::results(), &sample::slower(1.5), None);
        assert_eq!(shown.matches("worse").count(), 12, "{shown}");
        assert_eq!(shown.matches(" 0.67 ").count(), 6, "{shown}");
        assert_eq!(shown.matches(" 1.50 ").count(), 6, "{shown}");
        assert!(!shown.contains("warning"), "{shown}");
        assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
        let narrow = compare(&sample::results(), &sample::slower(1.5), Some(80));
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
        assert_eq!(narrow.matches("worse").count(), 12, "{narrow}");
        let shown = compare(&sample::results(), &sample::slower(1.01), None);
        assert_eq!(shown.matches("within noise").count(), 12, "{shown}");
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
        b.incomplete = Some("interrupted after 11 of 20 runs".to_owned());
        let shown = compare(&a, &b, None);
        for difference in [
            "warning: B is incomplete: interrupted after 11 of 20 runs\n",
            "warning: not every reply of B was right\n",
            "warning: a single run, as in B, does not show how much is noise\n",
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
