//! The four services, each on a thread of its own with a port that was free, and a data directory that goes away; or
//! elsewhere, as the environment says.

use std::mem;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use net::reactor::{Handle, Reactor};
use net::{ByteAddress, Limits, Service, Target, Threads};
use serde_json::json;
use services::postgres::{Config, Host};
use services::sqlite::{self, Durability};
use services::{Backends, CustomerOptions, Deadlines, HashCost, Room};
use support::{Client, Store};

use crate::PROGRAM;
use crate::external::{Addresses, External};

/// Replicas of each service, where there can be more than one. Each call goes to one of them by chance.
const REPLICAS: usize = 3;
const ANY_PORT: &str = "127.0.0.1:0";
/// The memory that each database may fill, in MiB.
pub(crate) const MEMORY_MAX_MIB: u64 = 100;

/// What a test wants to be otherwise.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) session_timeout: Duration,
    pub(crate) hash_cost: HashCost,
    pub(crate) frontend_limits: Limits,
    pub(crate) database_limits: Limits,
    pub(crate) deadlines: Deadlines,
    /// The most replicas of each service.
    pub(crate) replicas_max: usize,
    /// What databases take for the memory of their process, in MiB.
    pub(crate) resident_mib: Arc<AtomicU64>,
}

impl Setup {
    fn room(&self) -> Room {
        let resident_mib = Arc::clone(&self.resident_mib);
        Room::new(MEMORY_MAX_MIB, move || resident_mib.load(Ordering::Relaxed) << 20)
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            session_timeout: CustomerOptions::default().session_timeout,
            hash_cost: HashCost { memory_kib: 8, passes: 1 },
            frontend_limits: Limits::default(),
            database_limits: services::database_limits(),
            // Long, because the machine may be busy: a test that is about deadlines sets its own.
            deadlines: Deadlines {
                password: Duration::from_secs(20),
                ..Deadlines::new(Duration::from_secs(20))
            },
            replicas_max: usize::MAX,
            resident_mib: Arc::default(),
        }
    }
}

/// A service that runs, or several replicas of it. Dropped, they are drained and waited for, if they run here.
pub(crate) struct Server {
    /// Where the first one is.
    pub(crate) address: SocketAddr,
    /// Where all are.
    pub(crate) replicas: Vec<SocketAddr>,
    here: Vec<(Handle, JoinHandle<()>)>,
}

/// A service, and what it calls.
type Made = (Box<dyn Service>, Vec<Target>);

/// Where a database keeps what it knows, as its thread needs it.
enum Place {
    Files(PathBuf),
    Engine(Config),
}

impl Place {
    fn of(store: &Store) -> Place {
        match store {
            Store::Files(folder) => Place::Files(folder.path().to_owned()),
            Store::Engine(engine) => Place::Engine(Config::parse(&engine.url, None).unwrap()),
        }
    }
}

impl Server {
    pub(crate) fn customer(listen: &str, store: &Store, setup: &Setup) -> Server {
        let options = CustomerOptions {
            session_timeout: setup.session_timeout,
            hash_cost: setup.hash_cost,
            ..CustomerOptions::default()
        };
        let (place, setup) = (Place::of(store), setup.clone());
        Server::start(listen, setup.database_limits.clone(), move |threads| match place {
            Place::Files(folder) => {
                let storage = sqlite::open_customer(&folder, Durability::Flush, threads).unwrap();
                let room = setup.room();
                let service = services::db_customer(storage, options, room, None, counting(), threads);
                (Box::new(service.unwrap()), Vec::new())
            }
            Place::Engine(config) => {
                let backends = targets(&config);
                let service = services::db_customer_on(config, options, None, random, threads);
                (Box::new(service.unwrap()), backends)
            }
        })
    }

    pub(crate) fn product(listen: &str, store: &Store, setup: &Setup) -> Server {
        let (place, setup) = (Place::of(store), setup.clone());
        Server::start(listen, setup.database_limits.clone(), move |threads| match place {
            Place::Files(folder) => {
                let storage = sqlite::open_product(&folder, Durability::Flush, threads).unwrap();
                let service = services::db_product(storage, setup.room(), None);
                (Box::new(service.unwrap()), Vec::new())
            }
            Place::Engine(config) => {
                let backends = targets(&config);
                (Box::new(services::db_product_on(config, None, fastrand::u64(..))), backends)
            }
        })
    }

