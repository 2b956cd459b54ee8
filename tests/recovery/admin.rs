//! How services are watched: over HTTP beside their clients, by systemd, and in their logs.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;

use rustix::process::Signal;
use serde_json::json;
use support::{Client, PATIENCE, Process, Service, own_host, request, wait_until};

use super::PROGRAM;
use super::signals::{NOTHING_FOUND, search, slow_database};

/// Any port of this host.
const ADMIN: &str = "--admin=127.0.0.1:0";

/// A service, and where it is watched.
pub(super) struct Watched {
    name: String,
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Watched {
    pub(super) fn start(name: &str, args: &[String]) -> Self {
        let listen = format!("--listen={}:0", own_host());
        let mut process = Process::start(PROGRAM.command(&[name, &listen, ADMIN]).args(args));
        let admin = process.wait_for_address(&format!("event=watched service={name} admin="));
        let address = process.wait_for_address("listening on ");
        Self { name: name.to_owned(), process, address, admin }
    }

    pub(super) fn frontend(name: &str, customer: SocketAddr, product: SocketAddr, more: &[&str]) -> Self {
        Self::start(name, &Service::frontend_args(customer, product, more))
    }

    /// Where its clients connect to.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it by SIGKILL.
    pub(super) fn kill(&mut self) {
        self.process.kill();
    }

    /// The status and the body of what is at a path.
    #[track_caller]
    fn get(&self, path: &str) -> (String, String) {
        let response = exchange(self.admin, &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.admin));
        let (head, body) = response.split_once("\r\n\r\n").expect("a head ends");
        let status = head.split(' ').nth(1).expect("there is a status");
        (status.to_owned(), body.to_owned())
    }

    /// All that is counted, by name and labels; what cannot be read, or does not name the service, fails the test.
    #[track_caller]
    pub(super) fn metrics(&self) -> HashMap<String, f64> {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, "200");
        let label = format!(r#"{{marketplace_service="{}""#, self.name);
        let named = read_metrics(&text).into_iter().map(|(series, value)| {
            let (name, labels) = series.split_once(&label).unwrap_or_else(|| panic!("{series} is nobody's"));
            let labels = if labels == "}" { "".to_owned() } else { labels.replacen(',', "{", 1) };
            (format!("{name}{labels}"), value)
        });
        named.collect()
    }
}

#[track_caller]
pub(super) fn exchange(address: SocketAddr, request: &str) -> String {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    response
}

/// Reads metrics as strictly as the format is meant.
#[track_caller]
fn read_metrics(text: &str) -> HashMap<String, f64> {
    let mut values = HashMap::new();
    let mut family = "";
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# TYPE ") {
            family = comment.split(' ').next().expect("a name");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a series and its value");
        let name = series.split('{').next().expect("a name");
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} is not of {family}"));
        assert!(["", "_bucket", "_sum", "_count"].contains(&suffix), "{line}");
        let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(values.insert(series.to_owned(), value).is_none(), "{line} is there twice");
    }
    assert!(text.ends_with('\n'));
    values
}

