//! Child processes that are watched and stopped together, and whose log is one. What they do is not known here.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use crate::child::ChildProcess;
use crate::combined_log::CombinedLog;
use crate::process::stop::{SAME_STOP, STOP_SIGNALS, Stop};

/// How often children and signals are looked at.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// Processes started one after another.
pub(crate) struct Children<'a> {
    running: Vec<ChildProcess>,
    stop_max: Duration,
    /// Requests to end this process.
    stops: &'a Receiver<Stop>,
    log: &'a CombinedLog,
}

/// Why the children should not go on.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// A signal asked for it.
    Signalled,
    /// One of them ended, or never began to work.
    Failed(String),
}

impl<'a> Children<'a> {
    /// No children yet. Each is given `stop_max` to end once it is asked to.
    pub(crate) fn new(stop_max: Duration, stops: &'a Receiver<Stop>, log: &'a CombinedLog) -> Self {
        Self { running: Vec::new(), stop_max, stops, log }
    }

    /// Starts `command` under a name for messages.
    pub(crate) fn start(&mut self, name: &str, command: Command) -> Result<(), End> {
        self.running.push(ChildProcess::start(name, command, self.log.writer(name)).map_err(End::Failed)?);
        Ok(())
    }

    /// An `Err` if a signal came or a child has ended; until then they should go on.
    pub(crate) fn check(&mut self) -> Result<(), End> {
        if self.stops.try_recv().is_ok() {
            return Err(End::Signalled);
        }
        let mut running = self.running.iter_mut().enumerate();
        let ended = running.find_map(|(place, child)| child.ended().map(|status| (place, status)));
        if let Some((place, status)) = ended {
            let child = self.running.remove(place);
            // Whoever asked it to end may be about to ask this process.
            if is_in_order(status) && self.stops.recv_timeout(SAME_STOP).is_ok() {
                return Err(End::Signalled);
            }
            return Err(End::Failed(format!("{} has ended: {status}", child.name())));
        }
        Ok(())
    }

    /// Asks those that `belongs` picks by name to end, and waits until they have.
    ///
    /// Those that take too long are killed; on a signal that asks for it, all children are. Returns whether each of
    /// those picked ended by itself and without an error.
    pub(crate) fn stop(&mut self, belongs: impl Fn(&str) -> bool) -> bool {
        let give_up_at = Instant::now() + self.stop_max;
        for child in self.running.iter_mut().filter(|child| belongs(child.name())) {
            if let Err(error) = child.ask_to_end() {
                self.log.line(&format!("error: cannot signal process {}: {error}", child.id()));
            }
        }
        while self.running.iter_mut().any(|child| belongs(child.name()) && child.ended().is_none()) {
            if self.stops.try_recv() == Ok(Stop::AtOnce) {
                self.log.line("error: killing all services on a second signal");
                self.kill(|_| true);
                return false;
            }
            if Instant::now() > give_up_at {
                self.kill(&belongs);
            }
            thread::sleep(POLL);
        }
        let stopped = self.running.extract_if(.., |child| belongs(child.name()));
        let mut clean = true;
        for mut child in stopped {
            if let Some(status) = child.ended().filter(|status| !is_in_order(*status)) {
                self.log.line(&format!("error: {} did not stop as it should: {status}", child.name()));
                clean = false;
            }
        }
        clean
    }

    /// Kills those that `belongs` picks, and waits for them.
    fn kill(&mut self, belongs: impl Fn(&str) -> bool) {
        self.running.iter_mut().filter(|child| belongs(child.name())).for_each(ChildProcess::kill);
    }
}

