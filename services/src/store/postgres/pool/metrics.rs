//! [`PoolMetrics`]: what a pool counts.

use net::{Counter, Exposition, Gauge, Histogram, Metrics};

use super::super::wire::{Class, ServerError};
use super::asked::Asked;

/// The bounds of the numbers of writes in a transaction.
const GROUPS: &[u64] = &[1, 2, 4, 8, 16, 32];

/// What a pool counts.
pub(in super::super) struct PoolMetrics {
    /// Whatever was sent, by itself or together.
    pub(super) flights: Counter,
    /// Writes that were sent together.
    pub(super) group: Histogram,
    /// What was undone and may succeed another time, by why.
    pub(super) serialization_failures: Counter,
    pub(super) deadlocks: Counter,
    pub(super) other_failures: Counter,
    /// Flights of which nobody knows whether they were carried out.
    pub(super) unknown: Counter,
    /// Connections that are ready.
    pub(super) ready: Gauge,
    /// Connections that were given up while a commit was not answered, since one was answered last.
    pub(super) abandoned: Gauge,
}

impl PoolMetrics {
    /// Takes note of what is sent together.
    pub(super) fn sends(&self, members: &[Asked]) {
        self.flights.add(1);
        if members.iter().any(|asked| asked.transaction.effect.is_write()) {
            self.group.observe(members.len() as u64);
        }
    }

    /// Takes note of what was undone. What was together is always begun again, singly.
    pub(super) fn fails(&self, error: &ServerError, is_shared: bool) {
        match error.code.as_str() {
            "40001" => self.serialization_failures.add(1),
            "40P01" => self.deadlocks.add(1),
            _ if is_shared || matches!(error.class(), Class::Replay | Class::Leave) => {
                self.other_failures.add(1)
            }
            _ => {}
        }
    }
}

impl Default for PoolMetrics {
    fn default() -> Self {
        Self {
            flights: Counter::default(),
            group: Histogram::new(GROUPS),
            serialization_failures: Counter::default(),
            deadlocks: Counter::default(),
            other_failures: Counter::default(),
            unknown: Counter::default(),
            ready: Gauge::default(),
            abandoned: Gauge::default(),
        }
    }
}

impl Metrics for PoolMetrics {
    fn expose(&self, out: &mut Exposition) {
        let help = "What was sent to the store, a transaction each.";
        out.counter("marketplace_store_flights_total", help, &[], self.flights.get());
        let help = "Writes that shared a transaction of the store.";
        out.histogram("marketplace_store_group_writes", help, &[], &self.group);
        let causes = [
            ("serialization", &self.serialization_failures),
            ("deadlock", &self.deadlocks),
            ("other", &self.other_failures),
        ];
        for (cause, count) in causes {
            let help = "Transactions that the store has undone, and that were begun again.";
            out.counter("marketplace_store_replays_total", help, &[("cause", cause)], count.get());
        }
        let help = "Transactions of the store of which nobody knows whether they were carried out.";
        out.counter("marketplace_store_unknown_outcomes_total", help, &[], self.unknown.get());
        let help = "Connections to the store that are ready.";
        out.gauge("marketplace_store_connections_ready", help, &[], self.ready.get());
        let help = "Connections to the store that were given up with a change under way, since one was committed last.";
        out.gauge("marketplace_store_connections_abandoned", help, &[], self.abandoned.get());
    }
}
