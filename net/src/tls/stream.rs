//! [`TlsStream`]: an encrypted connection for those who block, such as a shell.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustls::{ClientConnection, Error, InvalidMessage, StreamOwned};

use super::ClientTls;

/// An encrypted connection over a socket that blocks.
#[derive(Debug)]
pub struct TlsStream(StreamOwned<ClientConnection, TcpStream>);

impl ClientTls {
    /// A stream to the server of this address, written `HOST:PORT`, over a socket that blocks. Hands are shaken within the
    /// timeouts of the socket.
    ///
    /// # Errors
    /// The host is neither a name nor an address, or the server not who it must be, or the socket fails.
    pub fn stream(&self, address: &str, socket: TcpStream) -> io::Result<TlsStream> {
        let mut stream = StreamOwned::new(self.connection(address)?, socket);
        stream.conn.complete_io(&mut stream.sock).map_err(explained)?;
        Ok(TlsStream(stream))
    }
}

impl TlsStream {
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
