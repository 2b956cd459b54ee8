//! [`Service`]: one of the four services, which can be killed and come back at its address.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::Signal;

use super::process::{Process, binary};

/// A running service.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// Where it listens, also after a restart.
    pub(crate) address: SocketAddr,
    args: Vec<String>,
    process: Process,
}

impl Service {
    /// A database on a free port of a host of its own.
    pub(crate) fn database(name: &'static str, data: &Path) -> Self {
        Self::start(name, Self::database_args(name, data))
    }

    /// A database at an address that is free.
    pub(crate) fn database_at(name: &'static str, data: &Path, address: SocketAddr) -> Self {
        let args = Self::database_args(name, data);
        Self::start_at(name, &address.to_string(), args)
    }

    /// A frontend on a free port of a host of its own.
    pub(crate) fn frontend(
        name: &'static str,
        customer: SocketAddr,
        product: SocketAddr,
        more: &[&str],
    ) -> Self {
        let mut args = vec![format!("--customer={customer}"), format!("--product={product}")];
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        Self::start(name, args)
    }

    /// The options of a database; passwords are hashed at the least cost, to be fast.
    pub(crate) fn database_args(name: &str, data: &Path) -> Vec<String> {
        let mut args = vec![format!("--data={}", data.display())];
        if name == "db_customer" {
            args.extend(["--hash-memory-kib=8".to_owned(), "--hash-passes=1".to_owned()]);
        }
        args
    }

    fn start(name: &'static str, args: Vec<String>) -> Self {
        Self::start_at(name, &format!("{}:0", own_host()), args)
    }

    fn start_at(name: &'static str, listen: &str, args: Vec<String>) -> Self {
        let (process, address) = serve(name, listen, &args);
        Self { name, address, args, process }
    }

    /// Runs a service by a command of the test's. It cannot be restarted.
    pub(crate) fn adopt(name: &'static str, command: &mut Command) -> Self {
        let (process, address) = ready(command);
        Self { name, address, args: Vec::new(), process }
    }

    /// Ends it by SIGKILL, unless it has ended.
    pub(crate) fn kill(&mut self) {
        if self.process.is_running() {
            self.process.kill();
        }
    }

    /// Starts it again, on the same address and data.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let (process, address) = serve(self.name, &self.address.to_string(), &self.args);
        assert_eq!(address, self.address);
        self.process = process;
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it in order, and waits until it has. The service can be restarted.
    #[track_caller]
    pub(crate) fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        super::process::wait_until("the end of a service", || !self.process.is_running());
    }

    /// Waits for its end; returns the exit code and the log.
    #[track_caller]
    pub(crate) fn finish(self) -> (Option<i32>, String) {
        self.process.finish()
    }
}

/// A loopback address that no other test uses.
///
/// A port on it is free for as long as we leave it free: nobody else takes it while a service is down, and no
/// client that connects meanwhile can happen to be given it as its own.
pub(crate) fn own_host() -> Ipv4Addr {
    static HOSTS: AtomicU8 = AtomicU8::new(1);
    let host = HOSTS.fetch_add(1, Ordering::Relaxed);
    assert!(host < 255, "there are too many hosts for one octet");
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, host, high, low)
}

fn serve(name: &str, listen: &str, args: &[String]) -> (Process, SocketAddr) {
    ready(binary(&[name, "--listen", listen]).args(args))
}

/// Starts a service and waits until it is ready.
fn ready(command: &mut Command) -> (Process, SocketAddr) {
    let mut process = Process::start(command);
    let line = process.wait_for("listening on ");
    let (_, address) = line.split_once("listening on ").expect("the line has it");
    (process, address.trim().parse().expect("HOST:PORT"))
}
