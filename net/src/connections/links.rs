//! Backends with which lines are exchanged, and what follows a change of the link to one.

use std::mem;

use super::Connections;
use crate::dialer::Reason;
use crate::event::{Backend, Call};
use crate::io::{Output, Peer};
use crate::time::Time;

/// Links, by their numbers.
impl Connections {
    /// Hands a call to its link. If that has no room for it, the node is to say so.
    pub(crate) fn call(&mut self, backend: Backend, call: Call, line: &[u8], deadline: Time) {
        let Backend(link) = backend;
        match self.upstreams[link].link_mut().call(self.now, call, line, deadline, &self.limits) {
            Ok(is_to_write) => self.settle_link(link, is_to_write),
            Err(_) => self.refused_calls.push(call),
        }
    }

    /// The connection stands, and begins with this line of a greeting, if any.
    ///
    /// # Errors
    /// It cannot be encrypted.
    pub(crate) fn link_connected(&mut self, number: usize, greeting: Option<&[u8]>) -> Result<(), Reason> {
        let link = self.upstreams[number].link_mut();
        link.channel.begin();
        if let Some(client) = &self.encryption.client {
            let session = client.connect(link.address(), self.limits.link_retained_bytes_max);
            link.channel.encrypt(session.map_err(|error| error.to_string())?);
        }
        let is_to_write = link.connected(self.now, greeting, &self.limits);
        // Even where there is no greeting, an encrypted stream begins with words of its own.
        let is_to_write = link.channel.begin_transmit() || is_to_write;
        self.settle_link(number, is_to_write);
        Ok(())
    }

    /// Has new connections made in place of those of which the service wants that, as far as they stand.
    pub(crate) fn renew_links(&mut self) {
        for Backend(number) in mem::take(&mut self.renewals) {
            let link = self.upstreams[number].link_mut();
            if !link.is_up() {
                continue;
            }
            if link.renew(self.now, &self.limits) {
                self.outputs.push_back(Output::Transmit(Peer::Link(number)));
            }
            self.outputs.push_back(Output::Reconnect(Backend(number)));
            self.settle_link(number, false);
        }
    }

    /// The backend has answered a line of the greeting as it must, and is told the next one, if any.
    pub(crate) fn greeted(&mut self, link: usize, next: Option<&[u8]>) {
        let is_to_write = self.upstreams[link].link_mut().greeted(self.now, next);
        self.settle_link(link, is_to_write);
    }

    /// The oldest call is answered.
    pub(crate) fn answered(&mut self, link: usize) {
        self.upstreams[link].link_mut().answered(&self.limits);
    }
}
