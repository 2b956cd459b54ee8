//! The four services, each on a thread of its own with a port that was free, and a data directory that goes away; or
//! elsewhere, as the environment says.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use net::reactor::{Handle, Reactor};
use net::{Limits, Service, Target, Threads};
use serde_json::json;
use services::sqlite::{self, Durability};
use services::{CustomerOptions, Deadlines, HashCost, Room};
use support::Client;
use tempfile::TempDir;

use crate::external::{Addresses, External};

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
            resident_mib: Arc::default(),
        }
    }
}

/// A service that runs. Dropped, it is drained and waited for, if it runs here.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    here: Option<(Handle, JoinHandle<()>)>,
}

impl Server {
    pub(crate) fn customer(listen: &str, directory: &Path, setup: &Setup) -> Server {
        let (directory, setup) = (directory.to_owned(), setup.clone());
        Server::start(listen, move |reactor| {
            let options = CustomerOptions {
                session_timeout: setup.session_timeout,
                hash_cost: setup.hash_cost,
                ..CustomerOptions::default()
            };
            let mut threads = Threads::new(reactor.handle().waker());
            let storage = sqlite::open_customer(&directory, Durability::Flush, &mut threads).unwrap();
            let room = setup.room();
            let service = services::db_customer(storage, options, room, None, counting(), &mut threads);
            let service = service.unwrap();
            run(reactor, service, setup.database_limits, Vec::new());
            threads.join();
        })
    }

    pub(crate) fn product(listen: &str, directory: &Path, setup: &Setup) -> Server {
        let (directory, setup) = (directory.to_owned(), setup.clone());
        Server::start(listen, move |reactor| {
            let mut threads = Threads::new(reactor.handle().waker());
            let storage = sqlite::open_product(&directory, Durability::Flush, &mut threads).unwrap();
            let service = services::db_product(storage, setup.room(), None).unwrap();
            run(reactor, service, setup.database_limits, Vec::new());
            threads.join();
        })
    }

    pub(crate) fn buyer(customer: SocketAddr, product: SocketAddr, setup: &Setup) -> Server {
        let setup = setup.clone();
        Server::start(ANY_PORT, move |reactor| {
            let backends = backends(customer, product);
            let service = services::server_buyer(setup.deadlines, None, &backends);
            run(reactor, service, setup.frontend_limits, backends);
        })
    }

    pub(crate) fn seller(customer: SocketAddr, product: SocketAddr, setup: &Setup) -> Server {
        let setup = setup.clone();
        Server::start(ANY_PORT, move |reactor| {
            let backends = backends(customer, product);
            let service = services::server_seller(setup.deadlines, None, &backends);
            run(reactor, service, setup.frontend_limits, backends);
        })
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    fn start(listen: &str, run: impl FnOnce(Reactor) + Send + 'static) -> Server {
        let reactor = Reactor::bind(listen).unwrap();
        let (address, handle) = (reactor.local_addr().unwrap(), reactor.handle());
        Server { address, here: Some((handle, thread::spawn(move || run(reactor)))) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some((handle, thread)) = self.here.take() else { return };
        handle.drain();
        let ended = thread.join();
        // A service must survive whatever a test does to it.
        assert!(ended.is_ok() || thread::panicking(), "a service panicked");
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
    /// On threads of this process, with their data in this folder.
    Here(TempDir, Box<Setup>),
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
        Cluster::here(tempfile::tempdir().unwrap(), setup)
    }

    /// Stops all services and starts them again on the same data.
    pub(crate) fn restart(self) -> Cluster {
        let Cluster { buyer, seller, customer, product, home } = self;
        drop((buyer, seller, customer, product));
        match home {
            Home::Here(directory, setup) => Cluster::here(directory, *setup),
            Home::Elsewhere(external) => {
                let addresses = external.restart();
                Cluster::elsewhere(external, addresses)
            }
        }
    }

    fn here(directory: TempDir, setup: Setup) -> Cluster {
        let customer = Server::customer(ANY_PORT, directory.path(), &setup);
        let product = Server::product(ANY_PORT, directory.path(), &setup);
        let buyer = Server::buyer(customer.address, product.address, &setup);
        let seller = Server::seller(customer.address, product.address, &setup);
        Cluster { buyer, seller, customer, product, home: Home::Here(directory, Box::new(setup)) }
    }

    fn elsewhere(external: External, addresses: Addresses) -> Cluster {
        let [buyer, seller, customer, product] = addresses.map(|address| Server { address, here: None });
        Cluster { buyer, seller, customer, product, home: Home::Elsewhere(external) }
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

fn run(reactor: Reactor, service: impl Service, limits: Limits, backends: Vec<String>) {
    reactor.run(service, limits, backends.into_iter().map(Target::Lines).collect()).unwrap();
}

fn backends(customer: SocketAddr, product: SocketAddr) -> Vec<String> {
    services::backends(&customer.to_string(), &product.to_string())
}

/// Numbers that need not be unpredictable here.
fn counting() -> impl FnMut() -> u128 {
    let mut last = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    move || {
        last += 1;
        last
    }
}
