//! Services that are replaced one after another by those of another version, under load, and back. `.ci/upgrade` builds that
//! version, and names its program in `MARKETPLACE_PREVIOUS`.

use std::env;
use std::thread;
use std::time::Duration;

use support::{Marketplace, Process, Program, Service, Store, run_during};

use super::PROGRAM;

/// How long users go on after each replacement.
const PAUSE: Duration = Duration::from_millis(500);
/// Databases first: frontends may ask for what older databases do not know.
const FORTH: [&str; 4] = ["db_customer", "db_product", "server_buyer", "server_seller"];
const BACK: [&str; 4] = ["server_buyer", "server_seller", "db_customer", "db_product"];

#[test]
#[ignore = "it takes the program of another version: .ci/upgrade"]
fn what_was_acknowledged_survives_an_upgrade_and_the_way_back() {
    let previous = env::var("MARKETPLACE_PREVIOUS").expect("MARKETPLACE_PREVIOUS names a program");
    let previous = Program::at(previous.leak());
    let mut marketplace = previous.marketplace(&[]);
    marketplace.migrate(PROGRAM);
    println!("{:14} {:>12} {:>4}  calls that failed", "replaced", "acknowledged", "lost");
    let mut lost = replace(&mut marketplace, PROGRAM, "forth", FORTH);
    if let Some(reason) = no_way_back(previous) {
        println!("there is no way back: {reason}");
    } else {
        lost.extend(replace(&mut marketplace, previous, "back", BACK));
    }
    assert!(lost.is_empty(), "lost: {lost:#?}");
}

/// Replaces one service after another while users shop. Returns what was lost.
fn replace(marketplace: &mut Marketplace, program: Program, way: &str, order: [&str; 4]) -> Vec<String> {
    let mut lost = Vec::new();
    for (name, seed) in order.into_iter().zip(1..) {
        let addresses = marketplace.addresses();
        let mut services = marketplace.services().into_iter();
        let service = services.find(|service| service.name == name).expect("it is one of the four");
        let report = run_during(addresses, &format!("{way}-{name}"), seed, || {
            thread::sleep(PAUSE);
            service.replace(program);
            thread::sleep(PAUSE);
        });
        println!("{name:14} {:>12} {:>4}", report.acknowledged, report.lost.len());
        for (why, count) in &report.failures {
            println!("{:>33}{count:>6}  {why}", "");
        }
        assert!(report.acknowledged > 0, "there was no load");
        lost.extend(report.lost);
    }
    lost
}

/// Why an older program cannot use the files that this one writes, if so.
fn no_way_back(previous: Program) -> Option<String> {
    let data = tempfile::tempdir().unwrap();
    for name in ["db_customer", "db_product"] {
        let mut service: Service = PROGRAM.database(name, data.path());
        service.stop();
    }
    // It looks at the files, and ends.
    let data = data.path().to_str().unwrap();
    let copy = format!("{data}/copy");
    let (code, log) = Process::run(&mut previous.command(&["backup", "--data", data, &copy]));
    (code != Some(0) && !Store::is_engine()).then_some(log)
}
