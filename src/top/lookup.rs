//! [`Lookup`]: where a service is to be asked. A name is looked up each time anew, because it may come to stand for another
//! address; a resolver that hangs, as it may just when somebody looks what is the matter, holds nobody up.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use net::spawn_thread;

/// An address, and how far it is looked up.
pub(super) struct Lookup {
    /// `HOST:PORT`.
    address: String,
    /// What will be found, if it takes longer. There is one question at a time.
    pending: Option<Receiver<io::Result<Vec<SocketAddr>>>>,
}

impl Lookup {
    pub(super) fn new(address: &str) -> Self {
        Self { address: address.to_owned(), pending: None }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The addresses that it stands for, if they are found in that time. Otherwise the next one waits for the same answer.
    ///
    /// # Errors
    /// They are not, or there are none.
    pub(super) fn addresses(&mut self, within: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(literal) = self.address.parse() {
            return Ok(vec![literal]);
        }
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None => begin(self.address.clone())?,
        };
        match pending.recv_timeout(within) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout) => {
                self.pending = Some(pending);
                let why = format!("its name is not found within {} ms", within.as_millis());
                Err(io::Error::new(io::ErrorKind::TimedOut, why))
            }
            Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("its name cannot be looked up")),
        }
    }
}

fn begin(address: String) -> io::Result<Receiver<io::Result<Vec<SocketAddr>>>> {
    let (found, pending) = channel();
    spawn_thread("look-up", move || {
        // Nobody may wait for it any more.
        let _ = found.send(address.to_socket_addrs().map(Iterator::collect));
    })?;
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    #[test]
    fn addresses_are_found_at_once_and_names_when_they_are_answered() {
        let of = |address: &str| Lookup::new(address).addresses(WITHIN).unwrap();
        assert_eq!(of("[::1]:7"), ["[::1]:7".parse().unwrap()]);
        assert!(of("localhost:7").contains(&"127.0.0.1:7".parse().unwrap()));
    }

    #[test]
    fn an_answer_that_comes_late_is_taken_the_next_time() {
        let mut lookup = Lookup::new("a.invalid:7");
        let (found, pending) = channel();
        lookup.pending = Some(pending);
        let late = lookup.addresses(Duration::ZERO).unwrap_err();
        assert_eq!(late.to_string(), "its name is not found within 0 ms");
        let address: SocketAddr = "192.0.2.1:7".parse().unwrap();
        found.send(Ok(vec![address])).unwrap();
        assert_eq!(lookup.addresses(Duration::ZERO).unwrap(), [address]);
    }
}
