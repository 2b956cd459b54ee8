//! Several databases of a kind behind a frontend: one that is killed, hangs or is stopped under load, and comes back, and one
//! that is added.
//!
//! Each of them has data of its own, so the calls are those for which it does not matter which one is asked.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use support::{Client, Service, own_host, wait_until};
use tempfile::TempDir;

use super::{PROGRAM, log_in};

const CLIENTS: usize = 8;
/// How long a frontend may take to leave a database.
const LEFT_WITHIN: Duration = Duration::from_secs(1);
/// For how long the databases are left alone between two disturbances: longer than a frontend waits until it connects again.
const PEACE: Duration = Duration::from_millis(500);

/// `db_customer`, some `db_product`, and a frontend that knows them all.
struct Fleet {
    products: Vec<Service>,
    frontend: Service,
    _customer: Service,
    _folders: Vec<TempDir>,
}

impl Fleet {
    fn new(frontend: &'static str, products: usize, more: &[&str]) -> Self {
        let folders: Vec<_> = (0..=products).map(|_| tempfile::tempdir().unwrap()).collect();
        let customer = PROGRAM.database("db_customer", folders[products].path());
        let products: Vec<_> =
            folders[..products].iter().map(|folder| PROGRAM.database("db_product", folder.path())).collect();
        let addresses: Vec<_> = products.iter().map(|product| product.address.to_string()).collect();
        let mut command = PROGRAM.command(&[frontend, "--listen=127.0.0.1:0"]);
        command.arg(format!("--customer={}", customer.address)).args(more);
        let mut frontend =
            Service::adopt(frontend, command.arg(format!("--product={}", addresses.join(","))));
        for _ in &products {
            frontend.process().wait_for("event=backend_up backend=db_product");
        }
        Self { products, frontend, _customer: customer, _folders: folders }
    }

    fn clients(&self) -> Vec<Client> {
        (0..CLIENTS).map(|_| Client::new(self.frontend.address)).collect()
    }
}

/// Lets each client call without a pause while `disturb` runs. Each call must succeed; returns how many there were, and the
/// longest one.
fn run_during(
    clients: Vec<Client>,
    call: impl Fn(&mut Client, usize) + Sync,
    disturb: impl FnOnce(),
) -> (usize, Duration) {
    let stop = AtomicBool::new(false);
    let work = |(number, mut client): (usize, Client)| {
        let (mut calls, mut longest) = (0, Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            let start = Instant::now();
            call(&mut client, number);
            (calls, longest) = (calls + 1, longest.max(start.elapsed()));
        }
        (calls, longest)
    };
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> =
            clients.into_iter().enumerate().map(|client| scope.spawn(move || work(client))).collect();
        thread::sleep(PEACE);
        disturb();
        thread::sleep(PEACE);
        stop.store(true, Ordering::Relaxed);
        let done = threads.into_iter().map(|thread| thread.join().expect("all its calls succeed"));
        done.fold((0, Duration::ZERO), |(all, longest), (calls, own)| (all + calls, longest.max(own)))
    })
}

fn search(client: &mut Client, _: usize) {
    client.ok("SearchItemsForSale", json!({"category": 1}));
}

#[test]
fn of_three_databases_one_may_be_killed_and_no_read_fails() {
    let mut fleet = Fleet::new("server_buyer", 3, &[]);
    let clients = fleet.clients();
    let products = &mut fleet.products;
    let (calls, longest) = run_during(clients, search, || {
        for product in products {
            product.kill();
            thread::sleep(PEACE);
            product.restart();
            thread::sleep(PEACE);
        }
    });
    println!("{calls} calls, the longest took {longest:?}");
    assert!(longest < LEFT_WITHIN, "{longest:?}");
}

#[test]
fn of_three_databases_one_may_hang_and_no_read_fails() {
    let mut fleet = Fleet::new("server_buyer", 3, &[]);
    let clients = fleet.clients();
    let products = &mut fleet.products;
    let (calls, longest) = run_during(clients, search, || {
        for product in products {
            product.process().signal(Signal::STOP);
            thread::sleep(2 * LEFT_WITHIN);
            product.process().signal(Signal::CONT);
            thread::sleep(PEACE);
        }
    });
    println!("{calls} calls, the longest took {longest:?}");
    assert!(longest < LEFT_WITHIN, "{longest:?}");
}

/// Sessions of as many sellers as there are clients.
fn sessions(frontend: &Service) -> Vec<String> {
    let mut client = Client::new(frontend.address);
    (0..CLIENTS).map(|number| log_in(&mut client, &format!("seller{number}"))).collect()
}

/// A call that must not be made twice.
fn register(client: &mut Client, session: &str) {
    let item = json!({"session_id": session, "name": "pen", "category": 1, "condition": "new", "price": 1, "quantity": 1});
    client.ok("RegisterItemForSale", item);
}

/// How many items there are.
fn items(product: &Service) -> u64 {
    let found: Value = Client::new(product.address).ok("SearchItems", json!({"category": 1}));
    found["total"].as_u64().expect("a search has it")
}

