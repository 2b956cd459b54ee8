//! An engine that does not let a service in, or has not its tables: the log says why, in one line.

use std::path::Path;

use serde_json::json;
use support::{Client, Postgres, Process, Service, assert_code, request};

use super::{database, lines, migrated, unavailable};
use crate::PROGRAM;

/// A database, with this password.
fn with_password(url: &str, password: &str) -> Service {
    let mut command = PROGRAM.command(&["db_product", "--listen=127.0.0.1:0", "--store", url]);
    Service::adopt("db_product", command.env("MARKETPLACE_STORE_PASSWORD", password))
}

/// Checks that the service serves nothing, lives, and has told why in one line.
#[track_caller]
fn assert_refused(mut service: Service, event: &str, reason: &str) {
    let line = service.process().wait_for(event);
    assert!(line.contains(reason), "{line}");
    let mut client = Client::new(service.address);
    let said = unavailable(&mut client, "GetItem", json!({"item_id": "1:1"}));
    assert_eq!(said, "the store cannot be reached; nothing was changed");
    client.ok("Ping", "{}");
    assert_eq!(lines(&mut service, reason), 1, "{}", service.process().log());
    println!("{line}");
}

#[test]
fn a_wrong_password_or_database_is_told_of_and_the_right_one_waited_for() {
    let Some(server) = Postgres::start("scram-sha-256", &[]) else { return };
    let url = server.url("localhost", "");
    let refused = "event=store_refused";
    let wrong = with_password(&url, "wrong horse");
    let unknown = with_password(&url.replace("/shop", "/none"), Postgres::PASSWORD);
    let none = database("db_product", &url);
    assert_refused(wrong, refused, "password authentication failed for user \"market\" (28P01)");
    assert_refused(unknown, refused, "database \"none\" does not exist (3D000)");
    assert_refused(none, refused, "the server asks for a password");
}

#[test]
fn an_engine_that_cannot_prove_who_it_is_is_not_used() {
    let Some(server) = Postgres::start("trust", &["ssl=on"]) else { return };
    migrated(&server);
    let url = |host, authority| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/certificates");
        let file = folder.join(authority).display().to_string();
        server.url(host, &format!("sslmode=verify-full&sslrootcert={file}"))
    };
    let service = database("db_product", &url("localhost", "authority.pem"));
    Client::new(service.address).insist("SearchItems", json!({"category": 1}), |_| ());
    let encrypted = "SELECT count(*) > 0 AND bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE application_name = 'marketplace'";
    assert_eq!(server.sql("shop", encrypted), "t");
    let stranger = database("db_product", &url("localhost", "stranger.pem"));
    let elsewhere = database("db_product", &url("127.0.0.2", "authority.pem"));
    assert_refused(stranger, "event=store_down", "invalid peer certificate: UnknownIssuer");
    assert_refused(elsewhere, "event=store_down", "certificate not valid for name \"127.0.0.2\"");
}

#[test]
fn services_end_where_the_tables_are_missing_or_of_another_version() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let url = server.url("localhost", "");
    let ended = |name: &str| {
        let mut command = PROGRAM.command(&[name, "--listen=127.0.0.1:0", "--store", &url]);
        let (code, log) = Process::run(&mut command);
        assert_eq!(code, Some(1), "{log}");
        let failures: Vec<_> = log.lines().filter(|line| line.contains("event=failed")).collect();
        let [failure] = failures[..] else { panic!("{log}") };
        assert!(!log.contains("event=store_error"), "{log}");
        println!("{failure}");
        failure.to_owned()
    };
    for name in ["db_customer", "db_product"] {
        let of = &name["db_".len()..];
        let missing = ended(name);
        let said = format!("there are no tables of {of} yet: `marketplace migrate` makes them");
        assert!(missing.contains(&said), "{missing}");
    }
    assert_code(&PROGRAM.command(&["migrate", "--store", &url]).output().unwrap(), 0);
    server.sql("shop", "UPDATE market_schema SET version = 9");
    for (name, known) in [("db_customer", 2), ("db_product", 1)] {
        let newer = ended(name);
        let said = format!("have version 9, and this program knows versions up to {known}");
        assert!(newer.contains(&said), "{newer}");
    }
}

/// Registers an item.
const REGISTER: &str =
    r#"{"seller_id": 1, "name": "pen", "category": 1, "condition": "new", "price": 1, "quantity": 5}"#;

#[test]
fn nothing_is_served_before_the_version_of_the_tables_is_known_to_be_the_right_one() {
    let Some(server) = Postgres::start("trust", &["max_prepared_transactions=1"]) else { return };
    let url = migrated(&server);
    for version in [1, 9] {
        // Nobody reads the version until this transaction is committed, which needs nobody who waits.
        let set = format!("UPDATE market_schema SET version = {version}; LOCK TABLE market_schema");
        server.sql("shop", &format!("BEGIN; {set}; PREPARE TRANSACTION 'held'"));
        let mut product = database("db_product", &url);
        product.process().wait_for("event=store_up");
        let mut client = Client::new(product.address);
        let said = unavailable(&mut client, "RegisterItem", REGISTER);
        assert_eq!(said, "the store has not told the version of its tables; nothing was changed");
        client.ok("Ping", "{}");
        if version == 1 {
            server.sql("shop", "COMMIT PREPARED 'held'");
            client.insist("RegisterItem", REGISTER, |_| ());
        } else {
            // This one waits when the version comes to be known.
            client.send(request("RegisterItem", REGISTER));
            server.sql("shop", "COMMIT PREPARED 'held'");
            product.process().wait_for("event=failed");
        }
        assert_eq!(server.sql("shop", "SELECT count(*) FROM items"), "1");
    }
}

#[test]
fn after_an_outage_nothing_is_served_before_the_tables_are_known_to_be_the_right_ones_still() {
    let Some(mut server) = Postgres::start("trust", &["max_prepared_transactions=1"]) else { return };
    let mut product = database("db_product", &migrated(&server));
    let mut client = Client::new(product.address);
    product.process().wait_for("event=store_up");
    for version in [1, 9] {
        client.insist("RegisterItem", REGISTER, |_| ());
        let set = format!("UPDATE market_schema SET version = {version}; LOCK TABLE market_schema");
        server.sql("shop", &format!("BEGIN; {set}; PREPARE TRANSACTION 'held'"));
        server.restart();
        product.process().wait_for("event=store_down");
        product.process().wait_for("event=store_up");
        let said = unavailable(&mut client, "RegisterItem", REGISTER);
        assert_eq!(said, "the store has not told the version of its tables; nothing was changed");
        server.sql("shop", "COMMIT PREPARED 'held'");
    }
    let failed = product.process().wait_for("event=failed");
    assert!(failed.contains("have version 9, and this program knows versions up to 1"), "{failed}");
    assert_eq!(server.sql("shop", "SELECT count(*) FROM items"), "2");
}
