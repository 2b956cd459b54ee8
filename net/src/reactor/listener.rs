//! [`Listener`]: where connections of one kind come in, and when to look for them again.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Poll, Token};

use super::shortage::explained;
use crate::Time;

/// Connections accepted in one turn.
pub(super) const ACCEPTS_MAX: usize = 256;
/// Pause before accepting again when the process has run out of file descriptors, or the machine of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long accepting must have gone well before it counts as over that it failed.
const RECOVERY: Duration = Duration::from_secs(1);

/// A bound socket that accepts connections.
pub(super) struct Listener {
    socket: TcpListener,
    /// When to accept again; connections may be waiting.
    accept_at: Option<Time>,
    /// When accepting failed last, if that is not over.
    failed_at: Option<Time>,
}

impl Listener {
    pub(super) fn register(poll: &Poll, socket: std::net::TcpListener, token: Token) -> io::Result<Self> {
        let mut socket = TcpListener::from_std(socket);
        poll.registry().register(&mut socket, token, Interest::READABLE)?;
        Ok(Self { socket, accept_at: None, failed_at: None })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// When to accept, if connections may be waiting.
    pub(super) fn accept_at(&self) -> Option<Time> {
        self.accept_at
    }

    /// The connections that wait, a bounded number of them, each with the address that it comes from.
    pub(super) fn accept(&mut self, now: Time) -> impl Iterator<Item = (TcpStream, SocketAddr)> {
        // If it is reached, more may be waiting, and no further edge would say so.
        self.accept_at = Some(now);
        (0..ACCEPTS_MAX).map_while(move |_| self.accept_one(now))
    }

    fn accept_one(&mut self, now: Time) -> Option<(TcpStream, SocketAddr)> {
        loop {
            match self.socket.accept() {
                Ok(accepted) => return Some(accepted),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accept_at = self.check_recovery(now);
                    return None;
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.failed(now, error);
                    return None;
                }
            }
        }
    }

    /// Says once that accepting fails, however often it does until that is over.
    fn failed(&mut self, now: Time, error: io::Error) {
        if self.failed_at.replace(now).is_none() {
            log::warn!("event=accept_failed error=\"{}\"; connections wait", explained(error));
        }
        self.accept_at = Some(now + ACCEPT_PAUSE);
    }

    /// All that waited are accepted. Returns when to look again whether it is over that accepting failed.
    fn check_recovery(&mut self, now: Time) -> Option<Time> {
        let over_at = self.failed_at? + RECOVERY;
        if now < over_at {
            return Some(over_at);
        }
        self.failed_at = None;
        log::info!("event=accept_resumed");
        None
    }
}

/// Whether accepting failed because of the one connection, which is gone, and may go on with the next.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}