#[test]
fn all_services_say_how_they_are_and_what_they_did() {
    let data = tempfile::tempdir().unwrap();
    let database = |name| Watched::start(name, &Service::database_args(name, data.path()));
    let (customer, product) = (database("db_customer"), database("db_product"));
    let seller = Watched::frontend("server_seller", customer.address, product.address, &[]);
    let buyer = Watched::frontend("server_buyer", customer.address, product.address, &["--reactors=3"]);
    Client::new(seller.address).ok("CreateAccount", json!({"name": "sam", "password": super::PASSWORD}));
    // Connections are spread over the reactors, and one of them answers for them all.
    let mut clients: Vec<_> = (0..16).map(|_| Client::new(buyer.address)).collect();
    for client in &mut clients {
        client.ok("SearchItemsForSale", json!({"category": 1}));
        client.refused("Teleport", json!({}), "UNIMPLEMENTED");
    }

    let version = env!("CARGO_PKG_VERSION");
    for service in [&customer, &product, &seller, &buyer] {
        assert_eq!(service.get("/livez"), ("200".to_owned(), "ok\n".to_owned()));
        assert_eq!(service.get("/readyz"), ("200".to_owned(), "ok\n".to_owned()));
        assert_eq!(service.get("/").0, "404");
        let metrics = service.metrics();
        assert_eq!(metrics[&format!(r#"marketplace_build_info{{version="{version}"}}"#)], 1.0);
        assert!(metrics["process_start_time_seconds"] > 1e9);
        assert!(metrics["process_resident_memory_bytes"] > 1e6);
        assert!(metrics["process_open_fds"] > 5.0);
        assert_eq!(metrics["marketplace_log_dropped_total"], 0.0);
        assert!(metrics["process_max_fds"] > metrics["process_open_fds"]);
        assert!(metrics["marketplace_loop_busy_seconds_total"] > 0.0);
    }
    let metrics = customer.metrics();
    assert_eq!(metrics[r#"marketplace_requests_total{api="CreateSeller",outcome="ok"}"#], 1.0);
    assert_eq!(metrics["marketplace_commit_rows_count"], 1.0);
    assert_eq!(metrics[r#"marketplace_flush_duration_seconds_bucket{le="+Inf"}"#], 1.0);
    assert_eq!(metrics[r#"marketplace_accounts{role="seller"}"#], 1.0);
    assert_eq!(metrics[r#"marketplace_accounts{role="buyer"}"#], 0.0);
    assert_eq!(metrics["marketplace_sessions"], 0.0);
    assert_eq!(metrics["marketplace_purchases_unfinished"], 0.0);
    assert_eq!(metrics[r#"marketplace_purchases_total{outcome="made"}"#], 0.0);
    let metrics = product.metrics();
    assert_eq!(metrics["marketplace_items"], 0.0);
    assert_eq!(metrics["marketplace_decisions"], 0.0);
    for (file, name) in [("database", "product.db"), ("log", "product.db-wal")] {
        let bytes = fs::metadata(data.path().join(name)).unwrap().len();
        assert_eq!(metrics[&format!(r#"marketplace_store_bytes{{file="{file}"}}"#)], bytes as f64);
    }
    let metrics = buyer.metrics();
    assert_eq!(metrics["marketplace_reactors"], 3.0);
    assert_eq!(metrics["marketplace_connections"], 16.0);
    assert_eq!(metrics[r#"marketplace_calls_in_flight{backend="product"}"#], 0.0);
    assert_eq!(metrics[r#"marketplace_requests_total{api="SearchItemsForSale",outcome="ok"}"#], 16.0);
    assert_eq!(metrics[r#"marketplace_requests_total{api="unknown",outcome="unimplemented"}"#], 16.0);
    assert_eq!(metrics[r#"marketplace_request_duration_seconds_count{api="unknown"}"#], 16.0);
}

#[test]
fn a_service_that_drains_says_so_until_its_end() {
    let database = slow_database();
    let frontend = Watched::frontend("server_buyer", database.address, database.address, &["--reactors=8"]);
    // Enough for most reactors to have one.
    let mut connections: Vec<_> = (0..32).map(|_| Client::connect(frontend.address)).collect();
    let calls: Vec<_> = connections
        .iter_mut()
        .map(|connection| {
            connection.send_bytes(search().as_bytes());
            database.next_call()
        })
        .collect();
    assert_eq!(frontend.metrics()[r#"marketplace_calls_in_flight{backend="product"}"#], 32.0);
    assert_eq!(frontend.get("/readyz").0, "200");

    frontend.process.signal(Signal::TERM);
    wait_until("it is not ready", || frontend.get("/readyz").0 == "503");
    assert_eq!(frontend.get("/livez").0, "200");
    // Whichever reactor has the last of them, the first one still tells.
    for (call, connection) in calls.into_iter().zip(&mut connections) {
        assert_eq!(frontend.get("/readyz"), ("503".to_owned(), "draining\n".to_owned()));
        call.answer(NOTHING_FOUND);
        assert!(connection.try_read_line().is_ok());
    }
    assert_eq!(frontend.process.finish().0, Some(0));
}

#[test]
fn watching_is_bounded_and_takes_nothing_from_clients() {
    let data = tempfile::tempdir().unwrap();
    let mut args = Service::database_args("db_product", data.path());
    args.push("--connections-max=1".to_owned());
    let database = Watched::start("db_product", &args);
    let mut client = Client::new(database.address);
    client.ok("Ping", json!({}));
    let mut silent: Vec<_> = (0..16).map(|_| TcpStream::connect(database.admin).unwrap()).collect();
    assert_eq!(database.get("/livez").0, "200", "the first of those who do not ask makes room");
    silent[0].set_read_timeout(Some(PATIENCE)).unwrap();
    // It may be told by a reset.
    assert_eq!(silent[0].read(&mut [0]).unwrap_or(0), 0);
    silent[1].write_all(b"GET /livez HTTP/1.1\r\n\r\n").unwrap();
    assert_ne!(silent[1].read(&mut [0]).unwrap(), 0, "the others are still there");
    client.ok("Ping", json!({}));
    drop(silent);

    assert!(exchange(database.admin, "\0").starts_with("HTTP/1.1 400 "));
    assert!(exchange(database.admin, "DELETE /livez HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
    let endless = format!("GET /livez HTTP/1.1\r\nA: {}", "a".repeat(8 * 1024));
    assert!(exchange(database.admin, &endless).starts_with("HTTP/1.1 431 "));
    let mut half_closed = TcpStream::connect(database.admin).unwrap();
    half_closed.write_all(b"GET /livez HTTP/1.1\r\n\r\n").unwrap();
    half_closed.shutdown(Shutdown::Write).unwrap();
    let mut response = String::new();
    half_closed.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("\r\n\r\nok\n"), "{response}");
}

#[test]
fn a_slow_request_is_logged_without_what_the_client_sent() {
    let data = tempfile::tempdir().unwrap();
    // Hashing a password at the usual cost takes several times as long.
    let args = [format!("--data={}", data.path().display()), "--slow-ms=1".to_owned()];
    let database = Watched::start("db_customer", &args);
    let mut client = Client::new(database.address);
    client.ok("CreateBuyer", json!({"name": "ann", "password": super::PASSWORD}));
    client.refused("CreateBuyer", json!({"name": "ann", "password": super::PASSWORD}), "ALREADY_EXISTS");
    database.process.signal(Signal::TERM);
    let (_, log) = database.process.finish();
    let slow = log.lines().find(|line| line.contains("event=slow_request")).expect("the first one was slow");
    assert!(slow.contains("WARN") && slow.contains(" api=CreateBuyer outcome=ok duration_ms="), "{slow}");
    assert!(!log.contains("ann") && !log.contains(super::PASSWORD), "{log}");
}

/// A search is carried out within one turn of the event loop.
#[test]
fn a_slow_search_is_logged() {
    const ITEMS: usize = 3000;
    const SEARCHES: usize = 100;
    let data = tempfile::tempdir().unwrap();
    let mut args = Service::database_args("db_product", data.path());
    let database = Watched::start("db_product", &args);
    let mut connection = Client::connect(database.address);
    let words = ["a", "b", "c", "d", "e"];
    for category in 0..ITEMS {
        let data = json!({"seller_id": 1, "name": "a b c d e", "category": category, "keywords": words,
            "condition": "new", "price": 1, "quantity": 1});
        connection.send_bytes(request("RegisterItem", data).as_bytes());
    }
    (0..ITEMS).for_each(|_| assert_eq!(connection.read_json()["ok"], true));
    database.process.signal(Signal::TERM);
    assert_eq!(database.process.finish().0, Some(0));

    args.push("--slow-ms=1".to_owned());
    let database = Watched::start("db_product", &args);
    let mut client = Client::connect(database.address);
    let search = request("SearchItems", json!({"keywords": words, "limit": 1000}));
    // One alone may well take less; those that come with it wait for it.
    client.send_bytes(search.repeat(SEARCHES).as_bytes());
    (0..SEARCHES).for_each(|_| assert_eq!(client.read_json()["data"]["total"], ITEMS));
    database.process.signal(Signal::TERM);
    let (_, log) = database.process.finish();
    let slow = |line: &&str| line.contains("event=slow_request api=SearchItems outcome=ok duration_ms=");
    assert!((1..=SEARCHES).contains(&log.lines().filter(slow).count()), "{log}");
}

#[test]
fn systemd_is_told_when_a_service_is_ready_and_when_it_stops() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut message = [0; 100];
        let length = systemd.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let mut command = PROGRAM.command(&["db_product", "--listen=127.0.0.1:0"]);
    command.args(Service::database_args("db_product", data.path())).env("NOTIFY_SOCKET", &path);
    let mut database = Service::adopt("db_product", &mut command);
    assert_eq!(told().trim(), "READY=1");
    database.process().signal(Signal::TERM);
    assert_eq!(told().trim(), "STOPPING=1");
    assert_eq!(database.finish().0, Some(0));
}
