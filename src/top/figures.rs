//! [`Shown`]: what a service does, from what it had counted at two moments.

use std::time::Duration;

use super::reading::{Buckets, Counts, Reading};

/// What is shown of a service.
#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) service: String,
    pub(super) total: Figures,
    /// Those that were ever called, by their names.
    pub(super) apis: Vec<(String, Figures)>,
}

/// The figures of a row. What is not known, or what there is not, is left out. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Requests and errors a second.
    pub(super) requests: Option<f64>,
    pub(super) errors: Option<f64>,
    pub(super) p50: Option<f64>,
    pub(super) p99: Option<f64>,
    pub(super) connections: Option<f64>,
    /// Calls in flight.
    pub(super) calls: Option<f64>,
    /// Commits a second.
    pub(super) commits: Option<f64>,
    pub(super) flush_p99: Option<f64>,
}

impl Shown {
    /// What a service does that has counted `now`. Before, so long ago, it had counted that.
    pub(super) fn of(before: Option<(&Reading, Duration)>, now: &Reading) -> Self {
        // One that was started anew counts from the beginning.
        let before = before.filter(|(before, _)| before.began == now.began && before.service == now.service);
        let called = now.apis.iter().filter(|(_, counts)| counts.requests > 0.0);
        let apis = called.map(|(name, counts)| {
            let nothing = Counts::default();
            let figures = before.map(|(before, elapsed)| {
                let earlier = before.apis.get(name).unwrap_or(&nothing);
                let requests = Some(rate(earlier.requests, counts.requests, elapsed));
                let errors = Some(rate(earlier.errors, counts.errors, elapsed));
                Figures { requests, errors, ..Figures::timed(&counts.times.since(&earlier.times)) }
            });
            (name.clone(), figures.unwrap_or_default())
        });
        let apis: Vec<_> = apis.collect();
        let Reading { connections, calls, .. } = *now;
        let total = before.map(|(before, elapsed)| total(before, now, elapsed)).unwrap_or_default();
        let total = Figures { connections, calls, ..total };
        Self { service: now.service.clone(), total, apis }
    }
}

impl Figures {
    /// All of them, in the order of the columns.
    pub(super) fn values(&self) -> [Option<f64>; 8] {
        let Self { requests, errors, p50, p99, connections, calls, commits, flush_p99 } = *self;
        [requests, errors, p50, p99, connections, calls, commits, flush_p99]
    }

    fn timed(times: &Buckets) -> Self {
        Self { p50: times.quantile(0.5), p99: times.quantile(0.99), ..Self::default() }
    }
}

/// What the service does, whatever was called.
fn total(before: &Reading, now: &Reading, elapsed: Duration) -> Figures {
    let sum = |of: &Reading, count: fn(&Counts) -> f64| of.apis.values().map(count).sum::<f64>();
    let all = |count| Some(rate(sum(before, count), sum(now, count), elapsed));
    let mut times = [before, now].map(|reading| {
        let mut all = Buckets::default();
        reading.apis.values().for_each(|counts| all.add(&counts.times));
        all
    });
    let [earlier, later] = &mut times;
    let commits = before.commits.zip(now.commits).map(|(before, now)| rate(before, now, elapsed));
    let flush_p99 = now.flushes.since(&before.flushes).quantile(0.99);
    let (requests, errors) = (all(|counts| counts.requests), all(|counts| counts.errors));
    Figures { requests, errors, commits, flush_p99, ..Figures::timed(&later.since(earlier)) }
}

/// What was added in a second.
fn rate(before: f64, now: f64, elapsed: Duration) -> f64 {
    (now - before) / elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database that was started then, and has answered so many requests, each in up to so many seconds.
    fn reading(began: u32, ok: u32, errors: u32, le: &str, commits: u32) -> Reading {
        let all = ok + errors;
        let text = format!(
            r#"marketplace_build_info{{marketplace_service="db"}} 1
process_start_time_seconds {began}
marketplace_connections 3
marketplace_commit_rows_count {commits}
marketplace_requests_total{{api="Get",outcome="ok"}} {ok}
marketplace_requests_total{{api="Get",outcome="internal"}} {errors}
marketplace_requests_total{{api="Ping",outcome="ok"}} 0
marketplace_request_duration_seconds_bucket{{api="Get",le="{le}"}} {all}
marketplace_request_duration_seconds_bucket{{api="Get",le="+Inf"}} {all}
marketplace_request_duration_seconds_bucket{{api="Ping",le="{le}"}} 0
marketplace_request_duration_seconds_bucket{{api="Ping",le="+Inf"}} 0
"#
        );
        Reading::of(&text).unwrap()
    }

    #[test]
    fn rates_are_what_was_added_in_the_time_between() {
        let (before, now) = (reading(1, 10, 0, "0.1", 5), reading(1, 28, 2, "0.1", 6));
        let shown = Shown::of(Some((&before, Duration::from_secs(2))), &now);
        let [get] = &shown.apis[..] else { panic!("Ping was not called: {shown:?}") };
        assert_eq!((get.0.as_str(), get.1.requests, get.1.errors), ("Get", Some(10.0), Some(1.0)));
        assert_eq!((get.1.p50, shown.total.p50), (Some(0.05), Some(0.05)));
        assert_eq!((shown.total.requests, shown.total.errors), (Some(10.0), Some(1.0)));
        assert_eq!((shown.total.commits, shown.total.connections), (Some(0.5), Some(3.0)));
        assert_eq!((shown.total.calls, shown.total.flush_p99), (None, None));
    }

    #[test]
    fn there_are_no_rates_without_a_time_before_or_over_a_restart() {
        let (old, new) = (reading(1, 10, 0, "0.1", 5), reading(2, 1, 0, "0.1", 1));
        let restarted = Shown::of(Some((&old, Duration::from_secs(1))), &new);
        let expected = Figures { connections: Some(3.0), ..Figures::default() };
        assert_eq!(restarted.total, expected);
        assert_eq!(restarted.apis, [("Get".to_owned(), Figures::default())]);
        assert_eq!(Shown::of(None, &new), restarted);
    }
}
