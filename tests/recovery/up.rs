//! `marketplace up` and the shells, as a user runs them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::{Client, Process, SERVICES, own_host, processes, request, wait_until};
use tempfile::TempDir;

use super::{PASSWORD, PROGRAM};

pub(super) const PORTS: [u16; 4] = [6001, 6002, 6003, 6004];
/// From which length on the C library gives memory back that is free.
const THRESHOLD: &str = "MALLOC_MMAP_THRESHOLD_";

/// A place where `up` can be started again and again, and its users' home.
pub(super) struct Place {
    pub(super) host: Ipv4Addr,
    home: TempDir,
}

/// A running `up`. Its children should end with it, however it ends.
pub(super) struct Up {
    pub(super) process: Process,
    pub(super) summary: String,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { host: own_host(), home: tempfile::tempdir().unwrap() }
    }

    pub(super) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(super) fn command(&self, data: &Path) -> Command {
        let mut command = PROGRAM.command(&["up", "--host", &self.host.to_string()]);
        command.arg("--data").arg(data);
        command
    }

    /// Starts all services and waits until `up` says that they are there.
    fn up(&self) -> Up {
        Self::start(self.command(&self.data()))
    }

    pub(super) fn start(mut command: Command) -> Up {
        let (mut stdout, stdout_in) = std::io::pipe().unwrap();
        let process = Process::start(command.stdout(stdout_in));
        // The command holds an end of the pipe, which would never end.
        drop(command);
        let (mut summary, mut byte) = (String::new(), [0]);
        while !summary.contains("\n  marketplace buyer") || !summary.ends_with("\n\n") {
            stdout.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error} after {summary}"));
            summary.push(char::from(byte[0]));
        }
        Up { process, summary }
    }

    pub(super) fn address(&self, port: u16) -> String {
        format!("{}:{port}", self.host)
    }

    /// Runs a subcommand as a user who lives here.
    pub(super) fn run(&self, args: &[&str]) -> Output {
        PROGRAM.command(args).env("HOME", self.home.path()).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command of a shell; returns its exit code and what it printed.
    fn shell(&self, role: &str, words: &str) -> (Option<i32>, String) {
        let server = self.address(if role == "buyer" { 6003 } else { 6004 });
        let words = shlex::split(words).unwrap();
        let mut args = vec![role, "--server", &server];
        args.extend(words.iter().map(String::as_str));
        let output = self.run(&args);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// Runs a command of a shell, which must succeed; returns the JSON that it prints.
    #[track_caller]
    fn json(&self, role: &str, words: &str) -> Value {
        let (code, printed) = self.shell(role, &format!("--json {words}"));
        assert_eq!(code, Some(0), "{words}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
        serde_json::from_str(&printed).unwrap()
    }

    /// The services that run here, whoever their parent is.
    fn services(&self) -> Vec<Pid> {
        let listen = format!("--listen\0{}:", self.host);
        let is_here =
            |dir: &Path| fs::read_to_string(dir.join("cmdline")).is_ok_and(|it| it.contains(&listen));
        processes().filter(|(dir, _)| is_here(dir)).map(|(_, pid)| pid).collect()
    }

    #[track_caller]
    fn assert_empty(&self) {
        for port in PORTS {
            assert!(TcpListener::bind((self.host, port)).is_ok(), "somebody still listens on {port}");
        }
    }
}

impl Drop for Place {
    /// Kills what is left of a test that failed, and what cannot end: a service whose log has lost its reader.
    fn drop(&mut self) {
        for pid in self.services() {
            // It fails for a process that has ended meanwhile.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Up {
    /// The services that run, by name.
    pub(super) fn children(&self) -> BTreeMap<String, Pid> {
        self.process.children().into_iter().collect()
    }

    #[track_caller]
    pub(super) fn end(self) -> (Option<i32>, String) {
        let children = self.children();
        // The log ends when the last of the children that write to it has ended.
        let end = self.process.finish();
        for child in children.into_values() {
            assert!(rustix::process::test_kill_process(child).is_err(), "{child:?} is left");
        }
        end
    }
}

fn proc_file(process: Pid, name: &str) -> PathBuf {
    format!("/proc/{}/{name}", process.as_raw_nonzero()).into()
}

fn resident_kib(process: Pid) -> usize {
    let status = fs::read_to_string(proc_file(process, "status")).unwrap();
    let (_, resident) = status.split_once("VmRSS:").unwrap();
    resident.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn up_starts_all_services_and_stops_them_in_order() {
    let place = Place::new();
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let up = place.up();
        for port in PORTS {
            assert!(up.summary.contains(&place.address(port)), "{}", up.summary);
            let output = place.run(&["ping", &place.address(port)]);
            assert_eq!(output.status.code(), Some(0));
        }
        assert!(up.children().keys().eq(SERVICES));
        up.process.signal(signal);
        let (code, log) = up.end();
        assert_eq!(code, Some(0), "{log}");
        for line in log.lines() {
            let (name, said) = line.split_once(" | ").expect("a line says whose it is");
            assert!(SERVICES.contains(&name.trim_end()) && said.ends_with(char::is_alphanumeric), "{line}");
        }
        let stopped: Vec<_> = ["server_", "db_"]
            .map(|kind| log.rfind(&format!("event=stopped service={kind}")).expect("it stops"))
            .to_vec();
        assert!(stopped.is_sorted() && log.matches("event=stopped").count() == 4, "{log}");
        place.assert_empty();
    }
    assert_eq!(place.run(&["ping", &place.address(6001)]).status.code(), Some(3));
}

#[test]
fn frontends_give_back_the_memory_of_a_burst_unless_they_are_told_to_keep_it() {
    const CLIENTS: usize = 300;
    let place = Place::new();
    for (given, expected) in [(None, "32768"), (Some("1000000"), "1000000")] {
        let mut command = place.command(&place.data());
        command.env_remove(THRESHOLD).envs(given.map(|given| (THRESHOLD, given)));
        let up = Place::start(command);
        for child in ["server_buyer", "server_seller"].map(|name| up.children()[name]) {
            let environment = fs::read_to_string(proc_file(child, "environ")).unwrap();
            let expected = format!("{THRESHOLD}={expected}");
            assert!(environment.split('\0').any(|variable| variable == expected), "{environment:?}");
        }
        let buyers = up.children()["server_buyer"];
        let before_kib = resident_kib(buyers);
        let half_line = [b'x'; 60_000];
        let begin = |_| {
            let mut client = TcpStream::connect(place.address(6003)).unwrap();
            client.write_all(&half_line).unwrap();
            client
        };
        let clients: Vec<_> = (0..CLIENTS).map(begin).collect();
        let is_large = || resident_kib(buyers) > before_kib + CLIENTS * 40;
        wait_until("the burst", is_large);
        drop(clients);
        if given.is_none() {
            wait_until("the memory goes back", || resident_kib(buyers) < before_kib + CLIENTS * 10);
        }
        up.process.signal(Signal::TERM);
        assert_eq!(up.end().0, Some(0));
    }
}

#[test]
fn a_service_that_dies_ends_all() {
    let place = Place::new();
    for name in SERVICES {
        let up = place.up();
        kill_process(up.children()[name], Signal::KILL).unwrap();
        let (code, log) = up.end();
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains(&format!("error: {name} has ended: signal: 9")), "{log}");
        place.assert_empty();
    }
}

#[test]
fn a_stop_that_reaches_all_at_once_answers_what_is_in_flight() {
    let place = Place::new();
    let up = place.up();
    let seller = place.address(6004).parse().unwrap();
    let mut connections: Vec<_> = (0..16)
        .map(|n| {
            let mut connection = Client::connect(seller);
            let account = json!({"name": format!("seller {n}"), "password": PASSWORD});
            connection.send_bytes(request("CreateAccount", account).as_bytes());
            connection
        })
        .collect();
    // Passwords are hashed one after another, so most are still in flight.
    assert_eq!(connections.remove(0).read_json()["ok"], true);
    for child in up.children().into_values() {
        kill_process(child, Signal::TERM).unwrap();
    }
    up.process.signal(Signal::TERM);
    for connection in &mut connections {
        assert_eq!(connection.read_json()["ok"], true);
    }
    let (code, log) = up.end();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_second_signal_a_second_later_kills_what_does_not_end() {
    let place = Place::new();
    let mut up = place.up();
    kill_process(up.children()["db_product"], Signal::STOP).unwrap();
    up.process.signal(Signal::TERM);
    up.process.signal(Signal::INT);
    // It waits for the one that does not end, and the second signal has not killed it.
    up.process.wait_for("event=stopped service=db_customer");
    thread::sleep(Duration::from_secs(1));
    up.process.signal(Signal::TERM);
    let (code, log) = up.end();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("error: killing all services on a second signal"), "{log}");
    place.assert_empty();
}

#[test]
fn a_stop_while_it_starts_is_in_order_whatever_has_started() {
    let place = Place::new();
    for milliseconds in [1, 3, 10, 30, 60] {
        let up = Process::start(&mut place.command(&place.data()));
        wait_until("the first service", || !up.children().is_empty());
        thread::sleep(Duration::from_millis(milliseconds));
        up.signal(Signal::INT);
        let (code, log) = up.finish();
        assert_eq!(code, Some(0), "after {milliseconds} ms: {log}");
        place.assert_empty();
    }
}

#[test]
fn a_terminal_that_is_closed_ends_nothing_where_hangups_are_ignored() {
    let place = Place::new();
    let script = r#"trap '' HUP; exec "$0" "$@" >/dev/full 2>&1"#;
    let mut command = PROGRAM.script(script, &["up", "--host", &place.host.to_string(), "--data"]);
    let up = Process::start(command.arg(place.data()));
    let answers = |port| place.run(&["ping", &place.address(port)]).status.success();
    wait_until("all services", || PORTS.into_iter().all(answers));
    for (_, pid) in up.children() {
        kill_process(pid, Signal::HUP).unwrap();
    }
    up.signal(Signal::HUP);
    assert!(PORTS.into_iter().all(answers));
    up.signal(Signal::TERM);
    assert_eq!(up.finish().0, Some(0));
}

#[test]
fn nothing_is_left_of_an_up_that_is_killed() {
    let place = Place::new();
    let up = place.up();
    up.process.signal(Signal::KILL);
    // A service that stops listens no more a moment before it lets go of its data.
    wait_until("the end of the services", || place.services().is_empty());
    for port in PORTS {
        assert!(TcpStream::connect((place.host, port)).is_err(), "somebody still listens on {port}");
    }
    place.up();
}

#[test]
fn a_second_up_is_refused_and_the_first_unharmed() {
    let place = Place::new();
    let up = place.up();
    // At the same place, and elsewhere on the same data.
    let (code, message) = Process::run(&mut place.command(&place.data()));
    assert_eq!(code, Some(1));
    assert!(message.contains("cannot listen on") && message.contains("in use"), "{message}");
    let elsewhere = Place::new();
    let (code, message) = Process::run(&mut elsewhere.command(&place.data()));
    assert_eq!(code, Some(1));
    assert!(message.contains("is in use by another process"), "{message}");
    elsewhere.assert_empty();

    for port in PORTS {
        assert_eq!(place.run(&["ping", &place.address(port)]).status.code(), Some(0));
    }
    up.process.signal(Signal::TERM);
    assert_eq!(up.end().0, Some(0));
}

#[test]
fn the_shells_work_and_keep_their_sessions_over_a_restart() {
    let place = Place::new();
    let up = place.up();
    let account = format!("--password '{PASSWORD}'");
    assert_eq!(place.json("seller", &format!("create-account bob {account}")), json!({"seller_id": 1}));
    assert_eq!(place.json("buyer", &format!("create-account ann {account}")), json!({"buyer_id": 1}));
    assert_eq!(place.shell("buyer", "cart").0, Some(1), "nobody is logged in");
    assert_eq!(place.shell("buyer", "login ann --password wrong").0, Some(1));
    assert_eq!(place.shell("seller", &format!("login bob {account}")), (Some(0), "seller\t1\n".to_owned()));
    assert_eq!(place.json("buyer", &format!("login ann {account}"))["user_id"], 1);

    let register = "register --name 'Intro to DS' --category 1 --keyword book --condition new --price 19.99 --quantity 5";
    assert_eq!(place.json("seller", register), json!({"item_id": "1:1"}));
    assert_eq!(place.json("buyer", "search book")["total"], 1);
    assert_eq!(place.json("buyer", "add 1:1 2"), json!({"item_id": "1:1", "quantity": 2}));
    assert_eq!(place.shell("buyer", "add 1:1 4").0, Some(1), "there are only 5");
    assert_eq!(place.shell("buyer", "add 1:1").0, Some(2));
    assert_eq!(place.json("buyer", "vote 1:1 up")["feedback"], json!({"up": 1, "down": 0}));

    up.process.signal(Signal::TERM);
    assert_eq!(up.end().0, Some(0));
    assert_eq!(place.shell("buyer", "cart").0, Some(3), "nobody is there");
    let _up = place.up();
    assert_eq!(place.json("buyer", "cart"), json!({"cart": {"1:1": 2}}));
    assert_eq!(place.json("seller", "price 1:1 20"), json!({"item_id": "1:1", "price": 20.0}));
    assert_eq!(place.json("seller", "rating")["feedback"], json!({"up": 1, "down": 0}));
    assert_eq!(place.json("buyer", "item 1:1")["item"]["price"], 20.0);
    assert_eq!(place.json("buyer", "logout"), json!({"logged_out": true}));
    assert_eq!(place.shell("buyer", "cart").0, Some(1));
}
