//! What is not copied, and what is said then.

use std::fs;

use serde_json::json;
use support::{Client, Postgres, assert_code, stderr, stdout};
use tempfile::TempDir;

use super::super::PROGRAM;
use super::{Databases, copy, migrate, refused, server};

#[test]
fn what_cannot_be_copied_is_refused_and_nothing_changed() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let url = server.url("localhost", "");
    let data = TempDir::new().unwrap();
    let nothing = refused(&url, data.path());
    assert!(nothing.ends_with("cannot be used: there is no customer.db or product.db in it"), "{nothing}");
    let mut databases = Databases::in_files(data.path());
    let running = refused(&url, data.path());
    assert!(running.ends_with("customer.db is in use by another process: stop it first"), "{running}");
    databases.customer.stop();
    let running = refused(&url, data.path());
    assert!(running.ends_with("product.db is in use by another process: stop it first"), "{running}");
    databases.product.stop();
    let files = || {
        let mut files: Vec<_> = fs::read_dir(data.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (fs::read(&path).unwrap(), path))
            .collect();
        files.sort();
        files
    };
    let before = files();
    let untouched = |error: &str| assert!(files() == before, "{error}");

    let unmade = refused(&url, data.path());
    assert!(
        unmade.ends_with("there are no tables of customer yet: `marketplace migrate` makes them"),
        "{unmade}"
    );
    untouched(&unmade);
    migrate(&url);
    for (version, said) in [
        (9, "version 9, and this program knows versions up to 1"),
        (2, "version 2, which is newer than this program"),
    ] {
        server
            .sql("shop", &format!("UPDATE market_schema SET version = {version} WHERE service = 'product'"));
        let error = refused(&url, data.path());
        assert!(error.contains(said), "{error}");
    }
    let right = "UPDATE market_schema SET version = CASE service WHEN 'customer' THEN 2 ELSE 1 END";
    server.sql("shop", &format!("{right}; INSERT INTO categories VALUES (1, 1)"));
    let filled = refused(&url, data.path());
    assert!(filled.contains("the table categories has rows already"), "{filled}");
    // Neither has been marked.
    assert_eq!(server.sql("shop", "SELECT sum(version) FROM market_schema"), "3");
    server.sql("shop", "DELETE FROM categories");
    let output = copy(&url, data.path());
    assert_code(&output, 0);
    assert!(stdout(&output).lines().all(|line| line.ends_with(": 0")), "{}", stdout(&output));
    untouched("it is copied");
}

#[test]
fn a_database_alone_is_copied_alone_and_what_a_kill_has_left_in_its_log_with_it() {
    let Some((server, url)) = server() else { return };
    let data = TempDir::new().unwrap();
    let mut product = PROGRAM.database("db_product", data.path());
    let item =
        json!({"seller_id": 2, "name": "bed", "category": 1, "condition": "new", "price": 1, "quantity": 1});
    Client::new(product.address).ok("RegisterItem", item);
    product.kill();
    let output = copy(&url, data.path());
    assert_code(&output, 0);
    assert!(stdout(&output).starts_with("items: 1\nitem_terms: 3\n"), "{}", stdout(&output));
    assert_eq!(stderr(&output), format!("there is no {}\n", data.path().join("customer.db").display()));
    assert_eq!(server.sql("shop", "SELECT sum(version) FROM market_schema"), "3");
    product.restart();
    let found = Client::new(product.address).ok("GetItem", json!({"item_id": "1:1"}));
    assert_eq!(found["item"]["name"], "bed");
}

#[test]
fn a_mistake_in_the_command_line_is_explained() {
    for (args, said) in [
        (&["copy"][..], "error: --store is missing"),
        (&["copy", "--store", "postgres://u@localhost/d", "data"], "error: unexpected argument \"data\""),
        (&["copy", "--store", "postgres://u@localhost/d", "--session-timeout=0"], "error: --session-timeout"),
    ] {
        let output = PROGRAM.command(args).output().unwrap();
        assert_code(&output, 2);
        assert!(stderr(&output).starts_with(said), "{}", stderr(&output));
    }
    let data = TempDir::new().unwrap();
    Databases::in_files(data.path()).stop();
    assert_code(&copy("postgres://u@localhost:1/d", data.path()), 3);
}
