//! The program `simulate`: what it says, and how it ends.

use std::process::{Command, Output};

fn simulate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_simulate")).args(args).output().expect("it can be started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it writes text")
}

#[test]
fn it_sums_up_what_was_met() {
    let output = simulate(&["--first", "5", "--seeds", "2", "--only", "shop"]);
    assert!(output.status.success(), "{output:?}");
    let summary = text(&output.stdout);
    assert!(
        summary.starts_with("2 seeds in ") && summary.contains(", 0 failed; purchases made: "),
        "{summary}"
    );
}

#[test]
fn it_tells_a_story_in_virtual_time() {
    let output = simulate(&["--seed", "2", "--trace", "--only", "shop"]);
    assert!(output.status.success(), "{output:?}");
    let story = text(&output.stdout);
    for part in [
        "shop, seed 2\n",
        "0.000 ms  DbCustomer starts\n",
        "asks over 0: CreateAccount #1 {",
        "learns of #1: {",
        "crashes\n",
        "the connection between",
    ] {
        assert!(story.contains(part), "no {part:?} in {story}");
    }
}

#[test]
fn a_mistake_is_one_line() {
    for args in [
        &["--seeds", "many"][..],
        &["--seed", "1", "--seeds", "2"],
        &["--trace"],
        &["--only", "nothing"],
        &["--store", "tape"],
        &["--isolation", "rc"],
        &["--store", "engine", "--isolation", "none"],
        &["--self-test", "--store", "both"],
        &["--fault", "flush"],
        &["--self-test", "--seed", "1"],
        &["--faster"],
        &["42"],
        &["--first", "18446744073709551615", "--seeds", "2"],
    ] {
        let output = simulate(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = text(&output.stderr);
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}
