//! [`Listener`]: where connections of one kind come in, and when to look for them again.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Poll, Token};
use socket2::SockRef;

use super::shortage::explained;
use crate::{Limits, Time};

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

    /// Has the kernel hold so much for each connection that is accepted from now on, and no more.
    pub(super) fn bound_buffers(&self, limits: &Limits) -> io::Result<()> {
        let socket = SockRef::from(&self.socket);
        if let Some(bytes) = limits.socket_send_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = limits.socket_receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        Ok(())
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// When to accept, if connections may be waiting.
    pub(super) fn accept_at(&self) -> Option<Time> {
        self.accept_at
    }

    /// A connection that waits, and the address that it comes from. `None`: there is none, or accepting fails.
    pub(super) fn accept(&mut self, now: Time, limits: &Limits) -> Option<(TcpStream, SocketAddr)> {
        loop {
            match self.socket.accept() {
                Ok(accepted) => {
                    // More may be waiting, and no further edge would say so.
                    self.accept_at = Some(now);
                    return Some(accepted);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.accept_at = self.check_recovery(now, limits.accept_recovery);
                    return None;
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.failed(error, now, limits.accept_pause);
                    return None;
                }
            }
        }
    }

    /// Says once that accepting fails, however often it does until that is over.
    fn failed(&mut self, error: io::Error, now: Time, pause: Duration) {
        if self.failed_at.replace(now).is_none() {
            log::warn!("event=accept_failed error=\"{}\"; connections wait", explained(error));
        }
        self.accept_at = Some(now + pause);
    }

    /// All that waited are accepted. Returns when to look again whether it is over that accepting failed.
    fn check_recovery(&mut self, now: Time, recovery: Duration) -> Option<Time> {
        let over_at = self.failed_at? + recovery;
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
