//! [`Process`]: a service that the benchmark has started, and what it costs. What runs in it is not known here.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use net::spawn_thread;
use procfs::ProcResult;
use procfs::process::Process as Proc;
use rustix::process::{Pid, Signal, kill_process};

/// How long a service may take until it listens.
const START_MAX: Duration = Duration::from_secs(60);
/// How long a service may take to end. It gives itself five seconds.
const STOP_MAX: Duration = Duration::from_secs(6);
const POLL: Duration = Duration::from_millis(10);

/// A running service. Dropped, it is asked to end, and killed if it does not.
pub(crate) struct Process {
    pub(crate) name: &'static str,
    /// Where it listens.
    pub(crate) address: String,
    child: Child,
}

/// What a process has used since its start, and the memory that it has now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) memory_bytes: u64,
    pub(crate) memory_peak_bytes: u64,
}

impl Process {
    /// Starts a command that says on standard error that it is `listening on` an address, and waits for that. Its
    /// warnings and errors are passed on.
    ///
    /// # Errors
    /// It cannot be started, ends, or takes too long.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self, String> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        let stderr = child.stderr.take().expect("it is piped");
        let mut process = Self { name, address: String::new(), child };
        let (listening_out, listening) = channel();
        let read = move || read_log(name, BufReader::new(stderr), &listening_out);
        spawn_thread(name, read).map_err(|error| error.to_string())?;
        match listening.recv_timeout(START_MAX) {
            Ok(address) => {
                process.address = address;
                Ok(process)
            }
            Err(_) => Err(format!("{name} does not listen")),
        }
    }

    /// # Errors
    /// The system does not tell, because the process is gone.
    pub(crate) fn usage(&self) -> Result<Usage, String> {
        let pid = Pid::from_child(&self.child).as_raw_nonzero().get();
        let usage = Proc::new(pid).and_then(|process| Usage::of(&process));
        usage.map_err(|error| format!("cannot tell what {} costs: {error}", self.name))
    }
}

impl Usage {
    /// What this process itself has used.
    ///
    /// # Errors
    /// The system does not tell.
    pub(crate) fn of_this() -> Result<Self, String> {
        let usage = Proc::myself().and_then(|process| Self::of(&process));
        usage.map_err(|error| format!("cannot tell what the load generator costs: {error}"))
    }

    fn of(process: &Proc) -> ProcResult<Self> {
        // The time of each thread in nanoseconds; that of the process as a whole is counted in ticks.
        let mut cpu = Duration::ZERO;
        for task in process.tasks()? {
            cpu += Duration::from_nanos(task?.schedstat()?.sum_exec_runtime);
        }
        let status = process.status()?;
        let bytes = |kib: Option<u64>| kib.unwrap_or(0) * 1024;
        Ok(Usage { cpu, memory_bytes: bytes(status.vmrss), memory_peak_bytes: bytes(status.vmhwm) })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails only for a process that has ended.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let give_up_at = Instant::now() + STOP_MAX;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < give_up_at {
            thread::sleep(POLL);
        }
        // Both fail only for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a database says that begins anew.
const NEW_DATABASE: &str = "event=database_created";

/// Reads a log to its end, so that its writer never waits.
fn read_log(name: &str, log: impl BufRead, listening: &Sender<String>) {
    for line in log.lines().map_while(io::Result::ok) {
        if let Some((_, address)) = line.split_once("listening on ") {
            // Only the first is waited for.
            let _ = listening.send(address.trim().to_owned());
        } else if line.contains(NEW_DATABASE) {
            // So it was meant.
        } else if line.contains(" WARN ") || line.contains(" ERROR ") || line.starts_with("error") {
            // If that fails, nobody is left to tell, and the benchmark goes on.
            let _ = writeln!(io::stderr(), "{name}: {line}");
        }
    }
}
