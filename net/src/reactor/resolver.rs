//! Looks up the addresses of backends, which may block, so it runs on a thread of its own.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

use crate::Work;

/// The address of a backend, and how often it was looked up.
#[derive(Clone)]
pub(super) struct Lookup {
    pub(super) address: String,
    pub(super) attempt: usize,
    pub(super) under_way: bool,
}

impl Lookup {
    pub(super) fn new(address: String) -> Self {
        Self { address, attempt: 0, under_way: false }
    }
}

/// Looks up addresses of backends. A name may stand for several addresses: each attempt tries another.
pub(super) struct Resolver;

impl Work for Resolver {
    type Job = (usize, Lookup);
    type Done = (usize, io::Result<SocketAddr>);

    fn run(&mut self, (link, lookup): Self::Job) -> Self::Done {
        let address = lookup.address.to_socket_addrs().and_then(|addresses| {
            let addresses: Vec<_> = addresses.collect();
            let next = addresses.get(lookup.attempt % addresses.len().max(1));
            next.copied().ok_or_else(|| io::Error::from(ErrorKind::AddrNotAvailable))
        });
        (link, address)
    }
}
