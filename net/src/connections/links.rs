//! The links of a node, and what follows a change of one.

use super::Connections;
use crate::channel::Received;
use crate::event::{Backend, Call};
use crate::io::{Output, Peer};
use crate::link::{Action, LostCalls, Reason};
use crate::time::Time;
use crate::tls::BadStream;

/// Links, by their numbers.
impl Connections {
    /// Hands a call to its link. If that has no room for it, the node is to say so.
    pub(crate) fn call(&mut self, backend: Backend, call: Call, line: &[u8], deadline: Time) {
        let Backend(link) = backend;
        match self.links[link].call(self.now, call, line, deadline, &self.limits) {
            Ok(is_to_write) => self.settle_link(link, is_to_write),
            Err(_) => self.refused_calls.push(call),
        }
    }

    /// The connection stands, and begins with this line of a greeting, if any.
    ///
    /// # Errors
    /// It cannot be encrypted.
    pub(crate) fn connected(&mut self, link: usize, greeting: Option<&[u8]>) -> Result<(), Reason> {
        if let Some(client) = &self.encryption.client {
            let session = client.connect(&self.backends[link], self.limits.link_retained_bytes_max);
            self.links[link].channel.encrypt(session.map_err(|error| error.to_string())?);
        }
        let is_to_write = self.links[link].connected(self.now, greeting, &self.limits);
        // Even where there is no greeting, an encrypted stream begins with words of its own.
        let is_to_write = self.links[link].channel.begin_transmit() || is_to_write;
        self.settle_link(link, is_to_write);
        Ok(())
    }

    /// The backend has answered a line of the greeting as it must, and is told the next one, if any.
    pub(crate) fn greeted(&mut self, link: usize, next: Option<&[u8]>) {
        let is_to_write = self.links[link].greeted(self.now, next);
        self.settle_link(link, is_to_write);
    }

    /// The oldest call is answered.
    pub(crate) fn answered(&mut self, link: usize) {
        self.links[link].answered(&self.limits);
    }

    /// Ends the delivery of what a backend has sent. The oldest call is another one now, and may be overdue.
    ///
    /// # Errors
    /// Why the connection is of no further use, if it is encrypted.
    pub(crate) fn end_replies(&mut self, link: usize, received: Received<'_>) -> Result<(), Reason> {
        let channel = &mut self.links[link].channel;
        channel.give_back(received);
        let bad = channel.take_bad_stream();
        let has_finished = channel.has_peer_finished();
        let is_to_write = channel.begin_transmit();
        self.settle_link(link, is_to_write);
        match bad {
            Some(BadStream::NotTls) => Err("it does not speak TLS".into()),
            Some(BadStream::Failed(cause)) => Err(format!("TLS: {cause}").into()),
            None if has_finished => Err("it closed the connection".into()),
            None => Ok(()),
        }
    }

    /// The connection is gone, or could not be made. Returns the calls that are lost with it. `None`: there was none.
    pub(crate) fn disconnect(&mut self, link: usize) -> Option<LostCalls> {
        if self.links[link].is_down() {
            return None;
        }
        let mut lost = LostCalls::new();
        if self.links[link].disconnected(self.now, &self.limits, &mut lost) {
            self.outputs.push_back(Output::Transmit(Peer::Link(link)));
        }
        self.outputs.push_back(Output::Close(Peer::Link(link)));
        self.count_link_buffers(link);
        self.arm_link(link);
        Some(lost)
    }

    /// Acts on the deadline that was armed for `at`. Returns the calls that are given up, and why the connection is to
    /// be closed, if it is.
    pub(crate) fn expire_link(&mut self, at: Time, link: usize) -> (LostCalls, Option<Reason>) {
        let mut lost = LostCalls::new();
        if !self.links[link].channel.ring(at) {
            return (lost, None);
        }
        let reason = match self.links[link].expire(self.now, &self.limits, &mut lost) {
            Some(Action::Close(reason)) => Some(reason),
            Some(Action::Connect) => {
                self.outputs.push_back(Output::Connect(Backend(link)));
                None
            }
            None => None,
        };
        // Whoever closes the connection arms the next deadline.
        if reason.is_none() {
            self.arm_link(link);
        }
        (lost, reason)
    }

    fn settle_link(&mut self, link: usize, is_to_write: bool) {
        if is_to_write {
            self.outputs.push_back(Output::Transmit(Peer::Link(link)));
        }
        self.count_link_buffers(link);
        self.arm_link(link);
    }

    pub(super) fn arm_link(&mut self, number: usize) {
        let link = &mut self.links[number];
        if let Some(deadline) = link.deadline(&self.limits) {
            link.channel.arm(&mut self.timers, deadline, Peer::Link(number));
        }
    }
}