#[test]
fn databases_are_stopped_one_after_another_and_no_change_is_lost_or_made_twice() {
    let rounds = env::var("REPLICA_ROUNDS").map_or(2, |rounds| rounds.parse().expect("a number"));
    let mut fleet = Fleet::new("server_seller", 2, &[]);
    let (clients, sessions) = (fleet.clients(), sessions(&fleet.frontend));
    let products = &mut fleet.products;
    let (calls, longest) = run_during(
        clients,
        |client, number| register(client, &sessions[number]),
        || {
            for round in 0..rounds {
                let product = &mut products[round % 2];
                product.stop();
                product.restart();
                thread::sleep(PEACE);
            }
        },
    );
    println!("{rounds} stops, {calls} calls, the longest took {longest:?}");
    let made: u64 = fleet.products.iter().map(items).sum();
    assert_eq!(made, calls as u64);
}

#[test]
fn two_connections_of_a_kind_make_a_restart_of_the_only_database_one_that_loses_nothing() {
    let mut fleet = Fleet::new("server_seller", 1, &["--links=2", "--call-timeout-ms=60000"]);
    let (clients, sessions) = (fleet.clients(), sessions(&fleet.frontend));
    let product = &mut fleet.products[0];
    let (calls, _) = run_during(
        clients,
        |client, number| register(client, &sessions[number]),
        || {
            product.stop();
            product.restart();
        },
    );
    assert_eq!(items(&fleet.products[0]), calls as u64);
}

/// The name that stands for all `db_product`, in files that only the frontend reads for the system's.
const NAME: &str = "product.test";
/// Runs the program with `$HOSTS` in the place of the file in which the system looks up names first.
const WITH_HOSTS: &str = r#"
    [ "$(id -u)" = 0 ] || become=--map-root-user
    exec unshare $become --mount /bin/sh -c 'mount --bind "$HOSTS" /etc/hosts && exec "$0" "$@"' "$0" "$@"
"#;

/// The program, for which names stand for the addresses that a file says. `None`: this system lets nobody do that.
fn with_hosts(hosts: &Path, args: &[&str]) -> Option<Command> {
    let command = |args: &[&str]| {
        let mut command = PROGRAM.script(WITH_HOSTS, args);
        command.env("HOSTS", hosts).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    };
    let tried = command(&["--help"]).output().expect("there is a shell");
    if tried.status.success() {
        return Some(command(args));
    }
    // Not by `eprintln`, which a test that passes is not heard through.
    let _ = writeln!(io::stderr(), "skipped: {}", String::from_utf8_lossy(&tried.stderr).trim());
    None
}

#[test]
fn a_database_that_is_added_to_a_name_gets_its_share_and_no_change_is_lost_or_made_twice() {
    let folder = tempfile::tempdir().unwrap();
    let customer = PROGRAM.database("db_customer", folder.path());
    let hosts = folder.path().join("hosts");
    let mut file = File::create(&hosts).unwrap();
    let mut port = 0;
    let mut add = || {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from((own_host(), port));
        let product = PROGRAM.database_at("db_product", folder.path(), address);
        port = product.address.port();
        writeln!(file, "{} {NAME}", product.address.ip()).unwrap();
        (product, folder)
    };
    let mut products = vec![add(), add()];
    let address = format!("{NAME}:{}", products[0].0.address.port());
    let (customer_option, product_option) =
        (format!("--customer={}", customer.address), format!("--product={address}"));
    let args = ["server_seller", "--listen=127.0.0.1:0", &customer_option, &product_option];
    let args = [&args[..], &["--links=3", "--link-lifetime=1"]].concat();
    let Some(mut command) = with_hosts(&hosts, &args) else { return };
    let mut frontend = Service::adopt("server_seller", &mut command);
    frontend.process().wait_for("event=backend_up backend=db_product");
    let sessions = sessions(&frontend);
    let clients = (0..CLIENTS).map(|_| Client::new(frontend.address)).collect();
    let mut share = (0, 0);
    let (calls, longest) = run_during(
        clients,
        |client, number| register(client, &sessions[number]),
        || {
            products.push(add());
            wait_until("calls to the one that was added", || items(&products[2].0) > 0);
            // Two lifetimes, after which each of the three has one of the three connections.
            thread::sleep(Duration::from_secs(2));
            let counted = || -> Vec<_> { products.iter().map(|(product, _)| items(product)).collect() };
            let before = counted();
            thread::sleep(2 * PEACE);
            let made: Vec<_> = counted().iter().zip(before).map(|(after, before)| after - before).collect();
            share = (made[2], made.iter().sum());
        },
    );
    println!(
        "{calls} calls, the longest took {longest:?}; {} of {} to the one that was added",
        share.0, share.1
    );
    assert!(share.0 * 6 >= share.1, "a third each: {} of {}", share.0, share.1);
    let made: u64 = products.iter().map(|(product, _)| items(product)).sum();
    assert_eq!(made, calls as u64);
}
