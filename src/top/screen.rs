//! [`Screen`]: the terminal while it shows what services do. However the program ends or stops, the terminal is left as it was
//! found. It knows nothing of what is shown.

use std::io::{self, Read};
use std::process;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use net::spawn_thread;
use rustix::termios::{
    LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcgetwinsize, tcsetattr,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::low_level::emulate_default_handler;

use crate::command_line::write_out;
use crate::process::signals::CaughtSignals;

/// Another page of the terminal, without a cursor, and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left corner, and clears all below it. Cleared behind a line that is as wide as the terminal, that would lose
/// its last character.
const CLEAR: &str = "\x1b[H\x1b[J";
/// What ends it: `q`, and Ctrl-D.
const KEYS_OF_END: [u8; 3] = [b'q', b'Q', 4];
/// The size of a terminal that does not tell it.
const SIZE_DEFAULT: (usize, usize) = (80, 24);

/// The terminal, which is taken over until the process ends.
pub(super) struct Screen(Arc<Mutex<Mode>>);

/// How the terminal was found, if keys come from it.
struct Mode(Option<Termios>);

impl Screen {
    /// Takes the terminal over. From now on a `q`, Ctrl-C or another signal ends the process, and Ctrl-Z stops it.
    ///
    /// # Errors
    /// The system refuses a thread or a signal, or the output has gone.
    pub(super) fn open() -> io::Result<Self> {
        let mode = Arc::new(Mutex::new(Mode(tcgetattr(io::stdin()).ok())));
        let signals = CaughtSignals::catch([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP])?;
        let (watched, typed) = (Arc::clone(&mode), Arc::clone(&mode));
        let has_keys = lock(&mode).0.is_some();
        let screen = Self(mode);
        lock(&screen.0).enter()?;
        signals.watch(move |signal| match signal {
            SIGTSTP => lock(&watched).stop(),
            _ => lock(&watched).end(),
        })?;
        if has_keys {
            spawn_thread("keys", move || {
                if io::stdin().lock().bytes().map_while(Result::ok).any(|key| KEYS_OF_END.contains(&key)) {
                    lock(&typed).end();
                }
            })?;
        }
        Ok(screen)
    }

    /// Shows lines in place of those before. They are made for the width and height that the terminal has now.
    pub(super) fn draw(&self, lines: impl FnOnce(usize, usize) -> Vec<String>) -> io::Result<()> {
        let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (width, height) = size.map_or(SIZE_DEFAULT, |size| (size.ws_col.into(), size.ws_row.into()));
        let lines = lines(width, height);
        let _mode = lock(&self.0);
        write_out(&format!("{CLEAR}{}", lines.join("\n")))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        lock(&self.0).leave();
    }
}

impl Mode {
    fn enter(&self) -> io::Result<()> {
        if let Self(Some(found)) = self {
            let mut quiet = found.clone();
            quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON);
            tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        }
        write_out(ENTER)
    }

    /// Where this fails the terminal has gone.
    fn leave(&self) {
        if let Self(Some(found)) = self {
            // What was typed meanwhile was meant for nobody.
            let _ = tcflush(io::stdin(), QueueSelector::IFlush);
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, found);
        }
        let _ = write_out(LEAVE);
    }

    /// Ends the process. Nothing is drawn any more, because whoever draws waits for this mode.
    fn end(&self) -> ! {
        self.leave();
        process::exit(0);
    }

    /// Stops the process until somebody has it go on.
    fn stop(&self) {
        self.leave();
        let _ = emulate_default_handler(SIGTSTP);
        let _ = self.enter();
    }
}

fn lock(mode: &Mutex<Mode>) -> MutexGuard<'_, Mode> {
    mode.lock().unwrap_or_else(PoisonError::into_inner)
}
