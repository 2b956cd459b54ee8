//! [`Driver`]: a connection that blocks, as short as one can be.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use services::postgres::{Config, Connection, Event, Flight, Outcome};

pub(crate) struct Driver {
    socket: TcpStream,
    connection: Connection,
}

impl Driver {
    /// A connection to the first host, which is ready.
    pub(crate) fn connect(url: &str) -> Self {
        let config = Config::parse(url, None).unwrap();
        let host = &config.hosts[0];
        let socket = TcpStream::connect(host.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut driver = Self { socket, connection: Connection::new(&config, host) };
        assert_eq!(driver.next_event(), Event::Ready);
        driver
    }

    /// Sends a flight, whose outcome nobody waits for.
    pub(crate) fn send(&mut self, flight: Flight) {
        self.connection.submit(flight);
        self.socket.write_all(&self.connection.take_output()).unwrap();
    }

    /// Sends these flights together.
    pub(crate) fn run<const N: usize>(&mut self, flights: [Flight; N]) -> [Outcome; N] {
        let tickets = flights.map(|flight| self.connection.submit(flight));
        tickets.map(|ticket| match self.next_event() {
            Event::Ended(ended, outcome) if ended == ticket => outcome,
            other => panic!("{other:?}"),
        })
    }

    pub(crate) fn next_event(&mut self) -> Event {
        let mut piece = [0; 4096];
        loop {
            if let Some(event) = self.connection.next_event() {
                return event;
            }
            self.socket.write_all(&self.connection.take_output()).unwrap();
            match self.socket.read(&mut piece).unwrap() {
                0 => self.connection.lost(),
                count => self.connection.received(&piece[..count]),
            }
        }
    }
}
