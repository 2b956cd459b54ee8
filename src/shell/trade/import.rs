//! `marketplace seller import`: brings a table of items into the shop.

use std::fs::File;
use std::io::{self, Read};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use super::carry_out::{Answer, CONNECTIONS, Outcome, Stop, Watch, carry_out};
use super::complaints::Complaints;
use super::plan::{Plan, Task, plan};
use super::seat::{Seat, explain};
use super::sheet;
use super::summary::{Summary, calls, notes, reason, refusals};
use super::under_way::UnderWay;
use crate::client::CallError;
use crate::command_line::{FAILED, USAGE, print, report, report_output_error, write_out};
use crate::options::Options;
use crate::process::stop::{self, StopSignals};
use crate::shell::engine::Engine;
use crate::text::escape;
use crate::usage::{Usage, Words};

const BRIEF: &str = "\
Usage: marketplace seller import FILE.csv [--dry-run]

Brings the items of a table into your shop; - reads it from standard input. Its first line
names the columns, in any order: name, category, keywords (separated by |), condition, price,
quantity, and item_id, which may be left out. All of it is checked before anything is sent.

A row with an item_id brings the price and the units of that item to what it says. A row
without one registers an item, unless your shop has one of this name, category, keywords and
condition that no other row is about. So it does no harm to run an import again, and that is
how to go on with one that was broken off.

With MARKETPLACE_PASSWORD in the environment it logs in again if the session ends.
Exit status: 0 done, 1 the service refused something or did not answer, 2 usage or a mistake
in the table, 3 cannot connect.";
/// The longest table, which has a million rows or so.
const FILE_BYTES_MAX: u64 = 64 << 20;
const AGAIN: &str = "Run the same again to go on: it looks first what is in the shop.";

/// Why nothing was done.
enum Failure {
    /// There is no table, or mistakes in it.
    Table(String),
    /// The shop is not one that the table fits.
    Shop(String),
    Call(CallError),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        Failure::Call(error)
    }
}

/// What the command takes.
pub(super) fn usage() -> Usage {
    let mut options = Options::new();
    options.flag("dry-run", "say what would be done, and do nothing");
    let usage = Usage::new(
        "marketplace seller import",
        "bring a table of items (CSV) into your shop; from the command line only",
        BRIEF,
        options,
    );
    Usage { operands: Words::Files, ..usage }
}

/// Runs the command.
pub(super) fn run(engine: &mut Engine, usage: &Usage, args: &[String]) -> ExitCode {
    let matches = match usage.parse(args) {
        Ok(matches) => matches,
        Err(code) => return code,
    };
    let [name] = &matches.free[..] else {
        return usage.error("import takes one file");
    };
    let json = engine.output.json;
    match import(engine, name, matches.opt_present("dry-run")) {
        Ok(code) => code,
        Err(Failure::Table(message)) => {
            report(&format!("error: {message}"));
            ExitCode::from(USAGE)
        }
        Err(Failure::Shop(message)) => {
            report(&format!("error: {message}"));
            ExitCode::from(FAILED)
        }
        Err(Failure::Call(error)) => explain(&error, json),
    }
}

fn import(engine: &mut Engine, name: &str, is_dry: bool) -> Result<ExitCode, Failure> {
    let json = engine.output.json;
    let shown = if name == "-" { "standard input".to_owned() } else { escape(name) };
    let bytes = read(name).map_err(|what| Failure::Table(format!("cannot read {shown}: {what}")))?;
    let mistakes = |mistakes: Complaints| format!("{shown} is not imported:\n{}", mistakes.text());
    let rows = sheet::read(&bytes).map_err(|found| Failure::Table(mistakes(found)))?;
    let mut seat = Seat::of(engine);
    let seller_id = seat.seller_id()?;
    let mut mark = UnderWay::of_seller(&seat.server(), &seller_id).map_err(Failure::Shop)?;
    let plan = plan(rows, &seat.items()?).map_err(|found| Failure::Shop(mistakes(found)))?;
    if is_dry {
        return Ok(show_plan(&plan, json));
    }
    let outcome = match plan.tasks[..] {
        [] => Outcome::default(),
        _ => go_through(&mut seat, &plan.tasks, &mut mark)?,
    };
    Ok(show_outcome(&plan, &outcome, json))
}

