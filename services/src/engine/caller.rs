//! [`Caller`]: for whom a database works, and until when.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use net::{Time, network};

/// For whom something is done. It is the client of the frontend that calls, or the caller itself if that names none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) client: ClientNetwork,
    /// Nobody waits for what is done later.
    pub(crate) deadline: Time,
}

/// Where a client is, as far as limits tell clients apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientNetwork(IpAddr);

impl Caller {
    /// The caller of a request that came `at` this time.
    pub(crate) fn new(client: IpAddr, at: Time, patience: Duration) -> Self {
        Self { client: client.into(), deadline: at + patience }
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        Self(network(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart_as_far_as_they_belong_to_different_clients() {
        let network = |address: &str| ClientNetwork::from(address.parse::<IpAddr>().expect("an address"));
        assert_ne!(network("10.0.0.1"), network("10.0.0.2"));
        assert_eq!(network("10.0.0.1"), network("::ffff:10.0.0.1"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::7"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
    }
}
