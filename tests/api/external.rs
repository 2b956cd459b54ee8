//! [`External`]: the four services as a program outside of the tests starts them, in containers say.
//!
//! The environment's `MARKETPLACE_CLUSTER` names the program. Its arguments are `start`, `restart` or `stop`, and a name
//! that tells the cluster from those of tests that run beside it. Of a cluster that it has started or restarted, it
//! prints the addresses of `server_buyer`, `server_seller`, `db_customer` and `db_product`, a line each.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, thread};

/// A cluster that a program has started. Dropped, it is stopped.
pub(crate) struct External {
    program: PathBuf,
    name: String,
}

/// Where the services listen, in the order of the module's description.
pub(crate) type Addresses = [SocketAddr; 4];

impl External {
    /// Starts an empty cluster, if the environment names a program for it.
    pub(crate) fn start() -> Option<(External, Addresses)> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let program = PathBuf::from(env::var_os("MARKETPLACE_CLUSTER")?);
        let name = format!("test-{}-{}", process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let external = External { program, name };
        let addresses = external.call("start");
        Some((external, addresses))
    }

    /// Restarts all services on the same data.
    pub(crate) fn restart(&self) -> Addresses {
        self.call("restart")
    }

    fn call(&self, action: &str) -> Addresses {
        let output = self.command(action).output().expect("the program runs");
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).expect("addresses are text");
        let addresses: Vec<_> = lines.lines().map(|line| line.parse().expect("an address")).collect();
        addresses.try_into().expect("four addresses")
    }

    fn command(&self, action: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args([action, &self.name]).stdin(Stdio::null());
        command
    }
}

impl Drop for External {
    fn drop(&mut self) {
        let stopped = self.command("stop").stderr(Stdio::null()).status();
        assert!(stopped.is_ok_and(|status| status.success()) || thread::panicking(), "it is stopped");
    }
}
