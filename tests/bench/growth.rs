//! Growth with the catalogue and with idle connections.

use std::fs;
use std::process::Stdio;

use rustix::process::Signal;
use support::{Process, assert_code, stderr, stdout, wait_until};

use super::failures::assert_ended;
use super::{Folder, json};

#[test]
fn growth_is_measured_for_each_size() {
    let folder = Folder::new();
    fs::write(folder.path("REPORT.md"), "<!-- bench:growth -->\n<!-- /bench:growth -->\n").unwrap();
    let output = folder.run("growth --items 100,200 --idle 0,5 --json out.json --report REPORT.md");
    assert_code(&output, 0);
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
    assert!(stdout(&output).contains("200"), "{}", stdout(&output));
    let growth = json(&folder.path("out.json"));
    for (catalogue, items) in growth["catalogues"].as_array().unwrap().iter().zip([100, 200]) {
        assert_eq!(catalogue["items"], items);
        for positive in [&catalogue["load_s"], &catalogue["memory_bytes"], &catalogue["search"]["p50_us"]] {
            assert!(positive.as_f64().unwrap() > 0.0, "{catalogue}");
        }
    }
    for (idle, connections) in growth["idle"].as_array().unwrap().iter().zip([0, 5]) {
        assert_eq!(idle["connections"], connections);
        assert!(idle["calls_per_second"].as_f64().unwrap() > 0.0, "{idle}");
    }
    assert!(fs::read_to_string(folder.path("REPORT.md")).unwrap().contains("200"));
}

#[test]
fn an_interrupt_while_a_catalogue_is_filled_leaves_what_is_complete() {
    let folder = Folder::new();
    let words = "growth --items 10,1000000000 --idle 0 --json out.json";
    let process = Process::start(folder.command(words).stdout(Stdio::null()));
    // The first size is measured by four services, and the second is filled by one of them.
    wait_until("the first size", || process.children().len() == 4);
    wait_until("the second size", || process.children().len() == 1);
    let children = process.children();
    process.signal(Signal::INT);
    let (code, log) = process.finish();
    let last = "error: interrupted after 1 of 3 measurements\n";
    assert!(code == Some(130) && log.ends_with(last), "{code:?}: {log}");
    assert_ended(&children);
    let growth = json(&folder.path("out.json"));
    assert_eq!(growth["catalogues"][0]["items"], 10);
    assert_eq!(growth["incomplete"], "interrupted after 1 of 3 measurements");
}
