//! [`Session`]: a connection to an engine over a socket that blocks: the driver of
//! [`Connection`](services::postgres::Connection) for a command that does one thing at a time. [`Trouble`] is why such a
//! command could not do it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::time::Duration;

use net::{ClientStream, ClientTls};
use services::postgres::{Config, Connection, Event, Flight, Host, Outcome};

use crate::command_line::{CANNOT_CONNECT, FAILED, report};
use crate::store_option::Engine;

/// How long one address may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long the server may be silent while a connection starts.
const START_MAX: Duration = Duration::from_secs(10);
/// How long one statement may take: an index over all that there is.
const STATEMENT_MAX: Duration = Duration::from_secs(600);

/// A connection over which flights go one by one.
pub(crate) struct Session {
    stream: ClientStream,
    connection: Connection,
}

/// Why something was not done.
pub(crate) enum Trouble {
    /// There is no connection.
    CannotConnect(String),
    /// The server says no, or what it says is of no use.
    Refused(String),
}

/// Does something over a connection to the first host that is fit for it.
///
/// # Errors
/// There is none, or it could not be done.
pub(crate) fn over<T>(
    engine: &Engine,
    work: impl FnOnce(&mut Session) -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    let mut troubles = Vec::new();
    for host in &engine.config.hosts {
        match Session::open(&engine.config, host, engine.tls(host)) {
            Ok(mut session) => {
                let done = work(&mut session).map_err(|trouble| trouble.of(host))?;
                session.finish();
                return Ok(done);
            }
            Err(trouble) => troubles.push(trouble.of(host)),
        }
    }
    Err(Trouble::all(&troubles))
}

impl Session {
    /// Connects to a host, whose addresses are tried in turn, and logs in.
    fn open(config: &Config, host: &Host, tls: Option<&ClientTls>) -> Result<Self, Trouble> {
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
    ///
    /// # Errors
    /// The connection is of no use.
    pub(crate) fn run(&mut self, flight: Flight) -> Result<Outcome, Trouble> {
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
    fn finish(mut self) {
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

impl Trouble {
    /// Tells of it, and how the program should end.
    pub(crate) fn report(&self) -> ExitCode {
        report(&format!("error: {self}"));
        ExitCode::from(self.code())
    }

    /// How the program should end.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::CannotConnect(_) => CANNOT_CONNECT,
            Self::Refused(_) => FAILED,
        }
    }

    fn of(self, host: &Host) -> Self {
        let place = |message| format!("{}: {message}", host.address());
        match self {
            Self::CannotConnect(message) => Self::CannotConnect(place(message)),
            Self::Refused(message) => Self::Refused(place(message)),
        }
    }

    /// That of all hosts together. It is one of connections if no host has said anything.
    fn all(troubles: &[Self]) -> Self {
        let message = troubles.iter().map(Self::to_string).collect::<Vec<_>>().join("; ");
        match troubles.iter().all(|trouble| matches!(trouble, Self::CannotConnect(_))) {
            true => Self::CannotConnect(message),
            false => Self::Refused(message),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::CannotConnect(message) | Self::Refused(message)) = self;
        f.write_str(message)
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
