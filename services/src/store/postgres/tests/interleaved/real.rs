//! [`Real`]: a connection to PostgreSQL over which statements are carried out one by one, and may wait.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;

use crate::store::postgres::wire::single::{Told, start, told};

/// What takes longer waits for something else.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to listen for what need not come.
const MOMENT: Duration = Duration::from_millis(1);

pub(super) struct Real {
    socket: TcpStream,
    input: BytesMut,
}

impl Real {
    pub(super) fn connect(port: u16, database: &str) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        socket.set_nodelay(true).expect("it is a socket");
        let mut real = Self { socket, input: BytesMut::new() };
        real.send(&start("market", database));
        real.answer();
        real
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("the server reads");
    }

    /// The answer to what was sent, which does not have to wait.
    #[track_caller]
    pub(super) fn answer(&mut self) -> Told {
        self.listen(PATIENCE).expect("PostgreSQL waits, and the fake engine does not")
    }

    /// The answer, if it has come.
    pub(super) fn try_answer(&mut self) -> Option<Told> {
        self.listen(MOMENT)
    }

    fn listen(&mut self, patience: Duration) -> Option<Told> {
        self.socket.set_read_timeout(Some(patience)).expect("it is a socket");
        let mut piece = [0; 65_536];
        loop {
            if let Some(told) = told(&mut self.input) {
                return Some(told);
            }
            match self.socket.read(&mut piece) {
                Ok(0) => panic!("the server has closed a connection"),
                Ok(count) => self.input.extend_from_slice(&piece[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return None;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}
