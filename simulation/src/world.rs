//! [`World`]: the four services on a simulated network, with their disks, and hosts for clients. It starts, crashes and
//! asks them; it does not know what the answers should be.

mod start;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::sim::{Break, Faults, HostId, Sim};
use net::{Encryption, Limits, Node, Registry};
use serde_json::Value;
use services::{DiskFaults, StorageError};

use self::start::{database_hosts, lanes};
use crate::client::{Client, User, Who};
use crate::counters::Counters;
use crate::encryption;
use crate::engine::{Cluster, EngineCounters};
use crate::journal::Journal;
use crate::place::Place;
use crate::request::{Outcome, Request};
use crate::script::{Answers, Script};
use crate::store::{Keep, Store};
use crate::story::{START, Story};

/// The secret of the databases.
const SECRET: &str = "of this world";
/// How often a run is looked at to see whether its clients are done.
const GLANCE: Duration = Duration::from_millis(1);
/// No client needs longer.
const PATIENCE: Duration = Duration::from_secs(600);

/// Under what frontends count the purchases that they have brought to their end.
const RECOVERED: &str = "marketplace_purchases_recovered_total";

/// Under what databases count the transactions that they carry out again, and those of unknown outcome.
const REPLAYS: &str = "marketplace_store_replays_total";
const UNKNOWN: &str = "marketplace_store_unknown_outcomes_total";

/// Under what they count their calls that change stock or feedback and are not answered.
const CHANGING_STOCK: &str = "marketplace_calls_in_flight{backend=\"product_writes\"}";

/// A network without breaks.
pub(crate) fn calm() -> Faults {
    Faults::default()
}

pub(crate) struct World {
    pub(crate) sim: Sim,
    store: Store,
    /// What services encrypt: everything, or nothing.
    encryption: Encryption,
    /// How many databases have ended because of their disks.
    pub(crate) disk_failures: u64,
    pub(crate) journal: Journal,
    pub(crate) story: Story,
    /// The host of each service, by its place.
    hosts: Vec<HostId>,
    /// What each service counts, as long as it runs.
    registries: Vec<Option<Arc<Registry>>>,
    /// How often `db_customer` was started.
    pub(crate) customer_starts: u64,
    /// Purchases that frontends had recovered when they crashed.
    recovered: u64,
    /// Calls of buyers' frontends that took stock or counted a vote, and that they did not live to see answered.
    pub(crate) orphaned: u64,
    /// What databases had met with their engine when they crashed.
    engine_met: EngineCounters,
    /// Who is at each host, for people.
    names: BTreeMap<HostId, String>,
    /// How many clients there have been.
    clients: usize,
}

impl World {
    /// The services, started, whose rows are kept so.
    pub(crate) fn new(keep: Keep, seed: u64, faults: Faults, story: Story) -> Self {
        let mut sim = Sim::new(seed, START, faults);
        let store = Store::new(keep, seed, &mut sim, &story);
        Self::on(store, sim, encryption::of(seed), story)
    }

    /// All services crash, and start again after the clock was set back.
    #[cfg(test)]
    pub(crate) fn set_back(mut self, by: Duration) -> Self {
        assert!(!self.is_on_engine(), "an engine stays where it is");
        self.places().iter().for_each(|place| self.crash(*place));
        let sim = Sim::new(self.sim.seed(), self.sim.now() - by, calm());
        Self::on(self.store, sim, self.encryption, self.story)
    }

    fn on(store: Store, mut sim: Sim, encryption: Encryption, story: Story) -> Self {
        let databases = database_hosts(&store, &mut sim);
        let lanes = lanes(&store, &databases);
        let [buyers, sellers] = [(); 2].map(|()| [sim.add_host(&lanes), sim.add_host(&lanes)]);
        let [first, second] =
            [0, 1].map(|replica| databases.iter().filter_map(move |hosts| hosts.get(replica)));
        let hosts: Vec<HostId> = first.chain(&buyers).chain(&sellers).chain(second).copied().collect();
        let places = Place::all(matches!(store, Store::Engine(_)));
        let mut world = Self {
            sim,
            store,
            encryption,
            disk_failures: 0,
            journal: Journal::default(),
            story,
            registries: vec![None; hosts.len()],
            customer_starts: 0,
            recovered: 0,
            orphaned: 0,
            engine_met: EngineCounters::default(),
            names: places.iter().map(|place| (hosts[place.index()], format!("{place:?}"))).collect(),
            hosts,
            clients: 0,
        };
        if let Store::Engine(cluster) = &world.store {
            let hosts = cluster.hosts().into_iter().enumerate();
            world.names.extend(hosts.map(|(number, host)| (host, format!("engine-{number}"))));
        }
        places.iter().for_each(|place| world.start(*place));
        world
    }

