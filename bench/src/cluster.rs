//! [`Cluster`]: the four processes that the clients of a benchmark call, started for it or running elsewhere.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::probe::Probe;
use crate::process::{Process, Usage};
use crate::results::ServiceRun;

/// Makes the command line of a subcommand of the program that holds the services, without further arguments.
pub type Launch<'a> = &'a dyn Fn(&str) -> Command;

const ANY_PORT: &str = "127.0.0.1:0";

/// Which services a benchmark measures.
#[derive(Clone, Debug)]
pub enum Services {
    /// It starts its own, on fresh data.
    Own(ServiceOptions),
    /// They run already.
    Running {
        /// `server_buyer`, as `HOST:PORT`.
        buyer: String,
        /// `server_seller`, as `HOST:PORT`.
        seller: String,
    },
}

/// What is set about services that a benchmark starts.
#[derive(Clone, Debug, Default)]
pub struct ServiceOptions {
    /// Further arguments of both databases.
    pub databases: Vec<String>,
    /// Further arguments of both frontends.
    pub frontends: Vec<String>,
}

/// Two frontends, and what is behind them.
pub(crate) struct Cluster {
    pub(crate) buyer: String,
    pub(crate) seller: String,
    /// Frontends first, so that they end first and find no database missing.
    processes: Vec<Process>,
    _data: Option<TempDir>,
}

/// What the processes of a cluster have used at a moment.
pub(crate) struct Sample {
    at: Instant,
    services: Vec<ServiceSample>,
}

struct ServiceSample {
    service: &'static str,
    cpu: Duration,
    memory_peak_bytes: u64,
    /// Groups flushed to disk since the start of a database.
    commits: Option<u64>,
}

impl Cluster {
    /// # Errors
    /// A service cannot be started.
    pub(crate) fn of(services: &Services, launch: Launch<'_>) -> Result<Self, String> {
        match services {
            Services::Own(options) => Self::marketplace(options, launch),
            Services::Running { buyer, seller } => {
                Ok(Self { buyer: buyer.clone(), seller: seller.clone(), processes: Vec::new(), _data: None })
            }
        }
    }

    /// Starts a marketplace on data of its own, which goes away with it.
    fn marketplace(options: &ServiceOptions, launch: Launch<'_>) -> Result<Self, String> {
        let data = tempfile::tempdir().map_err(|error| format!("cannot make a folder: {error}"))?;
        let cluster = Self::on(data.path(), options, launch)?;
        Ok(Self { _data: Some(data), ..cluster })
    }

    /// Starts a marketplace on data that is there.
    ///
    /// # Errors
    /// A service cannot be started.
    pub(crate) fn on(data: &Path, options: &ServiceOptions, launch: Launch<'_>) -> Result<Self, String> {
        let customer = database("db_customer", data, options, launch)?;
        let product = database("db_product", data, options, launch)?;
        let frontend = |name| {
            let mut command = launch(name);
            command.args(["--listen", ANY_PORT, "--customer", &customer.address]);
            command.args(["--product", &product.address]).args(&options.frontends);
            Process::start(name, &mut command)
        };
        let (buyer, seller) = (frontend("server_buyer")?, frontend("server_seller")?);
        Ok(Self::of_processes([buyer, seller, customer, product]))
    }

    /// Starts a bare relay with the same processes.
    ///
    /// # Errors
    /// A process cannot be started.
    pub(crate) fn relay(launch: Launch<'_>) -> Result<Self, String> {
        let start = |name, args: &[&str]| {
            let mut command = launch("bench");
            Process::start(name, command.args(["relay", "--listen", ANY_PORT]).args(args))
        };
        let (customer, product) = (start("relay C", &[])?, start("relay P", &[])?);
        let databases = ["--customer", &customer.address, "--product", &product.address];
        let (buyer, seller) = (start("relay buyer", &databases)?, start("relay seller", &databases)?);
        Ok(Self::of_processes([buyer, seller, customer, product]))
    }

    /// Whether the benchmark has started it, so that its data goes away with it.
    pub(crate) fn is_own(&self) -> bool {
        !self.processes.is_empty()
    }

    /// The process of this name, if it was started.
    pub(crate) fn process(&self, name: &str) -> Option<&Process> {
        self.processes.iter().find(|process| process.name == name)
    }

    fn of_processes(processes: [Process; 4]) -> Self {
        let [buyer, seller, ..] = &processes;
        let (buyer, seller) = (buyer.address.clone(), seller.address.clone());
        Self { buyer, seller, processes: processes.into(), _data: None }
    }

    /// What the services have used, and after them the load generator itself.
    ///
    /// # Errors
    /// A process is gone.
    pub(crate) fn sample(&self) -> Result<Sample, String> {
        let at = Instant::now();
        let mut services = Vec::new();
        for process in &self.processes {
            let commits = process.name.starts_with("db_").then(|| commits(process)).transpose()?;
            services.push(ServiceSample::new(process.name, process.usage()?, commits));
        }
        services.push(ServiceSample::new("load generator", Usage::of_this()?, None));
        Ok(Sample { at, services })
    }
}

impl ServiceSample {
    fn new(service: &'static str, usage: Usage, commits: Option<u64>) -> Self {
        let Usage { cpu, memory_peak_bytes, .. } = usage;
        Self { service, cpu, memory_peak_bytes, commits }
    }
}

/// Starts a database on a folder.
///
/// # Errors
/// It cannot be started.
pub(crate) fn database(
    name: &'static str,
    data: &Path,
    options: &ServiceOptions,
    launch: Launch<'_>,
) -> Result<Process, String> {
    let mut command = launch(name);
    command.args(["--listen", ANY_PORT, "--data"]).arg(data).args(&options.databases);
    Process::start(name, &mut command)
}

impl Sample {
    /// What so many calls have cost since an earlier sample.
    pub(crate) fn since(&self, earlier: &Sample, calls: u64) -> Vec<ServiceRun> {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64();
        let cost = |(now, before): (&ServiceSample, &ServiceSample)| ServiceRun {
            service: now.service.to_owned(),
            // The threads of a process that has died do not count any more.
            cpu_us_per_call: now.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / calls.max(1) as f64,
            memory_peak_bytes: now.memory_peak_bytes,
            commits_per_second: now
                .commits
                .zip(before.commits)
                .map(|(now, before)| now.saturating_sub(before) as f64 / seconds),
        };
        self.services.iter().zip(&earlier.services).map(cost).collect()
    }
}

fn commits(process: &Process) -> Result<u64, String> {
    let failed = |error: io::Error| format!("cannot ask {}: {error}", process.name);
    let mut probe = Probe::connect(&process.address).map_err(failed)?;
    probe.number("Ping", "{}", "commits").map_err(failed)
}
