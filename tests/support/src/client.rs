//! [`Client`]: a client that sends bytes, lines and requests, checks the envelope of every reply to a call, and says how
//! a call failed. It keeps no session: what a user knows is for the suites.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::failure::Failure;
use crate::reply::Reply;
use crate::wait::{PATIENCE, POLL};

/// Calls one service, over a new connection when the last one broke.
///
/// What is sent and read beside calls goes over the same connection, and must succeed. No method waits longer than
/// [`PATIENCE`] for the service: a test fails then.
pub struct Client {
    /// The service that is called next comes first; the others are replicas of it.
    connections: Vec<Connection>,
    last_id: u64,
}

struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// The line of a request without an ID, with its end; `data` is JSON.
pub fn request(api: &str, data: impl Display) -> String {
    format!("{{\"api\":\"{api}\",\"data\":{data}}}\n")
}

/// Calls.
impl Client {
    /// A client that connects when it has something to do.
    pub fn new(address: SocketAddr) -> Self {
        Self::of_any(&[address])
    }

    /// A client of replicas, of which each call goes to one by chance.
    pub fn of_any(addresses: &[SocketAddr]) -> Self {
        let connection = |&address| Connection { address, stream: None };
        Self { connections: addresses.iter().map(connection).collect(), last_id: 0 }
    }

    /// A client that is connected.
    pub fn connect(address: SocketAddr) -> Self {
        let mut client = Self::new(address);
        client.stream();
        client
    }

    /// A client that is connected, from this address of loopback.
    pub fn connect_from(host: Ipv4Addr, address: SocketAddr) -> Self {
        let stream = open_from(host, address);
        let stream =
            stream.unwrap_or_else(|error| panic!("cannot connect to {address} from {host}: {error}"));
        Self { connections: vec![Connection { address, stream: Some(stream) }], last_id: 0 }
    }

    /// Where the service is.
    pub fn address(&self) -> SocketAddr {
        self.connections[0].address
    }

    /// Calls once; `data` is JSON, and so is what comes back.
    #[track_caller]
    pub fn call(&mut self, api: &str, data: impl Display) -> Result<Value, Failure> {
        self.attempt(api, data).map(|data| parse(&data))
    }

    /// Calls, which must succeed at once.
    #[track_caller]
    pub fn ok(&mut self, api: &str, data: impl Display) -> Value {
        parse(&self.ok_text(api, data))
    }

    /// The same; returns the data as it came.
    #[track_caller]
    pub fn ok_text(&mut self, api: &str, data: impl Display) -> String {
        self.attempt(api, &data).unwrap_or_else(|failure| panic!("{api} {data}: {failure}"))
    }

    /// Calls, which must be refused with this code; returns the message.
    #[track_caller]
    pub fn refused(&mut self, api: &str, data: impl Display, code: &str) -> String {
        match self.attempt(api, &data) {
            Err(Failure::Refused(refused, message)) if refused == code => message,
            other => panic!("{api} {data}: {other:?} in place of {code}"),
        }
    }

    /// Calls again and again until the service has recovered and answers with data. Each failure is shown to
    /// `observe`.
    #[track_caller]
    pub fn insist(&mut self, api: &str, data: impl Display, mut observe: impl FnMut(&Failure)) -> Value {
        let give_up_at = Instant::now() + PATIENCE;
        loop {
            match self.call(api, &data) {
                Ok(data) => return data,
                Err(failure) => {
                    assert!(failure.is_outage(), "{api} {data}: {failure}");
                    assert!(Instant::now() < give_up_at, "{api} {data} in vain, at last: {failure}");
                    observe(&failure);
                    thread::sleep(POLL);
                }
            }
        }
    }

    /// Checks that the service still answers on this connection.
    #[track_caller]
    pub fn assert_usable(&mut self) {
        self.ok("Ping", "{}");
    }

