//! The sockets of a reactor: how they are opened, and the table that finds them by peer or token.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Poll, Token};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::{Conn, Peer};

/// Links have the tokens from here on, HTTP connections those below from [`ADMIN`] on, clients those from 0.
const LINKS: usize = usize::MAX / 2;
const ADMIN: usize = usize::MAX / 4;
/// Connections that the kernel holds until they are accepted.
pub(super) const BACKLOG: usize = 4096;
/// Idle time before the kernel asks whether a silent peer still exists.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// One connection's socket.
pub(super) struct Stream {
    pub(super) peer: Peer,
    pub(super) stream: TcpStream,
    /// The socket may hold unread bytes.
    pub(super) readable: bool,
    /// The stream stands in the queue of streams to read.
    pub(super) queued: bool,
    /// The peer is known to have finished, so a short read does not mean that nothing follows.
    pub(super) finished: bool,
    /// The poll reports when the socket takes bytes again.
    pub(super) awaits_writable: bool,
    /// A connection to a backend is being made.
    pub(super) connecting: bool,
}

impl Stream {
    pub(super) fn register(
        poll: &Poll,
        mut stream: TcpStream,
        peer: Peer,
        interest: Interest,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        poll.registry().register(&mut stream, Streams::token(peer), interest)?;
        Ok(Self {
            peer,
            stream,
            readable: false,
            queued: false,
            finished: false,
            awaits_writable: false,
            connecting: false,
        })
    }
}

/// All streams of a reactor. Dropping a stream closes its socket.
pub(super) struct Streams {
    clients: Vec<Option<Stream>>,
    links: Vec<Option<Stream>>,
    admin: Vec<Option<Stream>>,
}

impl Streams {
    pub(super) fn new(links: usize) -> Self {
        Self { clients: Vec::new(), links: (0..links).map(|_| None).collect(), admin: Vec::new() }
    }

    pub(super) fn token(peer: Peer) -> Token {
        match peer {
            Peer::Client(conn) => Token(conn.slot()),
            Peer::Link(link) => Token(LINKS + link),
            Peer::Admin(conn) => Token(ADMIN + conn.slot()),
        }
    }

    /// The peer that has the token now. An event may still be meant for its predecessor, which does no
    /// harm: the socket is not ready, and says so.
    pub(super) fn peer(&self, Token(token): Token) -> Option<Peer> {
        if token >= LINKS {
            return Some(Peer::Link(token - LINKS));
        }
        let stream = if token >= ADMIN { self.admin.get(token - ADMIN) } else { self.clients.get(token) };
        stream?.as_ref().map(|stream| stream.peer)
    }

    /// The stream of this very peer, not of one that has its slot since.
    pub(super) fn get(&mut self, peer: Peer) -> Option<&mut Stream> {
        self.slot(peer)?.as_mut().filter(|stream| stream.peer == peer)
    }

    pub(super) fn insert(&mut self, stream: Stream) {
        match stream.peer {
            Peer::Client(conn) => make_room(&mut self.clients, conn),
            Peer::Admin(conn) => make_room(&mut self.admin, conn),
            Peer::Link(_) => {}
        }
        let peer = stream.peer;
        *self.slot(peer).expect("the table was made large enough") = Some(stream);
    }

    pub(super) fn remove(&mut self, peer: Peer) -> Option<Stream> {
        self.slot(peer)?.take_if(|stream| stream.peer == peer)
    }

    fn slot(&mut self, peer: Peer) -> Option<&mut Option<Stream>> {
        match peer {
            Peer::Client(conn) => self.clients.get_mut(conn.slot()),
            Peer::Link(link) => self.links.get_mut(link),
            Peer::Admin(conn) => self.admin.get_mut(conn.slot()),
        }
    }
}

fn make_room(streams: &mut Vec<Option<Stream>>, conn: Conn) {
    if streams.len() <= conn.slot() {
        streams.resize_with(conn.slot() + 1, || None);
    }
}

/// Listens on the first of `listen`'s addresses that the machine has. If somebody listens there, it is not the next one's
/// turn: clients that know the same name would find either of the two.
pub(super) fn listen_on_any(listen: &str) -> io::Result<TcpListener> {
    let failed =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"));
    let mut last = io::Error::from(ErrorKind::AddrNotAvailable);
    for address in listen.to_socket_addrs().map_err(failed)? {
        match listen_on(address, false) {
            Err(error) if error.kind() != ErrorKind::AddrInUse => last = error,
            taken_or_listening => return taken_or_listening.map_err(failed),
        }
    }
    Err(failed(last))
}

/// Listens on one address with `count` sockets, over which the kernel spreads connections (`SO_REUSEPORT`).
///
/// The first one listens by itself, as one that shares nothing, so that whoever listens there already is noticed. Only
/// then is it shared. Of several processes that come at the same time, at most one succeeds: all but the first to
/// listen fail when they listen, before they could share. What is not kept out is a program of the same user that
/// asks to share without listening by itself first.
pub(super) fn listen_on_set(listen: &str, count: usize) -> io::Result<Vec<TcpListener>> {
    let first = listen_on_any(listen)?;
    let address = first.local_addr()?;
    if count > 1 {
        SockRef::from(&first).set_reuse_port(true)?;
    }
    let mut set = vec![first];
    for _ in 1..count {
        set.push(listen_on(address, true)?);
    }
    Ok(set)
}

fn listen_on(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG as i32)?;
    Ok(socket.into())
}
