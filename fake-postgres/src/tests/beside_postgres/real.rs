//! [`Real`]: a connection to PostgreSQL.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::tests::client::{start, statement, sync, words};

/// What takes longer waits for somebody who does not go on.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to listen for what need not come.
const MOMENT: Duration = Duration::from_millis(1);

pub(super) struct Real {
    socket: TcpStream,
    input: Vec<u8>,
    /// The process that serves it.
    pub(super) pid: i32,
}

impl Real {
    /// A connection over which nothing was said.
    pub(super) fn open(port: u16) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        socket.set_nodelay(true).expect("it is a socket");
        Self { socket, input: Vec::new(), pid: 0 }
    }

    pub(super) fn connect(port: u16) -> Self {
        let mut real = Self::open(port);
        real.send(&start());
        real.hear(1).expect("it lets everybody in");
        let told = real.run("SELECT pg_backend_pid()");
        let pid = told.strip_prefix('(').and_then(|rest| rest.split(')').next());
        real.pid = pid.and_then(|pid| pid.parse().ok()).expect("it is a number");
        real
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server reads");
    }

    /// Asks for a statement to be carried out.
    pub(super) fn ask(&mut self, sql: &str) {
        self.send(&[statement(sql), sync()].concat());
    }

    /// What a statement that succeeds comes to: its rows and its tag.
    #[track_caller]
    pub(super) fn run(&mut self, sql: &str) -> String {
        let words = self.answer(sql);
        assert!(!words.iter().any(|word| word.starts_with("E ")), "{sql}: {words:?}");
        let told: Vec<String> =
            words.into_iter().filter(|word| !matches!(&**word, "1" | "2" | "N" | "S" | "Z I")).collect();
        told.join(" ")
    }

    /// The code of the error of a statement that fails.
    #[track_caller]
    pub(super) fn fails(&mut self, sql: &str) -> String {
        let words = self.answer(sql);
        let error = words.iter().find_map(|word| word.strip_prefix("E "));
        error.unwrap_or_else(|| panic!("{sql}: {words:?}"))[..5].to_owned()
    }

    #[track_caller]
    fn answer(&mut self, sql: &str) -> Vec<String> {
        self.ask(sql);
        let (bytes, _) = self.hear(1).expect("it is answered");
        words(&bytes)
    }

    /// The next byte, where no message is to come.
    pub(super) fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.socket.read_exact(&mut byte).expect("it is answered");
        byte[0]
    }

    /// What is said until it is ready as many times, or up to the end of the connection, and whether that has come. `None`
    /// if it takes too long.
    pub(super) fn hear(&mut self, times: usize) -> Option<(Vec<u8>, bool)> {
        self.listen(times, PATIENCE)
    }

    /// The same of what has come already, or is about to.
    pub(super) fn hear_soon(&mut self) -> Option<(Vec<u8>, bool)> {
        self.listen(1, MOMENT)
    }

    fn listen(&mut self, times: usize, patience: Duration) -> Option<(Vec<u8>, bool)> {
        self.socket.set_read_timeout(Some(patience)).expect("it is a socket");
        let mut piece = [0; 65_536];
        loop {
            if let Some(end) = end_of(&self.input, times) {
                return Some((self.input.drain(..end).collect(), false));
            }
            match self.socket.read(&mut piece) {
                Ok(0) => return Some((std::mem::take(&mut self.input), true)),
                Ok(count) => self.input.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Some((std::mem::take(&mut self.input), true));
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return None;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Where the last of so many messages ends that say that the server is ready. Without any, only the end of the connection is
/// an end.
fn end_of(bytes: &[u8], times: usize) -> Option<usize> {
    let (mut end, mut left) = (0, times);
    while let Some(([tag, length @ ..], _)) = bytes.get(end..)?.split_first_chunk::<5>() {
        end += 1 + u32::from_be_bytes(*length) as usize;
        if *tag == b'Z' && end <= bytes.len() {
            left = left.checked_sub(1)?;
            if left == 0 {
                return Some(end);
            }
        }
    }
    None
}
