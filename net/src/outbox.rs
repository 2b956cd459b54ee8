//! [`Outbox`]: bytes on their way to a socket. It does not write them; a driver does.

use std::io;

/// Sent bytes at the front are removed once there are this many, so that removing them stays
/// cheap in relation to sending them.
const COMPACT_BYTES: usize = 64 * 1024;

/// Lines that wait to be written, and how far the socket has taken them.
#[derive(Debug)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// The most memory that is kept while nothing waits.
    retained_bytes_max: usize,
}

impl Outbox {
    pub(crate) fn new(retained_bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), sent: 0, retained_bytes_max }
    }

    /// Appends a line that lies in several parts, and its end.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        self.bytes.reserve(length + 1);
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.push(b'\n');
    }

    /// Appends bytes that are no line.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes that the socket has not taken.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that it takes.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Notes that the socket took `count` more bytes.
    pub(crate) fn advance(&mut self, count: usize) {
        assert!(count <= self.len(), "a socket took more than it was given");
        self.sent += count;
        if self.is_empty() {
            self.clear();
        } else if self.sent >= COMPACT_BYTES && self.sent >= self.len() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        self.invariants();
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        if self.bytes.capacity() > self.retained_bytes_max {
            self.bytes = Vec::new();
        }
        self.invariants();
    }

    /// What was sent is dropped at once when nothing else is there.
    fn invariants(&self) {
        assert!(self.sent < self.bytes.len() || (self.sent == 0 && self.bytes.is_empty()));
    }
}

/// For whoever writes records.
impl io::Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETAINED: usize = 100;

    #[test]
    fn keeps_what_the_socket_did_not_take() {
        let mut outbox = Outbox::new(RETAINED);
        outbox.push(&[b"one"]);
        outbox.push(&[b"two"]);
        outbox.advance(5);
        assert_eq!(outbox.unsent(), b"wo\n");
        outbox.push(&[b"three"]);
        assert_eq!(outbox.unsent(), b"wo\nthree\n");
        outbox.advance(9);
        assert!(outbox.is_empty());
    }

    #[test]
    fn compacts_and_gives_memory_back() {
        let mut outbox = Outbox::new(RETAINED);
        let line = vec![b'x'; COMPACT_BYTES];
        outbox.push(&[&line]);
        outbox.push(&[b"tail"]);
        outbox.advance(COMPACT_BYTES + 1);
        assert_eq!(outbox.unsent(), b"tail\n");
        assert_eq!(outbox.sent, 0, "the sent front must be gone");
        outbox.advance(5);
        assert!(outbox.bytes.capacity() <= RETAINED);
    }

    #[test]
    #[should_panic(expected = "took more")]
    fn a_driver_that_counts_wrong_is_caught() {
        Outbox::new(RETAINED).advance(1);
    }
}
