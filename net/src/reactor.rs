//! The mio driver: sockets, the clock and wake-ups for a [`Node`]. Only this module names mio and socket2.
//!
//! Polling is edge-triggered: each socket notes whether it may hold unread bytes, and is read, a bounded
//! piece a turn, whenever that is so and the node wants it.

mod clock;
mod driver;
mod lookups;
mod sockets;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::net::TcpListener;
use mio::{Interest, Poll, Token};

use self::driver::Driver;
use self::lookups::Lookups;
use self::sockets::{bind, bind_any};
use crate::{Limits, Node, Service, Waker};

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// A poll, with a bound listener if clients are to connect, ready to run a service.
pub struct Reactor {
    poll: Poll,
    listener: Option<TcpListener>,
    handle: Handle,
}

/// Reaches a running reactor from other threads.
#[derive(Clone)]
pub struct Handle {
    waker: Arc<mio::Waker>,
    drain: Arc<AtomicBool>,
}

impl Handle {
    /// Asks the reactor to finish what is in flight and return from [`Reactor::run`].
    pub fn drain(&self) {
        self.drain.store(true, Ordering::Release);
        self.waker().wake();
    }

    /// A waker for the workers of the reactor's service.
    pub fn waker(&self) -> Waker {
        let waker = Arc::clone(&self.waker);
        Waker::new(move || waker.wake().expect("an eventfd takes a wake-up"))
    }
}

impl Reactor {
    /// Binds one listener on the first of `listen`'s addresses (`HOST:PORT`; port 0 takes a free one) that
    /// can be bound.
    ///
    /// # Errors
    /// The address does not resolve or cannot be bound.
    pub fn bind(listen: &str) -> io::Result<Self> {
        Self::new(Some(bind_any(listen, false)?))
    }

    /// Binds `count` listeners on one address; the kernel spreads connections over them (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// The address does not resolve or cannot be bound.
    pub fn bind_set(listen: &str, count: usize) -> io::Result<Vec<Self>> {
        if count == 1 {
            return Ok(vec![Self::bind(listen)?]);
        }
        let first = Self::new(Some(bind_any(listen, true)?))?;
        let addr = first.local_addr()?;
        let mut set = vec![first];
        for _ in 1..count {
            set.push(Self::new(Some(bind(addr, true)?))?);
        }
        Ok(set)
    }

    /// A reactor to which nobody can connect: its service does nothing but call backends.
    ///
    /// # Errors
    /// The system has no poll to give.
    pub fn without_listener() -> io::Result<Self> {
        Self::new(None)
    }

    fn new(listener: Option<std::net::TcpListener>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = listener.map(TcpListener::from_std);
        if let Some(listener) = &mut listener {
            poll.registry().register(listener, LISTENER, Interest::READABLE)?;
        }
        let handle = Handle {
            waker: Arc::new(mio::Waker::new(poll.registry(), WAKER)?),
            drain: Arc::new(AtomicBool::new(false)),
        };
        Ok(Self { poll, listener, handle })
    }

    /// The address that clients connect to.
    ///
    /// # Errors
    /// There is no listener, or the system does not know its address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let none = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        self.listener.as_ref().ok_or_else(none)?.local_addr()
    }

    /// A handle for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs the service until it is drained, and gives it back. `backends` are the addresses (`HOST:PORT`) of its
    /// backends; names are looked up again at every connect.
    ///
    /// # Errors
    /// Polling fails, or there is no thread for looking up names.
    pub fn run<S: Service>(self, service: S, limits: Limits, backends: Vec<String>) -> io::Result<S> {
        let node = Node::new(service, limits, backends.len());
        let lookups = Lookups::new(backends, self.handle.waker())?;
        Driver::new(node, self.poll, self.listener, lookups).run(&self.handle.drain)
    }
}
