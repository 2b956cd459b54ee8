//! [`ChildProcess`]: a process that this one has started, from its command line to its end. What it is, and which
//! others there are, is not known here.
//!
//! A child has a process group of its own, so that a Ctrl-C meant for its parent does not reach it, and it ends when its
//! parent does. What it writes is read line by line, so that it never waits for whoever shows it.

use std::env;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use net::{THREAD_LIMITS, spawn_thread};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::parent;

/// How long a service may take until it can be called.
pub(crate) const START_MAX: Duration = Duration::from_secs(60);
/// How long a service may take to end. It gives itself five seconds.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(6);
/// A line that is longer is handed on in pieces of this length.
pub(crate) const LINE_BYTES_MAX: usize = 8 * 1024;
const POLL: Duration = Duration::from_millis(10);

/// A running process, or one that has ended. Dropped, it is asked to end, and killed if it does not within
/// [`STOP_MAX`].
pub(crate) struct ChildProcess {
    name: String,
    child: Child,
}

/// This program with other arguments.
///
/// # Errors
/// The system does not tell where it is.
pub(crate) fn this_program(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Command, String> {
    let program = env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let mut command = Command::new(program);
    command.args(args);
    Ok(command)
}

impl ChildProcess {
    /// Starts `command` under a name for messages. A thread calls `on_line` with each line that it writes, to standard
    /// output or standard error, without its end.
    ///
    /// # Errors
    /// The system does not start it, or has no thread to give.
    pub(crate) fn start(
        name: &str,
        mut command: Command,
        on_line: impl FnMut(&[u8]) + Send + 'static,
    ) -> Result<Self, String> {
        let child = spawn(name, &mut command, on_line);
        let child = child.map_err(|error| format!("cannot start {name}: {error}"))?;
        Ok(Self { name: name.to_owned(), child })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The number by which the system knows it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its status, once it has ended. That its status cannot be read is a broken invariant: nobody else waits for our
    /// children.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("only this process waits for its children")
    }

    /// Asks it to end. Does nothing if it has ended, so that the signal cannot hit another process.
    ///
    /// # Errors
    /// The system does not send the signal.
    pub(crate) fn ask_to_end(&mut self) -> io::Result<()> {
        if self.ended().is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        }
        Ok(())
    }

    /// Kills it, and waits for its end.
    pub(crate) fn kill(&mut self) {
        // Both fail only for a child that has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        // One that cannot be asked is killed.
        let asked = self.ask_to_end().is_ok();
        let give_up_at = Instant::now() + STOP_MAX;
        while asked && self.ended().is_none() && Instant::now() < give_up_at {
            thread::sleep(POLL);
        }
        self.kill();
    }
}

/// `command` holds an end of the pipe, which lasts until the last one is closed.
fn spawn(
    name: &str,
    command: &mut Command,
    on_line: impl FnMut(&[u8]) + Send + 'static,
) -> io::Result<Child> {
    let (output, output_in) = io::pipe()?;
    spawn_thread(name, move || read_lines(output, on_line))?;
    parent::adopt(command);
    command.stdin(Stdio::null()).stdout(output_in.try_clone()?).stderr(output_in).process_group(0);
    command.spawn().map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => io::Error::new(error.kind(), format!("{error}; {THREAD_LIMITS}")),
        _ => error,
    })
}

/// Hands each line, without its end, to `on_line`. The last one need not be whole.
pub(crate) fn read_lines(from: impl Read, mut on_line: impl FnMut(&[u8])) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    // A pipe that cannot be read has ended, too.
    while let Ok(1..) = from.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line) {
        on_line(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_line_without_an_end_is_passed_on_in_pieces() {
        let mut pieces = Vec::new();
        let line = [b'x'; 2 * LINE_BYTES_MAX + 1];
        read_lines(&line[..], |piece| pieces.push(piece.len()));
        assert_eq!(pieces, [LINE_BYTES_MAX, LINE_BYTES_MAX, 1]);
    }

    #[test]
    fn what_a_child_writes_is_read_line_by_line_wherever_it_writes() {
        let (lines_in, lines) = channel();
        let script = shell("echo out; echo error >&2; printf end");
        let child = ChildProcess::start("child", script, move |line| _ = lines_in.send(line.to_owned()));
        let _child = child.unwrap();
        assert_eq!(lines.iter().collect::<Vec<_>>(), [&b"out"[..], b"error", b"end"]);
    }

    #[test]
    fn a_child_that_is_dropped_is_asked_to_end() {
        let (lines_in, lines) = channel();
        let script = shell("trap 'echo asked; exit' TERM; echo ready; while :; do sleep 0.01; done");
        let child = ChildProcess::start("child", script, move |line| _ = lines_in.send(line.to_owned()));
        let child = child.unwrap();
        assert_eq!(lines.recv().unwrap(), b"ready");
        drop(child);
        assert_eq!(lines.iter().collect::<Vec<_>>(), [b"asked"]);
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = ChildProcess::start("db", Command::new("/nowhere"), |_| {}).err();
        assert!(error.as_ref().is_some_and(|error| error.starts_with("cannot start db: ")), "{error:?}");
    }
}