    pub(crate) fn buyer(customer: SocketAddr, product: SocketAddr, setup: &Setup) -> Server {
        let (backends, deadlines) = (backends(customer, product), setup.deadlines);
        Server::start(ANY_PORT, setup.frontend_limits.clone(), move |_| {
            let service = services::server_buyer(deadlines, None, &backends);
            (Box::new(service), lines(backends.addresses()))
        })
    }

    pub(crate) fn seller(customer: SocketAddr, product: SocketAddr, setup: &Setup) -> Server {
        let (backends, deadlines) = (backends(customer, product), setup.deadlines);
        Server::start(ANY_PORT, setup.frontend_limits.clone(), move |_| {
            let service = services::server_seller(deadlines, None, &backends);
            (Box::new(service), lines(backends.addresses()))
        })
    }

    /// A client, each call of which goes to one of the replicas.
    pub(crate) fn client(&self) -> Client {
        match &*self.replicas {
            [address] => Client::connect(*address),
            replicas => Client::of_any(replicas),
        }
    }

    /// A service on a thread of its own, which is made there.
    fn start(
        listen: &str,
        limits: Limits,
        make: impl FnOnce(&mut Threads) -> Made + Send + 'static,
    ) -> Server {
        let reactor = Reactor::bind(listen).unwrap();
        let (address, handle) = (reactor.local_addr().unwrap(), reactor.handle());
        let run = move || {
            let mut threads = Threads::new(reactor.handle().waker());
            let (service, backends) = make(&mut threads);
            reactor.run(service, limits, backends).unwrap();
            threads.join();
        };
        Server { address, replicas: vec![address], here: vec![(handle, thread::spawn(run))] }
    }

    /// Several that are one.
    fn replicated(replicas: impl Iterator<Item = Server>) -> Server {
        let servers =
            replicas.map(|mut server| (mem::take(&mut server.replicas), mem::take(&mut server.here)));
        let (replicas, here): (Vec<_>, Vec<_>) = servers.unzip();
        let replicas = replicas.concat();
        Server { address: replicas[0], replicas, here: here.into_iter().flatten().collect() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.here.iter().for_each(|(handle, _)| handle.drain());
        for (_, thread) in self.here.drain(..) {
            let ended = thread.join();
            // A service must survive whatever a test does to it.
            assert!(ended.is_ok() || thread::panicking(), "a service panicked");
        }
    }
}

/// All four services. The frontends stand first, so that they stop first.
pub(crate) struct Cluster {
    pub(crate) buyer: Server,
    pub(crate) seller: Server,
    pub(crate) customer: Server,
    pub(crate) product: Server,
    home: Home,
}

/// Where the services run.
enum Home {
    /// On threads of this process, with what they know in this store.
    Here(Store, Box<Setup>),
    Elsewhere(External),
}

impl Cluster {
    pub(crate) fn start() -> Cluster {
        match External::start() {
            Some((external, addresses)) => Cluster::elsewhere(external, addresses),
            None => Cluster::with(Setup::default()),
        }
    }

    /// It always runs here.
    pub(crate) fn with(setup: Setup) -> Cluster {
        Cluster::here(Store::new(PROGRAM), setup)
    }

    /// It always runs here, and its databases have their truth in memory and in files.
    pub(crate) fn in_files(setup: Setup) -> Cluster {
        Cluster::here(Store::files(), setup)
    }

    /// Stops all services and starts them again on the same data.
    pub(crate) fn restart(self) -> Cluster {
        let Cluster { buyer, seller, customer, product, home } = self;
        drop((buyer, seller, customer, product));
        match home {
            Home::Here(store, setup) => Cluster::here(store, *setup),
            Home::Elsewhere(external) => {
                let addresses = external.restart();
                Cluster::elsewhere(external, addresses)
            }
        }
    }

    fn here(store: Store, setup: Setup) -> Cluster {
        let of_each = || 0..replicas(&store).min(setup.replicas_max);
        let customer = Server::replicated(of_each().map(|_| Server::customer(ANY_PORT, &store, &setup)));
        let product = Server::replicated(of_each().map(|_| Server::product(ANY_PORT, &store, &setup)));
        let databases = |place: usize| (customer.replicas[place], product.replicas[place]);
        let frontends = |start: fn(SocketAddr, SocketAddr, &Setup) -> Server| {
            Server::replicated(of_each().map(|place| {
                let (customer, product) = databases(place);
                start(customer, product, &setup)
            }))
        };
        let (buyer, seller) = (frontends(Server::buyer), frontends(Server::seller));
        Cluster { buyer, seller, customer, product, home: Home::Here(store, Box::new(setup)) }
    }

