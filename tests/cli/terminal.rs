//! A terminal with a program on it, as a person has it before them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use support::{FakeService, PATIENCE, wait_until};

use super::User;

/// The person's side of the terminal.
pub(crate) struct Terminal {
    screen: File,
    child: Child,
    seen: Vec<u8>,
    /// How much of it was waited for already.
    looked_at: usize,
}

impl Terminal {
    /// The buyer's shell at `server`, or one command of it, on a terminal of 80 columns.
    pub(crate) fn buyer(user: &User, server: &FakeService, words: &[&str]) -> Terminal {
        Terminal::start(buyer(user, server, words), 80)
    }

    /// A program on a terminal of so many columns, which is its controlling terminal.
    pub(crate) fn start(command: Command, columns: u16) -> Terminal {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&screen, size).unwrap();
        let name = PathBuf::from(ptsname(&screen, Vec::new()).unwrap().into_string().unwrap());
        let keyboard = File::from(
            rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap(),
        );
        let mut on_terminal = Command::new("setsid");
        // Whoever runs the tests in the background has them ignore Ctrl-C, and all that they start.
        on_terminal
            .args(["--ctty", "env", "--default-signal=INT,QUIT,TSTP"])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear();
        on_terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        on_terminal.env("PATH", std::env::var_os("PATH").unwrap());
        on_terminal
            .stdin(keyboard.try_clone().unwrap())
            .stdout(keyboard.try_clone().unwrap())
            .stderr(keyboard);
        let child = on_terminal.spawn().unwrap();
        Terminal { screen: File::from(screen), child, seen: Vec::new(), looked_at: 0 }
    }

    /// Types, or pastes.
    pub(crate) fn keys(&mut self, keys: &[u8]) {
        self.screen.write_all(keys).unwrap();
    }

    /// Waits until `text` is shown, beyond what was waited for before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let new = &self.seen[self.looked_at..];
            if let Some(at) = new.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.looked_at += at + text.len();
                return;
            }
            assert!(self.look(deadline), "{text:?} is not shown but {:?}", self.shown());
        }
    }

    /// Waits for the program's end and returns its status.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while self.look(deadline) {}
        assert!(Instant::now() < deadline, "the program goes on, and shows {:?}", self.shown());
        self.child.wait().unwrap()
    }

    /// Checks that the program ends with this exit code.
    #[track_caller]
    pub(crate) fn ends_with(&mut self, code: i32) {
        let status = self.end();
        assert_eq!((status.code(), status.signal()), (Some(code), None), "{}", self.shown());
    }

    /// All that was shown so far.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Whether the terminal itself shows what is typed.
    pub(crate) fn echoes(&self) -> bool {
        tcgetattr(&self.screen).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Waits until it does.
    #[track_caller]
    pub(crate) fn wait_for_echo(&self) {
        wait_until("a terminal that shows what is typed", || self.echoes());
    }

    /// Waits until the program is stopped, as by Ctrl-Z: a signal to go on that comes before would do nothing.
    #[track_caller]
    pub(crate) fn wait_for_stop(&self) {
        let status = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        wait_until("a program that is stopped", || {
            std::fs::read_to_string(&status).unwrap().contains("State:\tT")
        });
    }

    /// Types beside a test that looks at the screen meanwhile.
    pub(crate) fn keyboard(&self) -> File {
        self.screen.try_clone().unwrap()
    }

    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Reads what is shown next. Returns whether more may follow.
    fn look(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap();
        let mut ready = [PollFd::new(&self.screen, PollFlags::IN)];
        if poll(&mut ready, Some(&timeout)).unwrap() == 0 {
            return false;
        }
        let mut chunk = [0; 4096];
        // Reading fails where the program has gone.
        let length = self.screen.read(&mut chunk).unwrap_or(0);
        self.seen.extend_from_slice(&chunk[..length]);
        length > 0
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The buyer's shell at `server`, for a terminal that can move its cursor, without colours and a pager.
pub(crate) fn buyer(user: &User, server: &FakeService, words: &[&str]) -> Command {
    let address = server.address.to_string();
    let args: Vec<_> = ["buyer", "--server", &address].iter().chain(words).copied().collect();
    let mut command = user.command(&args);
    command.env("TERM", "xterm").env("NO_COLOR", "1").env("PAGER", "");
    command
}
