//! [`csv`]: all figures of each run, for a spreadsheet or a script.

use crate::results::{ApiRun, Percentiles, Results, Run};

use super::figures::targets;

const HEADS: [&str; 23] = [
    "scenario",
    "clients",
    "target",
    "run",
    "started_after_s",
    "duration_s",
    "api",
    "calls",
    "calls_per_second",
    "mean_us",
    "p50_us",
    "p90_us",
    "p99_us",
    "p999_us",
    "max_us",
    "sent_bytes_per_call",
    "received_bytes_per_call",
    "errors",
    "wrong",
    "repeated",
    "lateness_p99_us",
    "in_vain",
    "incomplete",
];
/// Only in what was sent on schedule.
const SERVICE_TIME_HEADS: [&str; 6] = [
    "service_time_mean_us",
    "service_time_p50_us",
    "service_time_p90_us",
    "service_time_p99_us",
    "service_time_p999_us",
    "service_time_max_us",
];
const SERVICE_HEADS: [&str; 3] = ["cpu_us_per_call", "memory_peak_bytes", "commits_per_second"];

/// A row for each scenario, target, run and API. What belongs to a run as a whole stands in its row for `all`, and so
/// does why there are fewer runs than were asked for.
pub fn csv(results: &Results) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = Columns { services: service_names(results), has_service_times: has_service_times(results) };
    let mut heads = HEADS.map(str::to_owned).to_vec();
    for service in &columns.services {
        heads.extend(SERVICE_HEADS.map(|head| format!("{service}_{head}")));
    }
    if columns.has_service_times {
        heads.extend(SERVICE_TIME_HEADS.map(str::to_owned));
    }
    write(&mut writer, &heads);
    for measured in &results.scenarios {
        let clients = measured.clients.to_string();
        for (target, series) in targets(measured) {
            for (number, run) in series.runs.iter().enumerate() {
                let number = (number + 1).to_string();
                let key = [measured.scenario.clone(), clients.clone(), target.to_owned(), number];
                for row in rows(&key, run, &columns, results.incomplete.as_deref()) {
                    write(&mut writer, &row);
                }
            }
        }
    }
    let bytes = writer.into_inner().expect("a vector takes all bytes");
    String::from_utf8(bytes).expect("all fields are text")
}

fn write(writer: &mut csv::Writer<Vec<u8>>, fields: &[String]) {
    writer
        .write_record(fields)
        .expect("all rows have as many fields as the heads, and a vector takes all bytes");
}

/// Which columns there are beside those that are always there. They stand at the end.
struct Columns<'a> {
    services: Vec<&'a str>,
    has_service_times: bool,
}

fn has_service_times(results: &Results) -> bool {
    let mut series = results.scenarios.iter().flat_map(targets).map(|(_, series)| series);
    series.any(|series| series.runs.iter().any(|run| run.service_times.is_some()))
}

