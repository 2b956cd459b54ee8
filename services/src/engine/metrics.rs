//! What a service counts about its requests, and the log of those that took long.
//!
//! A request lasts from the delivery of its line, at the time that the turn had come to then, to its answer, at which
//! the clock is read: what is carried out within one turn may take long, too. Nothing that a client sent becomes a label
//! or is logged, but for the names of APIs that there are.

use std::sync::Arc;
use std::time::Duration;

use net::{Counter, Exposition, Gauge, Histogram, Metrics, Out, Time};

use super::fair_queue::FairMetrics;
use crate::api::Api;
use crate::api::error::Code;
use crate::api::service::Ping;

/// The API label of requests that name no API of the service.
pub(crate) const UNKNOWN: &str = "unknown";
/// The bounds of the durations that are counted, in nanoseconds.
pub(crate) const DURATIONS: &[u64] = &[
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
];
/// The bounds of the numbers of rows that are counted.
const ROWS: &[u64] = &[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
/// Lines about slow requests that are logged in one second. Where all requests are slow, that is what they say.
const SLOW_LINES_MAX: u32 = 20;

/// An API, by its place among those of the service; [`RequestMetrics`] has one more for those that there are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ApiNumber(u8);

/// A request that was delivered and not answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    pub(crate) api: ApiNumber,
    /// When its line was delivered.
    pub(crate) at: Time,
}

/// What is counted about the requests of a service.
pub(crate) struct RequestMetrics {
    /// The APIs of the service; what they have in common with all others is counted after them.
    apis: Vec<&'static str>,
    counts: Box<[Counts]>,
}

/// What is counted about one API.
struct Counts {
    ok: Counter,
    /// By their codes.
    errors: [Counter; Code::NAMES.len()],
    duration: Histogram,
}

/// Takes note of requests that are answered.
pub(crate) struct Requests {
    metrics: Arc<RequestMetrics>,
    slow_lines: LineLimit,
}

/// Lets so many log lines of a kind through in each window of time.
pub(crate) struct LineLimit {
    window: Duration,
    lines_max: u32,
    /// The present window, counted from the beginning of time, and the lines in it.
    number: u128,
    lines: u32,
}

impl RequestMetrics {
    /// Nothing was asked yet. `apis` are those of the service, without those that all services have.
    pub(crate) fn new(apis: impl Iterator<Item = &'static str>) -> Self {
        let apis: Vec<_> = apis.chain([Ping::NAME, UNKNOWN]).collect();
        assert!(u8::try_from(apis.len()).is_ok(), "an API's number is a byte");
        let counts = apis.iter().map(|_| Counts {
            ok: Counter::default(),
            errors: Default::default(),
            duration: Histogram::new(DURATIONS),
        });
        Self { counts: counts.collect(), apis }
    }

    pub(crate) fn expose(&self, out: &mut Exposition) {
        for (api, counts) in self.apis.iter().zip(&self.counts) {
            let mut count = |outcome, count| {
                let labels = [("api", *api), ("outcome", outcome)];
                out.counter("marketplace_requests_total", "Requests that were answered.", &labels, count);
            };
            count("ok", counts.ok.get());
            let errors = Code::NAMES.into_iter().zip(&counts.errors);
            errors
                .filter(|(_, errors)| errors.get() > 0)
                .for_each(|(code, errors)| count(code, errors.get()));
            let name = "marketplace_request_duration_seconds";
            let help = "Time from a request's delivery to its answer.";
            out.histogram_seconds(name, help, &[("api", api)], &counts.duration);
        }
    }
}

impl Requests {
    pub(crate) fn new(metrics: Arc<RequestMetrics>) -> Self {
        Self { metrics, slow_lines: LineLimit::new(Duration::from_secs(1), SLOW_LINES_MAX) }
    }

    /// The number of an API, by its name and its place in the service's list, if it has one.
    pub(crate) fn number(&self, place: Option<usize>, api: &str) -> ApiNumber {
        let from_end = || if api == Ping::NAME { 2 } else { 1 };
        let place = place.unwrap_or_else(|| self.metrics.apis.len() - from_end());
        ApiNumber(u8::try_from(place).expect("the list is no longer"))
    }

