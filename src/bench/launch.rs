//! Starts the services that a benchmark measures: each as a child of this process, which listens where it likes and says
//! where in its log.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use bench::Process;

use crate::child::{ChildProcess, this_program};

/// What stands before the address in the log of a service that listens.
const LISTENING: &str = "listening on ";
/// How long a service may take to listen: it begins with nothing. Nobody who interrupts the benchmark waits longer.
const LISTEN_MAX: Duration = Duration::from_secs(10);
/// What a database logs that begins anew, as it is meant to here.
const NEW_DATABASE: &str = "event=database_created";

/// A service that listens.
struct Service {
    name: &'static str,
    address: String,
    child: ChildProcess,
}

impl Process for Service {
    fn name(&self) -> &'static str {
        self.name
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Starts a program, or this one, with `args`, and waits until it listens. Its warnings and errors are passed on.
///
/// # Errors
/// It cannot be started, ends, or takes too long.
pub(super) fn launch(
    program: Option<&Path>,
    name: &'static str,
    args: &[OsString],
) -> Result<Box<dyn Process>, String> {
    let started = start(program, name, args);
    // Which of the two it is cannot be told from a service's name.
    started
        .map_err(|error| program.map_or(error.clone(), |program| format!("{}: {error}", program.display())))
}

fn start(program: Option<&Path>, name: &'static str, args: &[OsString]) -> Result<Box<dyn Process>, String> {
    let (listening_in, listening) = channel();
    let command = match program {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(args);
            command
        }
        None => this_program(args)?,
    };
    let mut child = ChildProcess::start(name, command, move |line| read_log(name, line, &listening_in))?;
    match listening.recv_timeout(LISTEN_MAX) {
        Ok(address) => Ok(Box::new(Service { name, address, child })),
        Err(RecvTimeoutError::Timeout) => {
            Err(format!("{name} does not listen within {} s", LISTEN_MAX.as_secs()))
        }
        // Nobody writes to its log any more.
        Err(RecvTimeoutError::Disconnected) => Err(match child.ended() {
            Some(status) => format!("{name} ended before it listened: {status}"),
            None => format!("{name} ended before it listened"),
        }),
    }
}

fn read_log(name: &str, line: &[u8], listening: &Sender<String>) {
    let line = String::from_utf8_lossy(line);
    if let Some((_, address)) = line.split_once(LISTENING) {
        // Only the first is waited for.
        let _ = listening.send(address.trim().to_owned());
    } else if is_worth_telling(&line) {
        // If that fails, nobody is left to tell, and the benchmark goes on.
        let _ = writeln!(io::stderr(), "{name}: {line}");
    }
}

fn is_worth_telling(line: &str) -> bool {
    let is_bad = line.contains(" WARN ") || line.contains(" ERROR ") || line.starts_with("error");
    is_bad && !line.contains(NEW_DATABASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_by_its_log_to_listen() {
        let (listening_in, listening) = channel();
        read_log("db", b"2026 INFO [m] event=ready service=db listening on 127.0.0.1:7\n", &listening_in);
        read_log("db", b"2026 INFO [m] event=draining signal=15", &listening_in);
        assert_eq!(listening.try_iter().collect::<Vec<_>>(), ["127.0.0.1:7"]);
    }

    #[test]
    fn warnings_and_errors_are_passed_on_but_not_that_a_database_is_new() {
        for line in ["2026 WARN [m] event=killed", "2026 ERROR [m] event=failed", "error: cannot log"] {
            assert!(is_worth_telling(line), "{line}");
        }
        for line in ["2026 INFO [m] event=stopped", "2026 WARN [m] event=database_created file=x"] {
            assert!(!is_worth_telling(line), "{line}");
        }
    }
}
