//! What the checks of the shop let pass, and what not.

use std::time::Duration;

use net::Time;
use serde_json::{Value, json};

use super::intents::{Cart, Fate, Intents};
use super::ledger::Item;
use super::sessions::Sessions;
use crate::request::{Outcome, Span};
use crate::story::START;

const SECOND: Duration = Duration::from_secs(1);

fn span(from: u32, to: u32) -> Span {
    Span { start: START + SECOND * from, end: START + SECOND * to }
}

fn cart(lines: &[(&str, u64)]) -> Cart {
    lines.iter().map(|(id, units)| ((*id).to_owned(), *units)).collect()
}

fn purchase(id: u64, cart: &Cart) -> Value {
    let items: Vec<Value> = cart
        .iter()
        .map(|(id, units)| json!({"item_id": id, "name": "desk", "quantity": units, "price": 1.0}))
        .collect();
    json!({"purchase_id": id.to_string(), "items": items, "total": 1.0})
}

fn history(purchases: &[Value]) -> Value {
    json!({"buyer_id": 1, "purchases_count": purchases.len(), "purchases": purchases})
}

#[test]
fn each_purchase_in_a_history_is_of_an_intent_of_its_own() {
    let [one, both] = [cart(&[("1:1", 1)]), cart(&[("1:1", 1), ("1:2", 1)])];
    let intents = || {
        let mut intents = Intents::default();
        let first = intents.begin((1, "session"), None, one.clone(), START);
        intents.at(first).carts.push(both.clone());
        intents.begin((1, "session"), None, one.clone(), START);
        intents
    };
    intents().see_history(span(1, 2), 1, &history(&[purchase(2, &both), purchase(1, &one)]));
    intents().see_history(span(1, 2), 1, &history(&[purchase(2, &one), purchase(1, &one)]));
    let twice = history(&[purchase(2, &both), purchase(1, &both)]);
    fails("nobody meant to buy", || intents().see_history(span(1, 2), 1, &twice));
}

#[test]
fn what_was_received_stays_and_what_was_refused_never_comes() {
    let bought = cart(&[("1:1", 1)]);
    let mut intents = Intents::default();
    let place = intents.begin((1, "session"), Some("key".to_owned()), bought.clone(), START);
    intents.at(place).made(span(1, 2), &purchase(7, &bought));
    intents.see_history(span(1, 3), 1, &history(&[]));
    intents.see_history(span(3, 4), 1, &history(&[purchase(7, &bought)]));
    fails("changes", || intents.at(place).made(span(4, 5), &purchase(8, &bought)));

    let mut intents = Intents::default();
    let place = intents.begin((1, "session"), None, bought.clone(), START);
    intents.at(place).refused(span(1, 2));
    assert_eq!(intents.at(place).fate, Fate::Refused);
    fails("nobody meant to buy", || intents.see_history(span(3, 4), 1, &history(&[purchase(7, &bought)])));
}

#[test]
fn an_attempt_that_was_lost_may_outlive_a_refusal() {
    let mut intents = Intents::default();
    let place = intents.begin((1, "session"), Some("key".to_owned()), cart(&[("1:1", 1)]), START);
    intents.at(place).lost(START + SECOND);
    intents.at(place).refused(span(2, 3));
    assert_eq!(intents.at(place).fate, Fate::Left);
}

#[test]
fn an_item_is_what_it_was_given_with_any_of_the_changes_that_were_lost() {
    let mut item = Item::new(1, span(0, 1), 5, 100);
    item.change(3, START + SECOND);
    item.changed(span(1, 2), false, false);
    item.change(-1, START + 2 * SECOND);
    item.changed(span(2, 3), false, true);
    let sums: Vec<i64> = (0..12).filter(|units| item.adds_up_to(*units)).collect();
    assert_eq!(sums, [5, 8]);
}

#[test]
fn a_session_lives_by_the_clock_of_its_database() {
    let timeout = Outcome::Refused("SESSION_TIMEOUT".to_owned());
    let accepted = Outcome::Done(json!({}));
    let sessions = || {
        let mut sessions = Sessions::default();
        sessions.set_clock_ahead(Time::default(), SECOND);
        sessions.opened("one", span(0, 1));
        sessions
    };
    assert!(sessions().answered("one", span(299, 300), &accepted));
    fails("is refused", || _ = sessions().answered("one", span(297, 298), &timeout));
    fails("is accepted", || _ = sessions().answered("one", span(362, 363), &accepted));

    let mut jumped = sessions();
    jumped.set_clock_ahead(START + 10 * SECOND, 400 * SECOND);
    assert!(!jumped.answered("one", span(11, 12), &timeout));
    let mut jumped = sessions();
    jumped.set_clock_ahead(START + 10 * SECOND, 400 * SECOND);
    fails("is accepted", || _ = jumped.answered("one", span(11, 12), &accepted));
}

#[test]
fn a_crash_may_forget_activity_that_only_read_something() {
    let [accepted, timeout] = [Outcome::Done(json!({})), Outcome::Refused("SESSION_TIMEOUT".to_owned())];
    let mut sessions = Sessions::default();
    sessions.opened("one", span(0, 1));
    assert!(sessions.answered("one", span(290, 291), &accepted));
    fails("is refused", || _ = sessions.answered("one", span(400, 401), &timeout));
    sessions.restarted(START + 300 * SECOND);
    assert!(!sessions.answered("one", span(400, 401), &timeout));
    sessions.stored("one", span(290, 291));
    fails("is refused", || _ = sessions.answered("one", span(400, 401), &timeout));
}

#[test]
fn a_session_that_was_logged_out_is_over() {
    let mut sessions = Sessions::default();
    sessions.opened("one", span(0, 1));
    sessions.ending("one");
    sessions.ended("one", START + 2 * SECOND);
    assert!(!sessions.answered("one", span(3, 4), &Outcome::Refused("NOT_LOGGED_IN".to_owned())));
    fails("is accepted", || _ = sessions.answered("one", span(3, 4), &Outcome::Done(json!({}))));
}

/// Something that must not pass panics with these words.
fn fails(words: &str, check: impl FnOnce()) {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).expect_err("it must not pass");
    let message = panic.downcast_ref::<String>().expect("it says why");
    assert!(message.contains(words), "{message}");
}
