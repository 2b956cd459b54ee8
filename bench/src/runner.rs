//! [`Runner`]: a single run of a scenario against a cluster, from setting the clients up to what was recorded.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};
use net::reactor::Reactor;
use net::{Limits, ThreadWorker};

use crate::api::{Api, Role};
use crate::client::Client;
use crate::cluster::{Cluster, Sample};
use crate::load::{Load, Observer, Stage, Volume};
use crate::pace::Pacer;
use crate::plan::{Plan, Scenario};
use crate::probe::Probe;
use crate::record::Record;
use crate::results::ServiceRun;

/// The length of a relay's reply to an API that was not called in the run before.
const REPLY_BYTES: usize = 100;
/// The search of the default mix, but for its page, which counts the matches before a run.
const SEARCH_DATA: &str = r#"{"category":1,"keywords":["book"],"limit":1}"#;

/// Why a benchmark has no results.
#[derive(Debug)]
pub enum Failure {
    /// A service cannot be reached.
    CannotConnect(String),
    /// The services did not do what they must.
    Failed(String),
    /// It was asked to end.
    Interrupted,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotConnect(message) | Self::Failed(message) => f.write_str(message),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// What the clients of a run call.
pub(crate) enum Target {
    /// Before the run, so many items match the search.
    Marketplace { matches: u64 },
    /// It answers with lines of these lengths.
    Relay { reply_bytes: [usize; Api::COUNT] },
}

/// What all runs of a benchmark share.
pub(crate) struct Runner<'a> {
    plan: &'a Plan,
    interrupted: &'a AtomicBool,
    bar: ProgressBar,
    /// Makes user names those of this benchmark.
    tag: String,
    /// Runs so far.
    runs: u64,
}

impl<'a> Runner<'a> {
    /// Runs that end soon once `interrupted` is set.
    pub(crate) fn new(plan: &'a Plan, interrupted: &'a AtomicBool) -> Self {
        Self { plan, interrupted, bar: progress_bar(plan), tag: unique_tag(), runs: 0 }
    }

    /// Shows what is measured beside how far it has come.
    pub(crate) fn announce(&self, what: String) {
        self.bar.set_message(what);
    }

    /// One run; returns what was recorded and what it cost.
    ///
    /// # Errors
    /// See [`Failure`]. Wrong replies to measured calls are no failure but stand in the record.
    pub(crate) fn run(
        &mut self,
        scenario: Scenario,
        cluster: &Cluster,
        target: Target,
    ) -> Result<(Record, Vec<ServiceRun>), Failure> {
        self.runs += 1;
        let (clients, addresses) = self.clients(scenario, cluster);
        let mut watch = Watch {
            cluster,
            interrupted: self.interrupted,
            bar: &self.bar,
            done_before: self.bar.position(),
            samples: Vec::new(),
            failure: None,
        };
        let Plan { calls, warmup, rate, retry, .. } = *self.plan;
        let volume = Volume { calls, warmup, rate, retry };
        let failed = |error: io::Error| Failure::Failed(format!("the load generator fails: {error}"));
        let reactor = Reactor::without_listener().map_err(failed)?;
        let handle = reactor.handle();
        let (pacer, _) = ThreadWorker::spawn("pacer", Pacer, handle.waker()).map_err(failed)?;
        let load = match target {
            Target::Marketplace { matches } => {
                Load::new(clients, matches, volume, Box::new(pacer), &mut watch, handle)
            }
            Target::Relay { reply_bytes } => {
                Load::new(clients, 0, volume, Box::new(pacer), &mut watch, handle).for_relay(reply_bytes)
            }
        };
        let record = reactor.run(load, Limits::default(), addresses).map_err(failed)?.into_record();
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Failure::Interrupted);
        }
        self.bar.suspend(|| record.wrong_lines.iter().for_each(|line| eprintln!("error: {line}")));
        match (watch.failure, &watch.samples[..]) {
            (None, [begin, end]) => {
                let cost = end.since(begin, record.calls());
                Ok((record, cost))
            }
            (Some(failure), _) => Err(Failure::Failed(with_problems(&failure, &record))),
            (None, _) => Err(Failure::Failed(with_problems("nothing could be measured", &record))),
        }
    }

    /// The clients of a run, those that take part in the mix first, and the addresses that they connect to.
    fn clients(&self, scenario: Scenario, cluster: &Cluster) -> (Vec<Client>, Vec<String>) {
        let mix = Rc::new(self.plan.mix.clone());
        let mut seeds = Rng::with_seed(self.plan.seed);
        let mut roles = [
            (Role::Buyer, scenario.buyers, 'b', &cluster.buyer),
            (Role::Seller, scenario.sellers, 's', &cluster.seller),
        ];
        roles.sort_by_key(|(role, ..)| !mix.calls(*role));
        let (mut clients, mut addresses) = (Vec::new(), Vec::new());
        for (role, count, letter, address) in roles {
            for number in 1..=count {
                let username = format!("{}-{}-{letter}{number}", self.tag, self.runs);
                clients.push(Client::new(role, Rc::clone(&mix), seeds.fork(), username));
                addresses.push(address.clone());
            }
        }
        (clients, addresses)
    }
}

