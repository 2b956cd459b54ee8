//! `db_customer` on a PostgreSQL server, at each level of isolation. Where none is installed, nothing is tested.

mod alike;
mod backlog;
mod harness;
mod holdings;
mod interleaved;
mod passwords;
mod purchases;
mod races;

use std::time::Duration;

use fake_postgres::Isolation;

use self::harness::{Engine, LEVELS, Memory, SECOND, START, Store, TIMEOUT, database, field, server};
use super::RemoteCustomer;
use crate::api::error::Code;
use crate::customer::Customer;
use crate::engine::domain::Domain;
use crate::store::postgres::domain::RemoteDomain;
use crate::store::postgres::tests::blocking::migrated_fake;

const ANN: &str = r#"{"name":"ann","password":"secret"}"#;

fn with_session(session: &str) -> String {
    format!(r#"{{"session_id":"{session}"}}"#)
}

fn add(session: &str, item: &str, units: i64) -> String {
    format!(r#"{{"session_id":"{session}","item_id":"{item}","quantity_delta":{units}}}"#)
}

#[test]
fn it_has_the_apis_that_the_store_in_memory_has() {
    let in_memory = Customer::APIS.iter().map(|entry| (entry.name, entry.effect));
    assert!(RemoteCustomer::APIS.iter().map(|entry| (entry.name, entry.effect)).eq(in_memory));
}

#[test]
fn sessions_live_as_long_as_they_are_used_at_whichever_service() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let [mut one, mut other] = [1, 2].map(|seed| Engine::connect(&server, level, seed));
        one.told(START, "CreateBuyer", ANN);
        let session = with_session(&one.log_in(START, "ann", "secret"));
        let almost = TIMEOUT - SECOND;
        one.told(START + almost, "ValidateSession", &session);
        // It was not written yet, and who has seen it knows.
        one.told(START + almost * 2, "ValidateSession", &session);
        let late = other.ask(START + almost * 2, "ValidateSession", &session);
        assert_eq!(late.expect_err("nothing was written").code, Code::SessionTimeout);
        one.keep_up(START + almost * 2);
        other.told(START + almost * 3, "GetCart", &session);
        other.keep_up(START + almost * 3);
        let end = START + almost * 3 + TIMEOUT;
        for engine in [&mut one, &mut other] {
            let idle = engine.ask(end, "ValidateSession", &session).expect_err("it was idle");
            assert_eq!(idle.code, Code::SessionTimeout);
            assert_eq!(idle.message, "the session was idle for 300 s or more: log in");
            engine.keep_up(end);
        }
    }
}

#[test]
fn a_use_that_is_written_late_counts_from_when_it_was() {
    let fake = migrated_fake(Isolation::ReadCommitted);
    let [mut one, mut other, mut third] = [1, 2, 3].map(|seed| Engine::over(&fake, seed));
    one.told(START, "CreateBuyer", ANN);
    let sessions = [0, 1].map(|_| with_session(&one.log_in(START, "ann", "secret")));
    let used_at = [START + SECOND * 10, START + SECOND * 200];
    for (session, at) in sessions.iter().zip(used_at) {
        one.told(at, "ValidateSession", session);
    }
    // Perhaps the machine was suspended meanwhile.
    one.keep_up(START + SECOND * 290);
    for (session, at) in sessions.iter().zip(used_at) {
        third.told(at + TIMEOUT - SECOND, "GetCart", session);
        for engine in [&mut one, &mut other] {
            let idle = engine.ask(at + TIMEOUT, "GetCart", session);
            assert_eq!(idle.expect_err("it was idle").code, Code::SessionTimeout);
        }
    }
}

#[test]
fn what_is_over_is_forgotten_by_whoever_comes_by() {
    let Some(server) = server(&LEVELS[..1]) else { return };
    let level = LEVELS[0];
    let mut engine = Engine::connect(&server, level, 1);
    engine.told(START, "CreateBuyer", ANN);
    for _ in 0..3 {
        let session = engine.log_in(START, "ann", "secret");
        engine.told(START, "UpdateCart", &add(&session, "1:1", 1));
    }
    let wrong = r#"{"name":"ann","password":"wrong","role":"buyer"}"#;
    engine.ask(START, "Login", wrong).expect_err("it is wrong");
    let rows = || {
        let count = |table| server.sql(&database(level), &format!("SELECT count(*) FROM {table}"));
        ["sessions", "cart_lines", "login_failures"].map(count)
    };
    assert_eq!(rows(), ["3", "3", "2"]);
    let hour = Duration::from_secs(3600);
    let mut now = START;
    let mut keep_up = |now_then| {
        for _ in 0..3 {
            engine.keep_up(now_then);
            now = now_then;
        }
    };
    // What lies before the place of chance comes the next time.
    keep_up(START + SECOND * 62);
    keep_up(START + SECOND * 130);
    assert_eq!(rows(), ["3", "3", "0"]);
    keep_up(START + TIMEOUT + hour - SECOND);
    assert_eq!(rows()[0], "3");
    keep_up(START + TIMEOUT + hour + SECOND * 60);
    keep_up(START + TIMEOUT + hour + SECOND * 121);
    assert_eq!(rows(), ["0", "0", "0"]);
}

