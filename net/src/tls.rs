//! TLS inside a [`Channel`](crate::channel::Channel): bytes of a socket in, bytes for a socket out. Only this module names
//! rustls. Nothing in this file reads a socket, and nothing above a channel knows whether its stream is encrypted.

mod stream;
mod unverified;

use std::io::{self, Read, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, mem};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection,
    SupportedProtocolVersion,
};

pub use self::stream::ClientStream;
use crate::outbox::Outbox;

/// Nothing older: these are what is safe today.
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
/// The first byte of a record that begins a handshake, and of one that ends it before it has begun.
const RECORD_TYPES: [u8; 2] = [22, 21];

/// A certificate chain and its private key, as they stand in PEM files.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The certificate, and those between it and the authority.
    pub certificates: &'a [u8],
    /// The key of the first.
    pub key: &'a [u8],
}

/// What of a node is encrypted: nothing, unless it is said.
#[derive(Clone, Default)]
pub struct Encryption {
    /// The connections of clients. All of them, or none.
    pub server: Option<ServerTls>,
    /// The connections to backends with which lines are exchanged. All of them, or none. Whether one that carries bytes is
    /// encrypted, its address and its service say.
    pub client: Option<ClientTls>,
}

/// How a service encrypts the connections that it accepts. Clones are one: what replaces it holds for connections that
/// are made later.
#[derive(Clone)]
pub struct ServerTls(Shared<ServerConfig>);

/// How connections that are made are encrypted. Clones are one, as of [`ServerTls`].
#[derive(Clone)]
pub struct ClientTls(Shared<ClientConfig>);

/// A configuration that can be replaced. Clones are one.
struct Shared<T>(Arc<Mutex<Arc<T>>>);

/// Why certificates and keys are of no use.
#[derive(Debug)]
pub enum BadIdentity {
    /// There is no certificate in the file.
    NoCertificate,
    /// There is no private key in the file, or one of an unknown kind.
    NoKey,
    /// There is no certificate of an authority in the file.
    NoAuthority,
    /// They cannot be used, or not together, and why.
    Unusable(String),
}

impl fmt::Display for BadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("there is no certificate in it"),
            Self::NoKey => f.write_str("there is no private key in it"),
            Self::NoAuthority => f.write_str("there is no certificate of an authority in it"),
            Self::Unusable(why) => f.write_str(why),
        }
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    fn new(config: T) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(config))))
    }

    fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, other: &Self) {
        let config = other.get();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }
}

impl ServerTls {
    /// Shows clients this identity. With an authority, only those are served whose certificate it has signed.
    ///
    /// # Errors
    /// The identity or the authority is of no use.
    pub fn new(identity: Identity<'_>, client_authority: Option<&[u8]>) -> Result<Self, BadIdentity> {
        let provider = provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(&VERSIONS).map_err(unusable)?;
        let builder = match client_authority {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(authority(pem)?.into(), provider);
                builder.with_client_cert_verifier(verifier.build().map_err(unusable)?)
            }
        };
        let (chain, key) = read(identity)?;
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        // A client that comes again proves with a ticket that it was here, and no session is kept for it.
        config.ticketer = ring::Ticketer::new().map_err(unusable)?;
        Ok(Self(Shared::new(config)))
    }

    /// Takes the identity and the authority of another in place of its own.
    pub fn replace(&self, other: &Self) {
        self.0.replace(&other.0);
    }

    /// A new connection, of a client that has yet to say something.
    pub(crate) fn accept(&self, retained_bytes_max: usize) -> Session {
        let connection = ServerConnection::new(self.0.get()).expect("what it was made with is valid");
        Session::new(connection.into(), retained_bytes_max)
    }
}