fn read(name: &str) -> io::Result<Vec<u8>> {
    let (mut bytes, most) = (Vec::new(), FILE_BYTES_MAX + 1);
    if name == "-" {
        io::stdin().lock().take(most).read_to_end(&mut bytes)?;
    } else {
        File::open(name)?.take(most).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// Carries out all tasks, and logs in again where the session ends and that can be done.
fn go_through(seat: &mut Seat<'_>, tasks: &[Task], mark: &mut Option<UnderWay>) -> Result<Outcome, Failure> {
    let failed = |error: io::Error| Failure::Shop(error.to_string());
    let bar = ProgressBar::new(tasks.len() as u64).with_style(
        ProgressStyle::with_template("{bar:20} {pos} of {len}, {eta} left").expect("the template is valid"),
    );
    let is_stopped = stop_on_signal(bar.clone()).map_err(failed)?;
    if let Some(mark) = mark {
        mark.begin().map_err(failed)?;
    }
    let watch = Watch { bar: &bar, mark: mark.as_ref(), is_stopped: &is_stopped };
    let mut outcome = Outcome::default();
    outcome.answers.resize_with(tasks.len(), || Answer::NotDone);
    loop {
        let left: Vec<usize> = outcome.not_done();
        let part: Vec<Task> = left.iter().map(|&place| tasks[place].clone()).collect();
        let went = carry_out(seat.clients(CONNECTIONS), &seat.session_id(), &part, &watch);
        let is_further = went.answers.iter().any(|answer| !matches!(answer, Answer::NotDone));
        for (place, answer) in left.into_iter().zip(went.answers) {
            outcome.answers[place] = answer;
        }
        outcome.stop = match went.stop {
            // One that ends at once, again and again, is not begun again.
            Some(Stop::Session(ended)) if is_further => match seat.log_in_again(ended) {
                Ok(()) => continue,
                Err(error) => Some(Stop::Session(error)),
            },
            stop => stop,
        };
        break;
    }
    bar.finish_and_clear();
    if let Some(mark) = mark
        && !outcome.has_unknown()
    {
        mark.end();
    }
    Ok(outcome)
}

/// Whether somebody has asked for an end. What was sent is answered first; asked again, the process ends at once.
fn stop_on_signal(bar: ProgressBar) -> io::Result<Arc<AtomicBool>> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&is_stopped);
    StopSignals::catch()?.watch(move |stop, _| match stop {
        stop::Stop::InOrder => {
            asked.store(true, Ordering::Relaxed);
            bar.suspend(|| report("Stopping, once all that was sent is answered. Once more stops at once."));
        }
        stop::Stop::AtOnce => process::exit(FAILED.into()),
    })?;
    Ok(is_stopped)
}

fn show_plan(plan: &Plan, json: bool) -> ExitCode {
    if let Some(notes) = notes(plan) {
        report(&notes);
    }
    let summary = Summary::of_plan(plan);
    print(&if json { summary.json() } else { calls(plan) + &summary.text() })
}

fn show_outcome(plan: &Plan, outcome: &Outcome, json: bool) -> ExitCode {
    [notes(plan), refusals(plan, outcome)].iter().flatten().for_each(|text| report(text));
    let summary = Summary::of_outcome(plan, outcome);
    let shown = write_out(&if json { summary.json() } else { summary.text() });
    let code = match reason(outcome) {
        Some(error) => explain(error, json),
        None if summary.is_complete() && shown.is_ok() => ExitCode::SUCCESS,
        None => ExitCode::from(FAILED),
    };
    if let Err(error) = shown {
        report_output_error(&error);
    }
    if summary.may_go_on() {
        report(AGAIN);
    }
    code
}
