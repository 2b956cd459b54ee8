//! The services as processes, any number of each, that keep what they have in a real PostgreSQL.

mod outages;
mod races;
mod refusals;
mod replicas;

use std::net::SocketAddr;

use serde_json::json;
use support::{Client, Postgres, SERVICES, Service, assert_code};

use super::PROGRAM;

/// The password of all accounts.
const PASSWORD: &str = "correct horse";

/// A server with the tables of both databases, and services on it.
struct Fleet {
    services: Vec<Service>,
    server: Postgres,
}

impl Fleet {
    /// So many of each service, on a server with these settings.
    fn start(replicas: usize, settings: &[&str]) -> Option<Self> {
        let server = Postgres::start("trust", settings)?;
        let url = migrated(&server);
        let mut fleet = Self { services: Vec::new(), server };
        for name in ["db_customer", "db_product"] {
            fleet.services.extend((0..replicas).map(|_| database(name, &url, &[])));
        }
        let [customer, product] = ["db_customer", "db_product"].map(|name| list(&fleet.addresses(name)));
        for name in ["server_buyer", "server_seller"] {
            let args = || vec![format!("--customer={customer}"), format!("--product={product}")];
            fleet.services.extend((0..replicas).map(|_| PROGRAM.replica(name, args())));
        }
        assert_eq!(fleet.services.len(), SERVICES.len() * replicas);
        Some(fleet)
    }

    /// Where those of a name listen.
    fn addresses(&self, name: &str) -> Vec<SocketAddr> {
        self.services.iter().filter(|service| service.name == name).map(|service| service.address).collect()
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

/// A database on an engine, with further options; passwords are hashed at the least cost, to be fast.
fn database(name: &'static str, url: &str, more: &[&str]) -> Service {
    PROGRAM.replica(name, database_args(name, url, more))
}

fn database_args(name: &str, url: &str, more: &[&str]) -> Vec<String> {
    let mut args = vec![format!("--store={url}")];
    if name == "db_customer" {
        args.extend(["--hash-memory-kib=8".to_owned(), "--hash-passes=1".to_owned()]);
    }
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    args
}

/// How addresses are told to a frontend.
fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(",")
}

/// Opens an account and a session.
#[track_caller]
fn log_in(client: &mut Client, name: &str) -> String {
    client.ok("CreateAccount", json!({"name": name, "password": PASSWORD}));
    let login = client.ok("Login", json!({"name": name, "password": PASSWORD}));
    login["session_id"].as_str().expect("a login has it").to_owned()
}
