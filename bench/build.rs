//! Finds the commit that is being built, so that results can name it. A source tree without git has none.

use std::process::Command;

fn main() {
    for changed in ["logs/HEAD", "index"] {
        println!("cargo::rerun-if-changed=../.git/{changed}");
    }
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
        String::from_utf8(output.stdout).ok()
    };
    let commit = git(&["describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"]);
    println!("cargo::rustc-env=BENCH_COMMIT={}", commit.as_deref().map_or("unknown", str::trim));
}
