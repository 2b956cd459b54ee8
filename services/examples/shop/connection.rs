//! [`Connection`]: lines out, and as many lines back.

use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::{Value, json};

/// A frontend that can be reached accepts within this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A frontend answers within this time, also where a database does not.
const REPLY_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest page of purchases is shorter.
const REPLY_BYTES_MAX: u64 = 16 << 20;

/// A connection to a frontend, and the number of its last request.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    last_id: u64,
}

impl Connection {
    /// Connects to `HOST:PORT`.
    pub(crate) fn open(address: &str) -> io::Result<Connection> {
        let mut result = Err(Error::other(format!("{address} is no address")));
        for address in address.to_socket_addrs()? {
            result = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT);
            if result.is_ok() {
                break;
            }
        }
        let stream = result?;
        // Requests are written at once, so none has to wait for the acknowledgement of another.
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Connection { stream: BufReader::new(stream), last_id: 0 })
    }

    /// Whether the other end has neither closed it nor said anything unasked. Of what is sent over a connection that was
    /// closed long ago, nobody could tell whether it was carried out.
    pub(crate) fn is_alive(&self) -> bool {
        let stream = self.stream.get_ref();
        let is_silent =
            |result: io::Result<usize>| result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        stream.set_nonblocking(true).is_ok()
            && is_silent(stream.peek(&mut [0]))
            && stream.set_nonblocking(false).is_ok()
    }

    /// Sends a request with each of `all`, and waits for none of the replies.
    pub(crate) fn send(&mut self, api: &str, all: &[Value]) -> io::Result<()> {
        let ids = self.last_id + 1..;
        let requests = ids.zip(all).map(|(id, data)| json!({"request_id": id, "api": api, "data": data}));
        let lines: String = requests.map(|request| format!("{request}\n")).collect();
        self.stream.get_ref().write_all(lines.as_bytes())
    }

    /// The next reply. Replies come in the order of the requests.
    pub(crate) fn receive(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        (&mut self.stream).take(REPLY_BYTES_MAX).read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the connection ended within a reply"));
        }
        self.last_id += 1;
        let reply: Value = serde_json::from_str(&line)?;
        // A reply to anything else, such as `null` where there are too many connections, is no answer.
        match reply["request_id"].as_u64() {
            Some(id) if id == self.last_id => Ok(reply),
            _ => Err(Error::new(ErrorKind::InvalidData, format!("no reply, but {line}"))),
        }
    }
}
