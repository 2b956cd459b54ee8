//! An engine that goes away, comes back, takes no changes, ends connections, has too few of them, is slow or hangs: what
//! was acknowledged is kept, nothing is done twice, and what fails says so.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;
use support::{Client, Postgres, Report, log_in, run_during, wait_until};

use super::{Fleet, database, lines, migrated, unavailable};

/// An item as a frontend has it registered.
const ITEM: &str =
    r#"{"seller_id": 1, "name": "pen", "category": 1, "condition": "new", "price": 1, "quantity": 5}"#;
/// Ends all connections of services.
const END: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'marketplace'";

/// Checks that nothing is lost of what a load has left, and tells what there was.
#[track_caller]
fn check(what: &str, report: &Report) {
    println!("{what}: {} acknowledged, failed: {:#?}", report.acknowledged, report.failures);
    assert!(report.acknowledged > 0, "there was no load");
    assert!(report.lost.is_empty(), "lost: {:#?}", report.lost);
}

#[test]
fn an_engine_may_come_later_than_its_services() {
    let Some(mut server) = Postgres::start("trust", &[]) else { return };
    let url = migrated(&server);
    server.stop();
    let mut product = database("db_product", &url);
    product.process().wait_for("event=store_down");
    let mut client = Client::new(product.address);
    let said = unavailable(&mut client, "RegisterItem", ITEM);
    assert_eq!(said, "the store cannot be reached; nothing was changed");
    client.ok("Ping", "{}");
    server.restart();
    assert_eq!(client.insist("RegisterItem", ITEM, |_| ())["item_id"], "1:1");
    assert_eq!((lines(&mut product, "event=store_down"), lines(&mut product, "event=store_up")), (1, 1));
}

#[test]
fn frontends_are_told_that_the_engine_is_away_before_they_give_up() {
    let Some(mut server) = Postgres::start("trust", &[]) else { return };
    let mut fleet = Fleet::start(&migrated(&server), 1);
    let mut buyer = fleet.client("server_buyer");
    let session = log_in(&mut buyer, "ben");
    server.stop();
    // As many as a connection that is taken for a silent one would wait for.
    for _ in 0..3 {
        let said = buyer.refused("ClearCart", json!({"session_id": session}), "UNAVAILABLE");
        assert_eq!(said, "the store cannot be reached; nothing was changed");
    }
    let frontend = fleet.services.iter_mut().find(|service| service.name == "server_buyer");
    assert_eq!(lines(frontend.expect("it runs"), "event=backend_down"), 0);
}

#[test]
fn nothing_is_lost_where_the_engine_goes_away_and_comes_back() {
    let Some(mut server) = Postgres::start("trust", &[]) else { return };
    let mut fleet = Fleet::start(&migrated(&server), 1);
    let report = run_during(fleet.frontends(), "restart", 1, || {
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(300));
            server.stop();
            thread::sleep(Duration::from_millis(300));
            server.restart();
            thread::sleep(Duration::from_millis(1500));
        }
    });
    check("restarts of the engine", &report);
    for service in &mut fleet.services[..2] {
        assert_eq!(lines(service, "event=store_up"), 3);
    }
}

#[test]
fn nothing_is_lost_or_done_twice_where_connections_are_ended_again_and_again() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let fleet = Fleet::start(&migrated(&server), 1);
    let mut ended = 0;
    let report = run_during(fleet.frontends(), "ended", 2, || {
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(200));
            ended += server.sql("postgres", END).parse::<u32>().expect("a number");
        }
    });
    check(&format!("{ended} connections ended"), &report);
}

#[test]
fn an_engine_that_takes_no_changes_is_told_of_once_and_tried_again() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let mut product = database("db_product", &migrated(&server));
    let mut client = Client::new(product.address);
    client.ok("RegisterItem", ITEM);
    let set = |value| {
        server.sql("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {value}"));
        server.sql("postgres", "SELECT pg_reload_conf()");
    };
    set("on");
    let price = json!({"item_id": "1:1", "price": 7});
    let read_only = "reason=\"the server is read-only\"";
    wait_until("changes are refused", || {
        // One that is sent to the last connection waits until it is over.
        server.sql("shop", "SHOW default_transaction_read_only") == "on"
    });
    let said = unavailable(&mut client, "ChangeItemPrice", &price);
    assert_eq!(said, "the store cannot be reached; nothing was changed");
    assert_eq!(lines(&mut product, "WARN"), 1, "{}", product.process().log());
    assert_eq!(lines(&mut product, read_only), 1);
    set("off");
    client.insist("ChangeItemPrice", &price, |_| ());
    println!("{}", product.process().log());
}

