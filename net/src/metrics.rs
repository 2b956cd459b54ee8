//! What a process says about itself: [`Counter`], [`Gauge`] and [`Histogram`], which are counted in the event loop, and
//! [`Registry`], which finds those of all reactors of the process when somebody asks.
//!
//! Each value has one writer, the thread of its reactor, so that counting is a load and a store without a lock. It may be
//! read from any other thread. What is counted, and under which names, is the business of whoever counts.

mod exposition;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::event::Reject;
use crate::time::Time;

pub use self::exposition::Exposition;

/// Metrics of a service or of a process, which can be read while they change.
pub trait Metrics: Send + Sync {
    /// Adds the values to those that the other reactors of the process gave under the same names.
    fn expose(&self, out: &mut Exposition);
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts so many more.
    pub fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// The number is this from now on.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many values lay between which bounds, and their sum.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One for each bound, and one for what is above them all. Each counts the values that no earlier one counts.
    buckets: Box<[Counter]>,
    sum: Counter,
}

impl Histogram {
    /// A histogram with a bucket for the values up to each of these bounds, which ascend.
    pub fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            buckets: (0..=bounds.len()).map(|_| Counter::default()).collect(),
            sum: Counter::default(),
        }
    }

    /// Takes note of a value.
    pub fn observe(&self, value: u64) {
        // Most values are small, so the first bounds are looked at first.
        let above = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        self.buckets[above].add(1);
        self.sum.add(value);
    }

    /// Takes note of a duration, in nanoseconds.
    pub fn observe_duration(&self, duration: Duration) {
        self.observe(nanos(duration));
    }
}

/// Why the connection of a client is closed without a word, beyond its own wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closed {
    /// It made room for another one.
    MadeRoom,
    /// It was idle for too long.
    Idle,
    /// It read nothing for too long.
    Stalled,
    /// Its buffers were the largest where all took too much.
    Buffers,
}

impl Closed {
    /// The names of the reasons, in their order.
    const REASONS: [&str; 4] = ["made_room", "idle", "stalled", "buffers"];
}

/// What the loop of one reactor says about itself.
#[derive(Debug, Default)]
pub(crate) struct LoopMetrics {
    pub(crate) connections: Gauge,
    pub(crate) buffer_bytes: Gauge,
    /// Clients that were turned away, by [`Reject::reason`].
    pub(crate) rejects: [Counter; Reject::REASONS.len()],
    /// Encrypted streams of clients that were of no use.
    pub(crate) tls_failures: Counter,
    closed: [Counter; Closed::REASONS.len()],
    busy_nanos: Counter,
    /// When the turn that is under way began, in nanoseconds; 0 between turns.
    turn_began: Gauge,
    ended: AtomicBool,
}

impl LoopMetrics {
    pub(crate) fn turn_begins(&self, now: Time) {
        self.turn_began.set(now.as_nanos());
    }

    pub(crate) fn turn_ends(&self, began: Time, now: Time) {
        self.busy_nanos.add(nanos(now.since(began)));
        self.turn_began.set(0);
    }

    pub(crate) fn closes(&self, why: Closed) {
        self.closed[why as usize].add(1);
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    fn hangs(&self, now: Time, timeout: Duration) -> bool {
        let began = self.turn_began.get();
        began > 0 && now.since(Time::from_nanos(began)) > timeout
    }

    fn expose(&self, namespace: &str, out: &mut Exposition) {
        out.gauge(&format!("{namespace}_reactors"), "Event loops of the process.", &[], 1);
        let help = "Connections of clients that are open.";
        out.gauge(&format!("{namespace}_connections"), help, &[], self.connections.get());
        let help = "Memory that the buffers of connections take.";
        out.gauge(&format!("{namespace}_buffer_bytes"), help, &[], self.buffer_bytes.get());
        let name = format!("{namespace}_rejected_total");
        for (reason, count) in Reject::REASONS.iter().zip(&self.rejects) {
            out.counter(&name, "Clients that were turned away.", &[("reason", reason)], count.get());
        }
        let name = format!("{namespace}_tls_failures_total");
        out.counter(&name, "Encrypted streams of clients that were of no use.", &[], self.tls_failures.get());
        let name = format!("{namespace}_closed_total");
        for (reason, count) in Closed::REASONS.iter().zip(&self.closed) {
            let help = "Clients whose connection was closed without a word.";
            out.counter(&name, help, &[("reason", reason)], count.get());
        }
        let help = "Time that the event loops did not spend waiting.";
        out.counter_seconds(
            &format!("{namespace}_loop_busy_seconds_total"),
            help,
            &[],
            self.busy_nanos.get(),
        );
    }
}

/// The metrics of a process: those of its reactors, of their services, and whatever else it adds.
pub struct Registry {
    namespace: &'static str,
    /// A label of all values, and what it says.
    label: Option<(&'static str, String)>,
    /// Locked when a reactor starts and when somebody asks, never to count.
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    loops: Vec<Arc<LoopMetrics>>,
    others: Vec<Arc<dyn Metrics>>,
}

impl Registry {
    /// An empty registry. The names of what the event loop counts begin with `namespace`.
    pub fn new(namespace: &'static str) -> Self {
        Self { namespace, label: None, entries: Mutex::default() }
    }

    /// The same, with a label that all values have. What it says holds no quotation mark, backslash or line's end.
    pub fn labelled(namespace: &'static str, label: &'static str, what: String) -> Self {
        Self { label: Some((label, what)), ..Self::new(namespace) }
    }

    /// Adds what somebody else counts, which has names of its own.
    pub fn add(&self, metrics: Arc<dyn Metrics>) {
        self.entries().others.push(metrics);
    }