impl Drop for Runner<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Takes samples of what the services use, and shows how far a run has come.
struct Watch<'a> {
    cluster: &'a Cluster,
    interrupted: &'a AtomicBool,
    bar: &'a ProgressBar,
    done_before: u64,
    /// At the begin and the end of what is measured.
    samples: Vec<Sample>,
    failure: Option<String>,
}

impl Observer for Watch<'_> {
    fn stage(&mut self, stage: Stage) {
        let measured = self.samples.len() == 1 && matches!(stage, Stage::Teardown | Stage::Done);
        if stage == Stage::Measure || measured {
            match self.cluster.sample() {
                Ok(sample) => self.samples.push(sample),
                Err(error) => self.failure = Some(error),
            }
        }
    }

    fn progress(&mut self, calls: usize) -> bool {
        self.bar.set_position(self.done_before + calls as u64);
        self.interrupted.load(Ordering::Relaxed) || self.failure.is_some()
    }
}

/// A message, and what went wrong with calls so far.
pub(crate) fn with_problems(message: &str, record: &Record) -> String {
    let wrong = (record.wrong > 0).then(|| format!("wrong replies: {}", record.wrong));
    // A code came from a service, so it might hold anything.
    let errors = record.errors.iter().map(|(code, count)| format!("{}: {count}", code.escape_debug()));
    let problems: Vec<_> = errors.chain(wrong).collect();
    if problems.is_empty() { message.to_owned() } else { format!("{message}; {}", problems.join(", ")) }
}

/// Items that the default search finds now.
pub(crate) fn count_matches(cluster: &Cluster) -> Result<u64, Failure> {
    let cannot_connect = |error: io::Error| Failure::CannotConnect(format!("{}: {error}", cluster.buyer));
    let mut probe = Probe::connect(&cluster.buyer).map_err(cannot_connect)?;
    let matches = probe.number(Api::SearchItemsForSale.name(), SEARCH_DATA, "total");
    let seller = |error: io::Error| Failure::CannotConnect(format!("{}: {error}", cluster.seller));
    Probe::connect(&cluster.seller).map_err(seller)?;
    matches.map_err(|error| Failure::Failed(format!("{}: {error}", cluster.buyer)))
}

/// The lengths of the replies, without the ends of their lines.
pub(crate) fn reply_bytes(record: &Record) -> [usize; Api::COUNT] {
    let mut lengths = [REPLY_BYTES; Api::COUNT];
    for api in Api::all() {
        if let Some(bytes) = record.reply_bytes(api) {
            lengths[api as usize] = bytes - 1;
        }
    }
    lengths
}

/// Shows the measured calls of all runs on a terminal; nothing elsewhere.
fn progress_bar(plan: &Plan) -> ProgressBar {
    let clients: usize = plan.scenarios.iter().map(|scenario| plan.active_clients(*scenario)).sum();
    let calls = clients * plan.calls * plan.runs * if plan.floor { 2 } else { 1 };
    let template = "{bar:40} {percent:>3} %  {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    let bar = ProgressBar::new(calls as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Different for each benchmark, so that its user names are new to the services.
fn unique_tag() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", now.as_millis())
}
