//! `marketplace backup` and `marketplace restore`: copies of the databases, and the way back.

use std::error::Error;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use services::sqlite::{self, Copied, Restored, StoreError};

use crate::command_line::{FAILED, given, print, report};
use crate::options::Options;
use crate::subcommand::{Group, Subcommand};
use crate::usage::{Usage, Words};

const BACKUP: &str = "\
Usage: marketplace backup [OPTION]… DEST

Copies the databases in the data folder into the folder DEST, also while services run: each as it is at
one moment, checked, and readable by this user alone. The folder may have one of them only. A backup
that is in DEST already is left as it is. If DEST is -, the only database goes to standard output.
Exit status: 0 done, 1 there is no new backup, 2 usage.";

const RESTORE: &str = "\
Usage: marketplace restore [OPTION]… SOURCE

Puts the databases of a backup in the place of those in the data folder, and keeps what was there under
another name. SOURCE is a folder that `marketplace backup` has made, the file of one database, or - for
such a file on standard input. It is checked first. The services of the databases must not run.
Exit status: 0 done, 1 refused or failed, 2 usage.";

/// Stands for standard output or input.
const STREAM: &str = "-";

/// The subcommand `backup`.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Data, "backup", backup_usage, backup)
}

/// The subcommand `restore`.
pub(crate) fn restore_subcommand() -> Subcommand {
    Subcommand::new(Group::Data, "restore", restore_usage, restore)
}

fn backup_usage() -> Usage {
    let summary = "copy the databases, also while they run";
    let usage = Usage::new("marketplace backup", summary, BACKUP, options());
    Usage { operands: Words::Folders, ..usage }
}

fn restore_usage() -> Usage {
    let usage = Usage::new("marketplace restore", "put a backup in their place", RESTORE, options());
    Usage { operands: Words::Files, ..usage }
}

fn backup(args: &[String]) -> ExitCode {
    let (destination, data) = match arguments(&backup_usage(), "DEST", args) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if destination == STREAM {
        return match backup_to_output(Path::new(&data)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&*error),
        };
    }
    match sqlite::backup(Path::new(&data), Path::new(&destination)) {
        Ok(done) => {
            for database in &done.missing {
                report(&format!("there is no {}", database.display()));
            }
            print(&done.copies.iter().map(line).collect::<String>())
        }
        Err(error) => fail(&error),
    }
}

fn restore(args: &[String]) -> ExitCode {
    let (source, data) = match arguments(&restore_usage(), "SOURCE", args) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let restored = match source.as_str() {
        STREAM => restore_from_input(Path::new(&data)),
        source => restore_from(Path::new(source), Path::new(&data)),
    };
    match restored {
        Ok(restored) => print(&restored.iter().map(lines).collect::<String>()),
        Err(error) => fail(&*error),
    }
}

/// Makes the backup in the data folder, where there is space and where it may be all that can be written.
fn backup_to_output(data: &Path) -> Result<(), Box<dyn Error>> {
    let mut output = io::stdout().lock();
    if output.is_terminal() {
        return Err("standard output is a terminal: redirect it to a file".into());
    }
    let folder = tempfile::Builder::new().prefix("backup-").tempdir_in(data)?;
    let done = sqlite::backup(data, folder.path())?;
    let [copy] = done.copies.as_slice() else {
        return Err("standard output takes one database, and there are several: name a folder".into());
    };
    io::copy(&mut File::open(&copy.path)?, &mut output)?;
    output.flush()?;
    report(&size(copy));
    Ok(())
}

fn restore_from_input(data: &Path) -> Result<Vec<Restored>, Box<dyn Error>> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        return Err("standard input is a terminal: redirect it from a file".into());
    }
    sqlite::create_directory(data)?;
    let mut file = tempfile::Builder::new().prefix("standard-input-").tempfile_in(data)?;
    io::copy(&mut input, &mut file)?;
    restore_from(file.path(), data)
}

fn restore_from(source: &Path, data: &Path) -> Result<Vec<Restored>, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    sqlite::restore(source, data, now).map_err(|error| match error {
        StoreError::InUse(_) => format!("{error}: stop it first").into(),
        error => error.into(),
    })
}

fn options() -> Options {
    let mut options = Options::new();
    options.value("data", "the folder of the databases (./data)", "DIR");
    options
}

/// The one word that is given, and the data folder.
fn arguments(usage: &Usage, word: &str, args: &[String]) -> Result<(String, String), ExitCode> {
    let matches = usage.parse(args)?;
    let data = given(&matches, "data").unwrap_or_else(|| "./data".to_owned());
    match matches.free.as_slice() {
        [path] if !path.is_empty() => Ok((path.clone(), data)),
        _ => Err(usage.error(&format!("expected one {word}"))),
    }
}

fn line(copied: &Copied) -> String {
    format!("{}: {}\n", copied.path.display(), size(copied))
}

fn size(copied: &Copied) -> String {
    match copied.commits {
        Some(commits) => format!("{} bytes, {commits} commits", copied.bytes),
        None => format!("{} bytes, of an older version", copied.bytes),
    }
}

fn lines(restored: &Restored) -> String {
    let kept = restored.kept.as_ref().map(|kept| format!("what was there before: {}\n", kept.display()));
    line(&restored.copied) + &kept.unwrap_or_default()
}

fn fail(error: &dyn Error) -> ExitCode {
    report(&format!("error: {error}"));
    ExitCode::from(FAILED)
}
