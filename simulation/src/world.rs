//! [`World`]: the four services on a simulated network, with their disks, and hosts for clients. It starts, crashes and
//! asks them; it does not know what the answers should be.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use net::sim::{Break, Faults, HostId, Sim, SimWorkers};
use net::{Encryption, Limits, Node, Registry};
use serde_json::Value;
use services::sqlite::{Durability, open_customer, open_product};
use services::{
    Backends, CustomerOptions, CustomerRow, Deadlines, HashCost, ProductRow, Room, Secrets, Storage,
    StorageError,
};

use crate::client::{Client, User, Who};
use crate::counters::Counters;
use crate::disks::Disks;
use crate::encryption;
use crate::journal::Journal;
use crate::place::Place;
use crate::request::{Outcome, Request};
use crate::script::{Answers, Script};
use crate::story::{START, Story};

/// The secret of the databases.
const SECRET: &str = "of this world";
/// How often a run is looked at to see whether its clients are done.
const GLANCE: Duration = Duration::from_millis(1);
/// No client needs longer.
const PATIENCE: Duration = Duration::from_secs(600);

/// Under what frontends count the purchases that they have brought to their end.
const RECOVERED: &str = "marketplace_purchases_recovered_total";

/// Under what they count their calls that change stock or feedback and are not answered.
const CHANGING_STOCK: &str = "marketplace_calls_in_flight{backend=\"product_writes\"}";

/// A network without breaks.
pub(crate) fn calm() -> Faults {
    Faults::default()
}

pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) disks: Disks,
    /// What services encrypt: everything, or nothing.
    encryption: Encryption,
    /// How many databases have ended because of their disks.
    pub(crate) disk_failures: u64,
    pub(crate) journal: Journal,
    pub(crate) story: Story,
    /// The host of each service, by its place.
    hosts: [HostId; Place::ALL.len()],
    /// What each service counts, as long as it runs.
    registries: [Option<Arc<Registry>>; Place::ALL.len()],
    /// How often `db_customer` was started.
    pub(crate) customer_starts: u64,
    /// Purchases that frontends had recovered when they crashed.
    recovered: u64,
    /// Calls of buyers' frontends that took stock or counted a vote, and that they did not live to see answered.
    pub(crate) orphaned: u64,
    /// Who is at each host, for people.
    names: BTreeMap<HostId, String>,
    /// How many clients there have been.
    clients: usize,
}

impl World {
    /// The four services, started, on simulated disks.
    pub(crate) fn new(seed: u64, faults: Faults, story: Story) -> Self {
        Self::on(Disks::simulated(seed), Sim::new(seed, START, faults), encryption::of(seed), story)
    }

    /// The same in real files.
    pub(crate) fn in_files(seed: u64, faults: Faults, story: Story) -> Self {
        Self::on(Disks::files(), Sim::new(seed, START, faults), encryption::of(seed), story)
    }

    /// All services crash, and start again after the clock was set back.
    #[cfg(test)]
    pub(crate) fn set_back(mut self, by: Duration) -> Self {
        Place::ALL.into_iter().for_each(|place| self.crash(place));
        let sim = Sim::new(self.sim.seed(), self.sim.now() - by, calm());
        Self::on(self.disks, sim, self.encryption, self.story)
    }

    fn on(disks: Disks, mut sim: Sim, encryption: Encryption, story: Story) -> Self {
        let [customer, product] = [sim.add_host(&[]), sim.add_host(&[])];
        let lanes: Vec<_> =
            lanes().iter().map(|lane| if lane == "customer" { customer } else { product }).collect();
        let [buyers, sellers] = [(); 2].map(|()| [sim.add_host(&lanes), sim.add_host(&lanes)]);
        let hosts = [customer, product, buyers[0], buyers[1], sellers[0], sellers[1]];
        let journal = Journal::default();
        let registries = [const { None }; Place::ALL.len()];
        let mut world = Self {
            sim,
            disks,
            encryption,
            disk_failures: 0,
            journal,
            story,
            hosts,
            registries,
            customer_starts: 0,
            recovered: 0,
            orphaned: 0,
            names: Place::ALL.into_iter().map(|place| (hosts[place.index()], format!("{place:?}"))).collect(),
            clients: 0,
        };
        Place::ALL.into_iter().for_each(|place| world.start(place));
        world
    }