#[test]
fn with_too_few_connections_a_service_lives_with_those_that_it_has() {
    let Some(server) = Postgres::start("trust", &["max_connections=6", "superuser_reserved_connections=1"])
    else {
        return;
    };
    let mut product = database("db_product", &migrated(&server));
    product.process().wait_for("event=store_refused");
    let mut client = Client::new(product.address);
    for _ in 0..100 {
        client.ok("RegisterItem", ITEM);
    }
    println!("{}", product.process().log());
    assert_eq!(lines(&mut product, "(53300)"), 1);
}

#[test]
fn what_takes_longer_than_the_engine_lets_it_is_undone_and_said_to_be() {
    let Some(server) = Postgres::start("trust", &["max_prepared_transactions=1"]) else { return };
    // The only connection of each, so that none is made after the limits are taken back.
    let url = migrated(&server) + "connections=1";
    let limited = [("lock_timeout", "55P03"), ("statement_timeout", "57014")].map(|(setting, code)| {
        server.sql(
            "postgres",
            &format!("ALTER ROLE market RESET ALL; ALTER ROLE market SET {setting} = '30ms'"),
        );
        let mut product = database("db_product", &url);
        product.process().wait_for("event=store_up");
        (product, code)
    });
    server.sql("postgres", "ALTER ROLE market RESET ALL");
    Client::new(limited[0].0.address).ok("RegisterItem", ITEM);
    // A transaction that keeps its lock without anybody who waits.
    server.sql("shop", "BEGIN; SELECT 1 FROM items FOR UPDATE; PREPARE TRANSACTION 'held'");
    let price = json!({"item_id": "1:1", "price": 7});
    let mut clients = limited.each_ref().map(|(product, _)| Client::new(product.address));
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                let said = unavailable(client, "ChangeItemPrice", &price);
                // The last attempt may be under way then.
                let under_way = "the store did not answer; the change may have been made";
                let said_to_be = ["the store could not carry it out in time; nothing was changed", under_way];
                assert!(said_to_be.contains(&said.as_str()), "{said}");
            });
        }
    });
    server.sql("shop", "COMMIT PREPARED 'held'");
    for ((mut product, code), mut client) in limited.into_iter().zip(clients) {
        assert_eq!(lines(&mut product, &format!("event=store_error code={code}")), 1);
        client.insist("ChangeItemPrice", &price, |_| ());
        println!("{}", product.process().log());
    }
}

#[test]
fn an_engine_that_hangs_is_not_waited_for_and_used_again_once_it_answers() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let product = database("db_product", &migrated(&server));
    let mut client = Client::new(product.address);
    client.ok("RegisterItem", ITEM);
    server.signal(Signal::STOP);
    let said = unavailable(&mut client, "ChangeItemPrice", json!({"item_id": "1:1", "price": 7}));
    assert_eq!(said, "the store did not answer; the change may have been made");
    client.ok("Ping", "{}");
    server.signal(Signal::CONT);
    client.insist("ChangeItemPrice", json!({"item_id": "1:1", "price": 8}), |_| ());
    assert_eq!(client.ok("GetItem", json!({"item_id": "1:1"}))["item"]["price"], 8.0);
}

#[test]
fn nothing_is_lost_behind_a_pooler_or_without_pipelines() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let Some((_pooler, port)) = server.pooler() else { return };
    migrated(&server);
    for (parameters, port) in [("statements=unnamed", port), ("", port), ("pipeline=off", server.port)] {
        let url = format!("postgres://market@localhost:{port}/shop?{parameters}");
        let fleet = Fleet::start(&url, 1);
        let tag = if port == server.port { "single" } else { parameters };
        let report = run_during(fleet.frontends(), tag, 3, || thread::sleep(Duration::from_secs(1)));
        check(&url, &report);
        assert!(report.failures.is_empty(), "{:?}", report.failures);
    }
}