    /// Takes note of an answer; `error` is its code, if it is one.
    pub(crate) fn answered(&mut self, started: Started, error: Option<Code>, out: &mut Out<'_>) {
        let ApiNumber(api) = started.api;
        let counts = &self.metrics.counts[usize::from(api)];
        error.map_or(&counts.ok, |code| &counts.errors[code as usize]).add(1);
        let now = out.read_clock();
        let duration = now.since(started.at);
        counts.duration.observe_duration(duration);
        if out.limits().slow_after.is_some_and(|slow_after| duration > slow_after)
            && self.slow_lines.next(now)
        {
            log::warn!(
                "event=slow_request api={} outcome={} duration_ms={}",
                self.metrics.apis[usize::from(api)],
                error.map_or("ok", |code| Code::NAMES[code as usize]),
                duration.as_millis()
            );
        }
    }
}

impl LineLimit {
    pub(crate) fn new(window: Duration, lines_max: u32) -> Self {
        Self { window, lines_max, number: 0, lines: 0 }
    }

    /// Whether another line may be logged.
    pub(crate) fn next(&mut self, now: Time) -> bool {
        let number = u128::from(now.as_nanos()) / self.window.as_nanos();
        if self.number != number {
            (self.number, self.lines) = (number, 0);
        }
        self.lines = self.lines.saturating_add(1);
        self.lines <= self.lines_max
    }
}

/// Something that a database holds a number of, or counts: the metric's name, its meaning and its labels.
pub(crate) struct Holding {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) labels: &'static [(&'static str, &'static str)],
}

