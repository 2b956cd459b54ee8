//! [`proxy`]: stands between a frontend and a database, and does with the replies what a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use serde_json::Value;
use support::{ANY_PORT, Act, FakeService};

/// A proxy for a database. `act` is called with the API of each request and the line of its reply, one after another on
/// each connection, and says what the frontend gets.
pub(crate) fn proxy(
    database: SocketAddr,
    act: impl Fn(&str, &[u8]) -> Act + Send + Sync + 'static,
) -> FakeService {
    let act = Arc::new(act);
    FakeService::serve(ANY_PORT, move || {
        let (mut database, act) = (TcpStream::connect(database).map(BufReader::new).ok(), Arc::clone(&act));
        move |request| {
            let reply = database.as_mut().and_then(|database| ask(database, request));
            let request: Value = serde_json::from_str(request).unwrap();
            reply.map_or(Act::Close, |reply| act(request["api"].as_str().unwrap(), &reply))
        }
    })
}

/// The reply as it came.
pub(crate) fn pass(reply: &[u8]) -> Act {
    Act::Bytes(reply.to_vec())
}

/// `None` if the database ends the connection.
fn ask(database: &mut BufReader<TcpStream>, request: &str) -> Option<Vec<u8>> {
    database.get_mut().write_all(format!("{request}\n").as_bytes()).ok()?;
    let mut reply = Vec::new();
    database.read_until(b'\n', &mut reply).ok().filter(|count| *count > 0)?;
    Some(reply)
}