#[test]
fn guessing_is_slow_at_many_services_as_it_is_at_one() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let mut engines = [1, 2, 3].map(|seed| Engine::connect(&server, level, seed));
        let mut memory = Memory::new();
        memory.told(START, "CreateBuyer", ANN);
        engines[0].told(START, "CreateBuyer", ANN);
        let login = |password: &str| format!(r#"{{"name":"ann","password":"{password}","role":"buyer"}}"#);
        for n in 0..21 {
            let at = START + SECOND * n;
            let [expected, found] = {
                let engine = &mut engines[n as usize % 3];
                [memory.ask(at, "Login", &login("x")), engine.ask(at, "Login", &login("x"))]
            };
            assert_eq!(found, expected, "{n}");
            assert_eq!(found.expect_err("wrong").code == Code::ResourceExhausted, n == 20);
        }
        for (at, host) in [(21, 1), (22, 2), (80, 1), (81, 1)] {
            let at = START + SECOND * at;
            let expected = memory.ask_at(at, host, "Login", &login("secret"));
            for engine in &mut engines {
                let found = engine.ask_at(at, host, "Login", &login("secret"));
                assert_eq!(found.as_ref().err(), expected.as_ref().err());
            }
        }
    }
}

#[test]
fn of_what_proves_a_session_nothing_is_stored() {
    let Some(server) = server(&LEVELS[..1]) else { return };
    let mut engine = Engine::connect(&server, LEVELS[0], 1);
    engine.told(START, "CreateBuyer", ANN);
    let session = engine.log_in(START, "ann", "secret");
    let stored = server.sql(&database(LEVELS[0]), "SELECT encode(digest, 'hex') FROM sessions");
    assert_eq!(session.len(), 48);
    let (number, secret) = session.split_at(16);
    assert!(stored.ends_with(number) && !stored.contains(&secret[..8]), "{stored}");
    let other = format!("{number}{}", "0".repeat(32));
    let unknown = engine.ask(START, "ValidateSession", &with_session(&other)).expect_err("it is made up");
    assert_eq!(unknown.code, Code::NotLoggedIn);
    let other = format!("{}{secret}", "0".repeat(16));
    assert!(
        engine.ask(START, "ValidateSession", &with_session(&other)).is_err(),
        "the number is another one"
    );
}

#[test]
fn a_key_may_have_any_characters() {
    let Some(server) = server(&LEVELS[..1]) else { return };
    let mut engine = Engine::connect(&server, LEVELS[0], 1);
    engine.told(START, "CreateBuyer", ANN);
    let session = engine.log_in(START, "ann", "secret");
    engine.told(START, "UpdateCart", &add(&session, "1:1", 1));
    let begin = format!(r#"{{"session_id":"{session}","idempotency_key":"a\u0000b"}}"#);
    let ids = [0, 1].map(|_| field(&engine.told(START, "BeginPurchase", &begin), "purchase_id"));
    assert_eq!(ids[0], ids[1]);
}

#[test]
fn what_shares_a_transaction_is_as_if_it_did_not() {
    let Some(server) = server(&LEVELS[..1]) else { return };
    let mut engine = Engine::connect(&server, LEVELS[0], 1);
    engine.told(START, "CreateBuyer", ANN);
    engine.told(START, "CreateSeller", ANN);
    let sessions: Vec<String> = (0..20).map(|_| engine.log_in(START, "ann", "secret")).collect();
    let rate = |vote: &str, revision: u32| {
        let ids = r#""buyer_id":1,"item_id":"1:1","seller_id":1"#;
        ("RateSeller", format!(r#"{{{ids},"vote":"{vote}","revision":{revision}}}"#))
    };
    let update = |session: &str, item: &str, units| ("UpdateCart", add(session, item, units));
    let mut requests: Vec<_> = sessions.iter().map(|session| update(session, "1:1", 2)).collect();
    let unknown = "0".repeat(48);
    let others = [("1:1", -1), ("1:2", -1), ("1:2", 3), ("1:1", -1), ("1:1", -1)];
    requests.extend(others.map(|(item, units)| update(&sessions[0], item, units)));
    requests.extend([update(&unknown, "1:1", 1), rate("up", 1), rate("down", 3), rate("up", 2)]);
    let answers = engine.ask_together(START, &requests);
    let quantity =
        |answer: &Result<String, _>| answer.as_ref().ok().map(|json| json.ends_with("\"quantity\":2}"));
    assert!(answers[..20].iter().all(|answer| quantity(answer) == Some(true)), "{answers:?}");
    let quantities = answers[20..26].iter().map(|answer| answer.as_deref().map_err(|error| error.code));
    let [one, three, none] = [("1:1", 1), ("1:2", 3), ("1:1", 0)]
        .map(|(item, quantity)| format!(r#"{{"item_id":"{item}","quantity":{quantity}}}"#));
    let missing = Err(Code::NotFound);
    let expected = [Ok(&*one), missing, Ok(&*three), Ok(&*none), missing, Err(Code::NotLoggedIn)];
    assert!(quantities.eq(expected), "{answers:?}");
    let rating = engine.told(START, "GetSellerRating", r#"{"seller_id":1}"#);
    assert!(rating.contains(r#""feedback":{"up":0,"down":1}"#), "{rating}");

    let begin = |session: &String| ("BeginPurchase", with_session(session));
    let named = |session: &String| {
        let data = format!(r#"{{"session_id":"{session}","idempotency_key":"same"}}"#);
        ("BeginPurchase", data)
    };
    let requests: Vec<_> = sessions[..17].iter().map(begin).chain(sessions[17..].iter().map(named)).collect();
    let answers = engine.ask_together(START, &requests);
    let mut ids: Vec<_> =
        answers.iter().map(|answer| field(answer.as_deref().expect("it begins"), "purchase_id")).collect();
    assert!(ids[17..].iter().all(|id| *id == ids[17]), "they mean the same");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 18);
}
