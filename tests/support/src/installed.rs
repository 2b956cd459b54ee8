//! Programs of a database server that are installed or not, and as whom they run: never as root.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;

/// Where Debian has the programs of the server, which are in nobody's path.
const DEBIAN: &str = "/usr/lib/postgresql";
/// What Debian calls the user of the server, which must not be root.
const USER: &str = "postgres";
/// If it is `required`, a test fails where no PostgreSQL is installed.
const REQUIRED: &str = "MARKETPLACE_TEST_POSTGRES";

/// The numbers of a user and of its group.
pub(crate) type Owner = (u32, u32);

/// The folder of the server's programs and of its clients. Some have links to a few of them elsewhere.
pub(crate) fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().map_while(Result::ok);
    let mut versions: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    versions.sort();
    let folders = env::split_paths(&path).chain(versions.into_iter().rev());
    let is_whole = |folder: &PathBuf| {
        ["initdb", "postgres", "createdb", "psql"].iter().all(|name| folder.join(name).exists())
    };
    folders.into_iter().find(is_whole)
}

/// Tells what a test is skipped for, unless it must not be.
pub(crate) fn skipped(missing: &str) {
    assert_ne!(env::var(REQUIRED).as_deref(), Ok("required"), "no {missing} is installed");
    // Not by `eprintln`, which a test that passes is not heard through.
    let _ = writeln!(io::stderr(), "skipped: no {missing} is installed");
}

/// Whose the server is to be: nobody's but ours, unless we are root. The folder becomes theirs.
pub(crate) fn owner(folder: &Path) -> Owner {
    if !geteuid().is_root() {
        let ours = fs::metadata(folder).expect("it was just made");
        return (ours.uid(), ours.gid());
    }
    let users = fs::read_to_string("/etc/passwd").expect("there are users");
    let line = users.lines().find(|line| line.split(':').next() == Some(USER));
    let fields: Vec<&str> = line.expect("PostgreSQL came with a user").split(':').collect();
    let [user, group] = [2, 3].map(|field| fields[field].parse().expect("users have numbers"));
    chown(folder, Some(user), Some(group)).expect("root may");
    (user, group)
}

/// A program that is to run as its owner, with an environment that holds nothing of the machine's.
pub(crate) fn command(program: &Path, (user, group): Owner) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir("/");
    if geteuid().is_root() {
        command.uid(user).gid(group);
    }
    command
}

/// What a command writes, which must succeed.
#[track_caller]
pub(crate) fn ask(command: &mut Command) -> String {
    let output = command.output().expect("it is installed beside the server");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it writes text").trim().to_owned()
}

/// What `psql`, which knows where the server is, says to these statements.
#[track_caller]
pub(crate) fn ask_psql(psql: &mut Command, database: &str, statements: &str) -> String {
    psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
    ask(psql.args(["--dbname", database, "--command", statements]))
}
