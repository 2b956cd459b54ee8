//! [`Session`]: a connection to an engine over a socket that blocks: the driver of
//! [`Connection`](services::postgres::Connection) for a command that does one thing at a time.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use net::{ClientStream, ClientTls};
use services::postgres::{Config, Connection, Event, Flight, Host, Outcome};

use super::Trouble;

/// How long one address may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long the server may be silent while a connection starts.
const START_MAX: Duration = Duration::from_secs(10);
/// How long one statement may take: an index over all that there is.
const STATEMENT_MAX: Duration = Duration::from_secs(600);

/// A connection over which flights go one by one.
pub(super) struct Session {
    stream: ClientStream,
    connection: Connection,
}

impl Session {
    /// Connects to a host, whose addresses are tried in turn, and logs in.
    pub(super) fn open(config: &Config, host: &Host, tls: Option<&ClientTls>) -> Result<Self, Trouble> {
        let address = host.address();
        let stream = connect(&address)
            .and_then(|socket| ClientStream::open(socket, &address, None))
            .map_err(|error| cannot_connect(&error))?;
        let mut session = Self { stream, connection: Connection::new(config, host) };
        loop {
            match session.next_event()? {
                Event::Encrypt => session.encrypt(&address, tls).map_err(|error| cannot_connect(&error))?,
                Event::Failed(failure) => return Err(Trouble::Refused(failure.to_string())),
                Event::Ended(..) => unreachable!("no flight was submitted"),
                Event::Ready => break,
            }
        }
        let set = session.stream.socket().set_read_timeout(Some(STATEMENT_MAX));
        set.map_err(|error| cannot_connect(&error))?;
        Ok(session)
    }

    /// Carries out a flight.
    pub(super) fn run(&mut self, flight: Flight) -> Result<Outcome, Trouble> {
        let ticket = self.connection.submit(flight);
        loop {
            match self.next_event()? {
                Event::Ended(ended, outcome) if ended == ticket => return Ok(outcome),
                Event::Failed(failure) => return Err(Trouble::Refused(failure.to_string())),
                _ => {}
            }
        }
    }

    /// Says goodbye, whether or not the server is there to hear it.
    pub(super) fn finish(mut self) {
        self.connection.finish();
        let _ = self.stream.write_all(&self.connection.take_output()).and_then(|()| self.stream.flush());
    }

    fn encrypt(&mut self, address: &str, tls: Option<&ClientTls>) -> io::Result<()> {
        let socket = self.stream.socket().try_clone()?;
        self.stream = ClientStream::open(socket, address, tls)?;
        self.connection.encrypted();
        Ok(())
    }

    /// Sends and receives until there is an event.
    fn next_event(&mut self) -> Result<Event, Trouble> {
        let mut piece = [0; 16 * 1024];
        loop {
            if let Some(event) = self.connection.next_event() {
                return Ok(event);
            }
            let output = self.connection.take_output();
            let received = self.stream.write_all(&output).and_then(|()| self.stream.read(&mut piece));
            match received {
                Ok(count @ 1..) => self.connection.received(&piece[..count]),
                ended => {
                    self.connection.lost();
                    return self.connection.next_event().ok_or_else(|| no_answer(ended.err()));
                }
            }
        }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_MAX) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(START_MAX))?;
                socket.set_write_timeout(Some(START_MAX))?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn cannot_connect(error: &io::Error) -> Trouble {
    Trouble::CannotConnect(format!("cannot connect: {error}"))
}

/// The server has closed the connection, or the system has, and why.
fn no_answer(error: Option<io::Error>) -> Trouble {
    Trouble::CannotConnect(match error {
        None => "the server has closed the connection".to_owned(),
        Some(error) if error.kind() == io::ErrorKind::WouldBlock => {
            format!("the server has not answered within {} seconds", START_MAX.as_secs())
        }
        Some(error) => format!("the connection is lost: {error}"),
    })
}
