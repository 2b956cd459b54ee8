//! [`Proxy`]: stands between a frontend and a database, and does with the replies what a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

/// What the frontend gets in place of a reply.
pub(crate) enum Act {
    /// These bytes.
    Send(Vec<u8>),
    /// The end of the connection.
    Cut,
}

impl Act {
    /// The reply as it came.
    pub(crate) fn pass(reply: &[u8]) -> Act {
        Act::Send(reply.to_vec())
    }
}

/// It accepts connections until it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    dropped: Arc<AtomicBool>,
}

impl Proxy {
    /// A proxy for a database. `act` is called with the API of each request and the line of its reply, one after
    /// another on each connection.
    pub(crate) fn start(
        database: SocketAddr,
        act: impl Fn(&str, &[u8]) -> Act + Send + Sync + 'static,
    ) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (dropped, act) = (Arc::new(AtomicBool::new(false)), Arc::new(act));
        let ends = Arc::clone(&dropped);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (stream, act) = (stream.unwrap(), Arc::clone(&act));
                thread::spawn(move || relay(&stream, database, &*act));
            }
        });
        Proxy { address, dropped }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.dropped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
    }
}

/// Carries on until either side ends.
fn relay(mut frontend: &TcpStream, database: SocketAddr, act: &dyn Fn(&str, &[u8]) -> Act) -> Option<()> {
    let mut database = BufReader::new(TcpStream::connect(database).ok()?);
    for request in BufReader::new(frontend).lines() {
        let request = request.ok()?;
        database.get_mut().write_all(format!("{request}\n").as_bytes()).ok()?;
        let mut reply = Vec::new();
        database.read_until(b'\n', &mut reply).ok().filter(|count| *count > 0)?;
        let request: Value = serde_json::from_str(&request).unwrap();
        match act(request["api"].as_str().unwrap(), &reply) {
            Act::Send(bytes) => frontend.write_all(&bytes).ok()?,
            Act::Cut => return None,
        }
    }
    None
}