/// All services that had a cost in any run.
fn service_names(results: &Results) -> Vec<&str> {
    let series = results.scenarios.iter().flat_map(targets).map(|(_, series)| series);
    let services = series.flat_map(|series| &series.runs).flat_map(|run| &run.services);
    let mut names: Vec<&str> = services.map(|service| service.service.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The rows of a run: first that of all calls, then those of the APIs.
fn rows(key: &[String; 4], run: &Run, columns: &Columns<'_>, incomplete: Option<&str>) -> Vec<Vec<String>> {
    let of_run = of_run(run, &columns.services, incomplete);
    let blank = vec![String::new(); of_run.len()];
    let service_times = |times: Option<Percentiles>| {
        let of_one = columns.has_service_times.then_some(times);
        of_one.map_or(Vec::new(), |times| {
            times.map_or_else(|| vec![String::new(); 6], |times| decimals(&times).into())
        })
    };
    let row = |api: &ApiRun, of_run: &[String]| {
        [&key[..], &of_calls(run, api), of_run, &service_times(api.service_times)].concat()
    };
    let mut rows = vec![row(&all_calls(run), &of_run)];
    rows.extend(run.apis.iter().map(|api| row(api, &blank)));
    rows
}

/// All calls of a run as if they were those of one API.
fn all_calls(run: &Run) -> ApiRun {
    let per_call = |value: fn(&ApiRun) -> f64| {
        let sum: f64 = run.apis.iter().map(|api| api.calls as f64 * value(api)).sum();
        sum / run.calls.max(1) as f64
    };
    ApiRun {
        api: "all".to_owned(),
        calls: run.calls,
        sent_bytes_per_call: per_call(|api| api.sent_bytes_per_call),
        received_bytes_per_call: per_call(|api| api.received_bytes_per_call),
        in_vain: run.apis.iter().map(|api| api.in_vain).sum(),
        times: run.times,
        service_times: run.service_times,
    }
}

/// From when the run started to the bytes of a call.
fn of_calls(run: &Run, api: &ApiRun) -> Vec<String> {
    let calls_per_second = if run.duration_s > 0.0 { api.calls as f64 / run.duration_s } else { 0.0 };
    let mut fields = vec![decimal(run.started_after_s), decimal(run.duration_s)];
    fields.extend([api.api.clone(), api.calls.to_string(), decimal(calls_per_second)]);
    fields.extend(decimals(&api.times));
    fields.extend([api.sent_bytes_per_call, api.received_bytes_per_call].map(decimal));
    fields
}

/// What belongs to a run as a whole, from its errors on.
fn of_run(run: &Run, services: &[&str], incomplete: Option<&str>) -> Vec<String> {
    let errors: Vec<String> = run.errors.iter().map(|(code, count)| format!("{code}={count}")).collect();
    let mut fields = vec![errors.join(" "), run.wrong.to_string(), run.repeated.to_string()];
    fields.push(optional(run.lateness_p99_us));
    fields.push(run.apis.iter().map(|api| api.in_vain).sum::<u64>().to_string());
    fields.push(incomplete.unwrap_or_default().to_owned());
    for name in services {
        let service = run.services.iter().find(|service| service.service == *name);
        fields.push(optional(service.map(|service| service.cpu_us_per_call)));
        fields.push(service.map_or(String::new(), |service| service.memory_peak_bytes.to_string()));
        fields.push(optional(service.and_then(|service| service.commits_per_second)));
    }
    fields
}

fn decimals(times: &Percentiles) -> [String; 6] {
    let times = [times.mean_us, times.p50_us, times.p90_us, times.p99_us, times.p999_us, times.max_us];
    times.map(decimal)
}

fn optional(value: Option<f64>) -> String {
    value.map_or(String::new(), decimal)
}

/// Times are kept to the nanosecond.
fn decimal(value: f64) -> String {
    format!("{value:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::sample;

    #[test]
    fn each_scenario_target_run_and_api_has_a_row_with_all_fields() {
        let text = csv(&sample::results());
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let heads = reader.headers().expect("there are heads").clone();
        let rows: Vec<_> = reader.records().map(|row| row.expect("all rows are as long")).collect();
        assert_eq!(rows.len(), 3 * 2 * 10 * 3);
        let field = |row: usize, head: &str| {
            let column = heads.iter().position(|name| name == head).expect("it is one of the heads");
            rows[row][column].to_owned()
        };
        assert_eq!([0, 1, 2].map(|row| field(row, "api")), ["all", "ChangeItemPrice", "SearchItemsForSale"]);
        assert_eq!((field(0, "target"), field(30, "target")), ("marketplace".to_owned(), "floor".to_owned()));
        assert_eq!(field(0, "mean_us"), "210.000");
        assert_eq!(field(0, "sent_bytes_per_call"), "140.000");
        assert_eq!(field(0, "db_product_commits_per_second"), "1800.000");
        assert_eq!(field(1, "db_product_commits_per_second"), "");
    }

    #[test]
    fn service_times_are_further_columns_of_what_was_sent_on_schedule() {
        let closed = csv(&sample::results());
        assert!(!closed.contains("service_time_"), "{closed}");
        let mut results = sample::results();
        sample::schedule(&mut results);
        results.scenarios[0].marketplace.runs[1].service_times = None;
        let text = csv(&results);
        for (line, before) in text.lines().zip(closed.lines()) {
            assert_eq!(line.split(',').count(), before.split(',').count() + 6, "{line}");
            assert!(line.starts_with(before), "what was there before stands where it stood: {line}");
        }
        assert!(text.lines().nth(1).is_some_and(|line| line.contains(",105.000,")), "{text}");
        assert!(text.lines().nth(4).is_some_and(|line| line.ends_with(",,,,,,")), "{text}");
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut results = sample::results();
        results.scenarios.truncate(1);
        let errors = &mut results.scenarios[0].marketplace.runs[0].errors;
        errors.insert("odd,\"code\"".to_owned(), 3);
        errors.insert("timed_out".to_owned(), 1);
        let text = csv(&results);
        assert!(text.contains(",\"odd,\"\"code\"\"=3 timed_out=1\",0,"), "{text}");
    }
}
