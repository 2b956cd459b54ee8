//! [`TlsStream`]: an encrypted connection for those who block, such as a shell.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustls::{ClientConnection, Error, InvalidMessage, StreamOwned};

/// An encrypted connection over a socket that blocks.
#[derive(Debug)]
pub struct TlsStream(StreamOwned<ClientConnection, TcpStream>);

impl TlsStream {
    /// Shakes hands over the socket, within its timeouts.
    ///
    /// # Errors
    /// The server is not who it must be, or speaks no TLS, or the socket fails.
    pub(super) fn open(connection: ClientConnection, socket: TcpStream) -> io::Result<Self> {
        let mut stream = StreamOwned::new(connection, socket);
        stream.conn.complete_io(&mut stream.sock).map_err(explained)?;
        Ok(Self(stream))
    }

    /// The socket, to set its timeouts.
    pub fn socket(&self) -> &TcpStream {
        &self.0.sock
    }
}

impl Read for TlsStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn explained(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    if let Some(Error::InvalidMessage(InvalidMessage::InvalidContentType)) = inner {
        return io::Error::new(error.kind(), "it does not speak TLS");
    }
    error
}
