//! The terminal's mode and the signals that come from it, while the shell reads there.
//!
//! They are no stop of a service: each Ctrl-C is one of its own, however soon it comes, and any other one does what it
//! would do if nobody caught it, once the terminal is in order.
//!
//! However the program ends or stops, the terminal is left in the mode in which it was found. Nothing is
//! edited or shown here.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Handle;
use signal_hook::low_level::emulate_default_handler;

use super::line::LINE_BYTES_MAX;
use crate::process::signals::CaughtSignals;

/// What Ctrl-C, or the signal SIGINT, does.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Interrupt {
    /// It ends the program, as it does by default.
    Ends,
    /// It ends what the shell waits for, and the shell goes on.
    GivesUp,
}

/// The terminal on standard input.
pub(crate) struct Terminal {
    shared: Arc<Shared>,
    signals: Handle,
}

struct Shared {
    found: Termios,
    interrupt: Interrupt,
    exit_sequence: Option<&'static str>,
    state: Mutex<State>,
}

struct State {
    mode: Termios,
    /// What stands before the cursor, to be shown again after a stop.
    question: String,
    on_interrupt: Option<Box<dyn Fn() + Send>>,
    /// How often Ctrl-C has come.
    interrupts: u64,
}

impl Terminal {
    /// Takes the terminal over until the value is dropped.
    ///
    /// An editor gives as its `exit_sequence` what it would write when it leaves the terminal. It takes care of Ctrl-Z
    /// itself.
    ///
    /// # Errors
    /// Standard input is no terminal, or the system refuses a thread or a signal.
    pub(crate) fn open(interrupt: Interrupt, exit_sequence: Option<&'static str>) -> io::Result<Terminal> {
        let found = tcgetattr(io::stdin())?;
        let state = State { mode: found.clone(), question: String::new(), on_interrupt: None, interrupts: 0 };
        let shared = Arc::new(Shared { found, interrupt, exit_sequence, state: Mutex::new(state) });
        let stops = exit_sequence.is_none().then_some(SIGTSTP);
        let signals = CaughtSignals::catch([SIGINT, SIGTERM, SIGHUP, SIGQUIT].into_iter().chain(stops))?;
        let watched = Arc::clone(&shared);
        let signals = signals.watch(move |signal| watched.handle(signal))?;
        Ok(Terminal { shared, signals })
    }

    /// Switches echo off, and with it the kernel's own editing: what is typed or pasted while a command runs
    /// waits for the prompt, whole and unseen.
    pub(crate) fn be_quiet(&self) -> io::Result<()> {
        self.set_without(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// The mode in which the terminal was found.
    pub(crate) fn found(&self) -> &Termios {
        &self.shared.found
    }

    /// Calls `action` on Ctrl-C, until another action is set.
    pub(crate) fn on_interrupt(&self, action: Option<Box<dyn Fn() + Send>>) {
        self.shared.state().on_interrupt = action;
    }

    /// How often Ctrl-C has come so far, whether there was an action or not.
    pub(crate) fn interrupts(&self) -> u64 {
        self.shared.state().interrupts
    }

    /// Shows `question` on `out` and appends to `line` what is typed, until it holds a whole line, with its end.
    /// A secret is not echoed. At the end of input, `line` has no end.
    ///
    /// # Errors
    /// `Interrupted` after Ctrl-C, and whatever the terminal says.
    pub(crate) fn read_line(
        &self,
        out: &mut dyn Write,
        question: &str,
        is_secret: bool,
        line: &mut Vec<u8>,
    ) -> io::Result<()> {
        let (interrupted, interrupter) = UnixStream::pair()?;
        question.clone_into(&mut self.shared.state().question);
        self.on_interrupt(Some(Box::new(move || drop((&interrupter).write(&[0])))));
        if is_secret {
            self.set_without(LocalModes::ECHO)?;
        }
        let read = out
            .write_all(question.as_bytes())
            .and_then(|()| out.flush())
            .and_then(|()| read_until_newline(&interrupted, line));
        self.on_interrupt(None);
        self.shared.state().question.clear();
        self.set_without(LocalModes::empty())?;
        read
    }

    /// Sets the mode in which the terminal was found, without `off`.
    fn set_without(&self, off: LocalModes) -> io::Result<()> {
        let mut mode = self.shared.found.clone();
        mode.local_modes.remove(off);
        let mut state = self.shared.state();
        tcsetattr(io::stdin(), OptionalActions::Now, &mode)?;
        state.mode = mode;
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.signals.close();
        self.shared.restore();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn restore(&self) {
        // Where this fails the terminal has gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.found);
    }

    fn handle(&self, signal: i32) {
        let mut state = self.state();
        let is_echoing = state.mode.local_modes.contains(LocalModes::ECHO);
        if signal == SIGINT && self.interrupt == Interrupt::GivesUp {
            if is_echoing {
                // The kernel has just shown `^C`.
                show(io::stderr(), "\n");
            }
            state.interrupts += 1;
            if let Some(action) = &state.on_interrupt {
                action();
            }
            return;
        }
        self.restore();
        if let Some(exit_sequence) = self.exit_sequence {
            show(io::stdout(), exit_sequence);
        }
        if !is_echoing {
            show(io::stderr(), "\n");
        }
        // Of these signals, all but SIGTSTP end the program here.
        let _ = emulate_default_handler(signal);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &state.mode);
        show(io::stderr(), &state.question);
    }
}

/// Writes what can be written at once: a terminal whose output is held must not keep a signal waiting, nor must a
/// thread that holds the lock of standard output.
fn show(out: impl AsFd, text: &str) {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut [PollFd::new(&out, PollFlags::OUT)], Some(&at_once)) == Ok(1) {
        let _ = rustix::io::write(&out, text.as_bytes());
    }
}

/// Reads until `line` holds a whole line, and no further than the terminal gives at once.
fn read_until_newline(interrupted: &UnixStream, line: &mut Vec<u8>) -> io::Result<()> {
    let stdin = io::stdin();
    let mut chunk = [0; 4096];
    while !line.contains(&b'\n') && line.len() <= LINE_BYTES_MAX {
        let mut ready = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(interrupted, PollFlags::IN)];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            result => result?,
        };
        if !ready[1].revents().is_empty() {
            // The terminal has dropped what was typed before, too.
            line.clear();
            return Err(io::ErrorKind::Interrupted.into());
        }
        match rustix::io::read(&stdin, &mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => line.extend_from_slice(&chunk[..length]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Drops what has been typed and not yet been read, until nothing more comes for a moment: the rest of a paste may
/// still be on its way.
pub(crate) fn drop_typed_ahead() {
    let stdin = io::stdin();
    let moment = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    loop {
        let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
        let result = poll(&mut ready, Some(&moment));
        // A terminal that has gone is ready for ever.
        if result != Ok(1) || ready[0].revents() != PollFlags::IN {
            return;
        }
        let _ = tcflush(&stdin, QueueSelector::IFlush);
    }
}
