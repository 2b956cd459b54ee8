//! `marketplace copy`: brings what lies in the files of the databases over into the tables of an engine.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use services::postgres::{self, CopyEnding, CopyError, Copying};
use services::sqlite::{self, Stopped, StoreError};

use crate::command_line::{given, number, print, reject_arguments, report};
use crate::options::Options;
use crate::serve::SECONDS_MAX;
use crate::store_option::{self, Engine};
use crate::store_session::{Session, Trouble, over};
use crate::subcommand::{Group, Subcommand};
use crate::usage::Usage;

const BRIEF: &str = "\
Usage: marketplace copy --store URL [OPTION]…

Copies the databases in the data folder, or the one that it has, into the tables of an engine that
`marketplace migrate` has made and nobody has used yet. The folder is left as it is, and its services must not
run. A copy that is broken off is continued by the next one; no service uses its tables before that.
Of several hosts, the first one that takes changes is asked.
Exit status: 0 done, 1 refused or failed, 2 usage, 3 cannot connect.";

/// The subcommand.
pub(crate) fn subcommand() -> Subcommand {
    Subcommand::new(Group::Data, "copy", usage, run)
}

fn usage() -> Usage {
    let mut options = Options::new();
    options.value("data", "the folder of the databases (./data)", "DIR");
    store_option::add_options(&mut options);
    let help = "how long a session may be idle, as db_customer is told (300)";
    options.value("session-timeout", help, "SECONDS");
    Usage::new("marketplace copy", "copy the databases into these tables", BRIEF, options)
}

fn run(args: &[String]) -> ExitCode {
    let usage = usage();
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let data = given(&matches, "data").unwrap_or_else(|| "./data".to_owned());
    let timeout =
        reject_arguments(&matches).and_then(|()| number(&matches, "session-timeout", 300, 1, SECONDS_MAX));
    let (engine, timeout) = match timeout.and_then(|timeout| Ok((Engine::needed(&matches)?, timeout))) {
        Ok(arguments) => arguments,
        Err(message) => return usage.error(&message),
    };
    match copy(Path::new(&data), Duration::from_secs(timeout), &engine) {
        Ok(lines) => print(&lines),
        Err(trouble) => trouble.report(),
    }
}

/// A database on its way, whatever its rows are.
trait Part {
    /// Sees whether its tables can be filled.
    fn look(&mut self, session: &mut Session) -> Result<(), Trouble>;
    /// Writes down that they are filled.
    fn claim(&mut self, session: &mut Session) -> Result<(), Trouble>;
    /// Fills them.
    fn fill(&mut self, session: &mut Session) -> Result<(), Trouble>;
    /// Counts what is in them.
    fn count(&mut self, session: &mut Session) -> Result<(), Trouble>;
    /// What is to be done at last.
    fn ending(&self) -> CopyEnding;
    /// How many rows each table has got.
    fn copied(&self) -> &[(&'static str, u64)];
}

/// A database on its way.
struct Transfer<R> {
    source: Stopped<R>,
    copying: Copying<R>,
}

/// Copies what there is. Returns what to say of it.
fn copy(data: &Path, session_timeout: Duration, engine: &Engine) -> Result<String, Trouble> {
    // From here on they stand still for us.
    let customer = sqlite::stopped_customer(data).map_err(unreadable)?;
    let product = sqlite::stopped_product(data).map_err(unreadable)?;
    let mut parts: Vec<Box<dyn Part>> = Vec::new();
    let mut missing = Vec::new();
    match customer {
        Some(source) => {
            let copying = postgres::copy_customer(source.fingerprint(), session_timeout);
            parts.push(Box::new(Transfer { source, copying }));
        }
        None => missing.push("customer.db"),
    }
    match product {
        Some(source) => {
            let copying = postgres::copy_product(source.fingerprint());
            parts.push(Box::new(Transfer { source, copying }));
        }
        None => missing.push("product.db"),
    }
    if parts.is_empty() {
        let (data, missing) = (data.display(), missing.join(" or "));
        return Err(Trouble::Refused(format!("{data} cannot be used: there is no {missing} in it")));
    }
    missing.iter().for_each(|name| report(&format!("there is no {}", data.join(name).display())));
    over(engine, |session| transfer(&mut parts, session))
}

/// All are seen to be fit before anything is changed, and of use at the same moment.
fn transfer(parts: &mut [Box<dyn Part>], session: &mut Session) -> Result<String, Trouble> {
    parts.iter_mut().try_for_each(|part| part.look(session))?;
    parts.iter_mut().try_for_each(|part| part.claim(session))?;
    parts.iter_mut().try_for_each(|part| part.fill(session))?;
    parts.iter_mut().try_for_each(|part| part.count(session))?;
    let ending = parts.iter().map(|part| part.ending()).reduce(CopyEnding::and);
    let ending = ending.expect("there is something to copy");
    let outcome = session.run(ending.flight())?;
    ending.answered(outcome).map_err(refused)?;
    let copied = parts.iter().flat_map(|part| part.copied());
    Ok(copied.map(|(table, rows)| format!("{table}: {rows}\n")).collect())
}

impl<R> Part for Transfer<R> {
    fn look(&mut self, session: &mut Session) -> Result<(), Trouble> {
        self.copying.look();
        send(&mut self.copying, session)
    }

    fn claim(&mut self, session: &mut Session) -> Result<(), Trouble> {
        self.copying.claim();
        send(&mut self.copying, session)
    }

    fn fill(&mut self, session: &mut Session) -> Result<(), Trouble> {
        let Self { source, copying } = self;
        let mut sent = Ok(());
        let read = source.read(&mut |row| {
            let makes_sense = copying.add(row);
            sent = send(copying, session);
            makes_sense && sent.is_ok()
        });
        // What is said where that failed is that the row is at fault.
        sent?;
        read.map_err(unreadable)?;
        while copying.add_rest() {
            send(copying, session)?;
        }
        Ok(())
    }

    fn count(&mut self, session: &mut Session) -> Result<(), Trouble> {
        self.copying.count();
        send(&mut self.copying, session)
    }

    fn ending(&self) -> CopyEnding {
        self.copying.ending()
    }

    fn copied(&self) -> &[(&'static str, u64)] {
        self.copying.copied()
    }
}

/// Carries out what a copy has to send.
fn send<R>(copying: &mut Copying<R>, session: &mut Session) -> Result<(), Trouble> {
    while let Some(flight) = copying.flight() {
        let outcome = session.run(flight)?;
        copying.answered(outcome).map_err(refused)?;
    }
    Ok(())
}

fn refused(error: CopyError) -> Trouble {
    Trouble::Refused(error.to_string())
}

fn unreadable(error: StoreError) -> Trouble {
    Trouble::Refused(match error {
        StoreError::InUse(_) => format!("{error}: stop it first"),
        error => error.to_string(),
    })
}
