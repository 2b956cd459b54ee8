//! [`Probe`]: asks a service a single question, before and after what is measured. It blocks.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use net::{ClientStream, ClientTls};
use serde_json::Value;

use crate::reply::{self, Reply};

/// How long a service may take to connect or to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to a service.
pub(crate) struct Probe {
    stream: BufReader<ClientStream>,
}

impl Probe {
    /// Connects to the first of the addresses that a `HOST:PORT` stands for and that can be reached, encrypted if so asked.
    ///
    /// # Errors
    /// None of them can, or the service is not who it must be.
    pub(crate) fn connect(service: &str, tls: Option<&ClientTls>) -> io::Result<Self> {
        let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
        for address in service.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, TIMEOUT) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(TIMEOUT))?;
                    stream.set_write_timeout(Some(TIMEOUT))?;
                    let stream = ClientStream::open(stream, service, tls)?;
                    return Ok(Self { stream: BufReader::new(stream) });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Calls an API with this JSON as `data`, and returns a number of the reply by its key.
    ///
    /// # Errors
    /// There is no reply, it fails, or it has no such number.
    pub(crate) fn number(&mut self, api: &str, data: &str, key: &str) -> io::Result<u64> {
        let line = format!("{{\"request_id\":1,\"api\":\"{api}\",\"data\":{data}}}\n");
        self.stream.get_mut().write_all(line.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                io::Error::new(error.kind(), format!("{api} is not answered within {} s", TIMEOUT.as_secs()))
            }
            _ => error,
        })?;
        let line = line.trim_end();
        let number = match reply::read(line.as_bytes(), 1) {
            Some(Reply::Ok(data)) => reply::number(data, key),
            _ => None,
        };
        number.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, format!("{api} is {}", answered(line))))
    }
}

/// How a question was answered that should have had another answer. Nothing of it is trusted to be what it seems.
fn answered(line: &str) -> String {
    if line.is_empty() {
        return "not answered, and the connection closed".to_owned();
    }
    let reply: Value = serde_json::from_str(line).unwrap_or_default();
    match (reply["error"]["code"].as_str(), reply["error"]["message"].as_str()) {
        (Some(code), Some(message)) => {
            format!("answered with {}: {}", code.escape_debug(), message.escape_debug())
        }
        _ => format!("answered with {line:?}"),
    }
}