/// What a database counts.
pub(crate) struct DatabaseMetrics {
    pub(crate) requests: Arc<RequestMetrics>,
    pub(crate) commit_rows: Histogram,
    pub(crate) flush_duration: Histogram,
    holdings: Vec<(&'static Holding, Gauge)>,
    /// What its domain counts; gauges, because the domain knows the sums.
    counts: Vec<(&'static Holding, Gauge)>,
    /// What its domain counts by itself.
    domain: Option<Arc<dyn Metrics>>,
}

impl DatabaseMetrics {
    pub(crate) fn new(
        apis: impl Iterator<Item = &'static str>,
        holdings: &'static [Holding],
        counts: &'static [Holding],
        domain: Option<Arc<dyn Metrics>>,
    ) -> Self {
        let gauges = |of: &'static [Holding]| of.iter().map(|of| (of, Gauge::default())).collect();
        Self {
            requests: Arc::new(RequestMetrics::new(apis)),
            commit_rows: Histogram::new(ROWS),
            flush_duration: Histogram::new(DURATIONS),
            holdings: gauges(holdings),
            counts: gauges(counts),
            domain,
        }
    }

    /// Takes note of how much there is of each holding, and how often what is counted has happened.
    pub(crate) fn hold(&self, numbers: impl Iterator<Item = usize>, counts: impl Iterator<Item = u64>) {
        for ((_, gauge), number) in self.holdings.iter().zip(numbers) {
            gauge.set(number as u64);
        }
        for ((_, gauge), count) in self.counts.iter().zip(counts) {
            gauge.set(count);
        }
    }
}

impl Metrics for DatabaseMetrics {
    fn expose(&self, out: &mut Exposition) {
        self.requests.expose(out);
        out.histogram(
            "marketplace_commit_rows",
            "Rows that were committed together.",
            &[],
            &self.commit_rows,
        );
        let name = "marketplace_flush_duration_seconds";
        out.histogram_seconds(name, "Time that a commit took to be on disk.", &[], &self.flush_duration);
        for (Holding { name, help, labels }, number) in &self.holdings {
            out.gauge(name, help, labels, number.get());
        }
        for (Holding { name, help, labels }, count) in &self.counts {
            out.counter(name, help, labels, count.get());
        }
        if let Some(domain) = &self.domain {
            domain.expose(out);
        }
    }
}

/// What a frontend counts.
pub(crate) struct FrontendMetrics {
    pub(crate) requests: Arc<RequestMetrics>,
    /// Calls to the databases that were not answered yet, by the lane.
    pub(crate) calls: Vec<Gauge>,
    /// Calls that were not made, by the lane.
    pub(crate) refusals: Vec<Refusals>,
    lanes: Vec<&'static str>,
    pub(crate) databases: [Arc<DatabaseLinks>; 2],
    passwords: Arc<FairMetrics>,
    /// What was brought to its end without being asked for, and what that is; `None` if the service does nothing of itself.
    recovered: Option<(Title, Counter)>,
}

/// How often a call was refused, by why.
#[derive(Default)]
pub(crate) struct Refusals {
    /// The database answered too slowly.
    pub(crate) behind: Counter,
    /// The link had too many calls, or too many bytes of them.
    pub(crate) full: Counter,
}

/// What a metric is called, and what it means.
#[derive(Clone, Copy)]
pub(crate) struct Title {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
}

/// What a frontend counts about its connections to a database.
pub(crate) struct DatabaseLinks {
    name: &'static str,
    /// 1 while one of each kind stands.
    pub(crate) up: Gauge,
    /// Connections that were made, and those that could not be.
    pub(crate) connects: Counter,
    pub(crate) failures: Counter,
}

impl DatabaseLinks {
    pub(crate) fn new(name: &'static str) -> Self {
        let (connects, failures) = (Counter::default(), Counter::default());
        Self { name, up: Gauge::default(), connects, failures }
    }
}

impl FrontendMetrics {
    pub(crate) fn new(
        apis: impl Iterator<Item = &'static str>,
        lanes: Vec<&'static str>,
        databases: [&'static str; 2],
        passwords: Arc<FairMetrics>,
        recovered: Option<Title>,
    ) -> Self {
        let databases = databases.map(|name| Arc::new(DatabaseLinks::new(name)));
        let calls = lanes.iter().map(|_| Gauge::default()).collect();
        let refusals = lanes.iter().map(|_| Refusals::default()).collect();
        let recovered = recovered.map(|title| (title, Counter::default()));
        let requests = Arc::new(RequestMetrics::new(apis));
        Self { requests, calls, refusals, lanes, databases, passwords, recovered }
    }

    /// Takes note of something that was brought to its end.
    pub(crate) fn count_recovered(&self) {
        if let Some((_, counter)) = &self.recovered {
            counter.add(1);
        }
    }
}

impl Metrics for FrontendMetrics {
    fn expose(&self, out: &mut Exposition) {
        self.requests.expose(out);
        for (lane, calls) in self.lanes.iter().zip(&self.calls) {
            let help = "Calls to databases that were not answered yet.";
            out.gauge("marketplace_calls_in_flight", help, &[("backend", lane)], calls.get());
        }
        for (lane, Refusals { behind, full }) in self.lanes.iter().zip(&self.refusals) {
            for (reason, count) in [("behind", behind), ("full", full)] {
                let help = "Calls to databases that were refused early.";
                let labels = [("backend", *lane), ("reason", reason)];
                out.counter("marketplace_calls_refused_total", help, &labels, count.get());
            }
        }
        for database in &self.databases {
            let DatabaseLinks { name, up, connects, failures } = &**database;
            let help = "Event loops that reach the database by each kind of call.";
            out.gauge("marketplace_backend_up", help, &[("backend", name)], up.get());
            for (outcome, count) in [("ok", connects), ("failed", failures)] {
                let help = "Attempts to connect to the database.";
                let labels = [("backend", *name), ("outcome", outcome)];
                out.counter("marketplace_backend_connects_total", help, &labels, count.get());
            }
        }
        self.passwords.expose(out);
        if let Some((Title { name, help }, count)) = &self.recovered {
            out.counter(name, help, &[], count.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_requests_are_logged_up_to_a_number_of_lines_in_a_second() {
        let mut lines = LineLimit::new(Duration::from_secs(1), SLOW_LINES_MAX);
        for second in [7, 8] {
            let logged = (0..1000).filter(|ms| lines.next(Time::from_millis(second * 1000 + ms)));
            assert_eq!(logged.count(), SLOW_LINES_MAX as usize);
        }
    }
}
