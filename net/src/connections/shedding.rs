//! Memory: what the buffers of connections take, and which clients are closed where they take too much.

use std::cmp::Reverse;

use super::Connections;
use crate::metrics::Closed;

impl Connections {
    /// Notes that a client's buffers took `before` and take `now`. Where all take too much, the largest are closed.
    #[cold]
    pub(super) fn count_buffers(&mut self, before: usize, now: usize) {
        self.note_buffers(before, now);
        if self.buffers.is_over() {
            self.shed();
        }
    }

    /// The same of a client that goes.
    pub(super) fn note_buffers(&mut self, before: usize, now: usize) {
        self.buffers.client(before, now);
        self.metrics.buffer_bytes.set(self.buffers.total() as u64);
    }

    /// Notes what the buffers of the connection to a backend take by now.
    pub(super) fn count_link_buffers(&mut self, link: usize) {
        if let Some((before, now)) = self.upstreams[link].channel_mut().recount(0) {
            self.buffers.link(before, now);
            self.metrics.buffer_bytes.set(self.buffers.total() as u64);
        }
    }

    /// Closes the clients whose buffers are the largest. Those that have not ended a line, or read their replies, since an
    /// earlier turn come first: who has just been answered has had no chance to read it.
    fn shed(&mut self) {
        let now = self.now;
        let counted = self.clients.entries().map(|(conn, connection)| {
            (Reverse((connection.is_waited_for(now), connection.channel.counted())), conn)
        });
        let mut largest: Vec<_> = counted.collect();
        largest.sort_unstable();
        for (_, conn) in largest {
            if !self.buffers.is_high() {
                break;
            }
            self.metrics.closes(Closed::Buffers);
            self.forget(conn);
        }
    }
}
