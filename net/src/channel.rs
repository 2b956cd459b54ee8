//! [`Channel`]: one byte stream, whoever is at its other end: what has arrived and was not looked at, what is to leave,
//! and the next deadline.
//!
//! Every byte of every connection passes through a channel, in both directions, and nowhere else: what arrives comes in
//! through [`Channel::lend`], and what leaves goes out through [`Channel::unsent`]. So encryption has its place between
//! these two and the buffers. A channel knows neither requests nor the life of its connection.

use std::mem;

use crate::lines::{LineBuffer, TooLong};
use crate::outbox::Outbox;
use crate::time::Time;
use crate::timers::{Alarm, Timers};
use crate::tls::{BadStream, Session};

/// The two buffers of a byte stream, and where it stands with writing.
///
/// Between two calls, the stream is idle exactly if nothing waits to be written; so whatever waits is written without
/// being asked for again.
#[derive(Debug)]
pub(crate) struct Channel {
    /// What has arrived. Nothing, while it is lent out.
    lines: LineBuffer,
    outbox: Outbox,
    transmit: Transmit,
    alarm: Alarm,
    /// What stands between the buffers and the socket, if the stream is encrypted.
    tls: Option<Box<Tls>>,
    /// What the buffers took when they were counted last.
    counted: usize,
}

/// An encrypted stream.
#[derive(Debug)]
struct Tls {
    session: Session,
    /// What has arrived of the handshake and was not looked at.
    held: Vec<u8>,
    /// Why it is of no use, until somebody has asked.
    bad: Option<BadStream>,
}

