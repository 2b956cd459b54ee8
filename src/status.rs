//! What a service says about its process: which program it is and since when it runs, and to systemd, when it is ready
//! and when it stops.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use net::{Exposition, Metrics, Registry};
use sd_notify::NotifyState;

/// A registry of the process's metrics, with those in it that all its reactors share.
pub(crate) fn registry(service: &str) -> Arc<Registry> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start_nanos = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
    let registry = Arc::new(Registry::new("marketplace"));
    registry.add(Arc::new(Process { service: service.to_owned(), start_nanos }));
    registry
}

/// Tells systemd, if it asked to be told, that the service listens.
pub(crate) fn ready() {
    notify(NotifyState::Ready);
}

/// Tells systemd, if it asked to be told, that the service ends what is in flight.
pub(crate) fn stopping() {
    notify(NotifyState::Stopping);
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        log::warn!("event=systemd_not_told error=\"{error}\"");
    }
}

struct Process {
    service: String,
    start_nanos: u64,
}

impl Metrics for Process {
    fn expose(&self, out: &mut Exposition) {
        let labels = [("service", self.service.as_str()), ("version", env!("CARGO_PKG_VERSION"))];
        out.gauge("marketplace_build_info", "Which program this is; always 1.", &labels, 1);
        let help = "When the process started, since the Unix epoch.";
        out.gauge_seconds("process_start_time_seconds", help, &[], self.start_nanos);
    }
}
