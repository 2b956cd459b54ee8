//! What a service says about its process: which program it is, since when it runs and what it takes of the machine, and
//! to systemd, when it is ready and when it stops.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use net::{Exposition, Metrics, Registry};
use procfs::process::Process as Proc;
use rustix::process::{Resource, getrlimit};
use sd_notify::NotifyState;
use services::sqlite;

use super::logging;
use crate::service::Service;

/// The label that tells the metrics of the four services apart. Whoever scrapes gives labels, too, and `service` is
/// among those that are common.
const SERVICE_LABEL: &str = "marketplace_service";
/// Where systemd listens, if it asked to be told.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// A registry of the process's metrics, with those in it that all its reactors share. `data` is where a database keeps
/// its files, if it has some, and `memory_max_mib` the memory that it may fill then.
pub(crate) fn registry(service: Service, data: Option<&Path>, memory_max_mib: Option<u64>) -> Arc<Registry> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let start_nanos = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
    let registry = Arc::new(Registry::labelled("marketplace", SERVICE_LABEL, service.name().to_owned()));
    let memory_max_bytes = memory_max_mib.map(|mib| mib << 20);
    let files = data.map(|data| sqlite::files(service.name(), data)).unwrap_or_default();
    registry.add(Arc::new(Process { start_nanos, memory_max_bytes, files }));
    registry
}

/// Tells systemd, if it asked to be told, that the service listens.
///
/// # Errors
/// The message cannot be sent.
pub(crate) fn ready() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Ready])
}

/// Tells systemd, if it asked to be told, that the service ends what is in flight.
///
/// # Errors
/// The message cannot be sent.
pub(crate) fn stopping() -> io::Result<()> {
    sd_notify::notify(&[NotifyState::Stopping])
}

/// Keeps a child from telling systemd what this process tells for all.
pub(crate) fn silence(child: &mut Command) {
    child.env_remove(NOTIFY_SOCKET);
}

struct Process {
    start_nanos: u64,
    /// Of a database.
    memory_max_bytes: Option<u64>,
    /// By what they are.
    files: Vec<(&'static str, PathBuf)>,
}

impl Metrics for Process {
    /// What the system does not tell is left out.
    fn expose(&self, out: &mut Exposition) {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        out.gauge("marketplace_build_info", "Which program this is; always 1.", &version, 1);
        let help = "When the process started, since the Unix epoch.";
        out.gauge_seconds("process_start_time_seconds", help, &[], self.start_nanos);
        let mut gauge = |name, help, value: Option<u64>| {
            value.into_iter().for_each(|value| out.gauge(name, help, &[], value));
        };
        let process = Proc::myself().ok();
        let memory_kib = process.as_ref().and_then(|process| process.status().ok()?.vmrss);
        let memory_bytes = memory_kib.map(|kib| kib * 1024);
        gauge("process_resident_memory_bytes", "Memory that the process has.", memory_bytes);
        let help = "Memory at which a database refuses to keep more.";
        gauge("marketplace_memory_max_bytes", help, self.memory_max_bytes);
        let open_fds = process.and_then(|process| process.fd_count().ok()).map(|count| count as u64);
        gauge("process_open_fds", "File descriptors that are open.", open_fds);
        let fds_max = getrlimit(Resource::Nofile).current;
        gauge("process_max_fds", "File descriptors that may be open.", fds_max);
        let help = "Lines of the log that nobody read in time.";
        out.counter("marketplace_log_dropped_total", help, &[], logging::dropped_total());
        for (file, path) in &self.files {
            if let Ok(metadata) = fs::metadata(path) {
                let help = "Sizes of the database's file, and of the log of what is not yet in it.";
                out.gauge("marketplace_store_bytes", help, &[("file", file)], metadata.len());
            }
        }
    }
}