impl ClientTls {
    /// Trusts servers whose certificate this authority has signed, and shows those that ask for one this identity.
    ///
    /// # Errors
    /// The identity or the authority is of no use.
    pub fn new(server_authority: &[u8], identity: Option<Identity<'_>>) -> Result<Self, BadIdentity> {
        let builder = ClientConfig::builder_with_provider(provider());
        let builder = builder.with_protocol_versions(&VERSIONS).map_err(unusable)?;
        let builder = builder.with_root_certificates(authority(server_authority)?);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = read(identity)?;
                builder.with_client_auth_cert(chain, key).map_err(unusable)?
            }
        };
        Ok(Self(Shared::new(config)))
    }

    /// Trusts whoever answers: nobody on the way can read along, but somebody may stand in the way and pose as the server.
    pub fn unverified() -> Self {
        Self(Shared::new(unverified::config()))
    }

    /// Takes the identity and the authority of another in place of its own.
    pub fn replace(&self, other: &Self) {
        self.0.replace(&other.0);
    }

    /// A new connection to the server of this address, written `HOST:PORT`. It begins to speak.
    ///
    /// # Errors
    /// The host is neither a name nor an address.
    pub(crate) fn connect(&self, address: &str, retained_bytes_max: usize) -> io::Result<Session> {
        self.connection(address).map(|connection| Session::new(connection.into(), retained_bytes_max))
    }

    fn connection(&self, address: &str) -> io::Result<ClientConnection> {
        ClientConnection::new(self.0.get(), host_of(address)?).map_err(io::Error::other)
    }
}

/// One encrypted stream. What it has decrypted is handed over at once, so nothing waits in it that a poll would not
/// report.
pub(crate) struct Session {
    connection: Connection,
    /// Records that the socket has not taken.
    sealed: Outbox,
    /// Nothing was received yet.
    is_new: bool,
    records: Records,
    /// The stream has been found to be none, and nothing can be sent or received any more.
    has_failed: bool,
    /// The peer has said that it sends nothing more.
    has_peer_finished: bool,
    has_said_goodbye: bool,
}

/// Why a stream is of no use.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadStream {
    /// What arrived was no TLS from the first byte on.
    NotTls,
    /// Something else, for people.
    Failed(String),
}

impl Session {
    fn new(mut connection: Connection, retained_bytes_max: usize) -> Self {
        // What is encrypted is moved to `sealed` at once, and bounded by the limits of the channel.
        connection.set_buffer_limit(None);
        let mut session = Self {
            connection,
            sealed: Outbox::new(retained_bytes_max),
            is_new: true,
            records: Records::default(),
            has_failed: false,
            has_peer_finished: false,
            has_said_goodbye: false,
        };
        // A client has something to say at once.
        session.collect();
        session
    }

    /// Lets what waits in plain leave before everything that is encrypted.
    pub(crate) fn let_pass(&mut self, plain: &mut Outbox) {
        mem::swap(&mut self.sealed, plain);
        self.sealed.append(plain.unsent());
        plain.clear();
    }

    /// Decrypts what has arrived, and hands it to `take` piece by piece.
    ///
    /// # Errors
    /// The stream is of no use. What has become of it may be an alert that is to be sent.
    pub(crate) fn open(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), BadStream> {
        if self.has_failed {
            return Ok(());
        }
        if self.is_new && bytes.first().is_some_and(|first| !RECORD_TYPES.contains(first)) {
            self.has_failed = true;
            return Err(BadStream::NotTls);
        }
        self.is_new = false;
        self.records.pass(bytes);
        let mut result = Ok(());
        // It takes some of the bytes, and no more before that is processed and read.
        while result.is_ok() && !bytes.is_empty() {
            let taken = self.connection.read_tls(&mut bytes).map_err(|error| error.to_string());
            let processed = taken.and_then(|count| {
                let state = self.connection.process_new_packets().map_err(|error| error.to_string())?;
                read_all(&mut self.connection, state.plaintext_bytes_to_read(), &mut take);
                self.has_peer_finished |= state.peer_has_closed();
                Ok(count)
            });
            match processed {
                // What follows the end of the stream is nothing.
                Ok(0) => break,
                Ok(_) => {}
                Err(why) => result = Err(BadStream::Failed(why)),
            }
        }
        self.has_failed = result.is_err();
        self.collect();
        result
    }

    /// Encrypts what waits, unless it has to wait until the peers know each other.
    pub(crate) fn seal(&mut self, outbox: &mut Outbox) {
        if self.may_send() && !outbox.is_empty() {
            let written = self.connection.writer().write_all(outbox.unsent());
            written.expect("there is no limit to what it takes");
            outbox.clear();
        }
        self.collect();
    }

