//! [`Program`]: the program under test, as a command.

use std::process::{Command, Output};

/// The program under test. Only a suite knows where it is: `Program::at(env!("CARGO_BIN_EXE_marketplace"))`.
#[derive(Clone, Copy)]
pub struct Program(&'static str);

impl Program {
    /// The program at this path.
    pub const fn at(path: &'static str) -> Self {
        Self(path)
    }

    /// The program with these arguments, and an environment that holds nothing of the machine's.
    pub fn command(self, args: &[&str]) -> Command {
        let mut command = Command::new(self.0);
        command.args(args).env_clear();
        command
    }

    /// A script of the shell in which `exec "$0" "$@"` is [`Program::command`].
    pub fn script(self, script: &str, args: &[&str]) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script, self.0]).args(args).env_clear();
        command
    }
}

/// What a command has written to standard output.
pub fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("it writes text")
}

/// What a command has written to standard error.
pub fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("it writes text")
}

/// Checks the exit code and shows what was printed if it is another one.
#[track_caller]
pub fn assert_code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout: {}\nstderr: {}", stdout(output), stderr(output));
}
