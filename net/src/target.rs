//! [`Target`]: where a backend is and what passes over the connection to it, as a node is told when it begins.

use crate::tls::ClientTls;

/// A backend.
#[derive(Clone, Debug)]
pub enum Target {
    /// One that exchanges lines, at this address, written `HOST:PORT`: it is called
    /// ([`Out::call`](crate::Out::call)).
    Lines(String),
    /// One that exchanges bytes, whose protocol the service speaks itself ([`Event::Stream`](crate::Event::Stream)), at
    /// one of these addresses, of which there is at least one. They are tried one after another, the first one first.
    Bytes(Vec<ByteAddress>),
}

impl Target {
    /// The addresses of the backend, written `HOST:PORT`.
    pub(crate) fn addresses(&self) -> Vec<String> {
        match self {
            Self::Lines(address) => vec![address.clone()],
            Self::Bytes(addresses) => addresses.iter().map(|address| address.address.clone()).collect(),
        }
    }
}

/// An address of a backend that exchanges bytes.
#[derive(Clone, Debug)]
pub struct ByteAddress {
    /// Written `HOST:PORT`.
    pub address: String,
    /// How a connection to it is encrypted once the service asks for that ([`Out::encrypt`](crate::Out::encrypt)). The
    /// certificate must be valid for the host of the address.
    pub tls: Option<ClientTls>,
}
