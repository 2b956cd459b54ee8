//! A whole benchmark on services of its own, and what it writes.

use std::fs;
use std::process::{Output, Stdio};

use serde_json::Value;
use support::{assert_code, stderr, stdout};

use super::{Folder, json};

const BEFORE: &str = "# Report\n\nProse.\n\n<!-- bench:scenarios -->\n";
const AFTER: &str = "<!-- /bench:scenarios -->\n\nMore prose.\n";
const SERVICES: [&str; 4] = ["server_buyer", "server_seller", "db_customer", "db_product"];

#[test]
fn a_benchmark_of_its_own_services_and_the_floor_writes_all_its_files() {
    let folder = Folder::new();
    fs::write(folder.path("REPORT.md"), format!("{BEFORE}old\n{AFTER}")).unwrap();
    let output = folder.run(
        "--scenario 2+1,1+2 --runs 2 --calls 20 --warmup 3 --floor --json out.json --csv out.csv --html page.html --svg pictures --report REPORT.md",
    );
    assert_code(&output, 0);
    assert!(is_only_warned_of_memory(&output), "{}", stderr(&output));
    assert!(stdout(&output).contains("SearchItemsForSale") && stdout(&output).contains("floor"));

    let results = json(&folder.path("out.json"));
    for (scenario, clients) in results["scenarios"].as_array().unwrap().iter().zip([[2, 1], [1, 2]]) {
        for target in ["marketplace", "floor"] {
            check_series(&scenario[target], clients);
        }
        check_services(&scenario["marketplace"]["runs"][1]["services"]);
        check_floor(scenario);
    }
    let csv = fs::read_to_string(folder.path("out.csv")).unwrap();
    let rows = csv.lines().skip(1);
    assert!(rows.clone().count() >= 2 * 2 * 2, "a row for each scenario, target and run: {csv}");
    assert_eq!(rows.filter(|row| row.contains("floor")).count() * 2, csv.lines().count() - 1);

    let page = fs::read_to_string(folder.path("page.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
    let host = &results["host"];
    for part in ["cpu", "kernel", "commit"].map(|name| host[name].as_str().unwrap()) {
        assert!(page.contains(&format!("<td>{}</td>", part.replace('&', "&amp;"))), "{part}: {page}");
    }
    assert_eq!(page.matches("<svg role=\"img\"").count(), 4);
    assert!(
        page.contains("<td>2+1</td><td>floor: all</td>") && page.contains("<li>480 calls, 0 failed</li>"),
        "{page}"
    );

    let pictures: Vec<_> = fs::read_dir(folder.path("pictures")).unwrap().map(|file| file.unwrap()).collect();
    assert!(!pictures.is_empty());
    let report = fs::read_to_string(folder.path("REPORT.md")).unwrap();
    for picture in pictures {
        assert!(fs::read_to_string(picture.path()).unwrap().starts_with("<svg"), "{picture:?}");
        let link = format!("(pictures/{})", picture.file_name().to_str().unwrap());
        assert!(report.contains(&link), "{link}: {report}");
    }
    let section =
        report.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER)).expect("the prose stays");
    assert!(section.contains("| 2+1 | all |") && !section.contains("old"), "{section}");
}

/// Whether nothing was said, but that temporary files lie in memory where they do.
fn is_only_warned_of_memory(output: &Output) -> bool {
    stderr(output).lines().all(|line| line.starts_with("warning: the data lie in memory, in "))
}

/// Each client has made its calls in each run, and warm-up and setup are not among them.
fn check_series(series: &Value, [buyers, sellers]: [u64; 2]) {
    let expected = [("ChangeItemPrice", 20 * sellers), ("SearchItemsForSale", 20 * buyers)];
    for run in series["runs"].as_array().unwrap() {
        assert_eq!((&run["errors"], &run["wrong"]), (&serde_json::json!({}), &Value::from(0)));
        assert_eq!(run["calls"], 60);
        for (api, (name, calls)) in run["apis"].as_array().unwrap().iter().zip(expected) {
            assert_eq!((&api["api"], &api["calls"]), (&Value::from(name), &Value::from(calls)));
        }
    }
    assert_eq!(series["runs"].as_array().unwrap().len(), 2);
    assert_eq!(series["apis"][0]["calls"], 120);
}

fn check_services(services: &Value) {
    let names: Vec<_> = services.as_array().unwrap().iter().map(|service| &service["service"]).collect();
    assert_eq!(names[..4], SERVICES);
    assert_eq!(names[4..], ["load generator"]);
    for service in services.as_array().unwrap() {
        assert!(service["cpu_us_per_call"].as_f64().unwrap() > 0.0, "{service}");
        assert!(service["memory_peak_bytes"].as_u64().unwrap() > 0, "{service}");
        let is_database = service["service"].as_str().unwrap().starts_with("db_");
        assert_eq!(service["commits_per_second"].is_number(), is_database, "{service}");
    }
}

