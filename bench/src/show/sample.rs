//! Results as they might have been measured, for tests. There is no chance in them.

use std::collections::BTreeMap;

use crate::host::Host;
use crate::results::{
    ApiRun, ApiTotal, Measured, Options, Percentiles, Point, Results, Run, Series, ServiceRun,
};

const RUNS: usize = 10;
const CALLS: usize = 1000;
/// How much slower than most a run was.
const DRIFT: [f64; RUNS] = [1.0, 1.03, 0.98, 1.01, 1.08, 0.99, 1.02, 0.97, 1.0, 1.05];
const FLOOR_DRIFT: [f64; RUNS] = [1.01, 1.0, 0.99, 1.04, 1.03, 1.0, 0.98, 1.0, 1.02, 0.99];
const SERVICES: [&str; 4] = ["db_customer", "db_product", "server_buyer", "server_seller"];
/// With the bytes of a request and a reply, and how long it takes in relation to the average.
const APIS: [(&str, f64, f64, f64); 2] =
    [("ChangeItemPrice", 152.0, 61.0, 1.4), ("SearchItemsForSale", 128.0, 412.0, 0.6)];

/// Three scenarios, each with a floor; all is well.
pub(super) fn results() -> Results {
    let scenario = |each: usize, time_us: f64, floor_us: f64, started_after_s: f64| Measured {
        scenario: format!("{each}+{each}"),
        clients: 2 * each,
        marketplace: series(2 * each, time_us, DRIFT, started_after_s),
        against: None,
        flushed_floor: None,
        floor: Some(series(2 * each, floor_us, FLOOR_DRIFT, started_after_s + 0.5)),
    };
    Results {
        host: Host {
            name: "vm-7".to_owned(),
            kernel: "Linux 6.1.0-18-amd64 x86_64".to_owned(),
            cpu: "AMD EPYC 7B13".to_owned(),
            processors: 2,
            commit: "0123abc".to_owned(),
            data_in_memory: false,
        },
        options: Options {
            items: None,
            mix: "default".to_owned(),
            runs: RUNS,
            calls: CALLS,
            duration_s: None,
            warmup: 100,
            rate: None,
            seed: 1,
            services: "own".to_owned(),
            against: None,
            data: None,
        },
        scenarios: vec![
            scenario(1, 210.0, 95.0, 0.3),
            scenario(10, 580.0, 430.0, 9.0),
            scenario(100, 4_900.0, 3_700.0, 27.0),
        ],
        incomplete: None,
    }
}

/// Makes the calls of all runs scheduled ones, which waited for half of their time for their client.
pub(super) fn schedule(results: &mut Results) {
    let half = |times: &Percentiles| Some(percentiles(times.mean_us / 2.0));
    for measured in &mut results.scenarios {
        for series in std::iter::once(&mut measured.marketplace).chain(&mut measured.floor) {
            for run in &mut series.runs {
                run.service_times = half(&run.times);
                run.apis.iter_mut().for_each(|api| api.service_times = half(&api.times));
            }
            for total in &mut series.apis {
                total.service_times = half(&total.times);
                total.service_distribution = total.distribution.clone();
                total.service_distribution.iter_mut().for_each(|point| point.time_us /= 2.0);
            }
        }
    }
}

/// The same as if the services were slower by this factor.
pub(super) fn slower(factor: f64) -> Results {
    let mut results = results();
    for run in results.scenarios.iter_mut().flat_map(|measured| &mut measured.marketplace.runs) {
        run.calls_per_second /= factor;
        run.times.p50_us *= factor;
        run.times.p99_us *= factor;
    }
    results
}

fn series(clients: usize, time_us: f64, drift: [f64; RUNS], started_after_s: f64) -> Series {
    let mut at_s = started_after_s;
    let runs = drift.map(|drift| {
        let run = run(clients, time_us * drift, at_s);
        at_s += 2.0 * run.duration_s + 0.2;
        run
    });
    let calls = (clients * CALLS * RUNS) as u64;
    let mut apis = vec![total("all", calls, time_us)];
    apis.extend(APIS.map(|(api, _, _, weight)| total(api, calls / 2, time_us * weight)));
    Series { runs: runs.into(), apis }
}

fn run(clients: usize, time_us: f64, started_after_s: f64) -> Run {
    let calls_per_second = clients as f64 * 1e6 / time_us;
    let calls = (clients * CALLS) as u64;
    let apis = APIS.map(|(api, sent, received, weight)| ApiRun {
        api: api.to_owned(),
        calls: calls / 2,
        sent_bytes_per_call: sent,
        received_bytes_per_call: received,
        in_vain: 0,
        times: percentiles(time_us * weight),
        service_times: None,
    });
    let services = SERVICES.map(|service| ServiceRun {
        service: service.to_owned(),
        cpu_us_per_call: if service.starts_with("db") { 9.4 } else { 14.2 } + time_us / 1000.0,
        memory_peak_bytes: (9 << 20) + clients as u64 * 4096,
        commits_per_second: service.starts_with("db").then_some(1800.0),
    });
    Run {
        started_after_s,
        matches_before: 0,
        duration_s: calls as f64 / calls_per_second,
        calls,
        calls_per_second,
        times: percentiles(time_us),
        service_times: None,
        apis: apis.into(),
        errors: BTreeMap::new(),
        wrong: 0,
        repeated: 0,
        unmade: 0,
        lateness_p99_us: None,
        services: services.into(),
    }
}

fn total(api: &str, calls: u64, mean_us: f64) -> ApiTotal {
    let steps = (calls as f64).log2() as i32 * 5;
    let mut distribution: Vec<_> =
        (0..=steps).map(|step| 1.0 - 0.5_f64.powf(f64::from(step) / 5.0)).collect();
    distribution.push(1.0);
    let point = |quantile| Point { quantile, time_us: time_at(quantile, mean_us) };
    ApiTotal {
        api: api.to_owned(),
        calls,
        times: percentiles(mean_us),
        distribution: distribution.into_iter().map(point).collect(),
        service_times: None,
        service_distribution: Vec::new(),
    }
}

fn percentiles(mean_us: f64) -> Percentiles {
    let at = |quantile| time_at(quantile, mean_us);
    Percentiles {
        mean_us,
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p999_us: at(0.999),
        max_us: at(1.0),
    }
}

/// A tail that grows with each nine, and more beyond the third.
fn time_at(quantile: f64, mean_us: f64) -> f64 {
    let nines = -(1.0 - quantile).max(1e-6).log10();
    mean_us * (0.7 + 0.6 * nines + 0.05 * nines.powi(3))
}