    fn elsewhere(external: External, addresses: Addresses) -> Cluster {
        let server = |address| Server { address, replicas: vec![address], here: Vec::new() };
        let [buyer, seller, customer, product] = addresses.map(server);
        Cluster { buyer, seller, customer, product, home: Home::Elsewhere(external) }
    }

    /// Whether accounts have numbers that only differ: on an engine, one that comes to nothing may have taken one, and those
    /// that are made at the same time may take them in any order.
    pub(crate) fn numbers_may_have_gaps(&self) -> bool {
        matches!(&self.home, Home::Here(Store::Engine(_), _))
    }

    /// A seller with a new account, logged in.
    pub(crate) fn new_seller(&self, name: &str) -> User {
        User::register(self.seller.client(), name, "seller_id")
    }

    /// A buyer with a new account, logged in.
    pub(crate) fn new_buyer(&self, name: &str) -> User {
        User::register(self.buyer.client(), name, "buyer_id")
    }
}

/// Someone who is logged in at a frontend.
pub(crate) struct User {
    pub(crate) client: Client,
    pub(crate) id: u64,
    pub(crate) session: String,
}

impl User {
    /// Logs in once more, over the same connection.
    pub(crate) fn log_in(client: &mut Client, name: &str) -> String {
        let login = client.ok("Login", json!({"username": name, "password": "secret"}));
        login["session_id"].as_str().unwrap().to_owned()
    }

    /// The data of a reply to a request with this user's session.
    pub(crate) fn ok(&mut self, api: &str, data: serde_json::Value) -> serde_json::Value {
        let data = self.with_session(data);
        self.client.ok(api, data)
    }

    /// The same as JSON text.
    pub(crate) fn ok_text(&mut self, api: &str, data: serde_json::Value) -> String {
        let data = self.with_session(data);
        self.client.ok_text(api, data)
    }

    /// The message with which a request with this user's session is refused.
    #[track_caller]
    pub(crate) fn refused(&mut self, api: &str, data: serde_json::Value, code: &str) -> String {
        let data = self.with_session(data);
        self.client.refused(api, data, code)
    }

    /// Puts an item up for sale and returns its ID.
    pub(crate) fn sell(&mut self, category: u32, name: &str, keywords: &[&str], quantity: u32) -> String {
        let item = json!({"name": name, "category": category, "keywords": keywords, "condition": "new",
            "price": 9.99, "quantity": quantity});
        self.ok("RegisterItemForSale", item)["item_id"].as_str().unwrap().to_owned()
    }

    /// Makes an account and logs in; `id` is the name of the reply's field.
    pub(crate) fn register(mut client: Client, name: &str, id: &str) -> User {
        let account = client.ok("CreateAccount", json!({"name": name, "password": "secret"}));
        let session = User::log_in(&mut client, name);
        User { client, id: account[id].as_u64().unwrap(), session }
    }

    fn with_session(&self, mut data: serde_json::Value) -> serde_json::Value {
        data["session_id"] = json!(self.session);
        data
    }
}

/// How many of each service there are: several, where they have nothing of their own.
fn replicas(store: &Store) -> usize {
    match store {
        Store::Files(_) => 1,
        Store::Engine(_) => REPLICAS,
    }
}

fn backends(customer: SocketAddr, product: SocketAddr) -> Backends {
    Backends::single(&customer.to_string(), &product.to_string())
}

fn lines(backends: Vec<String>) -> Vec<Target> {
    backends.into_iter().map(Target::Lines).collect()
}

/// The connections of a database to an engine.
fn targets(config: &Config) -> Vec<Target> {
    let address = |host: &Host| ByteAddress { address: host.address(), tls: None };
    vec![Target::Bytes(config.hosts.iter().map(address).collect()); config.connections]
}

/// Numbers that replicas do not share.
fn random() -> u128 {
    fastrand::u128(..)
}

/// Numbers that need not be unpredictable here.
fn counting() -> impl FnMut() -> u128 {
    let mut last = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    move || {
        last += 1;
        last
    }
}
