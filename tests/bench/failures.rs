//! Services that answer wrongly, die, turn clients away or are not there.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;
use support::{Act, Client, FakeService, Process, Service, assert_code, own_host, stderr, wait_until};

use super::{Folder, PROGRAM, json, running, runs};

/// A benchmark that measures until it is ended. Its databases write as long as it does.
const ENDLESS: &str = "--clients 2+2 --warmup 0 --calls 100000000 --json out.json";
/// What opening accounts and putting items up for sale takes, and more.
const COMMITS: u64 = 50;

#[test]
fn a_wrong_reply_is_shown_and_fails_the_benchmark() {
    let ping = Act::Reply(r#"{"service":"server_buyer"}"#);
    let wrong = [
        (Act::Line(r#"{"type":"Response","request_id":77}"#), "77", 1),
        (Act::Reply(r#"{"nothing":1}"#), "nothing", 1),
        (Act::Error("INTERNAL"), "INTERNAL", 0),
    ];
    for (act, shown, count) in wrong {
        // A search before the run, and a call that sets the client up.
        let script = [Act::Reply(r#"{"items":[],"total":0}"#), ping.clone(), ping.clone(), act, ping.clone()];
        let server = FakeService::start(&script);
        let folder = Folder::new();
        let words = "--mix Ping --clients 1+0 --runs 3 --calls 3 --warmup 0 --json out.json";
        let output = folder.run(&format!("{words} --buyer {} --seller {}", server.address, server.address));
        assert_code(&output, 1);
        assert!(stderr(&output).contains(shown), "{}", stderr(&output));
        let results = json(&folder.path("out.json"));
        assert_eq!(runs(&results).len(), 1, "the first run has failed");
        assert_eq!((&runs(&results)[0]["calls"], &runs(&results)[0]["wrong"]), (&3.into(), &count.into()));
    }
}

#[test]
fn clients_that_cannot_be_set_up_are_not_measured() {
    let search = Act::Reply(r#"{"items":[],"total":0}"#);
    let server =
        FakeService::start(&[search, Act::Reply(r#"{"service":"x"}"#), Act::Error("RESOURCE_EXHAUSTED")]);
    let folder = Folder::new();
    let addresses = format!("--buyer {} --seller {}", server.address, server.address);
    let output = folder.run(&format!("--clients 0+1 --runs 1 --calls 3 {addresses}"));
    assert_code(&output, 1);
    assert!(
        stderr(&output).contains("nothing could be measured; RESOURCE_EXHAUSTED: 1"),
        "{}",
        stderr(&output)
    );
    assert_eq!(server.apis(), ["SearchItemsForSale", "Ping", "CreateAccount"]);
}

#[test]
fn where_nobody_listens_it_ends_with_3() {
    let marketplace = PROGRAM.marketplace(&[]);
    let folder = Folder::new();
    // Nobody else takes a port on a host of our own.
    let nobody = format!("{}:1", own_host());
    let addresses = marketplace.addresses();
    for (buyer, seller) in [(&nobody, &nobody), (&addresses.buyer.to_string(), &nobody)] {
        let output = folder.run(&format!("--buyer {buyer} --seller {seller} --runs 1"));
        assert_code(&output, 3);
        assert!(stderr(&output).contains(&nobody), "{}", stderr(&output));
    }
}

#[test]
fn a_frontend_that_turns_clients_away_is_quoted() {
    let (marketplace, folder) = (PROGRAM.marketplace(&["--connections-max=2"]), Folder::new());
    let output = folder.run(&format!("--clients 5+0 --runs 2 --calls 5 {}", running(&marketplace)));
    assert_code(&output, 1);
    for part in ["error: Ping: ", "2 connections", "RESOURCE_EXHAUSTED: "] {
        assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
}

#[test]
fn too_few_descriptors_are_found_before_anything_is_measured() {
    let folder = Folder::new();
    for (words, needed) in [("--clients 100+100", "264"), ("growth --items 10 --idle 500", "584")] {
        let limited = format!("ulimit -n 200 && exec \"$0\" bench {words}");
        let output = PROGRAM.script(&limited, &[]).current_dir(folder.path("")).output().unwrap();
        assert_code(&output, 1);
        let expected =
            format!("needs {needed} descriptors, and the limit is 200: raise it with `ulimit -n {needed}`");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn calls_that_are_lost_with_a_frontend_are_counted_by_code() {
    let mut marketplace = PROGRAM.marketplace(&[]);
    let folder = Folder::new();
    let process = start(folder.command(&format!("{ENDLESS} {}", running(&marketplace))));
    wait_for_commits(&marketplace.db_product, COMMITS);
    marketplace.server_seller.kill();
    let (code, log) = process.finish();
    assert_eq!(code, Some(1), "{log}");
    let errors = errors(&folder);
    assert!(errors["CONNECTION_LOST"].as_u64() >= Some(1), "{errors}");
    assert!(errors["CANNOT_CONNECT"].as_u64() >= Some(1), "{errors}");
    let reason = format!("server_seller at {}: Connection refused", marketplace.server_seller.address);
    assert!(log.contains(&reason), "{log}");
    assert!(log.contains("2 of the run's items may still be for sale"), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn calls_that_fail_with_a_database_are_counted_by_code() {
    let mut marketplace = PROGRAM.marketplace(&[]);
    let folder = Folder::new();
    let process = start(folder.command(&format!("{ENDLESS} {}", running(&marketplace))));
    wait_for_commits(&marketplace.db_product, COMMITS);
    marketplace.db_product.kill();
    let (code, log) = process.finish();
    assert_eq!(code, Some(1), "{log}");
    let errors = errors(&folder);
    assert!(errors["UNAVAILABLE"].as_u64() >= Some(1), "{errors}");
    assert!(log.contains("UNAVAILABLE") && !log.contains("panicked"), "{log}");
}

#[test]
fn a_service_of_its_own_that_dies_fails_the_benchmark() {
    for name in ["server_buyer", "db_product"] {
        let folder = Folder::new();
        let process = start(folder.command(ENDLESS));
        wait_for_commits_of_child(&process);
        let children = process.children();
        let (_, pid) = children.iter().find(|(child, _)| child == name).expect("it was started");
        kill_process(*pid, Signal::KILL).unwrap();
        let (code, log) = process.finish();
        assert_eq!(code, Some(1), "{log}");
        assert!(!log.contains("panicked"), "{log}");
        let (code, problems) = match name {
            "server_buyer" => ("CONNECTION_LOST", errors(&folder).to_string()),
            // What it has cost cannot be told any more, so there are no results.
            _ => ("UNAVAILABLE", log),
        };
        assert!(problems.contains(code), "{name}: {problems}");
        assert_ended(&children);
    }
}

/// Checks that none of these processes is left.
#[track_caller]
pub(super) fn assert_ended(processes: &[(String, Pid)]) {
    for (name, pid) in processes {
        assert!(test_kill_process(*pid).is_err(), "{name} is left");
    }
}

/// Starts a benchmark whose table nobody reads.
pub(super) fn start(mut command: Command) -> Process {
    Process::start(command.stdout(Stdio::null()))
}

/// The failed calls of the only run.
fn errors(folder: &Folder) -> Value {
    let results = json(&folder.path("out.json"));
    assert_eq!(runs(&results).len(), 1, "what follows is not measured");
    runs(&results)[0]["errors"].clone()
}

/// Waits until a database has made so many commits more than now.
pub(super) fn wait_for_commits(database: &Service, more: u64) {
    let before = commits(database.address).expect("the database answers");
    wait_for_commits_at(database.address, before + more);
}

/// Waits until the `db_product` that a benchmark has started has work.
pub(super) fn wait_for_commits_of_child(process: &Process) {
    let address = || {
        let (command, _) =
            process.child_commands().find(|(command, _)| command.contains(&"server_seller".into()))?;
        let place = command.iter().position(|word| word == "--product")?;
        command.get(place + 1)?.parse().ok()
    };
    wait_until("the start of a frontend", || address().is_some());
    wait_for_commits_at(address().expect("it was waited for"), COMMITS);
}

fn wait_for_commits_at(address: SocketAddr, more_than: u64) {
    wait_until("commits", || commits(address).is_some_and(|commits| commits > more_than));
}

fn commits(address: SocketAddr) -> Option<u64> {
    Client::new(address).call("Ping", "{}").ok()?["commits"].as_u64()
}
