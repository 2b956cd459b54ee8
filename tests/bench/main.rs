//! The load generator as its users run it: against services of its own, running ones, and ones that fail.
//!
//! Nothing here depends on how fast anything is.

mod command_line;
mod failures;
mod files;
mod growth;
mod interrupts;
mod mixes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::{Marketplace, Program, assert_code};
use tempfile::TempDir;

/// What is tested.
const PROGRAM: Program = Program::at(env!("CARGO_BIN_EXE_marketplace"));

/// Where a benchmark leaves its files.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `marketplace bench` with these words, in this folder.
    fn command(&self, words: &str) -> Command {
        let mut command = PROGRAM.command(&["bench"]);
        command.args(shlex::split(words).unwrap()).current_dir(self.0.path());
        command
    }

    fn run(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs a benchmark that must succeed; returns its results.
    #[track_caller]
    fn results(&self, words: &str) -> Value {
        let output = self.run(&format!("--json results.json {words}"));
        assert_code(&output, 0);
        json(&self.path("results.json"))
    }
}

/// The options that let a benchmark measure services that run.
fn running(marketplace: &Marketplace) -> String {
    let addresses = marketplace.addresses();
    format!("--buyer {} --seller {}", addresses.buyer, addresses.seller)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The runs of the first scenario.
fn runs(results: &Value) -> &[Value] {
    results["scenarios"][0]["marketplace"]["runs"].as_array().unwrap()
}
