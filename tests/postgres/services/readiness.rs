//! Where a database on an engine is asked whether it is ready and alive.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::process::Signal;
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

/// A database that is watched, and where.
fn watched(name: &str, url: &str) -> (Process, SocketAddr) {
    let args = [name, "--listen=127.0.0.1:0", "--admin=127.0.0.1:0", "--store", url];
    let mut service = Process::start(&mut PROGRAM.command(&args));
    let admin = service.wait_for_address(&format!("event=watched service={name} admin="));
    (service, admin)
}

/// Waits until a database says that it is ready (200) or not (503). It is alive all the time.
#[track_caller]
fn becomes(admin: SocketAddr, expected: &str) {
    wait_until(expected, || {
        assert_eq!(status(admin, "/livez"), "200");
        status(admin, "/readyz") == expected
    });
}

#[test]
fn a_database_is_ready_while_its_engine_takes_changes_and_alive_all_the_time() {
    let Some(mut server) = Postgres::start("trust", &[]) else { return };
    let url = migrated(&server);
    server.stop();
    for name in ["db_customer", "db_product"] {
        let (mut service, admin) = watched(name, &url);
        service.wait_for("event=store_down");
        becomes(admin, "503");
        server.restart();
        becomes(admin, "200");
        server.stop();
        becomes(admin, "503");
    }
}

#[test]
fn an_engine_that_hangs_is_noticed_though_nobody_asks_for_anything() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let (mut service, admin) = watched("db_product", &migrated(&server));
    for _ in 0..2 {
        becomes(admin, "200");
        server.signal(Signal::STOP);
        let line = service.wait_for("event=store_down");
        assert!(line.contains(r#"reason="nothing was heard of it for 5 s""#), "{line}");
        becomes(admin, "503");
        server.signal(Signal::CONT);
        becomes(admin, "200");
    }
    println!("{}", service.log());
}
