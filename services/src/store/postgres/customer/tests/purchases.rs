//! Purchases, and what is told of those that have ended.

use std::time::Duration;

use net::Time;

use super::harness::{Engine, LEVELS, SECOND, START, Store, field, server};
use super::{ANN, add, with_session};
use crate::api::error::Code;

/// What was taken of item 1:1.
fn taken(purchase_id: &str, units: u32) -> String {
    let item = format!(r#"{{"item_id":"1:1","seller_id":1,"name":"desk","quantity":{units},"price":2}}"#);
    format!(r#"{{"purchase_id":"{purchase_id}","taken":[{item}]}}"#)
}

/// Begins a purchase of a session, with two of item 1:1.
fn begin(engine: &mut Engine, now: Time, session: &str) -> String {
    engine.told(now, "UpdateCart", &add(session, "1:1", 2));
    engine.told(now, "BeginPurchase", &with_session(session))
}

fn ended_before(reply: &str) -> u64 {
    field(reply, "ended_before").parse().expect("an ID")
}

fn id(reply: &str) -> u64 {
    field(reply, "purchase_id").parse().expect("an ID")
}

/// The first ID of a purchase that is begun at this time.
fn first_at(time: Time) -> u64 {
    time.as_millis() << 20
}

#[test]
fn what_has_ended_is_told_once_nothing_below_it_can_come_or_is_left() {
    let Some(server) = server(&LEVELS) else { return };
    for level in LEVELS {
        let [mut one, mut other] = [1, 2].map(|seed| Engine::connect(&server, level, seed));
        one.told(START, "CreateBuyer", ANN);
        let sessions = [1, 2, 3].map(|_| one.log_in(START, "ann", "secret"));
        let first = begin(&mut one, START, &sessions[0]);
        assert_eq!(ended_before(&first), 0, "nothing is known yet");
        let late = START + SECOND * 100;
        one.keep_up(late);
        other.told(late, "UpdateCart", &add(&sessions[1], "1:1", 1));
        let second = one.told(late, "BeginPurchase", &with_session(&sessions[1]));
        assert_eq!(ended_before(&second), id(&first), "it is under way");
        one.told(late, "FinishPurchase", &taken(&id(&first).to_string(), 2));
        one.keep_up(late + SECOND * 2);
        other.keep_up(late + SECOND * 2);
        let third = begin(&mut one, late + SECOND * 3, &sessions[2]);
        assert_eq!(ended_before(&third), first_at(late - SECOND * 8), "it is too young");
        assert!(id(&third) > id(&second));
        one.told(late, "FinishPurchase", &format!(r#"{{"purchase_id":"{}"}}"#, id(&second)));
        one.keep_up(late + SECOND * 50);
        let after = begin(&mut one, late + SECOND * 51, &sessions[1]);
        assert_eq!(ended_before(&after), id(&third));
    }
}

#[test]
fn no_id_is_given_below_what_counts_as_ended_whatever_the_clock_says() {
    let Some(server) = server(&LEVELS[..1]) else { return };
    let mut engine = Engine::connect(&server, LEVELS[0], 1);
    engine.told(START, "CreateBuyer", ANN);
    for _ in 0..40 {
        let session = engine.log_in(START, "ann", "secret");
        let begun = begin(&mut engine, START, &session);
        engine.told(START, "FinishPurchase", &taken(&id(&begun).to_string(), 2));
    }
    engine.keep_up(START + SECOND * 30);
    let session = engine.log_in(START, "ann", "secret");
    // A service whose clock is behind.
    let mut other = Engine::connect(&server, LEVELS[0], 2);
    let begun = begin(&mut other, START, &session);
    let claimed = engine.told(START + SECOND * 31, "ClaimPurchases", "{}");
    assert_eq!(id(&claimed), id(&begun));
    assert!(ended_before(&claimed) > first_at(START) && ended_before(&claimed) <= id(&begun));
}

#[test]
fn more_lines_than_a_flight_returns_are_claimed_and_bought() {
    let Some(server) = server(&LEVELS[..1]) else { return };
    let mut engine = Engine::connect(&server, LEVELS[0], 1);
    engine.told(START, "CreateBuyer", ANN);
    for _ in 0..24 {
        let session = engine.log_in(START, "ann", "secret");
        engine.told(START, "UpdateCart", &add(&session, "1:1", 2));
        let fill = "INSERT INTO cart_lines (cart, item_id, quantity) SELECT cart, item_id + n, 1 \
            FROM cart_lines, generate_series(1, 999) AS u(n) WHERE quantity = 2";
        server.sql("read_committed", fill);
        let full = engine.ask(START, "UpdateCart", &add(&session, "2:1", 1)).expect_err("it is full");
        assert_eq!(full.message, "a cart holds at most 1000 different items");
        engine.told(START, "BeginPurchase", &with_session(&session));
        engine.told(START, "ClearCart", &with_session(&session));
    }
    let claimed = engine.told(START + SECOND, "ClaimPurchases", "{}");
    assert_eq!(claimed.matches("\"1:1000\":1").count(), 24);
    let again = engine.told(START + SECOND, "ClaimPurchases", "{}");
    assert_eq!(again, r#"{"purchases":[]}"#);
    for purchase in claimed.split("{\"purchase_id\"").skip(1) {
        let purchase = format!("{{\"purchase_id\"{purchase}");
        let item = |n: u32| {
            let (units, name) = (if n == 1 { 2 } else { 1 }, "x".repeat(32));
            format!(r#"{{"item_id":"1:{n}","seller_id":1,"name":"{name}","quantity":{units},"price":2}}"#)
        };
        let items: Vec<_> = (1..=1000).map(item).collect();
        let finish = format!(r#"{{"purchase_id":"{}","taken":[{}]}}"#, id(&purchase), items.join(","));
        engine.told(START + SECOND * 2, "FinishPurchase", &finish);
    }
    let mut cursor = String::new();
    for page in 0..6 {
        let data = format!(r#"{{"buyer_id":1,"limit":1000{cursor}}}"#);
        let history = engine.told(START, "GetBuyerPurchases", &data);
        assert!(history.contains("\"purchases_count\":24") && history.len() < 1 << 20);
        assert_eq!(history.matches("\"1:1000\"").count(), 4);
        match page {
            5 => assert!(history.ends_with("\"next_cursor\":null}")),
            _ => cursor = format!(r#","cursor":"{}""#, field(&history, "next_cursor")),
        }
    }
}

#[test]
fn what_makes_no_sense_is_told_as_a_defect_and_ends_nothing() {
    let Some(server) = server(&LEVELS[..1]) else { return };
    let mut engine = Engine::connect(&server, LEVELS[0], 1);
    engine.told(START, "CreateBuyer", ANN);
    let session = engine.log_in(START, "ann", "secret");
    engine.told(START, "UpdateCart", &add(&session, "1:1", 2));
    let asks = [
        ("UPDATE sessions SET role = 'admin'", "ValidateSession", with_session(&session)),
        ("UPDATE sessions SET role = 'buyer', user_id = -1", "ValidateSession", with_session(&session)),
        (
            "UPDATE sessions SET user_id = 1; UPDATE cart_lines SET item_id = 0",
            "GetCart",
            with_session(&session),
        ),
        ("UPDATE purchase_numbers SET last = -1", "BeginPurchase", with_session(&session)),
        (
            "INSERT INTO purchases VALUES (1, 1, 1, '[1]')",
            "GetBuyerPurchases",
            r#"{"buyer_id":1}"#.to_owned(),
        ),
    ];
    for (damage, api, data) in asks {
        server.sql("read_committed", damage);
        let error = engine.ask(START + Duration::from_millis(1), api, &data).expect_err(damage);
        assert_eq!(
            (error.code, &*error.message),
            (Code::Internal, "what is stored makes no sense"),
            "{damage}"
        );
    }
}
