//! [`Listener`]: where connections of one kind come in, and when to look for them again.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Poll, Token};

use crate::Time;

/// Connections accepted in one turn.
pub(super) const ACCEPTS_MAX: usize = 256;
/// Pause before accepting again when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A bound socket that accepts connections.
pub(super) struct Listener {
    socket: TcpListener,
    /// When to accept again; connections may be waiting.
    accept_at: Option<Time>,
}

impl Listener {
    pub(super) fn register(poll: &Poll, socket: std::net::TcpListener, token: Token) -> io::Result<Self> {
        let mut socket = TcpListener::from_std(socket);
        poll.registry().register(&mut socket, token, Interest::READABLE)?;
        Ok(Self { socket, accept_at: None })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// When to accept, if connections may be waiting.
    pub(super) fn accept_at(&self) -> Option<Time> {
        self.accept_at
    }

    /// The connections that wait, a bounded number of them.
    pub(super) fn accept(&mut self, now: Time) -> impl Iterator<Item = TcpStream> {
        // If it is reached, more may be waiting, and no further edge would say so.
        self.accept_at = Some(now);
        (0..ACCEPTS_MAX).map_while(move |_| self.accept_one(now))
    }

    fn accept_one(&mut self, now: Time) -> Option<TcpStream> {
        loop {
            match self.socket.accept() {
                Ok((stream, _)) => return Some(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accept_at = None;
                    return None;
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    log::warn!("event=accept_failed error=\"{error}\"");
                    self.accept_at = Some(now + ACCEPT_PAUSE);
                    return None;
                }
            }
        }
    }
}

/// Whether accepting failed because of the one connection, which is gone, and may go on with the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}
