//! How costs grow with the catalogue and with idle connections.
//!
//! A catalogue is registered through `db_product` itself, which is then started again, so that what is measured is a
//! database after its start. Each catalogue has the same page for the search that is timed: a hundred items.

use std::error::Error;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use net::reactor::Reactor;
use net::{Limits, no_thread};
use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, Launch, ServiceOptions, database};
use crate::descriptors;
use crate::diagnosis::with_problems;
use crate::fixture::{CatalogueFill, IdleConnections};
use crate::host::Host;
use crate::interrupt::Interrupt;
use crate::length::Length;
use crate::matches::count_matches;
use crate::mix::Mix;
use crate::outcome::{Failure, Outcome, incomplete};
use crate::place::Place;
use crate::plan::{Plan, Scenario};
use crate::process::Usage;
use crate::progress::Progress;
use crate::record::{Record, new_times};
use crate::results::Percentiles;
use crate::runner::{Runner, Target};
use crate::summary::percentiles;

/// Buyers who search, one call each at a time.
const SEARCHERS: Scenario = Scenario { buyers: 1, sellers: 0 };
const SEARCHES: usize = 5000;
const SEARCH_RUNS: usize = 3;
/// Those who go on working while others are idle.
const WORKERS: Scenario = Scenario { buyers: 10, sellers: 10 };
const WORKER_CALLS: usize = 1000;
const WARMUP: usize = 500;
const SEED: u64 = 1;
/// The pause between two looks at whether it was interrupted.
const POLL: Duration = Duration::from_millis(100);

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct GrowthPlan {
    /// Sizes of the catalogue, in items.
    pub items: Vec<u64>,
    /// Numbers of idle connections to `server_buyer`.
    pub idle: Vec<usize>,
    /// Where the data lie.
    pub data: Place,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Growth {
    /// Where it was measured.
    pub host: Host,
    /// By size.
    pub catalogues: Vec<CatalogueCost>,
    /// By number.
    pub idle: Vec<IdleCost>,
    /// Why there are fewer than were asked for. `None`: all are there.
    #[serde(default)]
    pub incomplete: Option<String>,
}

/// The cost of a catalogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CatalogueCost {
    /// Items in it.
    pub items: u64,
    /// From the start of `db_product` until it listens.
    pub load_s: f64,
    /// Resident memory of `db_product` after its start.
    pub memory_bytes: u64,
    /// Searching for a page of 100 items, by a single buyer through `server_buyer`.
    pub search: Percentiles,
    /// Processor time of `db_product` for such a search.
    pub search_cpu_us: f64,
}

/// The cost of idle connections.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdleCost {
    /// Connections to `server_buyer`, each of which has made one call.
    pub connections: usize,
    /// Resident memory of `server_buyer` with them.
    pub memory_bytes: u64,
    /// What a connection adds to that.
    pub bytes_per_connection: f64,
    /// The throughput of 10 buyers and 10 sellers beside them.
    pub calls_per_second: f64,
}

/// Measures growth. Once it is interrupted, it ends soon. What was complete by then, or before a failure, is in the
/// results all the same.
pub fn grow(plan: &GrowthPlan, launch: Launch<'_>, interrupt: &Interrupt) -> Outcome<Growth> {
    let mut growth = Growth {
        host: Host::here(Some(&plan.data)),
        catalogues: Vec::new(),
        idle: Vec::new(),
        incomplete: None,
    };
    let failure = measure(plan, launch, interrupt, &mut growth).err();
    let done = growth.catalogues.len() + growth.idle.len();
    growth.incomplete =
        incomplete(failure.as_ref(), done, plan.items.len() + plan.idle.len(), "measurements");
    Outcome { results: growth, failure }
}

fn measure(
    plan: &GrowthPlan,
    launch: Launch<'_>,
    interrupt: &Interrupt,
    growth: &mut Growth,
) -> Result<(), Failure> {
    if let Some(warning) = plan.data.warning() {
        Progress::new().tell(&warning);
    }
    let most = plan.idle.iter().copied().max().unwrap_or(0);
    descriptors::check(most + WORKERS.clients(), &format!("--idle {most}")).map_err(Failure::Failed)?;
    for &items in &plan.items {
        growth.catalogues.push(catalogue_cost(items, &plan.data, launch, interrupt)?);
    }
    for &connections in &plan.idle {
        growth.idle.push(idle_cost(connections, &plan.data, launch, interrupt)?);
    }
    Ok(())
}

