//! Repeats a command that reads, as long as it succeeds and until Ctrl-C.

use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::engine::Engine;
use super::moment;
use super::terminal::Terminal;
use crate::command_line::{FAILED, USAGE, report, report_output_error, write_out};

/// Repeats the command that these words are, so long after each of its ends. Returns the exit code of the last time.
pub(crate) fn watch(engine: &mut Engine, words: &[String], every: Duration) -> u8 {
    let refuse = |why: &str| {
        report(&format!("error: {why}"));
        USAGE
    };
    let Some(command) = words.first().and_then(|name| engine.role.command(name)) else {
        return refuse(r"\watch repeats the command before it, and there is none");
    };
    if !engine.role.only_reads(command) {
        return refuse(&format!(r"\watch repeats what only reads, and {} does not", command.name));
    }
    if engine.input.terminal().is_none() {
        return refuse(r"\watch needs a terminal, at which Ctrl-C ends it");
    }
    let output = engine.output;
    engine.output.is_paged = false;
    let code = repeat(engine, words, every);
    engine.output = output;
    code
}

fn repeat(engine: &mut Engine, words: &[String], every: Duration) -> u8 {
    let interrupts = engine.input.terminal().map_or(0, Terminal::interrupts);
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = moment::in_utc(&now.as_millis().to_string());
        if let Err(error) = write_out(&format!("{now} UTC, every {} s\n\n", every.as_secs_f64())) {
            report_output_error(&error);
            return FAILED;
        }
        let code = engine.run(words);
        if code != 0 || is_interrupted(engine, interrupts, every) {
            return code;
        }
    }
}

/// Waits, and returns whether Ctrl-C has come meanwhile, or before, since there were so many `interrupts`: one that comes
/// between the call and the wait, or with the end of the call, has ended neither.
fn is_interrupted(engine: &Engine, interrupts: u64, wait: Duration) -> bool {
    let Some(terminal) = engine.input.terminal() else { return true };
    let (interrupter, interrupted) = mpsc::channel();
    terminal.on_interrupt(Some(Box::new(move || _ = interrupter.send(()))));
    let is_interrupted = terminal.interrupts() != interrupts || interrupted.recv_timeout(wait).is_ok();
    terminal.on_interrupt(None);
    is_interrupted
}
