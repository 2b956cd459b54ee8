use std::time::Duration;

use net::Time;

use super::super::customer::CustomerRows;
use super::super::schema::SCHEMAS;
use super::super::wire::Row;
use super::*;
use crate::api::values::{ItemId, Role};
use crate::customer::accounts::{Buyer, Identity};
use crate::customer::cart::Cart;
use crate::customer::rows::CustomerRow;
use crate::customer::sessions::Session;

/// The tables of a database with one table.
struct Numbers;

const TABLES: &[Table] = &[Table { name: "numbers", count: Statement::once("SELECT count(*) FROM numbers") }];

impl Translator<i64> for Numbers {
    fn tables(&self) -> &'static [Table] {
        TABLES
    }

    fn add(&mut self, row: i64, batch: &mut Batch) -> bool {
        batch.insert("numbers", Statement::once("INSERT INTO numbers VALUES ($1)").with([Value::Int(row)]));
        row >= 0
    }

    fn add_rest(&mut self, _: &mut Batch) {}
}

/// The version of the tables of `db_customer` that is needed.
const VERSION: i64 = 2;
const FINGERPRINT: u64 = 42;

fn copying() -> Copying<i64> {
    Copying::new(&SCHEMAS[0], FINGERPRINT, Box::new(Numbers))
}

fn number(number: i64) -> Outcome {
    Outcome::Done(vec![Reply { rows: vec![Row::of_int(number)], ..Reply::default() }])
}

fn done() -> Outcome {
    Outcome::Done(vec![Reply::default()])
}

fn failed(call: usize, code: &str) -> Outcome {
    let error = ServerError { code: code.to_owned(), message: "no".to_owned(), is_fatal: false };
    Outcome::Failed { call, error }
}

/// A copy that has sent some rows.
fn filling() -> Copying<i64> {
    let mut copying = copying();
    assert!(copying.add(7));
    assert!(copying.add_rest());
    copying
}

#[test]
fn tables_are_claimed_once_they_are_seen_to_be_empty() {
    let mut copying = copying();
    copying.look();
    copying.answered(number(VERSION)).unwrap();
    assert!(copying.flight().is_some());
    copying.answered(number(0)).unwrap();
    assert!(copying.flight().is_none());
    copying.claim();
    copying.answered(number(1)).unwrap();
    copying.claim();
    assert!(matches!(copying.answered(done()), Err(CopyError::Disturbed { .. })), "no row was changed");

    copying.look();
    copying.answered(number(VERSION)).unwrap();
    assert_eq!(copying.answered(number(3)), Err(CopyError::NotEmpty { table: "numbers" }));
}

#[test]
fn a_copy_of_the_same_is_continued_and_one_of_anything_else_is_left() {
    let mut copying = copying();
    copying.look();
    copying.answered(number(copy_mark(FINGERPRINT))).unwrap();
    copying.claim();
    assert!(copying.flight().is_none(), "it is claimed already");

    copying.look();
    let other = copying.answered(number(copy_mark(FINGERPRINT + 4)));
    assert_eq!(other, Err(CopyError::Other { service: "customer" }));
    for outcome in
        [number(0), number(VERSION - 1), number(VERSION + 1), number(9), number(-1), failed(0, "42P01")]
    {
        copying.look();
        assert!(matches!(copying.answered(outcome), Err(CopyError::Unfit(_))));
    }
}

#[test]
fn what_the_engine_undoes_is_tried_again_for_a_while() {
    let mut copying = filling();
    for _ in 0..ATTEMPTS_MAX {
        copying.answered(failed(0, "40001")).unwrap();
        assert!(copying.flight().is_some());
    }
    assert!(matches!(copying.answered(failed(0, "40001")), Err(CopyError::Refused(_))));
    for outcome in [Outcome::Lost, Outcome::Unknown] {
        assert_eq!(filling().answered(outcome), Err(CopyError::Interrupted));
    }
}

#[test]
fn a_transaction_that_does_not_find_its_mark_is_told_from_one_that_a_row_is_wrong_in() {
    assert!(matches!(filling().answered(failed(1, "23505")), Err(CopyError::Disturbed { .. })));
    assert!(matches!(filling().answered(failed(2, "23505")), Err(CopyError::Refused(_))));
}

#[test]
fn rows_go_out_some_at_a_time_and_are_counted_in_the_end() {
    let mut copying = copying();
    let mut flights = 0;
    for row in 0..1234 {
        assert!(copying.add(row));
        if copying.flight().is_some() {
            copying.answered(done()).unwrap();
            flights += 1;
        }
    }
    assert!(!copying.add(-1));
    assert!(copying.add_rest());
    copying.answered(done()).unwrap();
    assert!(!copying.add_rest());
    assert_eq!((flights, copying.copied()), (2, &[("numbers", 1235)][..]));
    copying.count();
    copying.answered(number(1235)).unwrap();
    copying.count();
    let more = copying.answered(number(1236)).unwrap_err().to_string();
    assert!(more.contains("customer: numbers has 1236 rows in place of 1235"), "{more}");
}

#[test]
fn the_longest_carts_fit_into_transactions() {
    let rows = CustomerRows::new(Duration::from_secs(300));
    let mut copying = Copying::new(&SCHEMAS[0], FINGERPRINT, Box::new(rows));
    let lines = (1..=1000).map(|n| (ItemId { category: 1, n }, 1));
    let cart = Cart::from_lines(lines).unwrap();
    for number in 1..=10 {
        let active_at = Time::from_millis(1);
        let session = Session { digest: 7, role: Role::Buyer, user_id: 1, active_at, cart: cart.clone() };
        assert!(copying.add(CustomerRow::Session(number, session)));
        assert!(copying.flight().is_some());
        copying.answered(done()).unwrap();
    }
}

#[test]
fn user_names_are_brought_to_the_form_in_which_they_are_asked_for() {
    let mut rows = CustomerRows::new(Duration::from_secs(300));
    let mut batch = Batch::new(rows.tables());
    let identity =
        Identity { username: "Zoe\u{301}".into(), name: "Zoe".into(), password_hash: "hash".into() };
    let buyer = Buyer { identity, saved_cart: Cart::default() };
    assert!(rows.add(CustomerRow::Buyer(7, buyer), &mut batch));
    let [call] = &batch.take()[..] else { panic!("one row") };
    let said = format!("{call:?}");
    assert!(said.contains(r#"Text("Zoé"), Text("\u{1}7")"#), "{said}");
}
