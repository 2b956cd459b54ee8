//! [`Cluster`]: the four processes that the clients of a benchmark call, started for it or running elsewhere.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use net::ClientTls;
use tempfile::TempDir;

use crate::place::Place;
use crate::probe::Probe;
use crate::process::{Process, Usage};
use crate::results::ServiceRun;

/// Starts a program that holds the services with these arguments, under a name for messages, and returns when it
/// listens. The program is this one unless another is named.
pub type Launch<'a> =
    &'a dyn Fn(Option<&Path>, &'static str, &[OsString]) -> Result<Box<dyn Process>, String>;

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
        /// How connections to them are encrypted, if they are.
        tls: Option<ClientTls>,
    },
}

/// What is set about services that a benchmark starts.
#[derive(Clone, Debug, Default)]
pub struct ServiceOptions {
    /// Where their data lie.
    pub data: Place,
    /// The program that holds them; `None`: this one.
    pub program: Option<PathBuf>,
    /// Further arguments of both databases.
    pub databases: Vec<String>,
    /// Further arguments of both frontends.
    pub frontends: Vec<String>,
    /// How connections to all of them are encrypted, if their arguments say so.
    pub tls: Option<ClientTls>,
}

/// Two frontends, and what is behind them.
pub(crate) struct Cluster {
    pub(crate) buyer: String,
    pub(crate) seller: String,
    pub(crate) tls: Option<ClientTls>,
    /// Frontends first, so that they end first and find no database missing.
    processes: Vec<Box<dyn Process>>,
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
            Services::Running { buyer, seller, tls } => Ok(Self {
                buyer: buyer.clone(),
                seller: seller.clone(),
                tls: tls.clone(),
                processes: Vec::new(),
                _data: None,
            }),
        }
    }

    /// Starts a marketplace on data of its own, which goes away with it.
    fn marketplace(options: &ServiceOptions, launch: Launch<'_>) -> Result<Self, String> {
        let data = options.data.new_folder()?;
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
        let databases = ["--customer", customer.address(), "--product", product.address()];
        let frontend = |name| {
            let listen = [name, "--listen", ANY_PORT].into_iter();
            let further = options.frontends.iter().map(String::as_str);
            let args: Vec<_> = listen.chain(databases).chain(further).map(OsString::from).collect();
            launch(options.program.as_deref(), name, &args)
        };
        let (buyer, seller) = (frontend("server_buyer")?, frontend("server_seller")?);
        let cluster = Self::of_processes([buyer, seller, customer, product]);
        Ok(Self { tls: options.tls.clone(), ..cluster })
    }

    /// Starts a relay with the same processes, a bare one or one whose databases flush into files in a place.
    ///
    /// # Errors
    /// A process cannot be started.
    pub(crate) fn relay(flushed: Option<&Place>, launch: Launch<'_>) -> Result<Self, String> {
        let data = flushed.map(Place::new_folder).transpose()?;
        let start = |name, args: &[&str]| {
            let args = ["bench", "relay", "--listen", ANY_PORT].iter().chain(args);
            launch(None, name, &args.map(OsString::from).collect::<Vec<_>>())
        };
        let database = |name| {
            let file = data.as_ref().map(|data| data.path().join(name).display().to_string());
            start(name, &file.iter().flat_map(|file| ["--flush", file]).collect::<Vec<_>>())
        };
        let (customer, product) = (database("relay C")?, database("relay P")?);
        let databases = ["--customer", customer.address(), "--product", product.address()];
        let (buyer, seller) = (start("relay buyer", &databases)?, start("relay seller", &databases)?);
        Ok(Self { _data: data, ..Self::of_processes([buyer, seller, customer, product]) })
    }

    /// Connects to one of its services, to ask it something.
    ///
    /// # Errors
    /// It cannot be reached, or is not who it must be.
    pub(crate) fn probe(&self, address: &str) -> io::Result<Probe> {
        Probe::connect(address, self.tls.as_ref())
    }

    /// Whether the benchmark has started it, so that its data goes away with it.
    pub(crate) fn is_own(&self) -> bool {
        !self.processes.is_empty()
    }

    /// The process of this name, if it was started.
    pub(crate) fn process(&self, name: &str) -> Option<&dyn Process> {
        self.processes.iter().map(Box::as_ref).find(|process| process.name() == name)
    }

    fn of_processes(processes: [Box<dyn Process>; 4]) -> Self {
        let [buyer, seller, ..] = &processes;
        let (buyer, seller) = (buyer.address().to_owned(), seller.address().to_owned());
        Self { buyer, seller, tls: None, processes: processes.into(), _data: None }
    }

    /// What the services have used, and after them the load generator itself.
    ///
    /// # Errors
    /// A process is gone.
    pub(crate) fn sample(&self) -> Result<Sample, String> {
        let at = Instant::now();
        let mut services = Vec::new();
        for process in self.processes.iter().map(Box::as_ref) {
            let commits = process.name().starts_with("db_").then(|| self.commits(process)).transpose()?;
            services.push(ServiceSample::new(process.name(), Usage::of(process)?, commits));
        }
        services.push(ServiceSample::new("load generator", Usage::of_this()?, None));
        Ok(Sample { at, services })
    }

    fn commits(&self, process: &dyn Process) -> Result<u64, String> {
        let failed = |error: io::Error| format!("cannot ask {}: {error}", process.name());
        let mut probe = self.probe(process.address()).map_err(failed)?;
        probe.number("Ping", "{}", "commits").map_err(failed)
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
) -> Result<Box<dyn Process>, String> {
    let mut args: Vec<OsString> = [name, "--listen", ANY_PORT, "--data"].map(OsString::from).into();
    args.push(data.into());
    args.extend(options.databases.iter().map(OsString::from));
    launch(options.program.as_deref(), name, &args)
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// What was started, with its arguments, and what has ended, in order.
    type Log = Rc<RefCell<Vec<String>>>;

    /// A service that only says when it ends.
    struct Fake {
        name: &'static str,
        address: String,
        log: Log,
    }

    impl Process for Fake {
        fn name(&self) -> &'static str {
            self.name
        }

        fn address(&self) -> &str {
            &self.address
        }

        fn id(&self) -> u32 {
            unreachable!("nobody asks what it costs")
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            self.log.borrow_mut().push(format!("end {}", self.name));
        }
    }

    /// A way to start fakes, each of which listens at its own name.
    fn launch(
        log: &Log,
    ) -> impl Fn(Option<&Path>, &'static str, &[OsString]) -> Result<Box<dyn Process>, String> {
        move |program, name, args| {
            assert_eq!(program, None);
            let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
            log.borrow_mut().push(args.join(" "));
            Ok(Box::new(Fake { name, address: format!("at.{name}"), log: Rc::clone(log) }))
        }
    }

    const ENDS: [&str; 4] = ["end server_buyer", "end server_seller", "end db_customer", "end db_product"];

    #[test]
    fn databases_are_started_before_frontends_and_end_after_them() {
        let log = Log::default();
        let options = ServiceOptions {
            databases: vec!["--unsafe-no-flush".to_owned()],
            frontends: vec!["--reactors".to_owned(), "2".to_owned()],
            ..ServiceOptions::default()
        };
        let cluster = Cluster::on(Path::new("d"), &options, &launch(&log)).expect("it starts");
        assert_eq!(
            (cluster.buyer.as_str(), cluster.seller.as_str()),
            ("at.server_buyer", "at.server_seller")
        );
        let databases = "--customer at.db_customer --product at.db_product --reactors 2";
        let starts = [
            "db_customer --listen 127.0.0.1:0 --data d --unsafe-no-flush".to_owned(),
            "db_product --listen 127.0.0.1:0 --data d --unsafe-no-flush".to_owned(),
            format!("server_buyer --listen 127.0.0.1:0 {databases}"),
            format!("server_seller --listen 127.0.0.1:0 {databases}"),
        ];
        assert_eq!(log.take(), starts);
        drop(cluster);
        assert_eq!(log.take(), ENDS);
    }

    #[test]
    fn the_relay_has_the_same_shape() {
        let log = Log::default();
        let cluster = Cluster::relay(None, &launch(&log)).expect("it starts");
        assert_eq!((cluster.buyer.as_str(), cluster.seller.as_str()), ("at.relay buyer", "at.relay seller"));
        let relay = "bench relay --listen 127.0.0.1:0";
        let frontend = format!("{relay} --customer at.relay C --product at.relay P");
        assert_eq!(log.take(), [relay, relay, &frontend, &frontend]);
    }

    #[test]
    fn the_databases_of_a_relay_that_flushes_do_so_into_files_of_their_own() {
        let log = Log::default();
        let dir = tempfile::tempdir().expect("the system has a folder to give");
        let cluster =
            Cluster::relay(Some(&Place::new(Some(dir.path().to_owned()))), &launch(&log)).expect("it starts");
        let started = log.take();
        for (name, line) in ["relay C", "relay P"].into_iter().zip(&started) {
            let file = line.strip_prefix("bench relay --listen 127.0.0.1:0 --flush ").expect("it flushes");
            assert!(Path::new(file).starts_with(dir.path()) && file.ends_with(name), "{line}");
        }
        assert!(started[2..].iter().all(|line| !line.contains("--flush")), "{started:?}");
        drop(cluster);
        assert_eq!(dir.path().read_dir().expect("it is there").count(), 0);
    }

    #[test]
    fn where_a_service_cannot_be_started_the_others_end() {
        let log = Log::default();
        let start = launch(&log);
        let failing = |program: Option<&Path>, name, args: &[OsString]| match name {
            "server_seller" => Err("no".to_owned()),
            name => start(program, name, args),
        };
        let cluster = Cluster::on(Path::new("d"), &ServiceOptions::default(), &failing);
        assert_eq!(cluster.err().as_deref(), Some("no"));
        let ends = log.borrow().iter().filter(|line| ENDS.contains(&line.as_str())).count();
        assert_eq!(ends, 3);
    }
}