/// What has arrived over a stream, while it is lent out of its [`Channel`], so that whoever is given a line of it can
/// be given the channel too.
pub(crate) struct Received<'a> {
    /// What has arrived earlier.
    lines: LineBuffer,
    /// What has arrived just now, and was neither taken as a line nor buffered.
    arrived: &'a [u8],
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
            tls: None,
            counted: 0,
        }
    }

    /// A new stream begins, in plain. What was still to be said over the old one, which was [`reset`](Channel::reset), is
    /// said no more.
    pub(crate) fn begin(&mut self) {
        (self.tls, self.transmit) = (None, Transmit::Idle);
        self.invariants();
    }

    /// The stream is encrypted from here on; what was written already leaves before that as it is. What there is to say of
    /// it waits for [`Channel::begin_transmit`].
    pub(crate) fn encrypt(&mut self, mut session: Session) {
        session.let_pass(&mut self.outbox);
        self.tls = Some(Box::new(Tls { session, held: Vec::new(), bad: None }));
    }

    /// Why the encrypted stream is of no use, once. An alert for the peer may be left to write. One that was never
    /// encrypted goes on as it is.
    pub(crate) fn take_bad_stream(&mut self) -> Option<BadStream> {
        let bad = self.tls.as_mut()?.bad.take();
        if bad == Some(BadStream::NotTls) {
            self.tls = None;
            // Records that have not left are of no use any more.
            if !self.has_to_write() {
                self.transmit = Transmit::Idle;
            }
        }
        bad
    }

    /// Whether the stream is encrypted, and the peers do not know each other yet.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.session.is_handshaking())
    }

    /// Whether what is written can be sent.
    pub(crate) fn may_send(&self) -> bool {
        self.tls.as_ref().is_none_or(|tls| tls.session.may_send())
    }

    /// Keeps what has arrived of the handshake, until [`Channel::open_held`].
    pub(crate) fn hold(&mut self, bytes: &[u8]) {
        self.tls.as_mut().expect("the stream is encrypted").held.extend_from_slice(bytes);
    }

    /// Whether something of the handshake is kept.
    pub(crate) fn is_holding(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.held.is_empty())
    }

    /// Goes on with the handshake.
    pub(crate) fn open_held(&mut self) {
        let held = self.tls.as_mut().map(|tls| mem::take(&mut tls.held));
        self.receive(&held.unwrap_or_default());
    }

    /// Whether something has arrived that can be no line yet: a part of one, or of an encrypted record.
    pub(crate) fn has_partial(&self) -> bool {
        !self.received().is_empty() || self.tls.as_ref().is_some_and(|tls| tls.session.is_midway())
    }

    /// Whether the peer has said, over an encrypted stream, that it sends nothing more.
    pub(crate) fn has_peer_finished(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.session.has_peer_finished())
    }

    /// Says that nothing more is sent, if the stream is encrypted and this was not said yet. True: it is to be written.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        self.tls.as_mut().is_some_and(|tls| tls.session.say_goodbye())
    }

    /// Takes bytes that have arrived, and keeps them.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let received = self.lend(bytes);
        self.give_back(received);
    }

    /// Takes bytes that have arrived, and lends out everything that has, until [`Channel::give_back`]. A line that lies
    /// in these bytes alone is not copied.
    #[inline]
    pub(crate) fn lend<'a>(&mut self, bytes: &'a [u8]) -> Received<'a> {
        if self.tls.is_some() {
            self.decrypt(bytes);
            return Received { lines: mem::take(&mut self.lines), arrived: &[] };
        }
        Received { lines: mem::take(&mut self.lines), arrived: bytes }
    }

    /// Takes back what was lent out, and keeps what is left of it.
    #[inline]
    pub(crate) fn give_back(&mut self, received: Received<'_>) {
        self.lines = received.lines;
        if !received.arrived.is_empty() {
            self.lines.push(received.arrived);
        }
        self.lines.release();
    }

    /// What has arrived and was not taken as lines. Nothing, while it is lent out.
    pub(crate) fn received(&self) -> &[u8] {
        self.lines.bytes()
    }

    /// Nothing more will arrive: what is left is a line, though its end is missing. But an encrypted stream whose peer has
    /// not said so may have been cut off by anybody, and what is left then is no line.
    pub(crate) fn finish(&mut self) {
        if self.tls.is_none() || self.has_peer_finished() {
            self.lines.finish();
        }
    }

    /// Drops what has arrived.
    pub(crate) fn discard_received(&mut self) {
        self.lines.clear();
    }

    /// Appends bytes to what is to be sent. True: the driver is to be told to write.
    #[must_use]
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.outbox.append(bytes);
        self.begin_transmit()
    }

    /// Appends a line that lies in several parts, and its end. True: the driver is to be told to write.
    #[must_use]
    pub(crate) fn send_line(&mut self, parts: &[&[u8]]) -> bool {
        self.outbox.push(parts);
        self.begin_transmit()
    }

    /// Encrypts what has gathered, if the stream is encrypted. To be called before [`Channel::unsent`] is written.
    pub(crate) fn seal(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.session.seal(&mut self.outbox);
        }
    }

    /// Whether lines wait to be written, or to be encrypted.
    pub(crate) fn has_lines(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// The bytes that the socket has not taken.
    pub(crate) fn unsent(&self) -> &[u8] {
        match &self.tls {
            None => self.outbox.unsent(),
            Some(tls) => tls.session.sealed().unsent(),
        }
    }

    /// How many they are, with those that are to be encrypted.
    pub(crate) fn unsent_len(&self) -> usize {
        self.outbox.len() + self.tls.as_ref().map_or(0, |tls| tls.session.sealed().len())
    }

    /// Whether nothing waits to be written, be it for the socket or until it can be encrypted.
    pub(crate) fn is_idle(&self) -> bool {
        self.transmit == Transmit::Idle && (self.outbox.is_empty() || !self.is_handshaking())
    }

    /// The socket took so many of them.
    ///
    /// # Panics
    /// There were not so many.
    pub(crate) fn sent(&mut self, count: usize) {
        match &mut self.tls {
            None => self.outbox.advance(count),
            Some(tls) => tls.session.sent(count),
        }
        self.transmit = if self.has_to_write() { Transmit::Blocked } else { Transmit::Idle };
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

    /// Bytes of memory that the buffers took when they were counted last.
    pub(crate) fn counted(&self) -> usize {
        self.counted
    }

    /// Counts the memory of its buffers, and with it the `socket_bytes` that the kernel may hold where nobody reads. Returns
    /// what they took before and take now, if that has changed.
    #[inline]
    pub(crate) fn recount(&mut self, socket_bytes: usize) -> Option<(usize, usize)> {
        let of_socket = if self.transmit == Transmit::Blocked { socket_bytes } else { 0 };
        let of_tls = self.tls.as_ref().map_or(0, |tls| tls.held.capacity() + tls.session.buffered_bytes());
        let bytes = self.lines.capacity() + self.outbox.capacity() + of_socket + of_tls;
        if bytes == self.counted {
            return None;
        }
        Some((mem::replace(&mut self.counted, bytes), bytes))
    }

    /// Makes it the channel of a new stream, to which nothing of the old one belongs. Its deadline stays. True: before the
    /// old one is closed, the driver is to write the alert that says why.
    #[must_use]
    pub(crate) fn reset(&mut self) -> bool {
        self.discard_received();
        self.outbox.clear();
        self.transmit = Transmit::Idle;
        self.tls.take_if(|tls| !tls.session.has_alert());
        self.begin_transmit()
    }

    /// Makes sure that `key` falls due at `at` or earlier.
    pub(crate) fn arm<K: Ord>(&mut self, timers: &mut Timers<K>, at: Time, key: K) {
        timers.arm(&mut self.alarm, at, key);
    }

    /// Notes that the deadline armed for `at` has come. False if it means nothing any more.
    pub(crate) fn ring(&mut self, at: Time) -> bool {
        self.alarm.ring(at)
    }

    /// Whether whoever has this deadline is called in time.
    pub(crate) fn is_armed<K: Ord>(&self, timers: &Timers<K>, deadline: Option<Time>) -> bool {
        timers.reach(&self.alarm, deadline)
    }

    /// Looks whether there is something to write. Whoever appends lines is told; but an encrypted stream has words of its
    /// own. True: the driver is to be told to write.
    #[must_use]
    pub(crate) fn begin_transmit(&mut self) -> bool {
        let begins = self.transmit == Transmit::Idle && self.has_to_write();
        if begins {
            self.transmit = Transmit::Queued;
        }
        self.invariants();
        begins
    }

    /// Whether the driver has something to write. What cannot be encrypted yet waits for the peer, and not for the socket.
    fn has_to_write(&self) -> bool {
        match &self.tls {
            None => !self.outbox.is_empty(),
            Some(tls) => {
                !tls.session.sealed().is_empty() || (tls.session.may_send() && !self.outbox.is_empty())
            }
        }
    }

    #[cold]
    fn decrypt(&mut self, bytes: &[u8]) {
        let Self { tls: Some(tls), lines, .. } = self else { return };
        if bytes.is_empty() {
            return;
        }
        if let Err(bad) = tls.session.open(bytes, |piece| lines.push(piece)) {
            tls.bad = Some(bad);
        }
    }

    fn invariants(&self) {
        assert_eq!(
            self.transmit == Transmit::Idle,
            !self.has_to_write(),
            "a stream is idle exactly if nothing waits to be written"
        );
    }
}

impl Received<'_> {
    /// The next whole line, without its end, if there is one: see [`LineBuffer::next`].
    #[inline]
    pub(crate) fn next_line(&mut self, max: usize) -> Option<Result<&[u8], TooLong>> {
        self.lines.next_of(&mut self.arrived, max)
    }

    /// All that has arrived, of a stream that is not cut into lines, so that nothing was buffered before.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.arrived.is_empty() { self.lines.bytes() } else { self.arrived }
    }

    /// All of it was taken.
    pub(crate) fn take_all(&mut self) {
        self.lines.take_all();
        self.arrived = &[];
    }

    /// What was buffered when it was lent out, from the next line on that is not empty, whole or not.
    pub(crate) fn peek_buffered(&mut self) -> &[u8] {
        self.lines.peek()
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.arrived.is_empty()
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
    fn what_arrives_is_kept_until_it_is_taken_in_whatever_way_it_came() {
        let mut channel = Channel::new(100);
        channel.receive(b"on");
        channel.receive(b"e\ntw");
        let mut received = channel.lend(b"o\nthree\nfour\nfi");
        for line in ["one", "two", "three"] {
            assert_eq!(received.next_line(100), Some(Ok(line.as_bytes())));
        }
        channel.give_back(received);
        assert_eq!(channel.received(), b"four\nfi", "what was not taken is kept");
        channel.finish();
        let mut received = channel.lend(b"");
        assert_eq!(received.next_line(100), Some(Ok(&b"four"[..])));
        assert_eq!(received.next_line(100), Some(Ok(&b"fi"[..])));
        assert_eq!(received.next_line(100), None);
        assert!(received.is_empty());
    }

    #[test]
    fn nothing_of_an_old_stream_belongs_to_the_new_one() {
        let mut channel = Channel::new(100);
        channel.receive(b"half a li");
        assert!(channel.send(b"half a li"));
        assert!(!channel.reset());
        assert!(channel.lines.is_empty() && channel.unsent().is_empty());
        assert!(channel.send(b"anew"), "the driver is told to write to the new one");
    }
}
