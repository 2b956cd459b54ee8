//! Whether the connections of a world are encrypted, and with what. Their keys make signatures of a constant length, so
//! that a seed tells the same story each time, though handshakes are of real random numbers.

use std::sync::LazyLock;

use net::{ClientTls, Encryption, Identity, ServerTls};

/// One world in so many is encrypted: handshakes take as long as all the rest.
const SEEDS: u64 = 8;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/support/certificates/", $name))
    };
}

static TLS: LazyLock<(ServerTls, ClientTls)> = LazyLock::new(|| {
    let server = Identity { certificates: file!("server.pem"), key: file!("server.key") };
    let server = ServerTls::new(server, None).expect("they are of use");
    (server, ClientTls::new(file!("authority.pem"), None).expect("it is of use"))
});

/// What the services of a seed's world encrypt: everything, or nothing.
pub(crate) fn of(seed: u64) -> Encryption {
    if !seed.is_multiple_of(SEEDS) {
        return Encryption::default();
    }
    let (server, client) = &*TLS;
    Encryption { server: Some(server.clone()), client: Some(client.clone()) }
}