/// The floor carries as many bytes as the marketplace, but for the digits of counters.
fn check_floor(scenario: &Value) {
    let apis = |target: &str| scenario[target]["runs"][0]["apis"].as_array().unwrap().clone();
    for (ours, floor) in apis("marketplace").iter().zip(apis("floor")) {
        for bytes in ["sent_bytes_per_call", "received_bytes_per_call"] {
            let difference = ours[bytes].as_f64().unwrap() - floor[bytes].as_f64().unwrap();
            assert!(difference.abs() <= 3.0, "{bytes}: {ours} {floor}");
        }
    }
}

/// Measures little.
const SHORT: &str = "--clients 1+1 --runs 1 --calls 5 --warmup 0";

#[test]
fn what_cannot_be_written_is_said_before_anything_is_measured() {
    let folder = Folder::new();
    fs::write(folder.path("REPORT.md"), "Prose.\n").unwrap();
    fs::write(folder.path("old.json"), "before").unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    let refused = [
        (
            "--json out.json --report REPORT.md#elsewhere",
            "REPORT.md: there is no line <!-- bench:elsewhere -->",
        ),
        ("--report nowhere.md", "cannot read nowhere.md: No such file"),
        ("--json nowhere/out.json", "cannot write nowhere/out.json: its folder does not exist"),
        ("--csv out.csv --json folder", "cannot write folder: is a directory"),
        ("--csv ''", "cannot write : "),
        ("--json old.json --svg REPORT.md", "cannot draw into REPORT.md: "),
        ("--json old.json --csv ./old.json", "old.json twice"),
        ("--json out.json --csv ./folder/../out.json", "out.json twice"),
        ("--svg folder --csv folder/runs.svg", "runs.svg twice"),
        ("--json old.json --html old.json", "old.json twice"),
        ("--html nowhere/page.html", "cannot write nowhere/page.html: its folder does not exist"),
        ("--html folder", "cannot write folder: is a directory"),
        ("--html ''", "cannot write : "),
        ("--json /proc/out.json", "cannot write /proc/out.json: "),
    ];
    for (outputs, message) in refused {
        let output = folder.run(&format!("{SHORT} {outputs}"));
        assert_code(&output, 1);
        assert!(stderr(&output).contains(message), "{outputs}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "nothing was measured");
    }
    let output = folder.run(&format!("{SHORT} --json folder --csv nowhere/out.csv"));
    assert_eq!(stderr(&output).matches("error: cannot write").count(), 2, "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.path("REPORT.md")).unwrap(), "Prose.\n");
    assert_eq!(fs::read_to_string(folder.path("old.json")).unwrap(), "before");
    assert!(!folder.path("out.json").exists() && !folder.path("out.csv").exists());
}

#[test]
fn data_lie_where_they_are_told_to_and_leave_what_is_there() {
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    fs::write(folder.path("disk/theirs"), "as it was").unwrap();
    for (words, more) in [("", SHORT), ("growth", "--items 10 --idle 1")] {
        let output = folder.run(&format!("{words} {more} --data disk"));
        assert_code(&output, 0);
        assert_eq!(stdout(&output).contains("data in disk"), words.is_empty(), "{}", stdout(&output));
        let left: Vec<_> =
            fs::read_dir(folder.path("disk")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["theirs"]);
        for (place, message) in [
            ("nowhere", "nowhere: No such file"),
            ("disk/theirs", "disk/theirs: it is no folder"),
            ("/proc", "/proc: "),
            ("''", ": No such file"),
        ] {
            let output = folder.run(&format!("{words} {more} --data {place}"));
            assert_code(&output, 1);
            assert!(stderr(&output).contains(message), "{place}: {}", stderr(&output));
            assert!(!folder.path("nowhere").exists() && output.stdout.is_empty());
        }
    }
}

#[test]
fn another_build_is_measured_in_turn_and_compared_in_words() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_marketplace"), folder.path("other")).unwrap();
    let words = "--clients 1+1 --runs 4 --calls 20 --warmup 0 --floor --json out.json --csv out.csv --svg . --against ./other";
    let output = folder.run(words);
    assert_code(&output, 0);
    let shown = stdout(&output);
    assert!(
        shown.contains("this build beside the other, calls/s: ") && shown.contains("other build: ./other"),
        "{shown}"
    );
    assert!(
        shown.contains("95 % interval") && shown.contains("\nother build: 160 calls, 0 failed\n"),
        "{shown}"
    );
    let results = json(&folder.path("out.json"));
    let scenario = &results["scenarios"][0];
    check_services(&scenario["against"]["runs"][3]["services"]);
    let began =
        |subject: &str, run: usize| scenario[subject]["runs"][run]["started_after_s"].as_f64().unwrap();
    for run in 0..4 {
        // The two go first by turns, and the floor is the last.
        assert_eq!(began("marketplace", run) < began("against", run), run % 2 == 0, "{scenario}");
        assert!(began("floor", run) > began("marketplace", run).max(began("against", run)), "{scenario}");
    }
    let csv = fs::read_to_string(folder.path("out.csv")).unwrap();
    assert_eq!(csv.matches(",other build,").count(), 4 * 3, "{csv}");
    assert!(fs::read_to_string(folder.path("runs.svg")).unwrap().contains("1+1, other build"));

    // A file is meant, and nothing that is found elsewhere.
    for (program, message) in
        [("./gone", "./gone: cannot start "), ("/bin/true", "/bin/true: "), ("true", "./true: cannot start ")]
    {
        let output = folder.run(&format!("{SHORT} --against {program}"));
        assert_code(&output, 1);
        assert!(stderr(&output).contains(message) && output.stdout.is_empty(), "{}", stderr(&output));
    }
}

#[test]
fn the_floor_with_the_flush_carries_what_the_bare_one_carries() {
    let folder = Folder::new();
    fs::create_dir(folder.path("disk")).unwrap();
    let words = "--clients 2+2 --runs 2 --calls 30 --warmup 2 --data disk --json out.json --report REPORT.md";
    fs::write(folder.path("REPORT.md"), format!("{BEFORE}{AFTER}")).unwrap();
    let output = folder.run(&format!("{words} --floor --floor-flush"));
    assert_code(&output, 0);
    assert!(stdout(&output).contains("of flushed floor"), "{}", stdout(&output));
    let report = fs::read_to_string(folder.path("REPORT.md")).unwrap();
    assert!(report.contains("| of floor | of flushed floor |"), "{report}");
    assert!(report.contains("| 2+2 | flushed floor: ChangeItemPrice |"), "{report}");
    let results = json(&folder.path("out.json"));
    let scenario = &results["scenarios"][0];
    for floor in ["floor", "flushed_floor"] {
        let apis = scenario[floor]["runs"][1]["apis"].as_array().unwrap();
        assert_eq!(apis.iter().map(|api| api["calls"].as_u64().unwrap()).sum::<u64>(), 120, "{floor}");
    }
    // Services that run already have their data elsewhere, and the floor has its own here.
    let marketplace = super::PROGRAM.marketplace(&[]);
    let output = folder.run(&format!("{SHORT} --floor-flush --data disk {}", super::running(&marketplace)));
    assert_code(&output, 0);
    assert!(stdout(&output).contains("\nflushed floor: 10 calls, 0 failed\n"), "{}", stdout(&output));
    assert_eq!(fs::read_dir(folder.path("disk")).unwrap().count(), 0, "nothing is left");
}

#[test]
fn data_in_memory_are_warned_of_and_marked() {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    if !mounts.contains(" /dev/shm tmpfs ") {
        return;
    }
    let folder = Folder::new();
    let output = folder.run(&format!("{SHORT} --data /dev/shm --json out.json"));
    assert_code(&output, 0);
    assert!(
        stderr(&output).starts_with("warning: the data lie in memory, in /dev/shm, "),
        "{}",
        stderr(&output)
    );
    assert!(stdout(&output).contains("the data lay in memory"), "{}", stdout(&output));
    assert_eq!(json(&folder.path("out.json"))["host"]["data_in_memory"], true);
}

#[test]
fn what_fails_costs_nothing_else() {
    for (stdout, files, written) in [
        ("/dev/full", "--json out.json --csv out.csv", &["out.json", "out.csv"][..]),
        ("/dev/null", "--json /dev/full --html /dev/full --csv out.csv", &["out.csv"]),
        ("/dev/full", "--json /dev/full --csv /dev/full --svg .", &["runs.svg"]),
    ] {
        let folder = Folder::new();
        let mut command = folder.command(&format!("{SHORT} {files}"));
        let output =
            command.stdout(fs::File::create(stdout).unwrap()).stderr(Stdio::piped()).output().unwrap();
        assert_code(&output, 1);
        let failures = files.matches("/dev/full").count() + usize::from(stdout == "/dev/full");
        assert_eq!(stderr(&output).matches("No space left").count(), failures, "{}", stderr(&output));
        for file in written {
            assert!(!fs::read(folder.path(file)).unwrap().is_empty(), "{file}");
        }
    }
}

#[test]
fn standard_output_may_be_for_programs() {
    let folder = Folder::new();
    let output = folder.run(&format!("{SHORT} --json - --csv out.csv"));
    assert_code(&output, 0);
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(results["options"]["calls"], 5);
    assert!(stderr(&output).contains("calls/s"), "the table: {}", stderr(&output));
    assert!(fs::read_to_string(folder.path("out.csv")).unwrap().starts_with("scenario,"));
    assert!(!folder.path("-").exists());
    let output = folder.run(&format!("{SHORT} --csv /dev/stdout"));
    assert_code(&output, 0);
    assert!(
        stdout(&output).starts_with("scenario,") && !stdout(&output).contains("┆"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    for words in ["--json out.json", "--json out.json --csv -"] {
        let folder = Folder::new();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = folder
            .command(&format!("{SHORT} {words}"))
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        assert_code(&output, 0);
        assert_eq!(json(&folder.path("out.json"))["incomplete"], Value::Null);
    }
}