/// Whether a child ended because it was asked to: in order, or before it could catch the signal and had begun anything.
fn is_in_order(status: ExitStatus) -> bool {
    status.success() || status.signal().is_some_and(|signal| STOP_SIGNALS.contains(&signal))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;
    use std::path::Path;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// What children are given.
    struct Parent {
        stop: Sender<Stop>,
        stops: Receiver<Stop>,
        log: CombinedLog,
    }

    impl Parent {
        fn new() -> Self {
            let (stop, stops) = channel();
            Self { stop, stops, log: CombinedLog::start(io::sink()).unwrap() }
        }

        fn children(&self, stop_max: Duration) -> Children<'_> {
            Children::new(stop_max, &self.stops, &self.log)
        }
    }

    fn shell(script: &str, name: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script, name]);
        command
    }

    /// A child that writes its name when it is ready, and again when it is asked to end.
    fn start_obedient(children: &mut Children<'_>, name: &str, log: &Path) {
        let script = r#"trap 'echo "$0 ends" >> "$1"; exit 0' TERM; echo "$0 ready" >> "$1"; while :; do sleep 0.01; done"#;
        let mut command = shell(script, name);
        command.arg(log);
        children.start(name, command).unwrap();
        wait_for(log, &format!("{name} ready\n"));
    }

    /// A child that does not end when it is asked to.
    fn start_stubborn(children: &mut Children<'_>, log: &Path) {
        let script = r#"trap '' TERM; echo ready >> "$1"; while :; do sleep 0.01; done"#;
        let mut command = shell(script, "stubborn");
        command.arg(log);
        children.start("stubborn", command).unwrap();
        wait_for(log, "ready\n");
    }

    fn wait_for(log: &Path, line: &str) {
        while !fs::read_to_string(log).is_ok_and(|text| text.contains(line)) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn end_of(children: &mut Children<'_>) -> End {
        loop {
            if let Err(end) = children.check() {
                return end;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn stops_in_the_order_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let parent = Parent::new();
        let mut children = parent.children(Duration::from_secs(60));
        start_obedient(&mut children, "db", &log);
        start_obedient(&mut children, "server", &log);
        assert_eq!(children.check(), Ok(()));
        assert!(children.stop(|name| name == "server"));
        assert!(children.stop(|_| true));
        assert_eq!(fs::read_to_string(log).unwrap(), "db ready\nserver ready\nserver ends\ndb ends\n");
    }

    #[test]
    fn a_child_that_ends_is_named_with_its_status() {
        let parent = Parent::new();
        let mut children = parent.children(Duration::from_secs(60));
        children.start("db", shell("exit 7", "db")).unwrap();
        assert_eq!(end_of(&mut children), End::Failed("db has ended: exit status: 7".to_owned()));
        assert!(children.stop(|_| true), "there is nothing left to stop");
    }

    #[test]
    fn a_child_that_was_told_to_end_before_its_parent_has_ended_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let parent = Parent::new();
        let mut children = parent.children(Duration::from_secs(60));
        start_obedient(&mut children, "told", &dir.path().join("log"));
        start_obedient(&mut children, "other", &dir.path().join("log"));
        children.running[0].ask_to_end().unwrap();
        while children.running[0].ended().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        let stop = parent.stop.clone();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            stop.send(Stop::InOrder).unwrap();
        });
        assert_eq!(end_of(&mut children), End::Signalled);
        assert!(children.stop(|_| true));
    }

    #[test]
    fn a_child_that_is_asked_to_end_before_it_can_know_has_stopped_as_it_should() {
        let parent = Parent::new();
        let mut children = parent.children(Duration::from_secs(60));
        children.start("early", shell("sleep 60", "early")).unwrap();
        assert!(children.stop(|_| true));
    }

    #[test]
    fn a_child_that_will_not_end_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let parent = Parent::new();
        let mut children = parent.children(Duration::ZERO);
        start_stubborn(&mut children, &dir.path().join("log"));
        assert!(!children.stop(|_| true));
        assert_eq!(children.check(), Ok(()), "it is gone");
    }

    #[test]
    fn all_are_killed_when_a_signal_asks_for_it_and_not_by_the_first_one() {
        let dir = tempfile::tempdir().unwrap();
        let parent = Parent::new();
        let mut children = parent.children(Duration::from_secs(3600));
        start_stubborn(&mut children, &dir.path().join("log"));
        parent.stop.send(Stop::InOrder).unwrap();
        parent.stop.send(Stop::AtOnce).unwrap();
        assert!(!children.stop(|_| true));
        assert!(matches!(children.check(), Err(End::Failed(_))), "it was killed");
    }
}
