//! Services that are asked to end: what is in flight is finished, and nothing more is waited for.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::Signal;
use serde_json::{Value, json};
use support::{ANY_PORT, Act, Client, FakeService, Process, own_host, request, wait_until};

use super::PROGRAM;

/// Writes that are in flight at once. All are delivered in the turn of the first request.
const WRITES: usize = 50;
/// The signals that ask a service to end.
const STOPS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];
/// The data of the reply to a search that has found nothing.
pub(crate) const NOTHING_FOUND: &str = r#"{"items":[],"total":0,"next_cursor":null}"#;
/// After so long, another signal is a second one.
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_database_answers_and_stores_what_is_in_flight() {
    for signal in STOPS {
        let data = tempfile::tempdir().unwrap();
        let mut database = PROGRAM.database("db_product", data.path());
        let mut connection = Client::connect(database.address);
        let mut lines = request("Ping", json!({}));
        for n in 0..WRITES {
            lines += &request("RegisterItem", item(&format!("item {n}")));
        }
        connection.send_bytes(lines.as_bytes());
        // All lines came at once, and the reply to the first leaves only after the turn that read them.
        assert_eq!(connection.read_json()["ok"], true);
        database.process().signal(signal);
        for n in 1..=WRITES {
            assert_eq!(connection.read_json()["data"]["item_id"], format!("1:{n}"));
        }
        assert!(connection.try_read_line().is_err(), "the connection ends");
        let (code, log) = database.finish();
        assert_eq!(code, Some(0), "{log}");
        assert!(log.contains("event=stopped"), "{log}");

        let database = PROGRAM.database("db_product", data.path());
        let found = Client::new(database.address).ok("SearchItems", json!({"category": 1}));
        assert_eq!(found["total"], WRITES);
    }
}

#[test]
fn a_database_finishes_the_password_it_is_hashing() {
    let data = tempfile::tempdir().unwrap();
    let mut database = PROGRAM.database("db_customer", data.path());
    let mut connection = Client::connect(database.address);
    let account = json!({"name": "ann", "password": super::PASSWORD});
    let lines = request("Ping", json!({})) + &request("CreateBuyer", account.clone());
    connection.send_bytes(lines.as_bytes());
    assert_eq!(connection.read_json()["ok"], true);
    database.stop();
    assert_eq!(connection.read_json()["data"]["buyer_id"], 1);
    database.restart();
    Client::new(database.address).refused("CreateBuyer", account, "ALREADY_EXISTS");
}

#[test]
fn a_frontend_answers_what_is_in_flight() {
    for signal in STOPS {
        let database = slow_database();
        let mut frontend = PROGRAM.frontend("server_buyer", database.address, database.address, &[]);
        let mut connection = Client::connect(frontend.address);
        connection.send_bytes(search().as_bytes());
        let call = database.next_call();

        frontend.process().signal(signal);
        frontend.process().wait_for("event=draining");
        wait_until("it accepts nothing more", || TcpStream::connect(frontend.address).is_err());
        call.answer(NOTHING_FOUND);
        assert_eq!(connection.read_json()["data"]["total"], 0);
        connection.assert_ended();
        assert_eq!(frontend.finish().0, Some(0));
    }
}

#[test]
fn a_stop_that_arrives_in_several_ways_is_one_stop() {
    let database = slow_database();
    let mut frontend = PROGRAM.frontend("server_buyer", database.address, database.address, &[]);
    let mut connection = Client::connect(frontend.address);
    connection.send_bytes(search().as_bytes());
    let call = database.next_call();

    STOPS.into_iter().chain(STOPS).for_each(|signal| frontend.process().signal(signal));
    frontend.process().wait_for("event=draining");
    call.answer(NOTHING_FOUND);
    assert_eq!(connection.read_json()["data"]["total"], 0);
    let (code, log) = frontend.finish();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(log.matches("event=draining").count(), 1, "{log}");
}

