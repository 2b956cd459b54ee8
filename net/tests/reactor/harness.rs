//! Reactors on threads of their own, on free ports, and a client.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use net::reactor::{Handle, Reactor, RunError};
use net::{Conn, Event, Limits, Out, Service, Target, Time};

/// No test waits this long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A reactor on its thread. It is drained when it is dropped.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<Result<(), RunError>>>,
}

impl Server {
    /// Runs the service that `make` makes, on a free port.
    pub(crate) fn start<S: Service>(
        make: impl FnOnce(&Handle) -> S + Send + 'static,
        limits: Limits,
        backends: &[SocketAddr],
    ) -> Self {
        let reactor = Reactor::bind("127.0.0.1:0").expect("a free port");
        Self::run(reactor, make, limits, backends)
    }

    pub(crate) fn run<S: Service>(
        reactor: Reactor,
        make: impl FnOnce(&Handle) -> S + Send + 'static,
        limits: Limits,
        backends: &[SocketAddr],
    ) -> Self {
        let backends = backends.iter().map(|addr| Target::Lines(addr.to_string())).collect();
        Self::with_targets(reactor, make, limits, backends)
    }

    pub(crate) fn with_targets<S: Service>(
        reactor: Reactor,
        make: impl FnOnce(&Handle) -> S + Send + 'static,
        limits: Limits,
        backends: Vec<Target>,
    ) -> Self {
        let addr = reactor.local_addr().expect("it is bound");
        let handle = reactor.handle();
        let thread = thread::spawn(move || {
            let service = make(&reactor.handle());
            reactor.run(service, limits, backends).map(|_| ())
        });
        Self { addr, handle, thread: Some(thread) }
    }

    pub(crate) fn echo() -> Self {
        Self::start(|_| Echo, Limits::default(), &[])
    }

    /// Waits for the reactor to return.
    pub(crate) fn join(&mut self) {
        if self.thread.is_some() {
            self.result().expect("the reactor runs");
        }
    }

    /// Waits for the reactor to return, whatever it returns.
    pub(crate) fn result(&mut self) -> Result<(), RunError> {
        let thread = self.thread.take().expect("nobody has waited for it");
        thread.join().expect("the reactor does not panic")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.drain();
        if !thread::panicking() {
            self.join();
        }
    }
}

pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("it is set");
        stream.set_write_timeout(Some(PATIENCE)).expect("it is set");
        Self(BufReader::new(stream))
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.0.get_ref()
    }

    pub(crate) fn send(&mut self, bytes: &str) {
        let mut stream = self.stream();
        stream.write_all(bytes.as_bytes()).expect("it is sent");
    }

    pub(crate) fn finish(&mut self) {
        let shut = self.stream().shutdown(Shutdown::Write);
        shut.expect("it is connected");
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line comes");
        assert_eq!(line.pop(), Some('\n'), "the connection ended");
        line
    }

    /// Sends a line and reads one.
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(&format!("{line}\n"));
        self.line()
    }

    /// Everything up to the end of the connection.
    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        let read = self.0.read_to_string(&mut rest);
        read.expect("the connection ends, and is not reset");
        rest
    }
}

/// Answers each line with itself.
pub(crate) struct Echo;

impl Service for Echo {
    fn handle(&mut self, _now: Time, event: Event<'_>, out: &mut Out<'_>) {
        match event {
            Event::Line(conn, line) => out.send(conn, line),
            Event::Reject(conn, reject) => out.send(conn, format!("{reject:?}").as_bytes()),
            _ => {}
        }
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// What a test's service does, as a function.
pub(crate) struct Handler<F>(pub(crate) F);

impl<F: FnMut(Time, Event<'_>, &mut Out<'_>)> Service for Handler<F> {
    fn handle(&mut self, now: Time, event: Event<'_>, out: &mut Out<'_>) {
        (self.0)(now, event, out);
    }

    fn is_drained(&self) -> bool {
        true
    }
}

/// A connection and the line that it sent.
pub(crate) type Job = (Conn, Vec<u8>);
