//! [`Process`]: a service that was started for the benchmark, and [`Usage`]: what it costs. What runs in it, and how it
//! was started, is not known here.

use std::time::Duration;

use procfs::ProcResult;
use procfs::process::Process as Proc;

/// A service that was started for the benchmark, and listens. Dropped, it ends.
pub trait Process {
    /// For messages and results.
    fn name(&self) -> &'static str;

    /// Where it listens, as `HOST:PORT`.
    fn address(&self) -> &str;

    /// The number by which the system knows it.
    fn id(&self) -> u32;
}

/// What a process has used since its start, and the memory that it has now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) memory_bytes: u64,
    pub(crate) memory_peak_bytes: u64,
}

impl Usage {
    /// # Errors
    /// The system does not tell, because the process is gone.
    pub(crate) fn of(process: &dyn Process) -> Result<Self, String> {
        let usage = Proc::new(process.id().cast_signed()).and_then(|process| Self::read(&process));
        usage.map_err(|error| format!("cannot tell what {} costs: {error}", process.name()))
    }

    /// What this process itself has used.
    ///
    /// # Errors
    /// The system does not tell.
    pub(crate) fn of_this() -> Result<Self, String> {
        let usage = Proc::myself().and_then(|process| Self::read(&process));
        usage.map_err(|error| format!("cannot tell what the load generator costs: {error}"))
    }

    fn read(process: &Proc) -> ProcResult<Self> {
        // The time of each thread in nanoseconds; that of the process as a whole is counted in ticks.
        let mut cpu = Duration::ZERO;
        for task in process.tasks()? {
            let task = task?;
            match task.schedstat() {
                Ok(times) => cpu += Duration::from_nanos(times.sum_exec_runtime),
                // Other threads may end between two looks; the first one lasts as long as the process.
                Err(error) if task.tid == task.pid => return Err(error),
                Err(_) => {}
            }
        }
        let status = process.status()?;
        let bytes = |kib: Option<u64>| kib.unwrap_or(0) * 1024;
        Ok(Usage { cpu, memory_bytes: bytes(status.vmrss), memory_peak_bytes: bytes(status.vmhwm) })
    }
}
