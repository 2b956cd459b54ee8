//! Services whose descriptors are few: what they need to live is not for clients to take.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};
use serde_json::json;
use support::{Client, Process, SERVICES, Service, own_host};

use super::PROGRAM;

/// What must not be taken even where clients take all they may.
const RESERVE: usize = 4;

/// The command, with so many descriptors at most.
fn limited(descriptors: usize, name: &str, args: &[String]) -> Command {
    let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
    let mut command = PROGRAM.script(&script, &[name, &format!("--listen={}:0", own_host())]);
    command.args(args);
    command
}

fn args(name: &str, data: &Path) -> Vec<String> {
    if name.starts_with("db_") {
        return Service::database_args(name, data);
    }
    // Nobody listens there.
    ["--customer=127.0.0.1:1", "--product=127.0.0.1:1"].map(str::to_owned).to_vec()
}

/// Connects more clients than a service with few descriptors may serve.
fn crowd(address: SocketAddr) -> Vec<TcpStream> {
    (0..100).map(|_| TcpStream::connect(address).unwrap()).collect()
}

fn open(process: &Process) -> usize {
    process.dir().join("fd").read_dir().unwrap().count()
}

#[test]
fn clients_leave_a_service_what_it_needs_to_live() {
    const LIMIT: usize = 48;
    let data = tempfile::tempdir().unwrap();
    for name in SERVICES {
        let mut service = Service::adopt(name, &mut limited(LIMIT, name, &args(name, data.path())));
        let mut first = Client::new(service.address);
        first.ok("Ping", json!({}));
        let _others = crowd(service.address);
        if name == "db_product" {
            let item = json!({"seller_id": 1, "name": "a", "category": 1, "condition": "new", "price": 1,
                "quantity": 1});
            first.ok("RegisterItem", item);
        } else if name == "db_customer" {
            first.ok("CreateBuyer", json!({"name": "ann", "password": super::PASSWORD}));
        }
        for _ in 0..100 {
            first.ok("Ping", json!({}));
            let open = open(service.process());
            assert!(open + RESERVE <= LIMIT, "{name} has {open} open");
        }
        service.process().signal(Signal::TERM);
        let (code, log) = service.finish();
        assert_eq!(code, Some(0), "{log}");
        let fitted: Vec<_> = log.lines().filter(|line| line.contains("event=connections_fitted")).collect();
        assert!(
            matches!(fitted[..], [line] if line.contains(" asked=16384 ") && line.contains("RLIMIT_NOFILE=48"))
        );
        assert!(!log.contains("accept_failed"), "{log}");
    }
}

#[test]
fn a_frontend_whose_clients_take_all_they_may_finds_a_database_that_comes_back() {
    let data = tempfile::tempdir().unwrap();
    let mut product = PROGRAM.database("db_product", data.path());
    let databases = vec!["--customer=127.0.0.1:1".to_owned(), format!("--product={}", product.address)];
    let frontend = Service::adopt("server_buyer", &mut limited(48, "server_buyer", &databases));
    let mut first = Client::new(frontend.address);
    let search = json!({"category": 1});
    first.insist("SearchItemsForSale", &search, |_| {});
    let _others = crowd(frontend.address);
    product.restart();
    first.insist("SearchItemsForSale", &search, |_| {});
}

#[test]
fn a_limit_without_room_for_a_client_is_refused_with_the_least_that_would_do() {
    let data = tempfile::tempdir().unwrap();
    for name in SERVICES {
        for watched in [None, Some("--admin=127.0.0.1:0".to_owned())] {
            let mut args = args(name, data.path());
            args.extend(watched);
            let (code, log) = Process::run(&mut limited(16, name, &args));
            assert_eq!(code, Some(1), "{log}");
            assert!(log.contains("the descriptor limit is 16") && log.contains("RLIMIT_NOFILE"), "{log}");
            let (_, least) = log.split_once(" needs ").unwrap();
            let least: usize = least.split(' ').next().unwrap().parse().unwrap();

            let (code, log) = Process::run(&mut limited(least - 1, name, &args));
            assert_eq!(code, Some(1), "{log}");
            let mut service = Service::adopt(name, &mut limited(least, name, &args));
            Client::new(service.address).ok("Ping", json!({}));
            service.stop();
        }
    }
}

#[test]
fn a_service_that_cannot_accept_says_so_once_and_goes_on_when_it_can() {
    let data = tempfile::tempdir().unwrap();
    let mut database = PROGRAM.database("db_product", data.path());
    let process = database.process();
    // The hard limit is that of this process, too.
    let none_left = Rlimit { current: Some(open(process) as u64), ..getrlimit(Resource::Nofile) };
    let before = prlimit(Some(process.pid()), Resource::Nofile, none_left).unwrap();
    let address = database.address;
    let waiting = thread::spawn(move || Client::new(address).ok("Ping", json!({})));
    let said = database.process().wait_for("event=accept_failed");
    assert!(said.contains("WARN") && said.contains("RLIMIT_NOFILE"), "{said}");
    // It tries several times meanwhile.
    thread::sleep(Duration::from_millis(300));
    prlimit(Some(database.process().pid()), Resource::Nofile, before).unwrap();
    waiting.join().expect("it was served in the end");
    database.process().wait_for("event=accept_resumed");
    database.process().signal(Signal::TERM);
    let (_, log) = database.finish();
    assert_eq!(log.matches("event=accept_failed").count(), 1, "{log}");
}
