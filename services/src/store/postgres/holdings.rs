//! [`Holdings`]: how much there is on an engine of what a database would hold in memory, as it was a moment ago, under the
//! same names. Each service that runs tells it, as far as it has found out.

use net::{Exposition, Gauge, Metrics};

use crate::engine::metrics::Holding;

/// How much there is of each of some things.
pub(super) struct Holdings(Vec<(&'static Holding, Gauge)>);

impl Holdings {
    /// Nothing is known of these yet.
    pub(super) fn new(of: &'static [Holding]) -> Self {
        Self(of.iter().map(|of| (of, Gauge::default())).collect())
    }

    /// There is so much of the one at this place.
    pub(super) fn set(&self, place: usize, number: u64) {
        // What is not known is 0.
        let (_, gauge) = &self.0[place];
        gauge.set(number.saturating_add(1));
    }
}

impl Metrics for Holdings {
    fn expose(&self, out: &mut Exposition) {
        for (Holding { name, help, labels }, gauge) in &self.0 {
            if let Some(number) = gauge.get().checked_sub(1) {
                out.gauge(name, help, labels, number);
            }
        }
    }
}