fn catalogue_cost(
    items: u64,
    place: &Place,
    launch: Launch<'_>,
    interrupt: &Interrupt,
) -> Result<CatalogueCost, Failure> {
    let data = place.new_folder().map_err(Failure::Failed)?;
    fill(data.path(), items, launch, interrupt)?;
    let options = ServiceOptions::default();
    let started = Instant::now();
    let product = database("db_product", data.path(), &options, launch).map_err(Failure::Failed)?;
    let load_s = started.elapsed().as_secs_f64();
    drop(product);

    let cluster = Cluster::on(data.path(), &options, launch).map_err(Failure::Failed)?;
    let memory_bytes = memory_bytes(&cluster, "db_product")?;
    let plan = plan(SEARCHERS, "SearchItemsForSale", SEARCH_RUNS, SEARCHES);
    let mut runner = Runner::new(&plan, interrupt);
    runner.progress.begin_scenario(plan.runs, plan.length.steps(1), 0);
    runner.progress.announce(format!("searching {items} items"));
    let matches = count_matches(&cluster)?;
    let (mut times, mut cpu_us) = (new_times(), Vec::new());
    for _ in 0..plan.runs {
        let (record, cost) = runner.run(SEARCHERS, &cluster, Target::Marketplace { matches })?;
        check(&record)?;
        record.apis.iter().flatten().for_each(|calls| times += &calls.times);
        let product = cost.iter().find(|service| service.service == "db_product");
        cpu_us.extend(product.map(|service| service.cpu_us_per_call));
    }
    let search_cpu_us = cpu_us.iter().sum::<f64>() / cpu_us.len() as f64;
    Ok(CatalogueCost { items, load_s, memory_bytes, search: percentiles(&times), search_cpu_us })
}

/// Registers items in a folder's database.
fn fill(data: &Path, items: u64, launch: Launch<'_>, interrupt: &Interrupt) -> Result<(), Failure> {
    let process =
        database("db_product", data, &ServiceOptions::default(), launch).map_err(Failure::Failed)?;
    let reactor = reactor()?;
    let fill = CatalogueFill::new(items, interrupt, reactor.handle());
    let backend = net::Target::Lines(process.address().to_owned());
    let fill = reactor.run(fill, Limits::default(), vec![backend]);
    let fill = fill.map_err(|error| failed("the load generator fails", &error))?;
    if interrupt.is_asked() {
        return Err(Failure::Interrupted);
    }
    match fill.failures {
        0 => Ok(()),
        _ => Err(Failure::Failed("an item cannot be registered".to_owned())),
    }
}

fn idle_cost(
    connections: usize,
    place: &Place,
    launch: Launch<'_>,
    interrupt: &Interrupt,
) -> Result<IdleCost, Failure> {
    let options = ServiceOptions::default();
    let data = place.new_folder().map_err(Failure::Failed)?;
    let cluster = Cluster::on(data.path(), &options, launch).map_err(Failure::Failed)?;
    let before = memory_bytes(&cluster, "server_buyer")?;
    let reactor = reactor()?;
    let handle = reactor.handle();
    let (idle, ready) = IdleConnections::new(connections);
    let backends = vec![net::Target::Lines(cluster.buyer.clone()); connections];
    thread::scope(|scope| {
        let run = move || {
            let idle: Box<dyn net::Service> = Box::new(idle);
            reactor.run(idle, Limits::default(), backends).map(drop)
        };
        let idle = thread::Builder::new().name("idle".into()).spawn_scoped(scope, run);
        let idle = idle.map_err(|error| failed("the load generator fails", &no_thread("idle", &error)))?;
        let measured = (|| {
            wait_for(&ready, interrupt)?;
            let memory_bytes = memory_bytes(&cluster, "server_buyer")?;
            let plan = plan(WORKERS, "default", 1, WORKER_CALLS);
            let mut runner = Runner::new(&plan, interrupt);
            runner.progress.begin_scenario(plan.runs, plan.length.steps(plan.active_clients(WORKERS)), 0);
            runner.progress.announce(format!("{connections} idle connections"));
            let (record, _) = runner.run(WORKERS, &cluster, Target::Marketplace { matches: 0 })?;
            check(&record)?;
            Ok(IdleCost {
                connections,
                memory_bytes,
                bytes_per_connection: memory_bytes.saturating_sub(before) as f64 / connections.max(1) as f64,
                calls_per_second: record.calls() as f64
                    / record.ended_at.since(record.started_at).as_secs_f64(),
            })
        })();
        handle.drain();
        idle.join()
            .expect("its thread does not panic")
            .map_err(|error| failed("the load generator fails", &error))?;
        measured
    })
}

/// Waits until the idle connections stand.
fn wait_for(ready: &Receiver<()>, interrupt: &Interrupt) -> Result<(), Failure> {
    loop {
        match ready.recv_timeout(POLL) {
            Ok(()) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if interrupt.is_asked() => {
                return Err(Failure::Interrupted);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::Failed("the connections cannot be made".to_owned()));
            }
        }
    }
}

fn check(record: &Record) -> Result<(), Failure> {
    if record.is_right() {
        return Ok(());
    }
    Err(Failure::Failed(with_problems("not every reply was right", record)))
}

fn plan(scenario: Scenario, mix: &str, runs: usize, calls: usize) -> Plan {
    let mix = Mix::from_name(mix).expect("the mix exists");
    Plan {
        scenarios: vec![scenario],
        runs,
        length: Length::Calls(calls),
        warmup: WARMUP,
        mix,
        items: None,
        rate: None,
        floor: false,
        flushed_floor: None,
        against: None,
        retry: false,
        seed: SEED,
    }
}

fn memory_bytes(cluster: &Cluster, name: &str) -> Result<u64, Failure> {
    let process = cluster.process(name).expect("it was started");
    Usage::of(process).map(|usage| usage.memory_bytes).map_err(Failure::Failed)
}

fn reactor() -> Result<Reactor, Failure> {
    Reactor::without_listener().map_err(|error| failed("the load generator fails", &error))
}

fn failed(what: &str, error: &dyn Error) -> Failure {
    Failure::Failed(format!("{what}: {error}"))
}
