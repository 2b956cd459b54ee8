//! A user who has seen enough: what was complete is shown and kept, and nothing is left behind.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use support::{Act, FakeService, Marketplace, Process, assert_code, stdout, wait_until};

use super::failures::{assert_ended, start, wait_for_commits, wait_for_commits_of_child};
use super::{Folder, PROGRAM, json, running, runs};

/// So many runs that some are complete, and some are not, whenever it is interrupted.
const MANY_RUNS: &str = "--clients 1+1 --runs 10000 --calls 5 --warmup 0";
/// After so long, another signal is a second one.
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn runs_that_are_complete_are_shown_and_written_and_nothing_is_left_for_sale() {
    let marketplace = PROGRAM.marketplace(&[]);
    for (signal, mix) in
        [(Signal::INT, "default"), (Signal::TERM, "shopping"), (Signal::HUP, "RegisterItemForSale")]
    {
        let folder = Folder::new();
        fs::write(folder.path("REPORT.md"), "<!-- bench:scenarios -->\n<!-- /bench:scenarios -->\n").unwrap();
        let files = "--json out.json --csv out.csv --svg pictures --report REPORT.md";
        let words = format!("{MANY_RUNS} --mix {mix} {files} {}", running(&marketplace));
        let table = fs::File::create(folder.path("table")).unwrap();
        let process = Process::start(folder.command(&words).stdout(table));
        wait_for_commits(&marketplace.db_customer, 30);
        process.signal(signal);
        let (code, log) = process.finish();
        assert_eq!(code, Some(130), "{log}");

        let results = json(&folder.path("out.json"));
        let complete = format!("interrupted after {} of 10000 runs", runs(&results).len());
        assert_eq!(results["incomplete"], complete);
        assert!(log.ends_with(&format!("error: {complete}\n")), "{log}");
        for file in ["table", "out.csv", "REPORT.md"] {
            let text = fs::read_to_string(folder.path(file)).unwrap();
            assert!(text.contains(&complete), "{file}: {text}");
        }
        assert!(folder.path("pictures/runs.svg").exists());
        assert_eq!(for_sale(&marketplace), [0, 0], "{mix}: {log}");
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_a_service_that_hangs() {
    let mut marketplace = PROGRAM.marketplace(&[]);
    let folder = Folder::new();
    let process = start(folder.command(&format!("{MANY_RUNS} --json out.json {}", running(&marketplace))));
    wait_for_commits(&marketplace.db_customer, 30);
    marketplace.server_seller.process().signal(Signal::STOP);
    // What it has begun to answer arrives before anything is asked of it that it does not answer.
    process.signal(Signal::INT);
    std::thread::sleep(SECOND);
    process.signal(Signal::INT);
    let (code, log) = process.finish();
    marketplace.server_seller.process().signal(Signal::CONT);
    assert_eq!(code, Some(130), "{log}");
    assert!(!runs(&json(&folder.path("out.json"))).is_empty());
}

#[test]
fn an_interrupt_before_any_run_is_complete_leaves_files_as_they_are() {
    for (signal, words) in [
        (Signal::INT, "--clients 2+2 --calls 100000000 --floor"),
        (Signal::INT, "--clients 2+2 --warmup 100000000"),
        (Signal::INT, "--clients 2+2 --duration 3600 --floor-flush"),
        (Signal::TERM, "--clients 2+2 --calls 100000000 --rate 1000"),
    ] {
        let folder = Folder::new();
        fs::write(folder.path("out.json"), "before").unwrap();
        fs::create_dir(folder.path("temporary")).unwrap();
        let mut command = folder.command(&format!("{words} --json out.json"));
        command.env("TMPDIR", folder.path("temporary"));
        let process = start(command);
        wait_for_commits_of_child(&process);
        let children = process.children();
        assert_eq!(children.len(), if words.contains("floor") { 8 } else { 4 });
        process.signal(signal);
        let (code, log) = process.finish();
        let last = "error: interrupted before any of 10 runs was complete\n";
        assert!(code == Some(130) && log.ends_with(last), "{code:?}: {log}");
        assert_eq!(fs::read_to_string(folder.path("out.json")).unwrap(), "before");
        assert_ended(&children);
        let left = fs::read_dir(folder.path("temporary")).unwrap().count();
        assert_eq!(left, 0, "data is left");
    }
}

#[test]
fn an_interrupt_ends_it_while_nobody_answers() {
    let mut script = vec![Act::Reply(r#"{"items":[],"total":0}"#), Act::Reply(r#"{"service":"x"}"#)];
    script.extend([Act::Ignore, Act::Ignore]);
    let server = FakeService::start(&script);
    let addresses = format!("--buyer {} --seller {}", server.address, server.address);
    let folder = Folder::new();
    let process = start(folder.command(&format!("--mix Ping --clients 1+0 {addresses}")));
    server.wait_for_requests(3);
    process.signal(Signal::INT);
    // A call has 60 seconds, and so has this test's patience.
    assert_eq!(process.finish().0, Some(130));
}

#[test]
fn a_hangup_that_was_ignored_stays_ignored() {
    let folder = Folder::new();
    let words = "--mix Ping --clients 1+0 --runs 100 --calls 20 --warmup 0 --json out.json";
    let ignoring = format!("trap '' HUP && exec \"$0\" bench {words}");
    let mut command = PROGRAM.script(&ignoring, &[]);
    let process = Process::start(command.current_dir(folder.path("")).stdout(Stdio::null()));
    wait_until("the start of the services", || process.children().len() == 4);
    process.signal(Signal::HUP);
    let (code, log) = process.finish();
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(json(&folder.path("out.json"))["incomplete"], Value::Null);
}

#[test]
fn what_a_killed_benchmark_has_left_for_sale_is_told_by_the_next() {
    let (marketplace, folder) = (PROGRAM.marketplace(&[]), Folder::new());
    let mut process =
        start(folder.command(&format!("--clients 1+3 --calls 100000000 {}", running(&marketplace))));
    wait_for_commits(&marketplace.db_product, 50);
    process.kill();
    assert_eq!(for_sale(&marketplace)[0], 3);
    let output =
        folder.run(&format!("--clients 2+2 --runs 1 --calls 5 --json out.json {}", running(&marketplace)));
    assert_code(&output, 0);
    let note = "searches also found items that were for sale before, up to 3: others sell, or a benchmark could not end in order";
    assert!(stdout(&output).contains(note), "{}", stdout(&output));
    assert_eq!(runs(&json(&folder.path("out.json")))[0]["matches_before"], 3);
}

/// How many items are for sale in the two categories that benchmarks use.
fn for_sale(marketplace: &Marketplace) -> [u64; 2] {
    let buyer = marketplace.addresses().buyer.to_string();
    [1, 2].map(|category| {
        let mut command = PROGRAM.command(&["buyer", "--json", "--server", &buyer, "search"]);
        let output = command.args(["--category", &category.to_string()]).output().unwrap();
        let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
        reply["total"].as_u64().unwrap()
    })
}