    /// Ends our side of the stream. False if that is over, or cannot be said.
    pub(crate) fn say_goodbye(&mut self) -> bool {
        if self.has_failed || self.has_said_goodbye {
            return false;
        }
        self.has_said_goodbye = true;
        self.connection.send_close_notify();
        self.collect();
        !self.sealed.is_empty()
    }

    /// Whether a record has been begun whose end has not come. As long as it has not, nobody knows what is in it.
    pub(crate) fn is_midway(&self) -> bool {
        self.records.is_midway() && !self.has_failed
    }

    /// Bytes that wait in it, on either way: records for the socket, and those that have come of one that was begun.
    pub(crate) fn buffered_bytes(&self) -> usize {
        self.sealed.capacity() + self.records.begun_bytes()
    }

    /// Whether the stream has failed, and the peer is to be told why.
    pub(crate) fn has_alert(&self) -> bool {
        self.has_failed && !self.sealed.is_empty()
    }

    /// Whether what is written can be encrypted.
    pub(crate) fn may_send(&self) -> bool {
        !self.connection.is_handshaking() && !self.has_failed
    }

    /// Whether the peers do not know each other yet, and may come to.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking() && !self.has_failed && !self.has_said_goodbye
    }

    /// Whether the peer has said that it sends nothing more. One that ends without a word may have been cut off.
    pub(crate) fn has_peer_finished(&self) -> bool {
        self.has_peer_finished
    }

    /// Records that the socket has not taken.
    pub(crate) fn sealed(&self) -> &Outbox {
        &self.sealed
    }

    /// The socket took so many bytes of them.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sealed.advance(count);
    }

    fn collect(&mut self) {
        while self.connection.wants_write() {
            let written = self.connection.write_tls(&mut self.sealed);
            written.expect("memory takes what it is given");
        }
    }
}

/// Where a stream stands in its records, by their headers alone: five bytes, the last two of which are the length of what
/// follows (RFC 8446, section 5.1).
#[derive(Default)]
struct Records {
    header: [u8; 5],
    header_len: usize,
    /// What is left of the record whose header is whole.
    left: usize,
    /// What has come of it.
    come: usize,
}

impl Records {
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len());
                self.left -= passed;
                self.come += passed;
                bytes = &bytes[passed..];
                continue;
            }
            self.header[self.header_len] = first;
            self.header_len += 1;
            bytes = rest;
            if self.header_len == self.header.len() {
                (self.header_len, self.come) = (0, 0);
                self.left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            }
        }
    }

    fn is_midway(&self) -> bool {
        self.header_len > 0 || self.left > 0
    }

    fn begun_bytes(&self) -> usize {
        if self.left > 0 { self.come } else { 0 }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("has_failed", &self.has_failed).finish_non_exhaustive()
    }
}

fn read_all(connection: &mut Connection, mut count: usize, take: &mut impl FnMut(&[u8])) {
    let mut piece = [0; 4096];
    while count > 0 {
        let length = count.min(piece.len());
        connection.reader().read_exact(&mut piece[..length]).expect("so many bytes are there");
        take(&piece[..length]);
        count -= length;
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read(
    identity: Identity<'_>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), BadIdentity> {
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(identity.certificates).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(BadIdentity::NoCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key).map_err(|_| BadIdentity::NoKey)?;
    Ok((chain, key))
}

fn authority(pem: &[u8]) -> Result<RootCertStore, BadIdentity> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| BadIdentity::NoAuthority)?;
        roots.add(certificate).map_err(unusable)?;
    }
    if roots.is_empty() { Err(BadIdentity::NoAuthority) } else { Ok(roots) }
}

/// For whom the certificate of a server must be valid.
fn host_of(address: &str) -> io::Result<ServerName<'static>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidInput, format!("{host:?} is no name of a host"));
    ServerName::try_from(host.to_owned()).map_err(invalid)
}

fn unusable(error: impl fmt::Display) -> BadIdentity {
    BadIdentity::Unusable(error.to_string())
}
