//! How the services of a world are put together, and which connects to which.

use std::sync::Arc;

use net::sim::{HostId, Sim, SimWorkers};
use net::{ByteAddress, Limits, Node, Registry, Target};
use services::postgres::{Config, Host};
use services::sqlite::{Durability, open_customer, open_product};
use services::{
    Backends, CustomerOptions, CustomerRow, Deadlines, HashCost, ProductRow, Room, Secrets, Storage,
};

use super::{SECRET, World};
use crate::disks::Disks;
use crate::place::Place;
use crate::store::Store;

impl World {
    /// Starts a service that does not run.
    pub(crate) fn start(&mut self, place: Place) {
        self.story.tell(self.sim.now(), format_args!("{place:?} starts"));
        self.customer_starts += u64::from(place.is_customer());
        let host = self.hosts[place.index()];
        let registry = Arc::new(Registry::new("marketplace"));
        self.registries[place.index()] = Some(Arc::clone(&registry));
        let mut workers = SimWorkers::new(self.sim.waker(host), self.sim.seed());
        if place.is_database() {
            self.start_database_at(place, host, &mut workers, registry);
        } else {
            let backends = backends(self.is_on_engine());
            match place {
                Place::ServerBuyer(_) => {
                    let service = services::server_buyer(Deadlines::default(), secrets(), &backends);
                    self.start_frontend(host, service, &backends, registry);
                }
                _ => {
                    let service = services::server_seller(Deadlines::default(), secrets(), &backends);
                    self.start_frontend(host, service, &backends, registry);
                }
            }
        }
    }

    fn start_database_at(
        &mut self,
        place: Place,
        host: HostId,
        workers: &mut SimWorkers,
        registry: Arc<Registry>,
    ) {
        match (place.is_customer(), &self.store) {
            (true, Store::Disks(Disks::Simulated { customer, .. })) => {
                let storage = customer.open(self.sim.alarm(host));
                self.start_customer(host, storage, workers, registry);
            }
            (true, Store::Disks(Disks::Files { folders: [folder, _], .. })) => {
                let storage = open_customer(folder, Durability::Flush, workers);
                self.start_customer(host, storage.expect("it opens its file"), workers, registry);
            }
            (false, Store::Disks(Disks::Simulated { product, .. })) => {
                let storage = product.open(self.sim.alarm(host));
                self.start_product(host, storage, registry);
            }
            (false, Store::Disks(Disks::Files { folders: [_, folder], .. })) => {
                let storage = open_product(folder, Durability::Flush, workers);
                self.start_product(host, storage.expect("it opens its file"), registry);
            }
            (true, Store::Engine(cluster)) => {
                let config = cluster.config();
                let random = self.random();
                let service = services::db_customer_on(config.clone(), options(), secrets(), random, workers);
                let service = service.expect("hashing is cheap");
                self.start_database(host, service, targets(&config), registry);
            }
            (false, Store::Engine(cluster)) => {
                let config = cluster.config();
                let service = services::db_product_on(config.clone(), secrets(), self.sim.seed());
                self.start_database(host, service, targets(&config), registry);
            }
        }
    }

    /// A source of bits that belongs to this run.
    fn random(&mut self) -> impl FnMut() -> u128 + use<> {
        let mut random = fastrand::Rng::with_seed(self.sim.seed());
        move || random.u128(..)
    }

    fn start_customer(
        &mut self,
        host: HostId,
        storage: impl Storage<CustomerRow> + 'static,
        workers: &mut SimWorkers,
        registry: Arc<Registry>,
    ) {
        let random = self.random();
        let room = Room::default();
        let service = services::db_customer(storage, options(), room, secrets(), random, workers);
        let service = service.expect("db_customer loads what is stored");
        self.start_database(host, service, Vec::new(), registry);
    }

    fn start_database(
        &mut self,
        host: HostId,
        service: impl net::Service + 'static,
        targets: Vec<Target>,
        registry: Arc<Registry>,
    ) {
        let node = Node::registered(service, services::database_limits(), targets.len(), registry);
        self.sim.start(host, node.with_targets(self.encryption.clone(), targets));
    }

    fn start_frontend(
        &mut self,
        host: HostId,
        service: impl net::Service + 'static,
        backends: &Backends,
        registry: Arc<Registry>,
    ) {
        let limits = Limits::default();
        let waiting_timeout = backends.waiting_timeout(limits.waiting_timeout);
        let addresses = backends.addresses();
        let node = Node::registered(service, Limits { waiting_timeout, ..limits }, addresses.len(), registry);
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
        self.start_database(host, service, Vec::new(), registry);
    }
}

/// What frontends show and databases demand.
fn secrets() -> Option<Secrets> {
    Some(Secrets::parse(SECRET).expect("it is one"))
}

/// What is set about `db_customer`.
fn options() -> CustomerOptions {
    CustomerOptions { hash_cost: HashCost { memory_kib: 8, passes: 1 }, ..CustomerOptions::default() }
}

/// The backends of a frontend.
fn backends(is_on_engine: bool) -> Backends {
    let addresses = |name: &str| {
        let replicas = if is_on_engine { 2 } else { 1 };
        (1..=replicas).map(|replica| format!("{name}:{replica}")).collect()
    };
    Backends::new(addresses("customer"), addresses("product"), 1)
}

/// The hosts of all `db_customer` and of all `db_product`, as many as the store lets there be.
pub(super) fn database_hosts(store: &Store, sim: &mut Sim) -> [Vec<HostId>; 2] {
    [(); 2].map(|()| match store {
        Store::Disks(_) => vec![sim.add_host(&[])],
        Store::Engine(cluster) => {
            let streams = vec![cluster.hosts().to_vec(); cluster.config().connections];
            vec![sim.add_host_of_streams(streams.clone()), sim.add_host_of_streams(streams)]
        }
    })
}

/// The hosts to which the connections of a frontend lead.
pub(super) fn lanes(store: &Store, [customer, product]: &[Vec<HostId>; 2]) -> Vec<HostId> {
    let addresses = backends(matches!(store, Store::Engine(_))).addresses();
    let host = |address: &String| {
        let (name, replica) = address.split_once(':').expect("it has a port");
        let replica: usize = replica.parse().expect("that is a number");
        if name == "customer" { customer[replica - 1] } else { product[replica - 1] }
    };
    addresses.iter().map(host).collect()
}

/// The backends of a database: connections to an engine.
fn targets(config: &Config) -> Vec<Target> {
    let address = |host: &Host| ByteAddress { address: host.address(), tls: None };
    let addresses: Vec<_> = config.hosts.iter().map(address).collect();
    vec![Target::Bytes(addresses); config.connections]
}
