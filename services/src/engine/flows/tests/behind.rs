//! Databases that answer, but fall behind: who is refused early, who is not, and when that is over.

use std::time::Duration;

use net::Conn;

use super::harness::{Harness, SESSION, buyer, recovering};
use super::{ok, patience, validated, vote, vote_for_item};
use crate::engine::flow::Flow;
use crate::engine::flows::calls::QUEUED_CALLS_MIN;
use crate::engine::lane::{Deadlines, Lane};
use crate::frontend::buyer::Buyer;

const ITEM: &str = r#"{"item_id":"1:42"}"#;
const MOMENT: Duration = Duration::from_millis(1);
const REFUSAL: (&str, &str) =
    ("RESOURCE_EXHAUSTED", "db_product answers too slowly, try again in 1 s; nothing was changed");

/// The age of the oldest call at which a database counts as behind.
fn behind_after() -> Duration {
    Deadlines::default().behind_after
}

/// As many clients as make a queue ask for an item.
fn queue(buyer: &mut Harness<Buyer>) -> Vec<Conn> {
    let clients = (0..QUEUED_CALLS_MIN).map(|_| {
        let client = buyer.connect();
        buyer.ask("1", "GetItem", ITEM);
        client
    });
    let clients = clients.collect();
    assert_eq!(buyer.calls().len(), QUEUED_CALLS_MIN);
    clients
}

/// Whether a request of a further client is refused early; if not, it makes a call.
fn is_refused(buyer: &mut Harness<impl Flow>) -> bool {
    buyer.connect();
    buyer.ask("1", "GetItem", ITEM);
    let calls = buyer.calls().len();
    if calls == 0 {
        let (code, message) = buyer.refusal();
        assert_eq!((&*code, &*message), REFUSAL);
    }
    calls == 0
}

#[test]
fn who_would_join_a_queue_that_is_late_is_refused_until_it_has_moved_on() {
    let mut buyer = buyer();
    queue(&mut buyer);
    buyer.pass(behind_after() - MOMENT);
    assert!(!is_refused(&mut buyer));
    buyer.pass(MOMENT);
    assert!(is_refused(&mut buyer));
    assert!(is_refused(&mut buyer));
    let refused = r#"marketplace_calls_refused_total{backend="product",reason="behind"} 2"#;
    assert_eq!(buyer.metrics("marketplace_calls_refused_total"), [refused]);

    (0..QUEUED_CALLS_MIN).for_each(|_| buyer.reply(Lane::Product, &ok("{}")));
    assert!(!is_refused(&mut buyer), "the oldest call is a young one");
}

#[test]
fn another_lane_goes_on() {
    let mut buyer = buyer();
    queue(&mut buyer);
    buyer.pass(behind_after());
    buyer.connect();
    buyer.ask("1", "DisplayCart", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    assert_eq!(buyer.calls().len(), 1);
}

#[test]
fn a_few_may_wait_whatever_became_of_those_before_them() {
    let mut buyer = buyer();
    let clients = queue(&mut buyer);
    buyer.pass(patience());
    for client in clients {
        assert!(buyer.replies_to(client)[0].contains("UNAVAILABLE"));
    }
    (0..QUEUED_CALLS_MIN).for_each(|_| assert!(!is_refused(&mut buyer)));
    assert!(is_refused(&mut buyer), "the calls that were given up are still to be answered");
    (0..QUEUED_CALLS_MIN).for_each(|_| buyer.reply(Lane::Product, &ok("{}")));
    assert!(!is_refused(&mut buyer), "they are");
}

#[test]
fn calls_that_wait_for_a_connection_are_no_queue() {
    let mut buyer = buyer();
    buyer.break_lane(Lane::Product);
    for _ in 0..=QUEUED_CALLS_MIN {
        buyer.connect();
        buyer.ask("1", "GetItem", ITEM);
    }
    buyer.pass(behind_after());
    let client = buyer.connect();
    buyer.ask("1", "GetItem", ITEM);
    assert_eq!(buyer.replies_to(client), [""; 0]);
}

/// As many clients as make a queue clear their carts, and are not answered in time.
fn late_customer_writes(buyer: &mut Harness<Buyer>) {
    for _ in 0..QUEUED_CALLS_MIN {
        buyer.connect();
        buyer.ask("1", "ClearCart", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    }
    buyer.calls();
    buyer.pass(behind_after());
}

#[test]
fn what_has_changed_something_is_carried_to_its_end() {
    let mut buyer = buyer();
    late_customer_writes(&mut buyer);
    buyer.connect();
    buyer.ask("1", "ClearCart", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    assert_eq!(buyer.refusal().0, "RESOURCE_EXHAUSTED");

    vote_for_item(&mut buyer);
    let calls = buyer.calls();
    assert!(calls[0].1.contains("RateSeller"), "{calls:?}");
}

#[test]
fn what_has_only_read_is_refused_at_its_next_call() {
    let mut buyer = buyer();
    for _ in 0..QUEUED_CALLS_MIN {
        buyer.connect();
        buyer.ask("1", "ProvideFeedback", &vote());
        buyer.reply(Lane::Customer, &validated());
    }
    buyer.calls();
    buyer.pass(behind_after());
    buyer.connect();
    buyer.ask("1", "ProvideFeedback", &vote());
    buyer.reply(Lane::Customer, &validated());
    let (code, message) = buyer.refusal();
    assert_eq!((&*code, &*message), REFUSAL);
}

#[test]
fn a_recovery_is_never_refused() {
    let mut buyer = recovering();
    let claim = buyer.calls();
    assert!(claim[0].1.contains("ClaimPurchases"), "{claim:?}");
    late_customer_writes(&mut buyer);
    let purchase = r#"{"purchase_id":"1","lines":{"1:42":2},"ended_before":"0"}"#;
    buyer.reply(Lane::Customer, &ok(&format!(r#"{{"purchases":[{purchase}]}}"#)));
    let taken = r#"[{"item_id":"1:42","seller_id":3,"name":"pen","quantity":2,"price":1.0}]"#;
    buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{taken}}}"#)));
    let calls = buyer.calls();
    assert!(calls.iter().any(|(_, call)| call.contains("FinishPurchase")), "{calls:?}");
}