    #[track_caller]
    fn attempt(&mut self, api: &str, data: impl Display) -> Result<String, Failure> {
        self.last_id += 1;
        let id = self.last_id;
        let line = format!(r#"{{"type":"Request","request_id":{id},"api":"{api}","data":{data}}}"#);
        if self.connections.len() > 1 {
            fastrand::shuffle(&mut self.connections);
        }
        let Connection { address, stream } = &mut self.connections[0];
        let stream = match stream {
            Some(stream) => stream,
            none => none.insert(open(*address).map_err(|error| Failure::NotConnected(error.kind()))?),
        };
        let sent = stream.get_ref().write_all(format!("{line}\n").as_bytes());
        match sent.and_then(|()| read_line(stream)) {
            Ok(line) => Reply::new(line, &id.to_string()).outcome(),
            Err(_) => {
                self.connections[0].stream = None;
                Err(Failure::Broken)
            }
        }
    }
}

/// Bytes and lines.
impl Client {
    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream().get_ref().write_all(bytes).expect("the service reads");
    }

    /// Sends what the other side may no longer want to read.
    pub fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.stream().get_ref().write_all(bytes);
    }

    /// Sends a line; its end is added.
    pub fn send(&mut self, line: impl AsRef<[u8]>) {
        self.send_bytes(&[line.as_ref(), b"\n"].concat());
    }

    /// Sends nothing more, and can still read.
    pub fn finish(&mut self) {
        self.stream().get_ref().shutdown(Shutdown::Write).expect("it is connected");
    }

    /// The next line, without its end; an error if the connection ended before.
    pub fn try_read_line(&mut self) -> io::Result<String> {
        read_line(self.stream())
    }

    /// The next line, without its end.
    #[track_caller]
    pub fn read_line(&mut self) -> String {
        self.try_read_line().unwrap_or_else(|error| panic!("a line, not {error}"))
    }

    /// The next line as JSON.
    #[track_caller]
    pub fn read_json(&mut self) -> Value {
        parse(&self.read_line())
    }

    /// The reply to a line that is sent as it is.
    #[track_caller]
    pub fn exchange(&mut self, line: impl AsRef<[u8]>) -> String {
        self.send(line);
        self.read_line()
    }

    /// Everything until the service closes the connection.
    pub fn read_to_end(&mut self) -> String {
        let mut rest = Vec::new();
        if let Err(error) = self.stream().read_to_end(&mut rest) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        String::from_utf8(rest).expect("a service sends text")
    }

    /// Checks that the service has closed the connection, and has sent nothing more. What it has not read may have made
    /// a reset of it.
    #[track_caller]
    pub fn assert_closed(&mut self) {
        assert_eq!(self.read_to_end(), "");
    }

    /// Checks that the service has ended the connection in order, and has sent nothing more.
    #[track_caller]
    pub fn assert_ended(&mut self) {
        let end = self.stream().read(&mut [0]);
        assert_eq!(end.expect("the end, and no reset"), 0, "something more came");
    }

    /// The connection, which must be possible if there is none.
    fn stream(&mut self) -> &mut BufReader<TcpStream> {
        let Connection { address, stream } = &mut self.connections[0];
        stream.get_or_insert_with(|| {
            open(*address).unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"))
        })
    }
}

fn open(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    prepare(TcpStream::connect(address)?)
}

fn open_from(host: Ipv4Addr, address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((host, 0)).into())?;
    socket.connect(&address.into())?;
    prepare(socket.into())
}

fn prepare(stream: TcpStream) -> io::Result<BufReader<TcpStream>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

fn read_line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    match stream.read_line(&mut line) {
        Ok(_) if line.ends_with('\n') => {
            line.pop();
            Ok(line)
        }
        Ok(_) => Err(io::Error::new(ErrorKind::UnexpectedEof, format!("the end after {line:?}"))),
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no line in time"),
        Err(error) => Err(error),
    }
}

#[track_caller]
fn parse(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}
