//! [`ClientStream`]: a connection to a service for those who block, such as a shell, encrypted or not.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustls::{ClientConnection, Error, InvalidMessage, StreamOwned};

use super::ClientTls;

/// A connection over a socket that blocks.
#[derive(Debug)]
pub struct ClientStream(Stream);

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl ClientStream {
    /// A stream over this socket to the service of this address, written `HOST:PORT`. If it is to be encrypted, hands are
    /// shaken, within the timeouts of the socket.
    ///
    /// # Errors
    /// The host is neither a name nor an address, or the service not who it must be, or the socket fails.
    pub fn open(socket: TcpStream, address: &str, tls: Option<&ClientTls>) -> io::Result<Self> {
        let Some(tls) = tls else { return Ok(Self(Stream::Plain(socket))) };
        let mut stream = StreamOwned::new(tls.connection(address)?, socket);
        stream.conn.complete_io(&mut stream.sock).map_err(explained)?;
        Ok(Self(Stream::Encrypted(Box::new(stream))))
    }

    /// The socket, to set its timeouts.
    pub fn socket(&self) -> &TcpStream {
        match &self.0 {
            Stream::Plain(socket) => socket,
            Stream::Encrypted(stream) => &stream.sock,
        }
    }
}

impl Read for ClientStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Stream::Plain(socket) => socket.read(bytes),
            Stream::Encrypted(stream) => stream.read(bytes),
        }
    }
}

impl Write for ClientStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Stream::Plain(socket) => socket.flush(),
            Stream::Encrypted(stream) => stream.flush(),
        }
    }
}

fn explained(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    if let Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) = inner {
        return io::Error::new(error.kind(), "it does not speak TLS");
    }
    error
}
