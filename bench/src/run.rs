//! Carries a [`Plan`] out: scenario by scenario, run by run, the marketplace and the floor in turn.

use std::time::Instant;

use crate::api::Api;
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
use crate::results::{Measured, Options, Results, Subject};
use crate::runner::{Runner, Target, reply_bytes};
use crate::summary::SeriesBuilder;

/// Measures what the plan asks for. Once it is interrupted, it ends soon. What was complete by then, or before a failure,
/// is in the results all the same.
pub fn run(plan: &Plan, services: &Services, launch: Launch<'_>, interrupt: &Interrupt) -> Outcome<Results> {
    let mut scenarios = Vec::new();
    let failure = measure_all(plan, services, launch, interrupt, &mut scenarios).err();
    let done = scenarios.iter().map(|measured| measured.complete_runs(&wanted(plan))).sum();
    let incomplete = incomplete(failure.as_ref(), done, plan.runs * plan.scenarios.len(), "runs");
    let host = Host::here(place(plan, services));
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
    let mut subjects = Vec::new();
    for subject in wanted(plan) {
        subjects.push((subject, start(subject, plan, services, launch).map_err(Failure::Failed)?));
    }
    let mut bench = Bench { plan, runner: Runner::new(plan, interrupt), subjects, started: Instant::now() };
    if let Some(warning) = place(plan, services).and_then(Place::warning) {
        bench.runner.progress.tell(&warning);
    }
    for (number, &scenario) in (1..).zip(&plan.scenarios) {
        bench.begin(scenario, plan.scenarios.len() - number);
        let mut series =
            AllSeries(bench.subjects.iter().map(|(subject, _)| (*subject, SeriesBuilder::new())).collect());
        let measured = bench.measure(scenario, &mut series);
        scenarios.extend(series.finish(scenario));
        measured?;
    }
    Ok(())
}

/// What is measured, the marketplace first: what a relay carries is known from it.
fn wanted(plan: &Plan) -> Vec<Subject> {
    let is_wanted = |subject: &Subject| match subject {
        Subject::Marketplace => true,
        Subject::Against => plan.against.is_some(),
        Subject::Floor => plan.floor,
        Subject::FlushedFloor => plan.flushed_floor.is_some(),
    };
    Subject::ALL.into_iter().filter(is_wanted).collect()
}

fn start(subject: Subject, plan: &Plan, services: &Services, launch: Launch<'_>) -> Result<Cluster, String> {
    match (subject, services) {
        (Subject::Marketplace, _) => Cluster::of(services, launch),
        (Subject::Against, Services::Own(options)) => {
            let options = ServiceOptions { program: plan.against.clone(), ..options.clone() };
            Cluster::of(&Services::Own(options), launch)
        }
        (Subject::Against, Services::Running { .. }) => {
            Err("another build is measured beside services that the benchmark starts itself".to_owned())
        }
        (Subject::Floor, _) => Cluster::relay(None, launch),
        (Subject::FlushedFloor, _) => Cluster::relay(plan.flushed_floor.as_ref(), launch),
    }
}

/// What all scenarios share.
struct Bench<'a> {
    plan: &'a Plan,
    runner: Runner<'a>,
    subjects: Vec<(Subject, Cluster)>,
    started: Instant,
}

/// The runs of a scenario so far.
struct AllSeries(Vec<(Subject, SeriesBuilder)>);

impl AllSeries {
    /// `None`: there is no run.
    fn finish(self, scenario: Scenario) -> Option<Measured> {
        let mut finished = self
            .0
            .into_iter()
            .filter(|(_, series)| series.runs() > 0)
            .map(|(subject, series)| (subject, series.finish()))
            .collect::<Vec<_>>();
        let mut take = |subject| {
            let place = finished.iter().position(|(other, _)| *other == subject)?;
            Some(finished.swap_remove(place).1)
        };
        Some(Measured {
            scenario: scenario.to_string(),
            clients: scenario.clients(),
            marketplace: take(Subject::Marketplace)?,
            against: take(Subject::Against),
            floor: take(Subject::Floor),
            flushed_floor: take(Subject::FlushedFloor),
        })
    }
}

impl Bench<'_> {
    fn begin(&self, scenario: Scenario, following: usize) {
        let steps = self.plan.length.steps(self.plan.active_clients(scenario));
        self.runner.progress.begin_scenario(self.plan.runs * self.subjects.len(), steps, following);
    }

    /// All runs of a scenario, all subjects in turn, or those up to the first that is not right.
    fn measure(&mut self, scenario: Scenario, series: &mut AllSeries) -> Result<(), Failure> {
        for number in 1..=self.plan.runs {
            self.runner.check_interrupt()?;
            self.runner.progress.announce(format!("{scenario}, run {number} of {}", self.plan.runs));
            let mut lengths = [0; Api::COUNT];
            for place in self.order(number) {
                self.measure_one(scenario, place, &mut lengths, &mut series.0[place].1)?;
            }
        }
        Ok(())
    }

    /// The places of the subjects in their order. Two builds go first by turns, so that neither always follows on what a
    /// relay has left behind.
    fn order(&self, number: usize) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.subjects.len()).collect();
        let has_two = self.subjects.get(1).is_some_and(|(subject, _)| *subject == Subject::Against);
        if has_two && number.is_multiple_of(2) {
            places.swap(0, 1);
        }
        places
    }

    /// A run of one of the subjects. `lengths`: those of the marketplace's replies, which a relay's will have.
    fn measure_one(
        &mut self,
        scenario: Scenario,
        place: usize,
        lengths: &mut [usize; Api::COUNT],
        series: &mut SeriesBuilder,
    ) -> Result<(), Failure> {
        let (subject, cluster) = &self.subjects[place];
        let is_relay = Subject::FLOORS.contains(subject);
        let matches = if is_relay { None } else { Some(count_matches(cluster)?) };
        let started_after_s = self.started.elapsed().as_secs_f64();
        let target = match matches {
            Some(matches) => Target::Marketplace { matches },
            None => Target::Relay { reply_bytes: *lengths },
        };
        let (record, cost) = self.runner.run(scenario, cluster, target)?;
        if *subject == Subject::Marketplace {
            *lengths = reply_bytes(&record);
        }
        series.add(&record, started_after_s, matches.unwrap_or(0), cost);
        self.check(&record, cluster, matches)
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

/// Where the data lie of services that are started, or of the floor that flushes.
fn place<'a>(plan: &'a Plan, services: &'a Services) -> Option<&'a Place> {
    match services {
        Services::Own(options) => Some(&options.data),
        Services::Running { .. } => plan.flushed_floor.as_ref(),
    }
}

fn options(plan: &Plan, services: &Services) -> Options {
    let data = place(plan, services).and_then(Place::given).map(|folder| folder.display().to_string());
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
        against: plan.against.as_ref().map(|program| program.display().to_string()),
        data,
    }
}
