//! The services as processes, any number of each, which keep what they have in a real PostgreSQL.

mod failover;
mod outages;
mod races;
mod readiness;
mod refusals;
mod replicas;
mod stalls;

use std::fmt::Display;
use std::net::SocketAddr;
use std::thread;

use support::{Addresses, Client, Failure, POLL, Postgres, Reply, SERVICES, Service, assert_code};

use super::PROGRAM;

/// Services on one engine.
struct Fleet {
    services: Vec<Service>,
}

impl Fleet {
    /// So many of each service.
    fn start(url: &str, replicas: usize) -> Self {
        Self::start_by(url, replicas, |name, args| PROGRAM.replica(name, args))
    }

    /// The same, of which each is started like this.
    fn start_by(url: &str, replicas: usize, start: impl Fn(&'static str, Vec<String>) -> Service) -> Self {
        let mut fleet = Self { services: Vec::new() };
        for name in ["db_customer", "db_product"] {
            fleet.services.extend((0..replicas).map(|_| start(name, database_args(name, url))));
        }
        let [customer, product] = ["db_customer", "db_product"].map(|name| list(&fleet.addresses(name)));
        for name in ["server_buyer", "server_seller"] {
            let args = || vec![format!("--customer={customer}"), format!("--product={product}")];
            fleet.services.extend((0..replicas).map(|_| start(name, args())));
        }
        assert_eq!(fleet.services.len(), SERVICES.len() * replicas);
        fleet
    }

    /// Where those of a name listen.
    fn addresses(&self, name: &str) -> Vec<SocketAddr> {
        self.services.iter().filter(|service| service.name == name).map(|service| service.address).collect()
    }

    /// Where clients connect to, of the first replica.
    fn frontends(&self) -> Addresses {
        let [buyer, seller] = ["server_buyer", "server_seller"].map(|name| self.addresses(name)[0]);
        Addresses { buyer, seller }
    }

    fn client(&self, name: &str) -> Client {
        Client::of_any(&self.addresses(name))
    }
}

/// Makes the tables; returns the URL of the database.
fn migrated(server: &Postgres) -> String {
    let url = server.url("localhost", "");
    assert_code(&PROGRAM.command(&["migrate", "--store", &url]).output().unwrap(), 0);
    url
}

/// A database on an engine; passwords are hashed at the least cost, to be fast.
fn database(name: &'static str, url: &str) -> Service {
    PROGRAM.replica(name, database_args(name, url))
}

fn database_args(name: &str, url: &str) -> Vec<String> {
    let mut args = vec![format!("--store={url}")];
    if name == "db_customer" {
        args.extend(["--hash-memory-kib=8".to_owned(), "--hash-passes=1".to_owned()]);
    }
    args
}

/// What is said to a call that is refused because the engine is of no use, by whoever would not have waited for long.
#[track_caller]
fn unavailable(client: &mut Client, api: &str, data: impl Display) -> String {
    let line = format!(r#"{{"request_id":0,"api":"{api}","data":{data},"deadline_ms":2000}}"#);
    Reply::new(client.exchange(line), "0").refused_with("UNAVAILABLE", api)
}

/// How many lines of a service's log say this.
fn lines(service: &mut Service, what: &str) -> usize {
    service.process().log().lines().filter(|line| line.contains(what)).count()
}

/// How addresses are told to a frontend.
fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
}

/// Waits before another call, after one that must have failed for want of a service or an engine, or of one that has time.
#[track_caller]
fn pause(api: &str, failure: &Failure) {
    let is_busy = matches!(failure, Failure::Refused(code, _) if code == "RESOURCE_EXHAUSTED");
    assert!(is_busy || failure.is_outage(), "{api}: {failure}");
    thread::sleep(POLL);
}
