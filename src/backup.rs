//! `marketplace backup` and `marketplace restore`: copies of the databases, and the way back.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use getopts::Options;
use services::Copied;

use crate::command_line::{FAILED, given, parse, print, report, usage_error};

const BACKUP: &str = "\
Usage: marketplace backup [OPTION]… DEST

Copies the databases in the data folder into the folder DEST, also while services run: each as it is at
one moment, checked, and readable by this user alone. The folder may have one of them only. A backup
that is in DEST already is left as it is.
Exit status: 0 done, 1 there is no new backup, 2 usage.";

const RESTORE: &str = "\
Usage: marketplace restore [OPTION]… SOURCE

Puts the databases of a backup in the place of those in the data folder, and keeps what was there under
another name. SOURCE is a folder that `marketplace backup` has made, or the file of one database. It is
checked first. The services of the databases must not run.
Exit status: 0 done, 1 refused or failed, 2 usage.";

/// Runs `backup`.
pub(crate) fn backup(args: &[String]) -> ExitCode {
    let (destination, data) = match arguments(BACKUP, "DEST", args) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    end_first_without_memory();
    match services::backup(Path::new(&data), Path::new(&destination)) {
        Ok(copies) => print(&copies.iter().map(line).collect::<String>()),
        Err(error) => fail(&error.to_string()),
    }
}

/// Runs `restore`.
pub(crate) fn restore(args: &[String]) -> ExitCode {
    let (source, data) = match arguments(RESTORE, "SOURCE", args) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    match services::restore(Path::new(&source), Path::new(&data), now) {
        Ok(restored) => {
            let mut text = String::new();
            for database in &restored {
                text += &line(&database.copied);
                if let Some(kept) = &database.kept {
                    text += &format!("what was there before: {}\n", kept.display());
                }
            }
            print(&text)
        }
        Err(error) => fail(&error.to_string()),
    }
}

/// The one word that is given, and the data folder.
fn arguments(brief: &str, word: &str, args: &[String]) -> Result<(String, String), ExitCode> {
    let mut options = Options::new();
    options.optopt("", "data", "the folder of the databases (./data)", "DIR");
    let matches = parse(&mut options, brief, args)?;
    let data = given(&matches, "data").unwrap_or_else(|| "./data".to_owned());
    match matches.free.as_slice() {
        [path] if !path.is_empty() => Ok((path.clone(), data)),
        _ => Err(usage_error(&format!("one {word} is needed"), brief)),
    }
}

fn line(copied: &Copied) -> String {
    let Copied { path, bytes, commits } = copied;
    format!("{}: {bytes} bytes, {commits} commits\n", path.display())
}

fn fail(message: &str) -> ExitCode {
    report(&format!("error: {message}"));
    ExitCode::from(FAILED)
}

/// A backup takes about as much memory as the service, whose container it may share. If that is too much, the system is
/// to end the backup and not the service.
fn end_first_without_memory() {
    // Elsewhere than on Linux there is no such file.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
}
