//! That there are never too many purchases which have not ended.

use fake_postgres::Isolation;

use super::harness::{Engine, LEVELS, SECOND, START, Store, field, server};
use super::{ANN, add, with_session};
use crate::api::error::{Code, Error};
use crate::customer::rules::UNFINISHED_MAX;
use crate::store::postgres::tests::blocking::migrated_fake;

/// A session with something in its cart.
fn session(engine: &mut Engine) -> String {
    let session = engine.log_in(START, "ann", "secret");
    engine.told(START, "UpdateCart", &add(&session, "1:1", 2));
    session
}

fn named(session: &str, key: &str) -> String {
    format!(r#"{{"session_id":"{session}","idempotency_key":"{key}"}}"#)
}

#[track_caller]
fn assert_full(result: Result<String, Error>) {
    let error = result.expect_err("there are too many");
    let expected = (Code::ResourceExhausted, "100000 purchases are under way: try again");
    assert_eq!((error.code, &*error.message), expected);
}

#[test]
fn where_there_are_too_many_none_begins_and_those_that_have_are_told() {
    let mut engine = Engine::over(&migrated_fake(Isolation::ReadCommitted), 1);
    engine.told(START, "CreateBuyer", ANN);
    let [one, other, empty] = [0; 3].map(|_| session(&mut engine));
    engine.told(START, "ClearCart", &with_session(&empty));
    engine.customer.backlog.count(UNFINISHED_MAX - 1);
    let begun = engine.told(START, "BeginPurchase", &named(&one, "k"));
    assert_full(engine.ask(START, "BeginPurchase", &with_session(&other)));
    assert_full(engine.ask(START, "BeginPurchase", &named(&other, "l")));
    // What is wrong otherwise is said first, as everywhere.
    assert_eq!(engine.told(START, "BeginPurchase", &named(&one, "k")), begun);
    assert_eq!(engine.told(START, "BeginPurchase", &named(&other, "k")), begun);
    let code = |engine: &mut Engine, data: &str| {
        engine.ask(START, "BeginPurchase", data).expect_err("it is refused").code
    };
    assert_eq!(code(&mut engine, &with_session(&empty)), Code::FailedPrecondition);
    assert_eq!(code(&mut engine, &named(&one, "other")), Code::FailedPrecondition);
    let unknown = with_session(&"0".repeat(48));
    assert_eq!(code(&mut engine, &unknown), Code::NotLoggedIn);
    engine.told(START, "FinishPurchase", &format!(r#"{{"purchase_id":"{}"}}"#, field(&begun, "purchase_id")));
    engine.keep_up(START + SECOND);
    engine.told(START + SECOND, "BeginPurchase", &with_session(&other));
}

#[test]
fn all_that_are_unfinished_are_counted_whoever_has_begun_them() {
    let Some(server) = server(&LEVELS[..1]) else { return };
    let mut engine = Engine::connect(&server, LEVELS[0], 1);
    engine.told(START, "CreateBuyer", ANN);
    let session = with_session(&session(&mut engine));
    let fill = |last: usize| {
        format!(
            "INSERT INTO purchases_begun SELECT n, 1, n::text::bytea, '', 0, 4611686018427387903
                FROM generate_series(1, {last}) n ON CONFLICT DO NOTHING"
        )
    };
    server.sql("read_committed", &fill(UNFINISHED_MAX));
    engine.keep_up(START);
    assert_full(engine.ask(START, "BeginPurchase", &session));
    server.sql("read_committed", "DELETE FROM purchases_begun WHERE purchase_id = 7");
    engine.keep_up(START + SECOND);
    engine.told(START + SECOND, "BeginPurchase", &session);
}
