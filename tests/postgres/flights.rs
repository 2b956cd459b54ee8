//! Flights over a connection to a real server.

use std::thread;

use services::postgres::{Call, Class, Event, Failure, Flight, Outcome, Statement, Value};
use support::{Postgres, wait_until};

use crate::driver::Driver;

const MAKE: &str =
    "CREATE TABLE shelf (id bigint, name text, image bytea, quantity bigint CHECK (quantity >= 0),
    PRIMARY KEY (id))";
const PUT: Statement =
    Statement::kept("put", "INSERT INTO shelf (id, name, image, quantity) VALUES ($1, $2, $3, $4)");
const TAKE: Statement =
    Statement::kept("take", "UPDATE shelf SET quantity = quantity - $2 WHERE id = $1 RETURNING quantity");
const LOOK: Statement = Statement::kept("look", "SELECT id, name, image, quantity FROM shelf WHERE id = $1");

fn put(id: i64) -> Call {
    let values =
        [Value::Int(id), Value::Text("Straße".to_owned()), Value::Bytes(vec![0, 255]), Value::Int(5)];
    PUT.with(values)
}

fn take(id: i64, quantity: i64) -> Call {
    TAKE.with([Value::Int(id), Value::Int(quantity)])
}

/// How many there are.
fn quantity(driver: &mut Driver, id: i64) -> Option<i64> {
    let [Outcome::Done(replies)] = driver.run([Flight::single(LOOK.with([Value::Int(id)]))]) else {
        panic!()
    };
    replies[0].rows.first().map(|row| row.int(3).unwrap())
}

fn class(outcome: &Outcome) -> (usize, Class) {
    let Outcome::Failed { call, error } = outcome else { panic!("{outcome:?}") };
    (*call, error.class())
}

#[test]
fn transactions_are_carried_out_whole_or_not_at_all() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    server.sql("shop", MAKE);
    for parameters in ["", "statements=unnamed", "pipeline=off", "statements=unnamed&pipeline=off"] {
        server.sql("shop", "DELETE FROM shelf");
        let mut driver = Driver::connect(&server.url("localhost", parameters));
        let flights = [
            Flight::transaction(vec![put(1), take(1, 2)]),
            Flight::transaction(vec![take(1, 1), take(1, 3)]),
            Flight::transaction(vec![put(2), put(1)]),
            Flight::single(take(1, 4)),
            Flight::single(take(1, 3)),
        ];
        let outcomes = driver.run(flights);
        let Outcome::Done(replies) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(replies.len(), 2);
        assert_eq!(replies[1].rows[0].int(0), Ok(3));
        assert_eq!(class(&outcomes[1]), (1, Class::Refusal));
        assert_eq!(class(&outcomes[2]), (1, Class::Refusal));
        assert_eq!(class(&outcomes[3]), (0, Class::Refusal));
        assert!(matches!(&outcomes[4], Outcome::Done(_)), "{outcomes:?}");
        assert_eq!((quantity(&mut driver, 1), quantity(&mut driver, 2)), (Some(0), None));
    }
}

#[test]
fn values_come_back_as_they_were_given() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    server.sql("shop", MAKE);
    let mut driver = Driver::connect(&server.url("127.0.0.1", ""));
    for id in [i64::MIN, -1, i64::MAX] {
        let [_, Outcome::Done(replies)] =
            driver.run([Flight::single(put(id)), Flight::single(LOOK.with([Value::Int(id)]))])
        else {
            panic!()
        };
        let row = &replies[0].rows[0];
        let read = (row.int(0), row.text(1), row.bytes(2));
        assert_eq!(read, (Ok(id), Ok("Straße"), Ok(&[0, 255][..])));
    }
}

#[test]
fn statements_that_a_server_has_forgotten_are_said_again() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    server.sql("shop", MAKE);
    let mut driver = Driver::connect(&server.url("localhost", ""));
    assert_eq!(quantity(&mut driver, 1), None);
    // As if a pooler had led the connection to another server.
    driver.run([Flight::single(Statement::once("DEALLOCATE ALL").with([]))]);
    let [outcome] = driver.run([Flight::transaction(vec![put(1), LOOK.with([Value::Int(1)])])]);
    assert_eq!(class(&outcome), (1, Class::Replay));
    assert_eq!(quantity(&mut driver, 1), None);
    driver.run([Flight::single(put(1))]);
    assert_eq!(quantity(&mut driver, 1), Some(5));
}

#[test]
fn behind_a_pooler_statements_lose_their_names_and_nothing_else() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let Some((_pooler, port)) = server.pooler() else { return };
    server.sql("shop", MAKE);
    let url = format!("postgres://market@localhost:{port}/shop");
    let [mut first, mut second] = [(); 2].map(|()| Driver::connect(&url));
    assert_eq!(quantity(&mut first, 1), None);
    // The connection that both share has a statement of this name.
    let [outcome] = second.run([Flight::single(LOOK.with([Value::Int(1)]))]);
    assert_eq!(class(&outcome), (0, Class::Replay));
    for driver in [&mut second, &mut first] {
        let flights = [
            Flight::transaction(vec![put(1), take(1, 6)]),
            Flight::transaction(vec![put(1), take(1, 5)]),
            Flight::single(Statement::once("DELETE FROM shelf").with([])),
        ];
        let outcomes = driver.run(flights);
        assert_eq!(class(&outcomes[0]), (1, Class::Refusal));
        assert!(outcomes[1..].iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{outcomes:?}");
        assert_eq!(quantity(driver, 1), None);
    }
}

#[test]
fn a_server_that_ends_a_connection_says_so() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    let mut driver = Driver::connect(&server.url("localhost", ""));
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'marketplace'";
    server.sql("postgres", end);
    let event = driver.next_event();
    let Event::Failed(Failure::Refused(error)) = &event else { panic!("{event:?}") };
    assert_eq!((error.code.as_str(), error.class()), ("57P01", Class::Leave));
}

#[test]
fn a_commit_that_was_told_not_to_wait_for_its_replica_is_no_success() {
    let Some(server) = Postgres::start("trust", &[]) else { return };
    server.sql("shop", MAKE);
    server.sql("shop", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    server.sql("shop", "SELECT pg_reload_conf()");
    let mut driver = Driver::connect(&server.url("localhost", ""));
    let waiting = "application_name = 'marketplace' AND wait_event = 'SyncRep'";
    let waiter = thread::spawn(move || driver.run([Flight::transaction(vec![put(1)])]));
    let find = format!("SELECT count(*) FROM pg_stat_activity WHERE {waiting}");
    wait_until("the commit waits", || server.sql("shop", &find) == "1");
    server.sql("shop", &format!("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {waiting}"));
    assert_eq!(waiter.join().unwrap(), [Outcome::Unknown]);
    // It is there, but only here.
    assert_eq!(server.sql("shop", "SELECT count(*) FROM shelf"), "1");
}