    /// All services that there are.
    pub(crate) fn places(&self) -> &'static [Place] {
        Place::all(self.is_on_engine())
    }

    /// All databases that there are.
    pub(crate) fn databases(&self) -> &'static [Place] {
        Place::databases(self.is_on_engine())
    }

    pub(crate) fn is_on_engine(&self) -> bool {
        matches!(self.store, Store::Engine(_))
    }

    /// The engine, if that is where rows are kept.
    pub(crate) fn engine(&self) -> Option<&Cluster> {
        match &self.store {
            Store::Engine(cluster) => Some(cluster),
            Store::Disks(_) => None,
        }
    }

    /// What keeps the rows fails from now on, and disks are like this.
    pub(crate) fn begin_storm(&mut self, disk: &DiskFaults) {
        self.store.begin_storm(self.sim.now(), disk);
    }

    /// The disk of a database is like this from now on.
    pub(crate) fn set_disk_of(&mut self, place: Place, disk: &DiskFaults) {
        self.store.set_disk_of(place, disk);
    }

    /// Neither network nor disks fail any more.
    pub(crate) fn end_storm(&mut self) {
        self.sim.set_faults(calm());
        self.store.end_storm(self.sim.now());
    }

    /// Ends a service as a power cut does.
    pub(crate) fn crash(&mut self, place: Place) {
        self.story.tell(self.sim.now(), format_args!("{place:?} crashes"));
        self.recovered += self.metric(place, RECOVERED);
        if Place::FOR_BUYERS.contains(&place) {
            self.orphaned += self.metric(place, CHANGING_STOCK);
        }
        let met = self.engine_metrics(place);
        self.engine_met += met;
        self.registries[place.index()] = None;
        self.sim.crash(self.hosts[place.index()]);
    }

    /// All databases, and what keeps their rows, end as a power cut has them, and begin again.
    pub(crate) fn restart_databases(&mut self) {
        for place in self.databases() {
            self.crash(*place);
            if *place == Place::DbCustomer
                && let Store::Engine(cluster) = &mut self.store
            {
                cluster.restart(&mut self.sim);
            }
            self.start(*place);
        }
    }

    /// Whether a service runs.
    pub(crate) fn runs(&self, place: Place) -> bool {
        self.registries[place.index()].is_some()
    }

    /// What a service counts under this name, all labels together; nothing if it does not run.
    pub(crate) fn metric(&self, place: Place, name: &str) -> u64 {
        let text =
            self.registries[place.index()].as_ref().map(|registry| registry.text()).unwrap_or_default();
        let values = text.lines().filter_map(|line| {
            let (key, value) = line.rsplit_once(' ')?;
            let is_named =
                key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'));
            is_named.then(|| value.parse::<f64>().expect("a metric is a number"))
        });
        values.sum::<f64>() as u64
    }

    /// How far a service's clock is ahead of the network's time.
    pub(crate) fn clock_ahead(&self, place: Place) -> Duration {
        self.sim.clock(self.hosts[place.index()]).since(self.sim.now())
    }

    /// Sets a service's clock, forwards if it runs.
    pub(crate) fn set_clock_ahead(&mut self, place: Place, ahead: Duration) {
        self.story.tell(self.sim.now(), format_args!("the clock of {place:?} is {ahead:?} ahead"));
        self.sim.set_clock_ahead(self.hosts[place.index()], ahead);
    }

    /// Ends a database as a power cut does, without its files being closed.
    pub(crate) fn crash_with_open_files(&mut self, place: Place) {
        self.store.leave_open(place);
        self.crash(place);
    }

    /// Adds a host at which a user begins, with a connection to each of these; returns whether the user is done.
    pub(crate) fn add_client<U: User + 'static>(
        &mut self,
        name: impl Into<String>,
        places: &[Place],
        user: U,
    ) -> (HostId, Rc<Cell<bool>>) {
        let backends: Vec<_> = places.iter().map(|place| self.hosts[place.index()]).collect();
        let host = self.sim.add_host(&backends);
        let (journal, story) = (self.journal.clone(), self.story.clone());
        let name = name.into();
        self.names.insert(host, name.clone());
        let who = Who { number: self.clients, name, journal, story };
        self.clients += 1;
        let secret = places.iter().all(|place| place.is_database()).then_some(SECRET);
        let (client, done) = Client::new(user, who, backends.len(), secret);
        let node = Node::new(client, Limits::default(), backends.len());
        let addresses = vec!["localhost:1".to_owned(); backends.len()];
        let encryption = Encryption { server: None, ..self.encryption.clone() };
        self.sim.start(host, node.with_encryption(encryption, addresses));
        (host, done)
    }

    /// Lets a new client begin to ask a service one request after another.
    pub(crate) fn begin(&mut self, place: Place, requests: Vec<Request>) -> Asked {
        let answers = Rc::new(RefCell::new(Vec::new()));
        let (host, done) = self.add_client("somebody", &[place], Script::new(requests, Rc::clone(&answers)));
        Asked { host, done, answers }
    }

    /// Waits for the answers of a client.
    pub(crate) fn finish(&mut self, asked: Asked) -> Answers {
        self.run_while(|_| !asked.done.get());
        self.sim.crash(asked.host);
        asked.answers.take()
    }

    /// Asks a service one request after another, and returns the answers.
    pub(crate) fn ask(&mut self, place: Place, requests: Vec<Request>) -> Answers {
        let asked = self.begin(place, requests);
        self.finish(asked)
    }

    /// Asks a service for something that it must be able to do; returns the `data` of its reply.
    pub(crate) fn get(&mut self, place: Place, api: &'static str, data: Value) -> Value {
        let answers = self.ask(place, vec![Request { api, data }]);
        answers[0].outcome.data().unwrap_or_else(|| panic!("{api} answered {:?}", answers[0].outcome)).clone()
    }

    /// What the run has met so far.
    pub(crate) fn counters(&self) -> Counters {
        let is_lost = |outcome: &Outcome| matches!(outcome, Outcome::Unknown);
        Counters {
            answers_lost: self.journal.count(is_lost),
            crash_points: self.store.crash_points(),
            disk_failures: self.disk_failures,
            half_open: self.sim.half_open_count(),
            purchases_recovered: self.recovered
                + self.places().iter().map(|place| self.metric(*place, RECOVERED)).sum::<u64>(),
            engine: self.engine_counters(),
            ..Counters::default()
        }
    }

    /// What the engine has met so far.
    fn engine_counters(&self) -> EngineCounters {
        let mut met = self.store.engine_met();
        met += self.engine_met;
        self.databases().iter().for_each(|place| met += self.engine_metrics(*place));
        met
    }

    /// What a database that runs has met with its engine.
    fn engine_metrics(&self, place: Place) -> EngineCounters {
        let [replays, unknown] = [REPLAYS, UNKNOWN].map(|name| self.metric(place, name));
        EngineCounters { replays, unknown, ..EngineCounters::default() }
    }

    /// Lets time pass, and then starts the databases again whose disks have failed meanwhile.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let until = self.sim.now() + duration;
        self.store.run_until(&mut self.sim, until);
        for Break { at, hosts, is_half_open } in self.sim.take_breaks() {
            let [told, other] = hosts.map(|host| &self.names[&host]);
            let how = if is_half_open { "breaks, and only the first is told" } else { "breaks" };
            self.story.tell(at, format_args!("the connection between {told} and {other} {how}"));
        }
        for place in self.databases().iter().copied() {
            let Some(failure) = self.sim.take_failure(self.hosts[place.index()]) else { continue };
            assert!(failure.is::<StorageError>(), "{place:?} ends: {failure}");
            self.story.tell(self.sim.now(), format_args!("{place:?} ends: {failure}"));
            self.disk_failures += 1;
            self.start(place);
        }
    }

    /// Runs until a condition no longer holds.
    pub(crate) fn run_while(&mut self, mut condition: impl FnMut(&mut Self) -> bool) {
        let give_up_at = self.sim.now() + PATIENCE;
        while condition(self) {
            assert!(self.sim.now() < give_up_at, "clients hang");
            self.pass(GLANCE);
        }
    }
}

/// A client that is being answered.
pub(crate) struct Asked {
    host: HostId,
    done: Rc<Cell<bool>>,
    answers: Rc<RefCell<Answers>>,
}
