//! [`Buffers`]: how much memory the buffers of a node's connections take, and whether those of clients take too much. It
//! closes nothing, and does not know which connection takes what.

/// What all buffers together take, in bytes.
#[derive(Debug)]
pub(crate) struct Buffers {
    max: usize,
    clients: usize,
    links: usize,
    /// What is left of the maximum to clients.
    clients_max: usize,
}

impl Buffers {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, clients: 0, links: 0, clients_max: max }
    }

    /// The buffers of a client, which took `before`, take `now`.
    pub(crate) fn client(&mut self, before: usize, now: usize) {
        self.clients = self.clients - before + now;
    }

    /// The buffers of a link, which took `before`, take `now`. Links have maxima of their own and are never closed for
    /// their buffers, so clients have what is left, and a quarter in any case.
    pub(crate) fn link(&mut self, before: usize, now: usize) {
        self.links = self.links - before + now;
        self.clients_max = self.max.saturating_sub(self.links).max(self.max / 4);
    }

    pub(crate) fn total(&self) -> usize {
        self.clients + self.links
    }

    /// Whether those of clients take more than they may.
    pub(crate) fn is_over(&self) -> bool {
        self.clients > self.clients_max
    }

    /// Whether they take so much, once they did, that more clients must be closed. It ends well below the maximum, so
    /// that whoever looks for the largest does so once for many bytes that arrive.
    pub(crate) fn is_high(&self) -> bool {
        self.clients > self.clients_max - self.clients_max / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_what_links_leave_them_and_a_quarter_in_any_case() {
        let mut buffers = Buffers::new(800);
        buffers.client(0, 800);
        assert!(!buffers.is_over() && buffers.is_high());
        buffers.link(0, 1);
        assert!(buffers.is_over());
        buffers.client(99, 0);
        assert!(!buffers.is_over() && buffers.is_high());
        buffers.client(1, 0);
        assert!(!buffers.is_high());
        buffers.link(1, 5000);
        assert!(buffers.is_over());
        buffers.client(700, 200);
        assert!(!buffers.is_over());
        assert_eq!(buffers.total(), 5200);
    }
}
