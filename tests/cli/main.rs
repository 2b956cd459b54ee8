//! The real binary against a scripted service: what it sends, prints and keeps, and how it ends. What makes many calls
//! (`trade`, `demo`) is tried on real services.

mod completions;
mod demo;
mod display;
mod help;
mod manual;
mod password;
mod ping;
mod purchases;
mod reconnect;
mod replies;
mod sessions;
mod tables;
mod terminal;
mod top;
mod trade;
mod typing;

use std::io::Write;
use std::process::{Command, Output, Stdio};

use support::{FakeService, Program};
use tempfile::TempDir;

/// What is tested.
const PROGRAM: Program = Program::at(env!("CARGO_BIN_EXE_marketplace"));

/// A user with a home of their own.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> User {
        User { home: tempfile::tempdir().unwrap() }
    }

    /// The binary, with an environment that holds nothing of the machine's.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = PROGRAM.command(args);
        command.env("HOME", self.home.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs `words` as a command of the buyer's shell at `server`.
    fn buyer(&self, server: &FakeService, words: &str) -> Output {
        self.shell("buyer", server, words)
    }

    fn seller(&self, server: &FakeService, words: &str) -> Output {
        self.shell("seller", server, words)
    }

    fn shell(&self, role: &str, server: &FakeService, words: &str) -> Output {
        let address = server.address.to_string();
        let words = shlex::split(words).unwrap();
        let words = words.iter().map(String::as_str);
        self.run(&[role, "--server", &address].into_iter().chain(words).collect::<Vec<_>>())
    }

    /// Runs the buyer's shell with `input` on its standard input.
    fn script(&self, server: &FakeService, args: &[&str], input: &str) -> Output {
        let address = server.address.to_string();
        let args: Vec<_> = ["buyer", "--server", &address].iter().chain(args).copied().collect();
        let mut child = self
            .command(&args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

/// A server's address where nobody listens.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}
