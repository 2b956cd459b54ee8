//! Carries a [`Plan`] out: scenario by scenario, run by run, the marketplace and the floor in turn.

use std::time::Instant;

use crate::cluster::{Cluster, Launch, ServiceOptions, Services};
use crate::descriptors;
use crate::diagnosis::{others_sell, unreachable, with_problems};
use crate::host::Host;
use crate::interrupt::Interrupt;
use crate::length::Length;
use crate::matches::count_matches;
use crate::outcome::{Failure, Outcome, incomplete};
use crate::place::Place;
use crate::plan::{Plan, Scenario};
use crate::record::Record;
use crate::results::{Measured, Options, Results};
use crate::runner::{Runner, Target, reply_bytes};
use crate::summary::SeriesBuilder;

/// Measures what the plan asks for. Once it is interrupted, it ends soon. What was complete by then, or before a failure,
/// is in the results all the same.
pub fn run(plan: &Plan, services: &Services, launch: Launch<'_>, interrupt: &Interrupt) -> Outcome<Results> {
    let mut scenarios = Vec::new();
    let failure = measure_all(plan, services, launch, interrupt, &mut scenarios).err();
    let done = scenarios.iter().map(|measured| measured.complete_runs(plan.floor)).sum();
    let incomplete = incomplete(failure.as_ref(), done, plan.runs * plan.scenarios.len(), "runs");
    let host = Host::here(place(services));
    Outcome { results: Results { host, options: options(plan, services), scenarios, incomplete }, failure }
}

/// All scenarios, up to the first run that fails: services that are gone would only hold up the others.
fn measure_all(
    plan: &Plan,
    services: &Services,
    launch: Launch<'_>,
    interrupt: &Interrupt,
    scenarios: &mut Vec<Measured>,
) -> Result<(), Failure> {
    if let Some(largest) = plan.scenarios.iter().max_by_key(|scenario| scenario.clients()) {
        let what = format!("--clients {largest}");
        descriptors::check(largest.buyers + plan.sellers(*largest), &what).map_err(Failure::Failed)?;
    }
    let marketplace = Cluster::of(services, launch).map_err(Failure::Failed)?;
    let relay = plan.floor.then(|| Cluster::relay(launch)).transpose().map_err(Failure::Failed)?;
    let mut bench =
        Bench { plan, runner: Runner::new(plan, interrupt), marketplace, relay, started: Instant::now() };
    if let Some(warning) = place(services).and_then(Place::warning) {
        bench.runner.progress.tell(&warning);
    }
    for (number, &scenario) in (1..).zip(&plan.scenarios) {
        bench.begin(scenario, plan.scenarios.len() - number);
        let mut series = Pair { ours: SeriesBuilder::new(), floor: SeriesBuilder::new() };
        let measured = bench.measure(scenario, &mut series);
        scenarios.extend(series.finish(scenario));
        measured?;
    }
    Ok(())
}

/// What all scenarios share.
struct Bench<'a> {
    plan: &'a Plan,
    runner: Runner<'a>,
    marketplace: Cluster,
    relay: Option<Cluster>,
    started: Instant,
}

/// The runs of a scenario so far.
struct Pair {
    ours: SeriesBuilder,
    floor: SeriesBuilder,
}

impl Pair {
    /// `None`: there is no run.
    fn finish(self, scenario: Scenario) -> Option<Measured> {
        let finish = |series: SeriesBuilder| (series.runs() > 0).then(|| series.finish());
        Some(Measured {
            scenario: scenario.to_string(),
            clients: scenario.clients(),
            marketplace: finish(self.ours)?,
            floor: finish(self.floor),
        })
    }
}

impl Bench<'_> {
    fn begin(&self, scenario: Scenario, following: usize) {
        let targets = if self.relay.is_some() { 2 } else { 1 };
        let steps = self.plan.length.steps(self.plan.active_clients(scenario));
        self.runner.progress.begin_scenario(self.plan.runs * targets, steps, following);
    }

    /// All runs of a scenario, the marketplace and the floor in turn, or those up to the first that is not right.
    fn measure(&mut self, scenario: Scenario, series: &mut Pair) -> Result<(), Failure> {
        for number in 1..=self.plan.runs {
            self.runner.check_interrupt()?;
            self.runner.progress.announce(format!("{scenario}, run {number} of {}", self.plan.runs));
            let matches = count_matches(&self.marketplace)?;
            let started_after_s = self.started.elapsed().as_secs_f64();
            let target = Target::Marketplace { matches };
            let (record, cost) = self.runner.run(scenario, &self.marketplace, target)?;
            series.ours.add(&record, started_after_s, matches, cost);
            self.check(&record, &self.marketplace, Some(matches))?;
            let Some(relay) = &self.relay else { continue };
            let started_after_s = self.started.elapsed().as_secs_f64();
            let target = Target::Relay { reply_bytes: reply_bytes(&record) };
            let (record, cost) = self.runner.run(scenario, relay, target)?;
            series.floor.add(&record, started_after_s, 0, cost);
            self.check(&record, relay, None)?;
        }
        Ok(())
    }

    /// # Errors
    /// Not every reply of a run was right. `matches` are those before it, if it has searched.
    fn check(&self, record: &Record, cluster: &Cluster, matches: Option<u64>) -> Result<(), Failure> {
        if record.is_right() {
            return Ok(());
        }
        let mut reasons = vec![with_problems("not every reply was right", record)];
        reasons.extend(unreachable(cluster, record));
        reasons.extend(matches.and_then(|matches| others_sell(cluster, record, matches)));
        Err(Failure::Failed(reasons.join("; ")))
    }
}

/// Where the data lie of services that are started.
fn place(services: &Services) -> Option<&Place> {
    match services {
        Services::Own(options) => Some(&options.data),
        Services::Running { .. } => None,
    }
}

fn options(plan: &Plan, services: &Services) -> Options {
    let data = place(services).and_then(Place::given).map(|folder| folder.display().to_string());
    let services = match services {
        Services::Own(ServiceOptions { databases, frontends, .. }) => {
            let words = ["own"].into_iter().chain(databases.iter().chain(frontends).map(String::as_str));
            words.collect::<Vec<_>>().join(" ")
        }
        Services::Running { buyer, seller, .. } => format!("{buyer} {seller}"),
    };
    let (calls, duration_s) = match plan.length {
        Length::Calls(calls) => (calls, None),
        Length::Time(time) => (0, Some(time.as_secs_f64())),
    };
    Options {
        mix: plan.mix.name().to_owned(),
        items: plan.items,
        runs: plan.runs,
        calls,
        duration_s,
        warmup: plan.warmup,
        rate: plan.rate,
        seed: plan.seed,
        services,
        data,
    }
}
