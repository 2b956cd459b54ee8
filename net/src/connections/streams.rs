//! Backends with which bytes are exchanged, and what follows a change of the stream to one.

use super::Connections;
use crate::dialer::Reason;
use crate::event::Backend;

/// Streams, by their numbers.
impl Connections {
    /// The connection stands. Returns the place of the address that it is to.
    pub(crate) fn stream_connected(&mut self, number: usize) -> usize {
        let stream = self.upstreams[number].stream_mut();
        stream.connected();
        let address = stream.address();
        self.settle_link(number, false);
        address
    }

    /// Appends bytes to what is to be sent. The stream to which too many are is ended.
    pub(crate) fn write(&mut self, Backend(number): Backend, bytes: &[u8]) {
        let written = self.upstreams[number].stream_mut().write(bytes, &self.limits);
        self.follow_up(number, written);
    }

    /// Encrypts the stream from here on.
    pub(crate) fn encrypt(&mut self, Backend(number): Backend) {
        let begun = self.upstreams[number].stream_mut().encrypt(self.now, &self.limits);
        self.follow_up(number, begun);
    }

    /// The backend is of use.
    pub(crate) fn works(&mut self, Backend(number): Backend) {
        self.upstreams[number].stream_mut().works(&self.limits);
    }

    /// Ends the connection, or the attempt to make one. The service, which may have asked for that, is told later.
    pub(crate) fn reset(&mut self, Backend(number): Backend, reason: Reason) {
        let stream = self.upstreams[number].stream_mut();
        if !stream.is_down() {
            self.disconnect(number);
            self.resets.push_back((Backend(number), reason));
        }
    }

    fn follow_up(&mut self, number: usize, outcome: Result<bool, Reason>) {
        match outcome {
            Ok(is_to_write) => self.settle_link(number, is_to_write),
            Err(reason) => self.reset(Backend(number), reason),
        }
    }
}
