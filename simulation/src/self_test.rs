//! [`self_test`]: shows that the simulation notices mistakes. Each fault is made in a copy of the sources, one at a time,
//! and seeds are run until one fails. Faults of the fake engine are made in the same way, and found by its tests beside
//! PostgreSQL.
//!
//! The copy and what is built from it lie below `target`, and only what a fault has changed is built again.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::faults::{Fault, faults, faults_in_fake, workspace};

/// What of the workspace is not needed to build it.
const LEFT_OUT: [&str; 3] = ["target", "data", ".git"];
/// The most characters of what a check says that are repeated.
const SAID_CHARS_MAX: usize = 120;

/// The store of those that know no other than the fake engine itself.
const FAKE: &str = "fake";
/// The tests that compare it with PostgreSQL, of which there must be one.
const TESTS: &str = "tests::beside_postgres::";
const REQUIRED: (&str, &str) = ("MARKETPLACE_TEST_POSTGRES", "required");

/// What is wrong with sources, for people.
type Wrong = String;

/// Runs so many seeds without a fault, none of which may fail, and at most as many with each fault, one of which must.
/// With `store`, that is done with rows that are kept there alone, `disks` or `engine`, or with the faults of the `fake`
/// engine, for which tests are run in place of seeds; with `only`, with those faults alone that have it in their names.
/// Returns whether all is as it must be; `say` is told what is found.
///
/// # Errors
/// The copy cannot be written, or a program cannot be started.
pub fn self_test(
    seeds: u64,
    store: Option<&str>,
    only: Option<&str>,
    say: &dyn Fn(&str),
) -> io::Result<bool> {
    let bench = Bench { folder: workspace().join("target").join("self-test"), seeds };
    bench.lay_out()?;
    let is_fake = store == Some(FAKE);
    // Of tests that can find no PostgreSQL, each fails.
    if only.is_none() || is_fake {
        let started_at = Instant::now();
        if let Some(wrong) = bench.test(store)? {
            say(&format!("without a fault: {wrong}"));
            return Ok(false);
        }
        let what = if is_fake { "the tests".to_owned() } else { format!("{seeds} seeds") };
        say(&format!("no fault: {what} pass ({} s)", started_at.elapsed().as_secs()));
    }
    let (mut found, mut missed) = (0, 0);
    let is_meant = |fault: &&Fault| {
        only.is_none_or(|text| fault.name.contains(text)) && store.is_none_or(|store| fault.store == store)
    };
    let all: Vec<&Fault> = if is_fake { faults_in_fake().collect() } else { faults().collect() };
    for fault in all.into_iter().filter(is_meant) {
        let started_at = Instant::now();
        let what = match bench.find(fault)? {
            Ok(noticed) => {
                found += 1;
                noticed
            }
            Err(wrong) => {
                missed += 1;
                format!("NOT FOUND: {wrong}")
            }
        };
        say(&format!("{}: {what} ({} s)", fault.name, started_at.elapsed().as_secs()));
    }
    say(&format!("{found} faults are found, {missed} are not"));
    Ok(missed == 0 && found > 0)
}

/// Where faults are made and looked for.
struct Bench {
    folder: PathBuf,
    seeds: u64,
}

/// What came of some seeds.
enum Ran {
    Passed,
    /// With which words the first one failed that did.
    Failed(String),
    /// The sources cannot be built.
    NotBuilt(Wrong),
}

impl Bench {
    fn sources(&self) -> PathBuf {
        self.folder.join("sources")
    }

    /// Copies the sources as they are now.
    fn lay_out(&self) -> io::Result<()> {
        let sources = self.sources();
        if sources.exists() {
            fs::remove_dir_all(&sources)?;
        }
        copy(workspace(), &sources)
    }

    /// Runs all seeds without a fault; returns what is wrong, if something is.
    fn test(&self, store: Option<&str>) -> io::Result<Option<Wrong>> {
        Ok(match self.run(store.unwrap_or("both"), None)? {
            Ran::Passed => None,
            Ran::Failed(words) | Ran::NotBuilt(words) => Some(words),
        })
    }

