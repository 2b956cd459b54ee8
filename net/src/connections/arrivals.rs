//! Clients that come: which of them are taken, and who makes room for them.

use core::net::SocketAddr;

use super::Connections;
use crate::connection::Connection;
use crate::event::{Conn, Reject};
use crate::limits::Limits;
use crate::metrics::Closed;

impl Connections {
    /// Takes a new one. `None`: there are too many even to say so.
    pub(crate) fn open(&mut self, address: SocketAddr) -> Option<Conn> {
        let refused = self.refusal(address);
        if refused.is_some() && self.clients.len() - self.places.len() >= self.limits.refusals_max {
            return None;
        }
        let mut connection = Connection::new(self.now, address, &self.limits);
        if let Some(server) = &self.encryption.server {
            connection.encrypt(self.now, server.accept(self.limits.retained_bytes_max), &self.limits);
        }
        let conn = self.clients.insert(connection);
        self.count_clients();
        match refused {
            Some(reject) => self.reject(conn, reject),
            None => {
                self.places.take(self.now, conn);
                if self.limits.address_connections_max.is_some() {
                    self.addresses.add(address);
                }
                self.settle(conn, false);
            }
        }
        Some(conn)
    }

    /// Whether a further one would be taken at all. Not if many have made room in this turn, whose sockets are still to
    /// be closed.
    pub(crate) fn may_open(&self) -> bool {
        let Limits { connections_max, refusals_max, .. } = self.limits;
        self.made_room == 0 || self.clients.len() + self.made_room < connections_max + refusals_max
    }

    /// The sockets of those that made room are about to be closed.
    pub(crate) fn end_turn(&mut self) {
        self.made_room = 0;
        self.admin.end_turn();
    }

    /// Why there is no place for a client from this address. Where another one makes room for it, there is.
    fn refusal(&mut self, address: SocketAddr) -> Option<Reject> {
        let Limits { connections_max, address_connections_max, .. } = self.limits;
        if let Some(max) = address_connections_max.filter(|max| self.addresses.count(address) >= *max) {
            return Some(Reject::AddressConnectionsMax(max));
        }
        let has_place = self.places.len() < connections_max || self.make_room();
        (!has_place).then_some(Reject::ConnectionsMax(connections_max))
    }

    /// Closes the connection that has been idle for longest, if one is idle.
    fn make_room(&mut self) -> bool {
        let Self { places, clients, now, limits, .. } = self;
        let idle_since = |conn| clients.get(conn).and_then(Connection::idle_since);
        let Some(conn) = places.longest_idle(*now, limits.make_room_after, idle_since) else {
            return false;
        };
        self.made_room += 1;
        self.metrics.closes(Closed::MadeRoom);
        self.forget(conn);
        true
    }
}
