//! [`Process`]: the program under test as a child, which never outlives its test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{PATIENCE, wait_until};

/// A running child. Dropped, it is killed.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    /// The lines of standard error that were taken so far.
    log: String,
}

/// The processes that run, each with the folder in which the system describes it.
pub fn processes() -> impl Iterator<Item = (PathBuf, Pid)> {
    let dirs =
        fs::read_dir("/proc").expect("the system has it").map_while(Result::ok).map(|entry| entry.path());
    dirs.filter_map(|dir| {
        let pid = Pid::from_raw(dir.file_name()?.to_str()?.parse().ok()?)?;
        Some((dir, pid))
    })
}

impl Process {
    /// Starts `command`. Its standard error is read from now on.
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = child.stderr.take().expect("it is piped");
        let (lines_in, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if lines_in.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, log: String::new() }
    }

    /// Runs `command` to its end; returns its exit code and what it wrote to standard error.
    #[track_caller]
    pub fn run(command: &mut Command) -> (Option<i32>, String) {
        Self::start(command).finish()
    }

    /// Its ID.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The folder in which the system describes it.
    pub fn dir(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }

    /// Reads standard error until a line holds `text`, and returns that line.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(give_up_at.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.log.push_str(&line);
                    self.log.push('\n');
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(error) => panic!("{error}, no {text:?} in:\n{}", self.log),
            }
        }
    }

    /// Reads standard error until a line holds `before`, and returns the address that stands behind it.
    #[track_caller]
    pub fn wait_for_address(&mut self, before: &str) -> SocketAddr {
        let line = self.wait_for(before);
        let (_, address) = line.split_once(before).expect("the line has it");
        address.trim().parse().expect("HOST:PORT")
    }

    /// What it has written to standard error so far.
    pub fn log(&mut self) -> &str {
        self.log.extend(self.lines.try_iter().map(|line| line + "\n"));
        &self.log
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it was not waited for yet");
    }

    /// Ends it by SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("it was not waited for yet");
        self.child.wait().expect("it is our child");
    }

    /// The processes that it has started and that run: the first argument of each, and its ID.
    pub fn children(&self) -> Vec<(String, Pid)> {
        self.child_commands().filter_map(|(command, pid)| Some((command.get(1)?.clone(), pid))).collect()
    }

    /// The command line of each process that it has started and that runs.
    pub fn child_commands(&self) -> impl Iterator<Item = (Vec<String>, Pid)> {
        let parent = format!("PPid:\t{}\n", self.pid().as_raw_nonzero());
        processes().filter_map(move |(dir, pid)| {
            let status = fs::read_to_string(dir.join("status")).ok()?;
            let command = fs::read_to_string(dir.join("cmdline")).ok()?;
            status.contains(&parent).then(|| (command.split('\0').map(str::to_owned).collect(), pid))
        })
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        self.status().is_none()
    }

    /// Waits for its end, and that of all processes that write to its standard error; returns the exit code
    /// and the whole log.
    #[track_caller]
    pub fn finish(mut self) -> (Option<i32>, String) {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(give_up_at.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.extend([line.as_str(), "\n"]),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.log),
            }
        }
        wait_until("the end of a process", || !self.is_running());
        let status = self.status().expect("it has ended");
        (status.code(), std::mem::take(&mut self.log))
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it is our child")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            self.log.extend(self.lines.try_iter().map(|line| line + "\n"));
            eprintln!("process {}, {:?}:\n{}", self.child.id(), self.child.try_wait(), self.log);
        }
        // Both fail only for a child that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
