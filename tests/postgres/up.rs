//! `marketplace up` with its databases in PostgreSQL.

use std::process::Command;

use rustix::process::Signal;
use serde_json::json;
use support::{Client, PASSWORD, Postgres, Process, own_host};

use crate::PROGRAM;

#[test]
fn up_makes_the_tables_and_finds_what_is_in_them() {
    let Some(mut postgres) = Postgres::start("trust", &[]) else { return };
    let (host, url) = (own_host().to_string(), postgres.url("127.0.0.1", ""));
    let up = || -> Command { PROGRAM.command(&["up", "--host", &host, "--store", &url]) };
    for tables in ["made the tables", "up to date"] {
        let mut process = Process::start(&mut up());
        process.wait_for("service=server_seller listening on");
        let mut seller = Client::connect(format!("{host}:6004").parse().unwrap());
        let account = json!({"name": "sam", "password": PASSWORD});
        match tables {
            "made the tables" => _ = seller.ok("CreateAccount", account),
            _ => _ = seller.refused("CreateAccount", account, "ALREADY_EXISTS"),
        }
        process.signal(Signal::TERM);
        let (code, log) = process.finish();
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(log.matches(tables).count(), 2, "{log}");
    }
    postgres.stop();
    let (code, log) = Process::run(&mut up());
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("cannot connect") && !log.contains("event=ready"), "{log}");
}
