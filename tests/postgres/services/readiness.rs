//! Where a database on an engine is asked whether it is ready and alive.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use support::{Postgres, Process, wait_until};

use super::migrated;
use crate::PROGRAM;

/// The status of a path.
fn status(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {admin}\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response.split(' ').nth(1).expect("there is a status").to_owned()
}

#[test]
fn a_database_is_ready_while_its_engine_takes_changes_and_alive_all_the_time() {
    let Some(mut server) = Postgres::start("trust", &[]) else { return };
    let url = migrated(&server);
    server.stop();
    for name in ["db_customer", "db_product"] {
        let args = [name, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--store", &url];
        let mut service = Process::start(&mut PROGRAM.command(&args));
        let admin = service.wait_for_address(&format!("event=watched service={name} admin="));
        let becomes = |expected: &str| {
            wait_until(expected, || {
                assert_eq!(status(admin, "/livez"), "200");
                status(admin, "/readyz") == expected
            });
        };
        service.wait_for("event=store_down");
        becomes("503");
        server.restart();
        becomes("200");
        server.stop();
        becomes("503");
    }
}