    pub(crate) fn add_loop(&self, metrics: Arc<LoopMetrics>) {
        self.entries().loops.push(metrics);
    }

    /// Whether one of the loops has been in the same turn for longer than this.
    pub(crate) fn hangs(&self, now: Time, timeout: Duration) -> bool {
        self.entries().loops.iter().any(|metrics| metrics.hangs(now, timeout))
    }

    /// The loops that have not ended.
    pub(crate) fn loops_running(&self) -> usize {
        self.entries().loops.iter().filter(|metrics| !metrics.ended.load(Ordering::Acquire)).count()
    }

    /// The present values of all metrics, as text.
    pub fn text(&self) -> String {
        let mut out = Exposition::default();
        let entries = self.entries();
        entries.loops.iter().for_each(|metrics| metrics.expose(self.namespace, &mut out));
        entries.others.iter().for_each(|metrics| metrics.expose(&mut out));
        out.text(self.label.as_ref().map(|(label, what)| (*label, what.as_str())))
    }

    /// A panic elsewhere leaves nothing half done here.
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Requests(Histogram);

    impl Metrics for Requests {
        fn expose(&self, out: &mut Exposition) {
            out.histogram_seconds("shop_request_seconds", "How long.", &[("api", "Get")], &self.0);
        }
    }

    fn requests(nanos: &[u64]) -> Arc<dyn Metrics> {
        let requests = Requests(Histogram::new(&[1_000_000, 20_000_000]));
        nanos.iter().for_each(|nanos| requests.0.observe(*nanos));
        Arc::new(requests)
    }

    #[test]
    fn what_several_reactors_count_is_added_up() {
        let registry = Registry::new("shop");
        for connections in [3, 4] {
            let metrics = LoopMetrics::default();
            metrics.connections.set(connections);
            metrics.turn_ends(Time::from_nanos(100), Time::from_nanos(100) + Duration::from_millis(1250));
            registry.add_loop(Arc::new(metrics));
        }
        registry.add(requests(&[1_000_000, 1_000_001]));
        registry.add(requests(&[500_000_000]));
        let expected = r#"# HELP shop_buffer_bytes Memory that the buffers of connections take.
# TYPE shop_buffer_bytes gauge
shop_buffer_bytes 0
# HELP shop_closed_total Clients whose connection was closed without a word.
# TYPE shop_closed_total counter
shop_closed_total{reason="buffers"} 0
shop_closed_total{reason="idle"} 0
shop_closed_total{reason="made_room"} 0
shop_closed_total{reason="stalled"} 0
# HELP shop_connections Connections of clients that are open.
# TYPE shop_connections gauge
shop_connections 7
# HELP shop_loop_busy_seconds_total Time that the event loops did not spend waiting.
# TYPE shop_loop_busy_seconds_total counter
shop_loop_busy_seconds_total 2.5
# HELP shop_reactors Event loops of the process.
# TYPE shop_reactors gauge
shop_reactors 2
# HELP shop_rejected_total Clients that were turned away.
# TYPE shop_rejected_total counter
shop_rejected_total{reason="address_connections_max"} 0
shop_rejected_total{reason="connections_max"} 0
shop_rejected_total{reason="line_timeout"} 0
shop_rejected_total{reason="line_too_long"} 0
shop_rejected_total{reason="not_tls"} 0
shop_rejected_total{reason="other_protocol"} 0
# HELP shop_request_seconds How long.
# TYPE shop_request_seconds histogram
shop_request_seconds_bucket{api="Get",le="0.001"} 1
shop_request_seconds_bucket{api="Get",le="0.02"} 2
shop_request_seconds_bucket{api="Get",le="+Inf"} 3
shop_request_seconds_sum{api="Get"} 0.502000001
shop_request_seconds_count{api="Get"} 3
# HELP shop_tls_failures_total Encrypted streams of clients that were of no use.
# TYPE shop_tls_failures_total counter
shop_tls_failures_total 0
"#;
        assert_eq!(registry.text(), expected);
    }

    #[test]
    fn a_label_that_all_have_comes_first() {
        let registry = Registry::labelled("shop", "shop_service", "till".to_owned());
        registry.add_loop(Arc::default());
        registry.add(requests(&[1]));
        let text = registry.text();
        for line in [
            r#"shop_connections{shop_service="till"} 0"#,
            r#"shop_rejected_total{shop_service="till",reason="line_timeout"} 0"#,
            r#"shop_request_seconds_bucket{shop_service="till",api="Get",le="+Inf"} 1"#,
            r#"shop_request_seconds_count{shop_service="till",api="Get"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "no {line} in {text}");
        }
    }

    #[test]
    fn a_loop_hangs_when_its_turn_does_not_end() {
        let registry = Registry::new("shop");
        let [idle, busy] = [(); 2].map(|()| Arc::new(LoopMetrics::default()));
        registry.add_loop(Arc::clone(&idle));
        registry.add_loop(Arc::clone(&busy));
        let (began, timeout) = (Time::from_millis(1000), Duration::from_secs(10));
        busy.turn_begins(began);
        assert!(!registry.hangs(began + timeout, timeout));
        assert!(registry.hangs(began + timeout + Duration::from_nanos(1), timeout));
        busy.turn_ends(began, began + timeout);
        assert!(!registry.hangs(began + 2 * timeout, timeout));
    }

    #[test]
    fn loops_that_ended_are_not_counted_as_running() {
        let registry = Registry::new("shop");
        let metrics = Arc::new(LoopMetrics::default());
        registry.add_loop(Arc::clone(&metrics));
        registry.add_loop(Arc::default());
        assert_eq!(registry.loops_running(), 2);
        metrics.end();
        assert_eq!(registry.loops_running(), 1);
    }
}