    /// Makes a fault, looks for it and undoes it. Returns how it was noticed, or why not.
    fn find(&self, fault: &Fault) -> io::Result<Result<String, Wrong>> {
        let changes = match fault.changes(&self.sources()) {
            Ok(changes) => changes,
            Err(wrong) => return Ok(Err(wrong)),
        };
        for change in &changes {
            fs::write(&change.path, &change.after)?;
        }
        let ran = self.run(fault.store, Some(fault.scenario));
        for change in &changes {
            fs::write(&change.path, &change.before)?;
        }
        Ok(match ran? {
            Ran::Passed if fault.store == FAKE => Err("the tests pass".to_owned()),
            Ran::Passed => Err(format!("{} seeds pass", self.seeds)),
            Ran::Failed(words) => Ok(words),
            Ran::NotBuilt(wrong) => Err(wrong),
        })
    }

    /// Builds the sources as they are, and runs seeds of a scenario, or of all, until one fails. They are not optimised:
    /// most faults are found in less time than that takes.
    fn run(&self, store: &str, scenario: Option<&str>) -> io::Result<Ran> {
        if store == FAKE {
            return self.run_tests();
        }
        let build = self.cargo("build").args(["-p", "simulation", "--bin", "simulate"]).output()?;
        if !build.status.success() {
            return Ok(Ran::NotBuilt(text(&build.stderr)));
        }
        let seeds = self.seeds.to_string();
        let ran = Command::new(self.built().join("debug").join("simulate"))
            .args(["--until-failure", "--seeds", &seeds])
            .args(["--store", store])
            .args(scenario.into_iter().flat_map(|scenario| ["--only", scenario]))
            .output()?;
        Ok(if ran.status.success() { Ran::Passed } else { Ran::Failed(noticed(&text(&ran.stderr))) })
    }

    /// Builds the sources as they are, and runs the tests of the fake engine.
    fn run_tests(&self) -> io::Result<Ran> {
        let tests = || {
            let mut tests = self.cargo("test");
            tests.args(["-p", "fake-postgres", "--lib", TESTS]).env(REQUIRED.0, REQUIRED.1);
            tests
        };
        let build = tests().arg("--no-run").output()?;
        if !build.status.success() {
            return Ok(Ran::NotBuilt(text(&build.stderr)));
        }
        let ran = tests().output()?;
        Ok(if ran.status.success() { Ran::Passed } else { Ran::Failed(failed_tests(&text(&ran.stdout))) })
    }

    /// A command of cargo's, for the sources.
    fn cargo(&self, command: &str) -> Command {
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args([command, "--quiet", "--locked", "--target-dir"]).arg(self.built());
        cargo.current_dir(self.sources());
        cargo
    }

    fn built(&self) -> PathBuf {
        self.folder.join("target")
    }
}

/// Copies a folder with all that is in it, but for what is left out.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

/// Which seed has failed first, where, and the first line of what its panic says.
fn noticed(said: &str) -> String {
    let mut failed = said.lines().filter_map(|line| line.strip_prefix("failed: "));
    let seed = failed.next_back().and_then(|seeds| seeds.split(' ').next()).unwrap_or("unknown");
    let thread = format!("thread 'seed {seed}' ");
    let mut lines = said.lines().skip_while(|line| !line.starts_with(&thread));
    let place = lines.next().and_then(|line| line.split_once("panicked at ")).map_or("", |(_, place)| place);
    let words: String = lines.next().unwrap_or("it says nothing").chars().take(SAID_CHARS_MAX).collect();
    format!("seed {seed} fails, {place} {words}")
}

/// Which tests have failed, of those that say so at last.
fn failed_tests(said: &str) -> String {
    let names = said.rsplit_once("failures:\n").map_or("", |(_, names)| names);
    let names: Vec<&str> = names.lines().filter_map(|line| line.trim().strip_prefix(TESTS)).collect();
    if names.is_empty() { "the tests end too early".to_owned() } else { names.join(", ") }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_tests_the_names_of_those_are_told_that_have_failed() {
        let said = "failures:\n\n---- tests::beside_postgres::a::b stdout ----\nwrong\n\nfailures:\n    \
                    tests::beside_postgres::a::b\n    tests::beside_postgres::c\n\ntest result: FAILED.\n";
        assert_eq!(failed_tests(said), "a::b, c");
        assert_eq!(failed_tests("a signal"), "the tests end too early");
    }

    #[test]
    fn of_all_that_is_said_it_is_told_what_the_first_seed_says() {
        let said = "thread 'seed 7' (3) panicked at b.rs:2:1:\nseven\n\
                    thread 'seed 5' (2) panicked at a.rs:1:1:\nfive\nmore of it\nfailed: 5 7\n";
        assert_eq!(noticed(said), "seed 5 fails, a.rs:1:1: five");
    }
}
