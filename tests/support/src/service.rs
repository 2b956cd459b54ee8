//! [`Service`]: one of the four services as a process, which can be killed and come back at its address.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::Signal;

use crate::process::Process;
use crate::program::Program;
use crate::wait::wait_until;

/// The services by name. Sorted.
pub const SERVICES: [&str; 4] = ["db_customer", "db_product", "server_buyer", "server_seller"];

/// A running service.
pub struct Service {
    /// Which of the four it is.
    pub name: &'static str,
    /// Where it listens, also after a restart.
    pub address: SocketAddr,
    process: Process,
    /// How it is started again, but for its address; `None` if a test's command has started it.
    again: Option<(Program, Vec<String>)>,
}

impl Program {
    /// Starts a database on a free port of a host of its own.
    pub fn database(self, name: &'static str, data: &Path) -> Service {
        self.service(name, &format!("{}:0", own_host()), Service::database_args(name, data))
    }

    /// Starts a database at an address that is free.
    pub fn database_at(self, name: &'static str, data: &Path, address: SocketAddr) -> Service {
        self.service(name, &address.to_string(), Service::database_args(name, data))
    }

    /// Starts a frontend on a free port of a host of its own; `more` are further options.
    pub fn frontend(
        self,
        name: &'static str,
        customer: SocketAddr,
        product: SocketAddr,
        more: &[&str],
    ) -> Service {
        let args = Service::frontend_args(customer, product, more);
        self.service(name, &format!("{}:0", own_host()), args)
    }

    /// Starts a service on a free port of a host of its own, with these options.
    pub fn replica(self, name: &'static str, args: Vec<String>) -> Service {
        self.service(name, &format!("{}:0", own_host()), args)
    }

    /// The same, which works in this folder. It cannot be restarted.
    pub fn replica_in(self, folder: &Path, name: &'static str, args: Vec<String>) -> Service {
        let mut command = self.command(&[name, "--listen", &format!("{}:0", own_host())]);
        Service::adopt(name, command.args(&args).current_dir(folder))
    }

    fn service(self, name: &'static str, listen: &str, args: Vec<String>) -> Service {
        let (process, address) = ready(self.command(&[name, "--listen", listen]).args(&args));
        Service { name, address, process, again: Some((self, args)) }
    }
}

impl Service {
    /// The options of a database; passwords are hashed at the least cost, to be fast.
    pub fn database_args(name: &str, data: &Path) -> Vec<String> {
        Self::database_args_with(name, format!("--data={}", data.display()))
    }

    /// The same of one that keeps what it knows where this option says.
    pub(crate) fn database_args_with(name: &str, store: String) -> Vec<String> {
        let mut args = vec![store];
        if name == "db_customer" {
            args.extend(["--hash-memory-kib=8".to_owned(), "--hash-passes=1".to_owned()]);
        }
        args
    }

    /// The options of a frontend with these databases, and `more`.
    pub fn frontend_args(customer: SocketAddr, product: SocketAddr, more: &[&str]) -> Vec<String> {
        let mut args = vec![format!("--customer={customer}"), format!("--product={product}")];
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    /// Runs a service by a command of the test's. It cannot be restarted.
    pub fn adopt(name: &'static str, command: &mut Command) -> Self {
        let (process, address) = ready(command);
        Self { name, address, process, again: None }
    }

    /// Ends it by SIGKILL, unless it has ended.
    pub fn kill(&mut self) {
        if self.process.is_running() {
            self.process.kill();
        }
    }

    /// Starts it again, on the same address and data.
    pub fn restart(&mut self) {
        self.kill();
        let (program, args) = self.again.take().expect("it was not started by a test's command");
        self.start_again(program, args);
    }

    /// Ends it in order, and has another program take its place, with the same address, data and options.
    pub fn replace(&mut self, program: Program) {
        self.stop();
        let (_, args) = self.again.take().expect("it was not started by a test's command");
        self.start_again(program, args);
    }

    /// The process in which it runs.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it in order, and waits until it has. The service can be restarted.
    #[track_caller]
    pub fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        wait_until("the end of a service", || !self.process.is_running());
    }

    /// Waits for its end; returns the exit code and the log.
    #[track_caller]
    pub fn finish(self) -> (Option<i32>, String) {
        self.process.finish()
    }

    fn start_again(&mut self, program: Program, args: Vec<String>) {
        let address = self.address;
        *self = program.service(self.name, &address.to_string(), args);
        assert_eq!(self.address, address);
    }
}

/// A loopback address that no other test uses.
///
/// A port on it is free for as long as we leave it free: nobody else takes it while a service is down, and no
/// client that connects meanwhile can happen to be given it as its own.
pub fn own_host() -> Ipv4Addr {
    static HOSTS: AtomicU8 = AtomicU8::new(1);
    let host = HOSTS.fetch_add(1, Ordering::Relaxed);
    assert!(host < 255, "there are too many hosts for one octet");
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, host, high, low)
}

/// Starts a service and waits until it is ready.
fn ready(command: &mut Command) -> (Process, SocketAddr) {
    let mut process = Process::start(command);
    let address = process.wait_for_address("listening on ");
    (process, address)
}
