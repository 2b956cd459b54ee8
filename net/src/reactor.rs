//! The mio driver: sockets, the clock and wake-ups for a [`Node`]. Only this module names mio and socket2.
//!
//! Polling is edge-triggered: each socket notes whether it may hold unread bytes, and is read, a bounded
//! piece a turn, whenever that is so and the node wants it.

mod clock;
mod driver;
mod listener;
mod lookups;
mod shortage;
mod sockets;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fmt, io};

use mio::{Poll, Token};

use self::driver::Driver;
use self::listener::Listener;
use self::lookups::Lookups;
use self::sockets::{listen_on_any, listen_on_set};
use crate::{Encryption, Failure, Limits, Node, Registry, Service, Site, Target, Waker};

const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);
const ADMIN_LISTENER: Token = Token(usize::MAX - 2);

/// A poll, with a bound listener if clients are to connect, ready to run a service.
pub struct Reactor {
    poll: Poll,
    listener: Option<Listener>,
    /// Where HTTP connections come in.
    admin: Option<Listener>,
    site: Site,
    registry: Arc<Registry>,
    encryption: Encryption,
    /// The group of each link, if links are to be spread over the addresses of their names.
    groups: Option<Vec<usize>>,
    handle: Handle,
}

/// Why a reactor ended without having been drained.
#[derive(Debug)]
pub enum RunError {
    /// Polling failed, or there is no thread for looking up names.
    Driver(io::Error),
    /// The service cannot go on: it called [`Out::fail`](crate::Out::fail) with this error.
    Service(Failure),
}

impl fmt::Display for RunError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(error) => error.fmt(out),
            Self::Service(error) => error.fmt(out),
        }
    }
}

impl Error for RunError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Driver(error) => error.source(),
            Self::Service(error) => error.source(),
        }
    }
}

impl From<io::Error> for RunError {
    fn from(error: io::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Failure> for RunError {
    fn from(error: Failure) -> Self {
        Self::Service(error)
    }
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

/// The poll, what wakes it, the listener, and a connection that is accepted before it is known to be one too many.
const OWN_DESCRIPTORS: usize = 4;
/// What looking up a name opens: a socket to each of three name servers, and a file of the system's.
const LOOKUP_DESCRIPTORS: usize = 4;

impl Reactor {
    /// The descriptors that being watched takes, beside the connections of those who watch: the listener, and a
    /// connection that is accepted before it is known to be one too many.
    pub const ADMIN_DESCRIPTORS: usize = 2;

    /// The descriptors that a reactor with so many backends takes at most, beside the connections of clients and of
    /// those who watch it.
    pub const fn descriptors(backends: usize) -> usize {
        OWN_DESCRIPTORS + backends + if backends > 0 { LOOKUP_DESCRIPTORS } else { 0 }
    }

    /// Binds one listener on the first of `listen`'s addresses (`HOST:PORT`; port 0 takes a free one) that
    /// can be bound.
    ///
    /// # Errors
    /// The address does not resolve or cannot be bound.
    pub fn bind(listen: &str) -> io::Result<Self> {
        Self::new(Some(listen_on_any(listen)?))
    }

    /// Binds `count` listeners on one address; the kernel spreads connections over them (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// The address does not resolve or cannot be bound, for instance because another process listens there, be it a set
    /// like this one.
    pub fn bind_set(listen: &str, count: usize) -> io::Result<Vec<Self>> {
        listen_on_set(listen, count)?.into_iter().map(|listener| Self::new(Some(listener))).collect()
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
        let listener = listener.map(|socket| Listener::register(&poll, socket, LISTENER)).transpose()?;
        let handle = Handle {
            waker: Arc::new(mio::Waker::new(poll.registry(), WAKER)?),
            drain: Arc::new(AtomicBool::new(false)),
        };
        let registry = Arc::new(Registry::new("net"));
        let (site, encryption) = (Site::default(), Encryption::default());
        Ok(Self { poll, listener, admin: None, site, registry, encryption, groups: None, handle })
    }

    /// Has the reactor's metrics found through `registry`, which is that of the whole process.
    pub fn register(&mut self, registry: &Arc<Registry>) {
        self.registry = Arc::clone(registry);
    }

    /// Encrypts connections of clients, connections to backends with which lines are exchanged, or both, from the start.
    pub fn encrypt(&mut self, encryption: Encryption) {
        self.encryption = encryption;
    }

    /// Spreads links over the addresses that their names stand for: each is made to the one with the fewest links of its
    /// group. `groups` has the group of each link.
    pub fn spread_links(&mut self, groups: Vec<usize>) {
        self.groups = Some(groups);
    }

    /// Binds a listener for those who ask over HTTP how the process is: whether it lives (`/livez`), is ready
    /// (`/readyz`), and what it counts (`/metrics`), and who are shown `site`. Returns its address.
    ///
    /// # Errors
    /// The address does not resolve or cannot be bound.
    pub fn bind_admin(&mut self, listen: &str, site: Site) -> io::Result<SocketAddr> {
        self.site = site;
        let listener = Listener::register(&self.poll, listen_on_any(listen)?, ADMIN_LISTENER)?;
        self.admin.insert(listener).local_addr()
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

    /// Runs the service until it is drained, and gives it back. `backends` says where its backends are; names are looked
    /// up again at every connect.
    ///
    /// # Errors
    /// Polling fails, there is no thread for looking up names, or the service cannot go on. In the last case, nothing
    /// was sent from that moment on.
    pub fn run<S: Service>(self, service: S, limits: Limits, backends: Vec<Target>) -> Result<S, RunError> {
        let Self { poll, listener, admin, site, registry, encryption, groups, handle } = self;
        listener.iter().try_for_each(|listener| listener.bound_buffers(&limits))?;
        let node = Node::registered(service, limits, backends.len(), Arc::clone(&registry));
        let addresses = backends.iter().map(Target::addresses).collect();
        let node = node.with_targets(encryption, backends).with_site(site);
        let lookups = Lookups::new(addresses, groups, handle.waker())?;
        let metrics = Arc::clone(node.loop_metrics());
        let result = Driver::new(node, poll, listener, admin, registry, lookups).run(&handle.drain);
        metrics.end();
        result
    }
}
