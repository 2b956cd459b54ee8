//! [`Connection`]: a TCP connection that lines are sent and received over. It blocks, within deadlines.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use net::{ClientStream, ClientTls};

use super::CallError;

/// The longest reply line that is read, in bytes.
const REPLY_BYTES_MAX: usize = 8 << 20;
/// How long one address may take to accept a connection, unless the reply is due earlier.
const CONNECT_MAX: Duration = Duration::from_secs(3);

/// One connection to a service.
pub(super) struct Connection {
    stream: ClientStream,
    /// What was received beyond the replies taken so far.
    received: Vec<u8>,
}

impl Connection {
    /// Tries all addresses of `server` in turn and reports the last failure.
    pub(super) fn open(
        server: &str,
        tls: Option<&ClientTls>,
        reply_timeout: Duration,
    ) -> Result<Connection, CallError> {
        let failed =
            |error: io::Error| CallError::CannotConnect(format!("cannot connect to {server}: {error}"));
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in server.to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&address, CONNECT_MAX.min(reply_timeout)) {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(failed)?;
                    stream.set_read_timeout(Some(reply_timeout)).map_err(failed)?;
                    stream.set_write_timeout(Some(reply_timeout)).map_err(failed)?;
                    let stream = ClientStream::open(stream, server, tls).map_err(failed)?;
                    return Ok(Connection { stream, received: Vec::new() });
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// Whether the connection can carry another request, as far as this side can know.
    ///
    /// A service that has gone shows as an end of stream here, before anything is sent that might
    /// not be repeated. Bytes nobody asked for count as broken too.
    pub(super) fn is_alive(&mut self) -> bool {
        let read = self.stream.socket().set_nonblocking(true).and_then(|()| self.stream.read(&mut [0]));
        let blocking_again = self.stream.socket().set_nonblocking(false).is_ok();
        let silent = matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        silent && blocking_again && self.received.is_empty()
    }

    pub(super) fn send(&mut self, lines: &[u8], timeout: Duration) -> Result<(), CallError> {
        let socket = self.stream.socket();
        let written = socket.set_write_timeout(Some(timeout)).and_then(|()| self.stream.write_all(lines));
        written.map_err(|error| lost(&error, timeout))
    }

    /// The next line.
    pub(super) fn receive(&mut self, timeout: Duration) -> Result<Vec<u8>, CallError> {
        let deadline = Instant::now() + timeout;
        let lost = |error: io::Error| lost(&error, timeout);
        let mut chunk = [0; 16 << 10];
        let mut searched = 0;
        loop {
            if let Some(end) = self.received[searched..].iter().position(|&byte| byte == b'\n') {
                let rest = self.received.split_off(searched + end + 1);
                return Ok(std::mem::replace(&mut self.received, rest));
            }
            searched = self.received.len();
            if self.received.len() > REPLY_BYTES_MAX {
                return Err(CallError::Malformed(format!(
                    "the reply is longer than {REPLY_BYTES_MAX} bytes"
                )));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(lost(io::ErrorKind::TimedOut.into()));
            }
            self.stream.socket().set_read_timeout(Some(left)).map_err(lost)?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
                Ok(length) => self.received.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }
}

/// What it means that nothing more was sent or received.
fn lost(error: &io::Error, timeout: Duration) -> CallError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            CallError::TimedOut(format!("no answer within {} ms", timeout.as_millis()))
        }
        _ => CallError::Broken(format!("the connection broke: {error}")),
    }
}
