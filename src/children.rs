//! Child processes that are watched and stopped together.
//!
//! A child has a process group of its own, so that a Ctrl-C meant for the parent does not reach
//! it, and it inherits standard output and error. What the children do is not known here.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::command_line::report;

/// How often children and signals are looked at.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// A signal that asks this process to end. A later one can be told from the first.
pub(crate) struct EndSignal(Arc<AtomicBool>);

/// Processes started one after another.
pub(crate) struct Children {
    running: Vec<(String, Child)>,
    stop_max: Duration,
}

/// Why the children should not go on.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// A signal asked for it.
    Signalled,
    /// One of them ended, or never began to work.
    Failed(String),
}

impl EndSignal {
    /// Catches SIGINT, SIGTERM and SIGHUP from now on.
    pub(crate) fn catch() -> io::Result<EndSignal> {
        let caught = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&caught))?;
        }
        Ok(EndSignal(caught))
    }

    /// Whether a signal came since the last call.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Children {
    /// No children yet. Each is given `stop_max` to end once it is asked to.
    pub(crate) fn new(stop_max: Duration) -> Children {
        Children { running: Vec::new(), stop_max }
    }

    /// Starts `command` under a name for messages.
    pub(crate) fn start(&mut self, name: &str, command: &mut Command) -> Result<(), End> {
        let child = command.stdin(Stdio::null()).process_group(0).spawn();
        let child = child.map_err(|error| End::Failed(format!("cannot start {name}: {error}")))?;
        self.running.push((name.to_owned(), child));
        Ok(())
    }

    /// An `Err` if a signal came or a child has ended; until then they should go on.
    pub(crate) fn check(&mut self, signal: &EndSignal) -> Result<(), End> {
        if signal.take() {
            return Err(End::Signalled);
        }
        let dead = self.running.iter_mut().position(|(_, child)| ended(child).is_some());
        if let Some(position) = dead {
            let (name, mut child) = self.running.remove(position);
            let status = ended(&mut child).expect("this child has ended");
            return Err(End::Failed(format!("{name} has ended: {status}")));
        }
        Ok(())
    }

    /// Asks those that `belongs` picks by name to end, and waits until they have.
    ///
    /// Those that take too long are killed; on a signal, all children are. Returns whether each of
    /// those picked ended by itself and without an error.
    pub(crate) fn stop(&mut self, belongs: impl Fn(&str) -> bool, signal: &EndSignal) -> bool {
        let give_up_at = Instant::now() + self.stop_max;
        for (_, child) in self.running.iter_mut().filter(|(name, _)| belongs(name)) {
            send(child, Signal::TERM);
        }
        while self.running.iter_mut().any(|(name, child)| belongs(name) && ended(child).is_none()) {
            if signal.take() {
                report("error: killing all services on a second signal");
                self.kill(|_| true);
                return false;
            }
            if Instant::now() > give_up_at {
                self.kill(&belongs);
            }
            thread::sleep(POLL);
        }
        let stopped = self.running.extract_if(.., |(name, _)| belongs(name));
        let mut clean = true;
        for (name, mut child) in stopped {
            if let Some(status) = ended(&mut child).filter(|status| !status.success()) {
                report(&format!("error: {name} did not stop as it should: {status}"));
                clean = false;
            }
        }
        clean
    }

    /// Kills those that `belongs` picks, and waits for them.
    fn kill(&mut self, belongs: impl Fn(&str) -> bool) {
        for (name, child) in &mut self.running {
            if belongs(name) {
                // Both fail only for a child that has ended, which is what is wanted.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

/// The status of a child that has ended. That its status cannot be read is a broken invariant:
/// nobody else waits for our children.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    child.try_wait().expect("only this process waits for its children")
}

/// Signals a child that is not yet reaped, so that the signal cannot hit another process.
fn send(child: &mut Child, signal: Signal) {
    if ended(child).is_none()
        && let Err(error) = kill_process(Pid::from_child(child), signal)
    {
        report(&format!("error: cannot signal process {}: {error}", child.id()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// A child that writes its name when it is ready, and again when it is asked to end.
    fn start_obedient(children: &mut Children, name: &str, log: &Path) {
        let script = r#"trap 'echo "$0 ends" >> "$1"; exit 0' TERM; echo "$0 ready" >> "$1"; while :; do sleep 0.01; done"#;
        children.start(name, Command::new("sh").args(["-c", script, name]).arg(log)).unwrap();
        wait_for(log, &format!("{name} ready\n"));
    }

    fn wait_for(log: &Path, line: &str) {
        while !fs::read_to_string(log).is_ok_and(|text| text.contains(line)) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn no_signal() -> EndSignal {
        EndSignal(Arc::new(AtomicBool::new(false)))
    }

    #[test]
    fn stops_in_the_order_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut children = Children::new(Duration::from_secs(60));
        start_obedient(&mut children, "db", &log);
        start_obedient(&mut children, "server", &log);
        assert_eq!(children.check(&no_signal()), Ok(()));
        assert!(children.stop(|name| name == "server", &no_signal()));
        assert!(children.stop(|_| true, &no_signal()));
        assert_eq!(fs::read_to_string(log).unwrap(), "db ready\nserver ready\nserver ends\ndb ends\n");
    }

    #[test]
    fn a_child_that_ends_is_named_with_its_status() {
        let mut children = Children::new(Duration::from_secs(60));
        children.start("db", Command::new("sh").args(["-c", "exit 7"])).unwrap();
        let end = loop {
            if let Err(end) = children.check(&no_signal()) {
                break end;
            }
            thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(end, End::Failed("db has ended: exit status: 7".to_owned()));
        assert!(children.stop(|_| true, &no_signal()), "there is nothing left to stop");
    }

    #[test]
    fn a_child_that_will_not_end_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = r#"trap '' TERM; echo ready >> "$0"; while :; do sleep 0.01; done"#;
        let mut children = Children::new(Duration::ZERO);
        children.start("stubborn", Command::new("sh").args(["-c", script]).arg(&log)).unwrap();
        wait_for(&log, "ready\n");
        assert!(!children.stop(|_| true, &no_signal()));
        assert_eq!(children.check(&no_signal()), Ok(()), "it is gone");
    }

    #[test]
    fn a_second_signal_kills_all() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let script = r#"trap '' TERM; echo ready >> "$0"; while :; do sleep 0.01; done"#;
        let mut children = Children::new(Duration::from_secs(3600));
        children.start("stubborn", Command::new("sh").args(["-c", script]).arg(&log)).unwrap();
        wait_for(&log, "ready\n");
        let signal = no_signal();
        signal.0.store(true, Ordering::Relaxed);
        assert!(!children.stop(|_| true, &signal));
        assert!(matches!(children.check(&no_signal()), Err(End::Failed(_))), "it was killed");
    }
}
