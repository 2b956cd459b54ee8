//! Carries a [`Plan`] out: scenario by scenario, run by run, the marketplace and the floor in turn.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::cluster::{Cluster, Launch, ServiceOptions, Services};
use crate::host::Host;
use crate::plan::{Plan, Scenario};
use crate::results::{Measured, Options, Results, SeriesBuilder};
use crate::runner::{Failure, Runner, Target, count_matches, reply_bytes};

/// Measures what the plan asks for. Once `interrupted` is set, it ends soon.
///
/// # Errors
/// See [`Failure`]. Wrong replies in a measured run are no failure but stand in the results.
pub fn run(
    plan: &Plan,
    services: &Services,
    launch: Launch<'_>,
    interrupted: &AtomicBool,
) -> Result<Results, Failure> {
    let started = Instant::now();
    let marketplace = Cluster::of(services, launch).map_err(Failure::Failed)?;
    let relay = plan.floor.then(|| Cluster::relay(launch)).transpose().map_err(Failure::Failed)?;
    let mut runner = Runner::new(plan, interrupted);
    let mut scenarios = Vec::new();
    for &scenario in &plan.scenarios {
        let measured = measure(scenario, plan.runs, &mut runner, &marketplace, relay.as_ref(), started)?;
        let right = measured.is_right();
        scenarios.push(measured);
        if !right {
            break;
        }
    }
    Ok(Results { host: Host::here(), options: options(plan, services), scenarios })
}

/// All runs of a scenario, or those up to the first that is not right: it fails the benchmark, and services that are
/// gone would only hold up the others.
fn measure(
    scenario: Scenario,
    runs: usize,
    runner: &mut Runner<'_>,
    marketplace: &Cluster,
    relay: Option<&Cluster>,
    started: Instant,
) -> Result<Measured, Failure> {
    let (mut ours, mut floor) = (SeriesBuilder::new(), SeriesBuilder::new());
    for number in 1..=runs {
        runner.announce(format!("{scenario}, run {number} of {runs}"));
        let matches = count_matches(marketplace)?;
        let started_after_s = started.elapsed().as_secs_f64();
        let (record, cost) = runner.run(scenario, marketplace, Target::Marketplace { matches })?;
        ours.add(&record, started_after_s, cost);
        let mut right = record.is_right();
        if let Some(relay) = relay.filter(|_| right) {
            let reply_bytes = reply_bytes(&record);
            let started_after_s = started.elapsed().as_secs_f64();
            let (record, cost) = runner.run(scenario, relay, Target::Relay { reply_bytes })?;
            floor.add(&record, started_after_s, cost);
            right = record.is_right();
        }
        if !right {
            break;
        }
    }
    Ok(Measured {
        scenario: scenario.to_string(),
        clients: scenario.clients(),
        marketplace: ours.finish(),
        floor: relay.is_some().then(|| floor.finish()),
    })
}

fn options(plan: &Plan, services: &Services) -> Options {
    let services = match services {
        Services::Own(ServiceOptions { databases, frontends }) => {
            let words = ["own"].into_iter().chain(databases.iter().chain(frontends).map(String::as_str));
            words.collect::<Vec<_>>().join(" ")
        }
        Services::Running { buyer, seller } => format!("{buyer} {seller}"),
    };
    Options {
        mix: plan.mix.name().to_owned(),
        runs: plan.runs,
        calls: plan.calls,
        warmup: plan.warmup,
        rate: plan.rate,
        seed: plan.seed,
        services,
    }
}