#[test]
fn a_signal_a_second_later_ends_a_service_at_once() {
    let database = slow_database();
    let mut services: Vec<_> = STOPS
        .into_iter()
        .map(|first| {
            let mut frontend = PROGRAM.frontend("server_buyer", database.address, database.address, &[]);
            let mut connection = Client::connect(frontend.address);
            connection.send_bytes(search().as_bytes());
            let unanswered = database.next_call();
            frontend.process().signal(first);
            frontend.process().wait_for("event=draining");
            (frontend, connection, unanswered)
        })
        .collect();
    thread::sleep(SECOND);
    for ((frontend, ..), second) in services.iter_mut().zip(STOPS.into_iter().rev()) {
        frontend.process().signal(second);
    }
    for (frontend, mut connection, _unanswered) in services {
        assert!(connection.try_read_line().is_err(), "what was in flight is given up");
        // A drain that has run out of time would end with 0.
        assert_eq!(frontend.finish().0, Some(1));
    }
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let address = SocketAddr::from((own_host(), 6003));
    let script = r#"trap '' HUP; exec "$0" "$@""#;
    let listen = format!("--listen={address}");
    let mut frontend = Process::start(&mut PROGRAM.script(script, &["server_buyer", &listen]));
    frontend.wait_for("event=ready");
    frontend.signal(Signal::HUP);
    Client::new(address).ok("Ping", json!({}));
    frontend.signal(Signal::TERM);
    let (code, log) = frontend.finish();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("event=draining signal=15"), "{log}");
}

#[test]
fn a_client_that_is_idle_holds_nothing_up() {
    let data = tempfile::tempdir().unwrap();
    let mut database = PROGRAM.database("db_product", data.path());
    let mut idle = Client::connect(database.address);
    let mut unfinished = Client::connect(database.address);
    unfinished.send_bytes(b"{\"api\":");
    // Connections are accepted in their order, so the service has both.
    Client::new(database.address).ok("Ping", json!({}));
    database.process().signal(Signal::TERM);
    for connection in [&mut idle, &mut unfinished] {
        assert!(connection.try_read_line().is_err());
    }
    drop((idle, unfinished));
    let (code, log) = database.finish();
    assert_eq!(code, Some(0));
    assert!(!log.contains("event=drain_timeout"), "{log}");
}

#[test]
fn a_service_that_is_still_starting_ends_in_order() {
    for _ in 0..10 {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("product.db");
        let mut command = PROGRAM.command(&["db_product", "--listen=127.0.0.1:0", "--data"]);
        let database = Process::start(command.arg(data.path()));
        // The moment is short, so this does not sleep.
        while !file.exists() {
            std::hint::spin_loop();
        }
        database.signal(Signal::TERM);
        let (code, log) = database.finish();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let address = SocketAddr::from((own_host(), 6003));
    let (script, listen) = (r#"exec "$0" "$@" 2>/dev/full"#, format!("--listen={address}"));
    let frontend = Process::start(&mut PROGRAM.script(script, &["server_buyer", &listen]));
    wait_until("it listens", || TcpStream::connect(address).is_ok());
    Client::new(address).ok("Ping", json!({}));
    frontend.signal(Signal::TERM);
    assert_eq!(frontend.finish().0, Some(0));
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up_and_is_there_once_somebody_does() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("log");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let open = |flags| {
        File::from(
            rustix::fs::open(&pipe, flags | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).unwrap(),
        )
    };
    let (mut log, mut filler) = (open(OFlags::RDONLY), open(OFlags::WRONLY));
    while filler.write(b"\n").is_ok() {}

    let address = SocketAddr::from((own_host(), 6003));
    let (script, listen) = (r#"exec "$0" "$@" 2>"$LOG""#, format!("--listen={address}"));
    let start = || Process::start(PROGRAM.script(script, &["server_buyer", &listen]).env("LOG", &pipe));
    let frontend = start();
    wait_until("it listens", || TcpStream::connect(address).is_ok());
    Client::new(address).ok("Ping", json!({}));
    frontend.signal(Signal::TERM);
    assert_eq!(frontend.finish().0, Some(0), "nothing that it waits for when it ends");

    let frontend = start();
    wait_until("it listens", || TcpStream::connect(address).is_ok());
    // Whoever is answered was preceded by the line.
    Client::new(address).ok("Ping", json!({}));
    thread::sleep(Duration::from_millis(200));
    drop(filler);
    let mut text = String::new();
    wait_until("the log", || {
        // All that is there, and then an error.
        let _ = log.read_to_string(&mut text);
        // The line that blocks is not late, and those behind it are: that there are no databases, if not this one.
        text.contains(" event=ready service=server_buyer ") && text.contains(" written_late_ms=")
    });
    frontend.signal(Signal::TERM);
    assert_eq!(frontend.finish().0, Some(0));
    log.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("event=stopped service=server_buyer\n"), "{text}");
}

/// Stands in for `db_product`, and answers a call when the test says so.
pub(crate) fn slow_database() -> FakeService {
    FakeService::db_product(ANY_PORT, Act::Ignore)
}

pub(crate) fn search() -> String {
    request("SearchItemsForSale", json!({"category": 1}))
}

fn item(name: &str) -> Value {
    json!({
        "seller_id": 1, "name": name, "category": 1, "keywords": ["book"], "condition": "new", "price": 1.5,
        "quantity": 1,
    })
}
