//! What is called, and when: mixes and rates, against services that run already.

use serde_json::Value;
use support::{assert_code, stdout};

use super::{Folder, PROGRAM, running, runs};

const APIS: [&str; 19] = [
    "Ping",
    "CreateAccount",
    "Login",
    "Logout",
    "GetSellerRating",
    "RegisterItemForSale",
    "ChangeItemPrice",
    "UpdateUnitsForSale",
    "DisplayItemsForSale",
    "SearchItemsForSale",
    "GetItem",
    "AddItemToCart",
    "RemoveItemFromCart",
    "SaveCart",
    "ClearCart",
    "DisplayCart",
    "MakePurchase",
    "ProvideFeedback",
    "GetBuyerPurchases",
];

#[test]
fn every_api_can_be_measured_alone() {
    let (marketplace, folder) = (PROGRAM.marketplace(&[]), Folder::new());
    for api in APIS {
        let words = format!("--mix {api} --clients 1+1 --runs 1 --calls 6 --warmup 1");
        let results = folder.results(&format!("{words} {}", running(&marketplace)));
        let of_apis = runs(&results)[0]["apis"].as_array().unwrap();
        assert!(of_apis.iter().any(|of| of["api"] == api), "{api}: {of_apis:?}");
        assert_eq!(results["options"]["mix"], api);
        // There are no purchases, because this mix buys nothing.
        let in_vain = of_apis.iter().map(|of| of["in_vain"].as_u64().unwrap()).sum::<u64>() > 0;
        assert_eq!(in_vain, api == "GetBuyerPurchases", "{api}: {of_apis:?}");
    }
}

#[test]
fn what_was_measured_in_vain_is_told() {
    let folder = Folder::new();
    for api in ["SearchItemsForSale", "DisplayCart", "SaveCart"] {
        let output = folder.run(&format!("--mix {api} --clients 2+0 --runs 1 --calls 3 --floor"));
        assert_code(&output, 0);
        let note = format!("marketplace: every call of {api} was in vain");
        assert!(stdout(&output).contains(&note), "{}", stdout(&output));
    }
}

#[test]
fn shoppers_call_many_apis_and_every_reply_is_right() {
    let (marketplace, folder) = (PROGRAM.marketplace(&[]), Folder::new());
    let words = "--mix shopping --clients 3+2 --runs 2 --calls 500 --floor --floor-flush";
    let results = folder.results(&format!("{words} {}", running(&marketplace)));
    for run in runs(&results) {
        assert_eq!(run["calls"], 2500);
        assert!(run["apis"].as_array().unwrap().len() >= 12, "{}", run["apis"]);
        let measured = run["services"].as_array().unwrap();
        assert_eq!(measured.len(), 1, "it did not start the services: {measured:?}");
        assert_eq!(measured[0]["service"], "load generator");
    }
    // The floor's clients make the very same calls.
    let floor = &results["scenarios"][0]["floor"];
    assert_eq!(calls_by_api(&floor["runs"][1]), calls_by_api(&runs(&results)[1]));
}

#[test]
fn buyers_buy_of_one_item_or_of_many_and_everything_is_accounted_for() {
    let (marketplace, folder) = (PROGRAM.marketplace(&[]), Folder::new());
    for (items, clients) in [("", "3+0"), ("--items 1", "8+0"), ("--items 5", "4+2")] {
        let words = format!("--mix purchase {items} --clients {clients} --runs 2 --calls 40 --warmup 4");
        let results = folder.results(&format!("{words} {}", running(&marketplace)));
        for run in runs(&results) {
            let of_apis = run["apis"].as_array().unwrap();
            let calls = |api: &str| of_apis.iter().find(|of| of["api"] == api).unwrap()["calls"].clone();
            assert_eq!(calls("AddItemToCart"), calls("MakePurchase"), "{words}");
        }
        let bought = items.split(' ').next_back().unwrap().parse().unwrap_or(1000);
        assert_eq!(results["options"]["items"], bought);
    }
}

fn calls_by_api(run: &Value) -> Vec<(&Value, &Value)> {
    run["apis"].as_array().unwrap().iter().map(|of| (&of["api"], &of["calls"])).collect()
}

#[test]
fn a_benchmark_can_be_repeated_on_the_same_data() {
    let (marketplace, folder) = (PROGRAM.marketplace(&[]), Folder::new());
    let mut lengths = Vec::new();
    for _ in 0..2 {
        let words = "--clients 2+3 --runs 2 --calls 10 --warmup 2";
        let results = folder.results(&format!("{words} {}", running(&marketplace)));
        lengths.extend(runs(&results).iter().map(|run| {
            let search = &run["apis"][1];
            assert_eq!(search["api"], "SearchItemsForSale");
            search["received_bytes_per_call"].as_f64().unwrap()
        }));
    }
    // A page of three items, whose IDs and numbers may have a digit more. A further item takes far more.
    assert!(lengths.iter().all(|length| (length - lengths[0]).abs() < 50.0), "{lengths:?}");
}

#[test]
fn a_run_at_a_rate_is_not_shorter_than_its_schedule() {
    let (marketplace, folder) = (PROGRAM.marketplace(&[]), Folder::new());
    let words = "--rate 200 --clients 2+1 --runs 1 --calls 20 --warmup 1";
    let results = folder.results(&format!("{words} {}", running(&marketplace)));
    let run = &runs(&results)[0];
    assert_eq!(run["calls"], 60);
    assert!(run["duration_s"].as_f64().unwrap() >= 59.0 / 200.0, "{run}");
    assert!(run["lateness_p99_us"].as_f64().unwrap() > 0.0, "{run}");
    assert_eq!(results["options"]["rate"], 200.0);
    for times in [run, &run["apis"][0], &results["scenarios"][0]["marketplace"]["apis"][0]] {
        let max_us = |kind: &str| times[kind]["max_us"].as_f64().unwrap();
        assert!(max_us("service_times") > 0.0 && max_us("service_times") <= max_us("times"), "{times}");
    }
}

#[test]
fn a_run_for_a_time_makes_as_many_calls_as_it_can_within_it() {
    let (marketplace, folder) = (PROGRAM.marketplace(&[]), Folder::new());
    let of_running = running(&marketplace);
    for (words, calls) in [("", None), ("--rate 100", Some(50))] {
        let words = format!("--duration 0.5 {words} --clients 2+1 --runs 2 --warmup 1 --csv out.csv");
        let results = folder.results(&format!("{words} {of_running}"));
        assert_eq!(
            (&results["options"]["duration_s"], &results["options"]["calls"]),
            (&0.5.into(), &0.into())
        );
        for run in runs(&results) {
            let made = run["calls"].as_u64().unwrap();
            assert!(calls.is_none_or(|calls| made + run["unmade"].as_u64().unwrap_or(0) == calls), "{run}");
            assert!(made >= 3 && run["duration_s"].as_f64().unwrap() >= 0.3, "{run}");
            assert_eq!(run["service_times"].is_object(), calls.is_some(), "{run}");
        }
        let csv = std::fs::read_to_string(folder.path("out.csv")).unwrap();
        assert_eq!(csv.lines().next().unwrap().contains("service_time_p99_us"), calls.is_some(), "{csv}");
    }
}
