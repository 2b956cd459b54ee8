//! [`ByteServer`]: what a simulated host runs in place of a node, for services whose backends exchange bytes: an engine,
//! as far as a simulation needs one. It is never overloaded, and has no limits.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::host::AnyNode;
use super::{HostId, Sim};
use crate::channel::Channel;
use crate::slots::Slots;
use crate::{Backend, Conn, Failure, Input, Output, Peer, Time};

/// A server that exchanges bytes. Like a service, it does nothing by itself.
pub trait ByteServer {
    /// Reacts to an event.
    fn handle(&mut self, now: Time, event: ByteEvent<'_>, out: &mut ByteOut);
}

/// What happens to a [`ByteServer`].
#[derive(Debug)]
pub enum ByteEvent<'a> {
    /// Somebody has connected.
    Opened(Conn),
    /// Bytes that have come, at least one, cut anywhere.
    Received(Conn, &'a [u8]),
    /// The client is gone, or sends no more, and its connection has ended. It is not said of one that the server itself has
    /// ended.
    Closed(Conn),
    /// An [`Alarm`](super::Alarm) of the host has gone off.
    Wake,
}

/// The connections of a [`ByteServer`].
pub struct ByteOut {
    clients: Slots<Client>,
    outputs: VecDeque<Output>,
}

struct Client {
    channel: Channel,
    /// The connection ends once everything is sent.
    is_closing: bool,
}

/// Both, as a host runs them.
struct Process<S> {
    server: S,
    out: ByteOut,
}

impl Sim {
    /// Adds a host whose node has these backends: each at these hosts, in the order of its addresses. Nothing runs on it
    /// yet.
    pub fn add_host_of_streams(&mut self, backends: Vec<Vec<HostId>>) -> HostId {
        let host = self.add_host(&[]);
        self.hosts[host.0].backends = backends;
        host
    }

    /// Starts a server on a host where nothing runs.
    pub fn start_byte_server<S: ByteServer + 'static>(&mut self, HostId(number): HostId, server: S) {
        let out = ByteOut { clients: Slots::new(), outputs: VecDeque::new() };
        self.hosts[number].start(Box::new(Process { server, out }));
    }
}

impl ByteOut {
    /// Sends bytes to a client. Dropped if it is gone.
    pub fn write(&mut self, conn: Conn, bytes: &[u8]) {
        if let Some(client) = self.clients.get_mut(conn)
            && !client.is_closing
            && client.channel.send(bytes)
        {
            self.outputs.push_back(Output::Transmit(Peer::Client(conn)));
        }
    }

    /// Ends the connection once everything is sent. Nothing that the client sends is delivered any more.
    pub fn close(&mut self, conn: Conn) {
        if let Some(client) = self.clients.get_mut(conn) {
            client.is_closing = true;
            self.settle(conn);
        }
    }

    fn sent(&mut self, conn: Conn, count: usize) {
        if let Some(client) = self.clients.get_mut(conn) {
            client.channel.sent(count);
            self.settle(conn);
        }
    }

    fn writable(&mut self, conn: Conn) {
        if self.clients.get_mut(conn).is_some_and(|client| client.channel.writable()) {
            self.outputs.push_back(Output::Transmit(Peer::Client(conn)));
        }
    }

    fn settle(&mut self, conn: Conn) {
        if self.clients.get(conn).is_some_and(|client| client.is_closing && client.channel.is_idle()) {
            self.forget(conn);
        }
    }

    fn forget(&mut self, conn: Conn) {
        if self.clients.remove(conn).is_some() {
            self.outputs.push_back(Output::Close(Peer::Client(conn)));
        }
    }

    fn client(&self, peer: Peer) -> Option<&Client> {
        match peer {
            Peer::Client(conn) => self.clients.get(conn),
            Peer::Link(_) | Peer::Admin(_) => None,
        }
    }
}

impl<S: ByteServer> AnyNode for Process<S> {
    fn accept(&mut self, now: Time, _address: SocketAddr) -> Option<Conn> {
        let conn = self.out.clients.insert(Client { channel: Channel::new(0), is_closing: false });
        self.server.handle(now, ByteEvent::Opened(conn), &mut self.out);
        Some(conn)
    }

    fn handle_input(&mut self, now: Time, input: Input<'_>) {
        match input {
            Input::Received(Peer::Client(conn), bytes) => {
                self.server.handle(now, ByteEvent::Received(conn, bytes), &mut self.out);
            }
            Input::Sent(Peer::Client(conn), count) => self.out.sent(conn, count),
            Input::Writable(Peer::Client(conn)) => self.out.writable(conn),
            Input::Finished(Peer::Client(conn)) | Input::Failed(Peer::Client(conn)) => {
                self.out.forget(conn);
                self.server.handle(now, ByteEvent::Closed(conn), &mut self.out);
            }
            Input::Wake => self.server.handle(now, ByteEvent::Wake, &mut self.out),
            // It calls nobody, and is drained by being left alone.
            _ => {}
        }
    }

    fn end_turn(&mut self, _now: Time) -> Result<(), Failure> {
        Ok(())
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        None
    }

    fn outbox(&self, peer: Peer) -> &[u8] {
        self.out.client(peer).map_or(&[], |client| client.channel.unsent())
    }

    fn wants_read(&mut self, peer: Peer) -> bool {
        self.out.client(peer).is_some_and(|client| !client.is_closing)
    }

    fn address(&self, _backend: Backend) -> usize {
        unreachable!("it has no backends")
    }
}