    /// Starts a service that does not run.
    pub(crate) fn start(&mut self, place: Place) {
        self.story.tell(self.sim.now(), format_args!("{place:?} starts"));
        self.customer_starts += u64::from(place == Place::DbCustomer);
        let host = self.hosts[place.index()];
        let registry = Arc::new(Registry::new("marketplace"));
        self.registries[place.index()] = Some(Arc::clone(&registry));
        let mut workers = SimWorkers::new(self.sim.waker(host), self.sim.seed());
        match (place, &self.disks) {
            (Place::DbCustomer, Disks::Simulated { customer, .. }) => {
                let storage = customer.open(self.sim.alarm(host));
                self.start_customer(host, storage, &mut workers, registry);
            }
            (Place::DbCustomer, Disks::Files { folders: [folder, _], .. }) => {
                let storage = open_customer(folder, Durability::Flush, &mut workers);
                self.start_customer(host, storage.expect("it opens its file"), &mut workers, registry);
            }
            (Place::DbProduct, Disks::Simulated { product, .. }) => {
                let storage = product.open(self.sim.alarm(host));
                self.start_product(host, storage, registry);
            }
            (Place::DbProduct, Disks::Files { folders: [_, folder], .. }) => {
                let storage = open_product(folder, Durability::Flush, &mut workers);
                self.start_product(host, storage.expect("it opens its file"), registry);
            }
            (Place::ServerBuyer(_), _) => {
                let service = services::server_buyer(Deadlines::default(), secrets(), &backends());
                self.start_frontend(host, service, registry);
            }
            (Place::ServerSeller(_), _) => {
                let service = services::server_seller(Deadlines::default(), secrets(), &backends());
                self.start_frontend(host, service, registry);
            }
        }
    }

    fn start_customer(
        &mut self,
        host: HostId,
        storage: impl Storage<CustomerRow> + 'static,
        workers: &mut SimWorkers,
        registry: Arc<Registry>,
    ) {
        let hash_cost = HashCost { memory_kib: 8, passes: 1 };
        let options = CustomerOptions { hash_cost, ..CustomerOptions::default() };
        let mut random = fastrand::Rng::with_seed(self.sim.seed());
        let random = move || random.u128(..);
        let room = Room::default();
        let service = services::db_customer(storage, options, room, secrets(), random, workers);
        let service = service.expect("db_customer loads what is stored");
        self.start_database(host, service, registry);
    }

    fn start_database(
        &mut self,
        host: HostId,
        service: impl net::Service + 'static,
        registry: Arc<Registry>,
    ) {
        let node = Node::registered(service, services::database_limits(), 0, registry);
        self.sim.start(host, node.with_encryption(self.encryption.clone(), Vec::new()));
    }

    fn start_frontend(
        &mut self,
        host: HostId,
        service: impl net::Service + 'static,
        registry: Arc<Registry>,
    ) {
        let node = Node::registered(service, Limits::default(), lanes().len(), registry);
        let addresses = lanes().iter().map(|lane| format!("{lane}:1")).collect();
        self.sim.start(host, node.with_encryption(self.encryption.clone(), addresses));
    }

    fn start_product(
        &mut self,
        host: HostId,
        storage: impl Storage<ProductRow> + 'static,
        registry: Arc<Registry>,
    ) {
        let service = services::db_product(storage, Room::default(), secrets());
        let service = service.expect("db_product loads what is stored");
        self.start_database(host, service, registry);
    }

    /// Ends a service as a power cut does.
    pub(crate) fn crash(&mut self, place: Place) {
        self.story.tell(self.sim.now(), format_args!("{place:?} crashes"));
        self.recovered += self.metric(place, RECOVERED);
        if Place::FOR_BUYERS.contains(&place) {
            self.orphaned += self.metric(place, CHANGING_STOCK);
        }
        self.registries[place.index()] = None;
        self.sim.crash(self.hosts[place.index()]);
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
        self.disks.leave_open(place);
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
        let secret = places.iter().all(|place| Place::DATABASES.contains(place)).then_some(SECRET);
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
            crash_points: self.disks.crash_points(),
            disk_failures: self.disk_failures,
            half_open: self.sim.half_open_count(),
            purchases_recovered: self.recovered
                + Place::ALL.into_iter().map(|place| self.metric(place, RECOVERED)).sum::<u64>(),
            ..Counters::default()
        }
    }

    /// Lets time pass, and then starts the databases again whose disks have failed meanwhile.
    pub(crate) fn pass(&mut self, duration: Duration) {
        self.sim.run_until(self.sim.now() + duration);
        for Break { at, hosts, is_half_open } in self.sim.take_breaks() {
            let [told, other] = hosts.map(|host| &self.names[&host]);
            let how = if is_half_open { "breaks, and only the first is told" } else { "breaks" };
            self.story.tell(at, format_args!("the connection between {told} and {other} {how}"));
        }
        for place in Place::DATABASES {
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

/// What frontends show and databases demand.
fn secrets() -> Option<Secrets> {
    Some(Secrets::parse(SECRET).expect("it is one"))
}

/// The backends of a frontend.
fn backends() -> Backends {
    Backends::single("customer", "product")
}

/// The names of those to which its connections lead.
fn lanes() -> Vec<String> {
    backends().addresses()
}

/// A client that is being answered.
pub(crate) struct Asked {
    host: HostId,
    done: Rc<Cell<bool>>,
    answers: Rc<RefCell<Answers>>,
}
