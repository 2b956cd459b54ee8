//! [`Runner`]: a single run of a scenario against a cluster, from setting the clients up to what was recorded.

use std::error::Error;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use net::reactor::Reactor;
use net::{Encryption, Limits, ThreadWorker};

use crate::api::{Api, Role};
use crate::client::Client;
use crate::cluster::{Cluster, Sample};
use crate::diagnosis::{unreachable, with_problems};
use crate::interrupt::Interrupt;
use crate::length::Length;
use crate::load::{Load, Observer, Stage, Verdict, Workload};
use crate::outcome::Failure;
use crate::pace::Pacer;
use crate::plan::{Plan, Scenario};
use crate::progress::Progress;
use crate::record::Record;
use crate::results::ServiceRun;

/// The length of a relay's reply to an API that was not called in the run before.
const REPLY_BYTES: usize = 100;

/// How long a run that is broken off may take to leave a marketplace as it was found.
const CLEANUP_MAX: Duration = Duration::from_secs(5);

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
    interrupt: &'a Interrupt,
    pub(crate) progress: Progress,
    /// Makes user names those of this benchmark.
    tag: String,
    /// Runs so far.
    runs: u64,
}

impl<'a> Runner<'a> {
    /// Runs that end soon once they are interrupted.
    pub(crate) fn new(plan: &'a Plan, interrupt: &'a Interrupt) -> Self {
        Self { plan, interrupt, progress: Progress::new(), tag: unique_tag(), runs: 0 }
    }

    /// # Errors
    /// Nothing more is to be done.
    pub(crate) fn check_interrupt(&self) -> Result<(), Failure> {
        if self.interrupt.is_asked() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    /// One run; returns what was recorded and what it cost.
    ///
    /// # Errors
    /// See [`Failure`]; a run that was complete when it was interrupted is none. Wrong replies to measured calls are no
    /// failure but stand in the record.
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
            interrupt: self.interrupt,
            progress: &self.progress,
            length: self.plan.length,
            measuring_since: None,
            steps_before: self.progress.position(),
            samples: Vec::new(),
            failure: None,
        };
        let Plan { length, warmup, rate, retry, .. } = *self.plan;
        // What its own services have for sale goes away with them.
        let cleanup_max = if cluster.is_own() { Duration::ZERO } else { CLEANUP_MAX };
        let workload = Workload { length, warmup, rate, retry, cleanup_max };
        let mut reactor = Reactor::without_listener().map_err(|error| failed(&error))?;
        reactor.encrypt(Encryption { client: cluster.tls.clone(), ..Encryption::default() });
        let handle = reactor.handle();
        let (pacer, _) =
            ThreadWorker::spawn("pacer", Pacer, handle.waker()).map_err(|error| failed(&error))?;
        let load = match target {
            Target::Marketplace { matches } => {
                Load::new(clients, matches, workload, Box::new(pacer), &mut watch, handle)
            }
            Target::Relay { reply_bytes } => {
                Load::new(clients, 0, workload, Box::new(pacer), &mut watch, handle).for_relay(reply_bytes)
            }
        };
        self.progress.begin_run();
        let backends = addresses.into_iter().map(net::Target::Lines).collect();
        let load = reactor.run(load, Limits::default(), backends).map_err(|error| failed(&error))?;
        let record = load.into_record();
        self.progress.end_run();
        let Watch { samples, failure, .. } = watch;
        if record.left_for_sale > 0 && !cluster.is_own() {
            self.progress.tell(&left_for_sale(cluster, &record));
        }
        if !record.is_complete {
            self.check_interrupt()?;
        }
        record.wrong_lines.iter().for_each(|line| self.progress.tell(&format!("error: {line}")));
        match (failure, &samples[..]) {
            (None, [begin, end]) => {
                let cost = end.since(begin, record.calls());
                Ok((record, cost))
            }
            (failure, _) => {
                let failure = failure.unwrap_or_else(|| "nothing could be measured".to_owned());
                let mut reasons = vec![with_problems(&failure, &record)];
                reasons.extend(unreachable(cluster, &record));
                Err(Failure::Failed(reasons.join("; ")))
            }
        }
    }

    /// The clients of a run, those that take part in the mix first, and the addresses that they connect to.
    fn clients(&self, scenario: Scenario, cluster: &Cluster) -> (Vec<Client>, Vec<String>) {
        let mix = Rc::new(self.plan.mix.clone());
        let mut seeds = Rng::with_seed(self.plan.seed);
        let mut roles = [
            (Role::Buyer, scenario.buyers, 'b', &cluster.buyer),
            (Role::Seller, self.plan.sellers(scenario), 's', &cluster.seller),
        ];
        roles.sort_by_key(|(role, ..)| !mix.calls(*role));
        let (mut clients, mut addresses) = (Vec::new(), Vec::new());
        for (role, count, letter, address) in roles {
            for number in 0..count {
                let username = format!("{}-{}-{letter}{}", self.tag, self.runs, number + 1);
                let client = Client::new(role, Rc::clone(&mix), seeds.fork(), username);
                clients.push(client.with_items(self.plan.items_of(scenario, number)));
                addresses.push(address.clone());
            }
        }
        (clients, addresses)
    }
}

/// Takes samples of what the services use, and shows how far a run has come.
struct Watch<'a> {
    cluster: &'a Cluster,
    interrupt: &'a Interrupt,
    progress: &'a Progress,
    length: Length,
    measuring_since: Option<Instant>,
    /// Steps of the scenario before this run.
    steps_before: u64,
    /// At the begin and the end of what is measured.
    samples: Vec<Sample>,
    failure: Option<String>,
}

impl Watch<'_> {
    /// How much of the run is measured, in steps of its [`Length`].
    fn steps(&self, calls: usize) -> usize {
        match (self.length, self.measuring_since) {
            (Length::Calls(_), _) => calls,
            (Length::Time(_), None) => 0,
            (Length::Time(time), Some(since)) => Length::Time(since.elapsed().min(time)).steps(0),
        }
    }
}

impl Observer for Watch<'_> {
    fn stage(&mut self, stage: Stage) {
        if stage == Stage::Measure {
            self.progress.begin_measuring();
            self.measuring_since = Some(Instant::now());
        }
        if stage == Stage::Teardown && self.interrupt.is_asked() {
            self.progress.announce("interrupted: the run's items are taken off the market".to_owned());
        }
        let measured = self.samples.len() == 1 && matches!(stage, Stage::Teardown | Stage::Done);
        if stage == Stage::Measure || measured {
            match self.cluster.sample() {
                Ok(sample) => self.samples.push(sample),
                Err(error) => self.failure = Some(error),
            }
        }
    }

    fn progress(&mut self, calls: usize) -> Verdict {
        self.progress.measured(self.steps(calls), self.steps_before);
        if self.interrupt.is_urgent() {
            Verdict::GiveUp
        } else if self.interrupt.is_asked() || self.failure.is_some() {
            Verdict::BreakOff
        } else {
            Verdict::GoOn
        }
    }
}

fn failed(error: &dyn Error) -> Failure {
    Failure::Failed(format!("the load generator fails: {error}"))
}

/// What remains to be said of a run whose items could not all be taken off the market.
fn left_for_sale(cluster: &Cluster, record: &Record) -> String {
    format!(
        "warning: {} of the run's items may still be for sale at {}: searches of further benchmarks find those in category 1",
        record.left_for_sale, cluster.seller
    )
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

/// Different for each benchmark, so that its user names are new to the services.
fn unique_tag() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", now.as_millis())
}
