//! [`Handshakes`]: whose turn it is to go on with a TLS handshake, and what is logged of those that fail. Each takes
//! public-key cryptography, so only a few are carried on in a turn, and the others wait.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::time::Duration;

use crate::event::Conn;
use crate::time::Time;

/// Failures are logged so often at most; each line says how many there have been since the one before.
const PAUSE: Duration = Duration::from_secs(1);

/// The clients of whose handshake something has arrived.
#[derive(Debug, Default)]
pub(crate) struct Handshakes {
    waiting: VecDeque<Conn>,
    failures: u64,
    logged_at: Option<Time>,
}

impl Handshakes {
    /// Something has arrived, which waits.
    pub(crate) fn push(&mut self, conn: Conn) {
        self.waiting.push_back(conn);
    }

    /// Whose turn it is in this turn, so many at most.
    pub(crate) fn take(&mut self, max: usize) -> impl Iterator<Item = Conn> + use<> {
        let count = self.waiting.len().min(max);
        self.waiting.drain(..count).collect::<Vec<_>>().into_iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// One has failed.
    pub(crate) fn failed(&mut self, now: Time, address: SocketAddr, cause: &str) {
        self.failures += 1;
        if self.logged_at.is_none_or(|at| now.since(at) >= PAUSE) {
            let failures = self.failures;
            log::warn!("event=tls_failed address={address} cause=\"{cause}\" failures={failures}");
            (self.failures, self.logged_at) = (0, Some(now));
        }
    }
}
