//! [`Channel`]: one byte stream, whoever is at its other end: what has arrived and was not looked at, what is to leave,
//! and the next deadline.
//!
//! Every byte of every connection passes through a channel, in both directions, and nowhere else. So encryption, once
//! there is some, has its place here: between what a driver reads and [`Channel::lines`], and between the outbox and
//! [`Channel::unsent`]. A channel knows neither requests nor the life of its connection.

use crate::lines::LineBuffer;
use crate::outbox::Outbox;
use crate::time::Time;
use crate::timers::{Alarm, Timers};

/// The two buffers of a byte stream, and where it stands with writing.
///
/// Between two calls, the stream is idle exactly if nothing waits to be written; so whatever waits is written without
/// being asked for again.
#[derive(Debug)]
pub(crate) struct Channel {
    /// What has arrived.
    pub(crate) lines: LineBuffer,
    outbox: Outbox,
    transmit: Transmit,
    alarm: Alarm,
}

/// Where a stream stands with writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transmit {
    /// Nothing to write.
    Idle,
    /// The driver was told to write.
    Queued,
    /// The socket took less than it was given; the driver says when it takes more.
    Blocked,
}

impl Channel {
    /// Each of the two buffers keeps so much memory while it is empty.
    pub(crate) fn new(retained_bytes_max: usize) -> Self {
        Self {
            lines: LineBuffer::new(retained_bytes_max),
            outbox: Outbox::new(retained_bytes_max),
            transmit: Transmit::Idle,
            alarm: Alarm::default(),
        }
    }

    /// Appends bytes to what is to be sent. True: the driver is to be told to write.
    #[must_use]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.outbox.append(bytes);
        self.queue()
    }

    /// Appends a line that lies in several parts, and its end. True: the driver is to be told to write.
    #[must_use]
    pub(crate) fn send_line(&mut self, parts: &[&[u8]]) -> bool {
        self.outbox.push(parts);
        self.queue()
    }

    /// The bytes that the socket has not taken.
    pub(crate) fn unsent(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// How many they are.
    pub(crate) fn unsent_len(&self) -> usize {
        self.outbox.len()
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_idle(&self) -> bool {
        self.transmit == Transmit::Idle
    }

    /// The socket took so many of them.
    ///
    /// # Panics
    /// There were not so many.
    pub(crate) fn sent(&mut self, count: usize) {
        self.outbox.advance(count);
        self.transmit = if self.outbox.is_empty() { Transmit::Idle } else { Transmit::Blocked };
        self.invariants();
    }

    /// The socket takes more. True: the driver is to be told to write.
    #[must_use]
    pub(crate) fn writable(&mut self) -> bool {
        let blocked = self.transmit == Transmit::Blocked;
        if blocked {
            self.transmit = Transmit::Queued;
        }
        self.invariants();
        blocked
    }

    /// Makes it the channel of a new stream, to which nothing of the old one belongs. Its deadline stays.
    pub(crate) fn reset(&mut self) {
        self.lines.clear();
        self.outbox.clear();
        self.transmit = Transmit::Idle;
        self.invariants();
    }

    /// Makes sure that `key` falls due at `at` or earlier.
    pub(crate) fn arm<K: Ord>(&mut self, timers: &mut Timers<K>, at: Time, key: K) {
        timers.arm(&mut self.alarm, at, key);
    }

    /// Notes that the deadline armed for `at` has come. False if it means nothing any more.
    pub(crate) fn ring(&mut self, at: Time) -> bool {
        self.alarm.ring(at)
    }

    fn queue(&mut self) -> bool {
        let begins = self.transmit == Transmit::Idle && !self.outbox.is_empty();
        if begins {
            self.transmit = Transmit::Queued;
        }
        self.invariants();
        begins
    }

    fn invariants(&self) {
        assert_eq!(
            self.transmit == Transmit::Idle,
            self.outbox.is_empty(),
            "a stream is idle exactly if nothing waits to be written"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_is_told_once_to_write_what_gathers_and_again_when_the_socket_takes_more() {
        let mut channel = Channel::new(100);
        assert!(channel.send_line(&[b"on", b"e"]));
        assert!(!channel.send_line(&[b"two"]), "it was told already");
        assert_eq!(channel.unsent(), b"one\ntwo\n");
        channel.sent(5);
        assert!(!channel.send(b"three"), "the socket is full");
        assert!(channel.writable());
        assert!(!channel.writable(), "it was told already");
        channel.sent(8);
        assert!(!channel.writable(), "nothing is left to write");
        assert!(channel.send(b"four"));
    }

    #[test]
    fn nothing_of_an_old_stream_belongs_to_the_new_one() {
        let mut channel = Channel::new(100);
        channel.lines.push(b"half a li");
        assert!(channel.send(b"half a li"));
        channel.reset();
        assert!(channel.lines.is_empty() && channel.unsent().is_empty());
        assert!(channel.send(b"anew"), "the driver is told to write to the new one");
    }
}
