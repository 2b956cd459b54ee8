//! [`Host`]: the machine and the program that a result belongs to.

use std::thread;

use procfs::{CpuInfo, Current};
use rustix::system::uname;
use serde::{Deserialize, Serialize};

use crate::place::Place;

/// Where and with what a benchmark ran. What cannot be found out is `unknown`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Host {
    /// The machine's name.
    pub name: String,
    /// The operating system and its version.
    pub kernel: String,
    /// The model of the processors.
    pub cpu: String,
    /// How many of them this process may use.
    pub processors: usize,
    /// The commit that the program was built from; `+` if files were changed since.
    pub commit: String,
    /// Whether the data of services that it started lay in memory, where flushing costs nothing.
    #[serde(default)]
    pub data_in_memory: bool,
}

impl Host {
    /// This one. `data`: where those of services lay that it started, if it did.
    pub fn here(data: Option<&Place>) -> Self {
        let system = uname();
        let cpu = CpuInfo::current().ok().and_then(|info| info.model_name(0).map(str::to_owned));
        Self {
            name: system.nodename().to_string_lossy().into_owned(),
            kernel: format!(
                "{} {} {}",
                system.sysname().to_string_lossy(),
                system.release().to_string_lossy(),
                system.machine().to_string_lossy()
            ),
            cpu: cpu.unwrap_or_else(|| "unknown".to_owned()),
            processors: thread::available_parallelism().map_or(1, usize::from),
            commit: env!("BENCH_COMMIT").to_owned(),
            data_in_memory: data.is_some_and(Place::is_in_memory),
        }
    }
}
