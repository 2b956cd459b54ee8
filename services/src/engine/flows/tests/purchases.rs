//! A purchase on its way through both databases: which calls it takes, and what the buyer is told wherever one of them
//! is refused or lost.

use super::harness::{Harness, SESSION, buyer, narrow};
use super::{ok, patience, refused};
use crate::engine::lane::Lane;
use crate::frontend::buyer::Buyer;

const RECEIPT: &str =
    r#"{"purchase_id":"7","items":[ {"item_id":"1:42","name":"pen","quantity":2,"price":0.5}],"total":1.0}"#;
const TAKEN: &str = r#"[{"item_id":"1:42","seller_id":3,"name":"pen","quantity":2,"price":0.5}]"#;
const REFUSED: &str = r#"{"refused":true}"#;
const UNDER_WAY: &str = "the purchase is under way and ends by itself: ask again with its idempotency key, or look at the purchases";

/// Buys, and answers that it is begun.
fn begin(buyer: &mut Harness<Buyer>) {
    buyer.ask("1", "MakePurchase", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    expect(
        buyer,
        Lane::CustomerWrites,
        &format!(r#""api":"BeginPurchase","data":{{"session_id":"{SESSION}","role":"buyer"}}"#),
    );
    buyer.reply(Lane::CustomerWrites, &begun());
    expect(buyer, Lane::ProductWrites, &take_call());
}

/// The same, and the stock is taken.
fn take(buyer: &mut Harness<Buyer>) {
    begin(buyer);
    buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{TAKEN}}}"#)));
    expect(buyer, Lane::CustomerWrites, &finish_call(true));
}

/// The same, and it is refused, because of these.
fn refuse(buyer: &mut Harness<Buyer>, shortages: &str) {
    begin(buyer);
    buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"refused":[{shortages}]}}"#)));
    expect(buyer, Lane::CustomerWrites, &finish_call(false));
}

pub(super) fn begun() -> String {
    ok(r#"{"unfinished":{"purchase_id":"7","lines":{"1:42":2},"ended_before":"5"}}"#)
}

pub(super) fn take_call() -> String {
    r#""api":"TakeStock","data":{"purchase_id":"7","lines":{"1:42":2},"ended_before":"5"}"#.to_owned()
}

pub(super) fn finish_call(is_taken: bool) -> String {
    let taken = if is_taken { format!(r#","taken":{TAKEN}"#) } else { String::new() };
    format!(r#""api":"FinishPurchase","data":{{"purchase_id":"7"{taken}}}"#)
}

/// Checks that exactly one call has left.
#[track_caller]
pub(super) fn expect(buyer: &mut Harness<Buyer>, lane: Lane, call: &str) {
    let expected = format!(r#"{{"type":"Request","request_id":#,{call}}}"#);
    assert_eq!(buyer.calls(), [(lane, expected)]);
}

#[test]
fn a_purchase_is_begun_taken_and_finished_and_its_receipt_is_relayed_byte_by_byte() {
    let mut buyer = buyer();
    take(&mut buyer);
    assert_eq!(buyer.replies(), [""; 0], "it is not made yet");
    buyer.reply(Lane::CustomerWrites, &ok(RECEIPT));
    assert_eq!(buyer.replies(), [ok(RECEIPT)]);
}

#[test]
fn a_key_goes_with_it() {
    let mut buyer = buyer();
    buyer.ask("1", "MakePurchase", &format!(r#"{{"session_id":"{SESSION}","idempotency_key":"k\u00e9"}}"#));
    expect(
        &mut buyer,
        Lane::CustomerWrites,
        &format!(
            r#""api":"BeginPurchase","data":{{"session_id":"{SESSION}","role":"buyer","idempotency_key":"ké"}}"#
        ),
    );
}

#[test]
fn a_purchase_that_was_made_already_has_the_very_same_receipt() {
    let mut buyer = buyer();
    buyer.ask("1", "MakePurchase", &format!(r#"{{"session_id":"{SESSION}","idempotency_key":"k"}}"#));
    buyer.reply(Lane::CustomerWrites, &ok(&format!(r#"{{"made":{RECEIPT}}}"#)));
    assert_eq!(buyer.replies(), [ok(RECEIPT)]);
    assert_eq!(buyer.calls().len(), 1);
}

#[test]
fn two_who_ask_for_one_purchase_both_bring_it_to_its_end() {
    let mut buyer = buyer();
    let first = buyer.client();
    begin(&mut buyer);
    let second = buyer.connect();
    begin(&mut buyer);
    for _ in 0..2 {
        buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{TAKEN}}}"#)));
        expect(&mut buyer, Lane::CustomerWrites, &finish_call(true));
    }
    for client in [first, second] {
        buyer.reply(Lane::CustomerWrites, &ok(RECEIPT));
        assert_eq!(buyer.replies_to(client), [ok(RECEIPT)]);
    }
}

#[test]
fn a_refusal_names_each_item_that_is_short_once_the_purchase_has_ended() {
    let few = r#"{"item_id":"1:42","available":1,"quantity":2}"#;
    let none = r#"{"item_id":"2:1","available":0,"quantity":1}"#;
    let of_few = "1 unit of 1:42 is for sale, fewer than 2";
    let of_none = "0 units of 2:1 are for sale, fewer than 1";
    for (shortages, expected) in
        [(few.to_owned(), of_few.to_owned()), (format!("{few},{none}"), format!("{of_few}; {of_none}"))]
    {
        let mut buyer = buyer();
        refuse(&mut buyer, &shortages);
        assert_eq!(buyer.replies(), [""; 0], "its key is not free yet");
        buyer.reply(Lane::CustomerWrites, &ok(REFUSED));
        assert_eq!(buyer.refusal(), ("OUT_OF_STOCK".to_owned(), expected));
    }
}

#[test]
fn a_purchase_that_cannot_be_begun_takes_nothing() {
    for code in ["FAILED_PRECONDITION", "NOT_LOGGED_IN", "SESSION_TIMEOUT", "RESOURCE_EXHAUSTED"] {
        let mut buyer = buyer();
        buyer.ask("1", "MakePurchase", &format!(r#"{{"session_id":"{SESSION}"}}"#));
        buyer.reply(Lane::CustomerWrites, &refused(code));
        assert_eq!(buyer.refusal(), (code.to_owned(), "no".to_owned()));
        assert_eq!(buyer.calls().len(), 1);
    }
}

#[test]
fn a_bad_key_reaches_no_database() {
    for key in [r#""""#.to_owned(), format!("\"{}\"", "k".repeat(65)), "7".to_owned(), "[]".to_owned()] {
        let mut buyer = buyer();
        buyer.ask("1", "MakePurchase", &format!(r#"{{"session_id":"{SESSION}","idempotency_key":{key}}}"#));
        let (code, message) = buyer.refusal();
        assert_eq!(code, "INVALID_ARGUMENT", "{key}");
        assert!(message.contains("idempotency_key"), "{message}");
        assert_eq!(buyer.calls(), []);
    }
}

#[test]
fn a_purchase_that_ended_long_ago_is_told_as_it_ended() {
    for (end, receipt) in [(RECEIPT, Some(RECEIPT)), (REFUSED, None)] {
        let mut buyer = buyer();
        begin(&mut buyer);
        buyer.reply(Lane::ProductWrites, &refused("FAILED_PRECONDITION"));
        expect(&mut buyer, Lane::CustomerWrites, &finish_call(false));
        buyer.reply(Lane::CustomerWrites, &ok(end));
        match receipt {
            Some(receipt) => assert_eq!(buyer.replies(), [ok(receipt)]),
            None => assert_eq!(
                buyer.refusal(),
                ("OUT_OF_STOCK".to_owned(), "fewer units were for sale than the cart holds".to_owned())
            ),
        }
    }
}

#[test]
fn a_defect_of_a_database_is_said_as_it_is() {
    for code in ["INTERNAL", "NOT_FOUND"] {
        let mut taking = buyer();
        begin(&mut taking);
        taking.reply(Lane::ProductWrites, &refused(code));
        assert_eq!(taking.refusal(), (code.to_owned(), "no".to_owned()));

        let mut finishing = buyer();
        take(&mut finishing);
        finishing.reply(Lane::CustomerWrites, &refused(code));
        assert_eq!(finishing.refusal(), (code.to_owned(), "no".to_owned()));
    }
}

#[test]
fn a_purchase_whose_begin_is_lost_may_have_been_made() {
    let ask = |buyer: &mut Harness<Buyer>| {
        buyer.ask("1", "MakePurchase", &format!(r#"{{"session_id":"{SESSION}","idempotency_key":"k"}}"#));
    };
    let said = |message: &str| ("UNAVAILABLE".to_owned(), message.to_owned());

    let mut broken = buyer();
    ask(&mut broken);
    broken.calls();
    broken.break_lane(Lane::CustomerWrites);
    assert_eq!(broken.refusal(), said("db_customer did not answer; the change may have been made"));
    broken.mend_lane(Lane::CustomerWrites);
    assert_eq!(broken.calls(), [], "not even with a key: its first time may come late, after a refusal");

    let mut unsent = buyer();
    unsent.break_lane(Lane::CustomerWrites);
    ask(&mut unsent);
    unsent.pass(patience());
    assert_eq!(unsent.refusal(), said("db_customer cannot be reached; nothing was changed"));
}

/// A stage of a purchase: how it is reached, and which call is under way then.
type Stage = (fn(&mut Harness<Buyer>), Lane, fn() -> String);

const STAGES: [Stage; 3] = [
    (begin, Lane::ProductWrites, take_call),
    (take, Lane::CustomerWrites, || finish_call(true)),
    (
        |buyer| refuse(buyer, r#"{"item_id":"1:42","available":1,"quantity":2}"#),
        Lane::CustomerWrites,
        || finish_call(false),
    ),
];

#[test]
fn a_purchase_that_is_lost_in_the_middle_is_under_way() {
    let expected = |lane: Lane| {
        ("UNAVAILABLE".to_owned(), format!("{} did not answer; {UNDER_WAY}", lane.database().name()))
    };
    for (reach, lane, _) in STAGES {
        let mut unanswered = buyer();
        reach(&mut unanswered);
        unanswered.pass(patience());
        assert_eq!(unanswered.refusal(), expected(lane), "it is not answered");

        let mut unsent = buyer();
        reach(&mut unsent);
        unsent.break_lane(lane);
        unsent.pass(patience());
        assert_eq!(unsent.refusal(), expected(lane), "the database is away");

        let mut refusing = buyer();
        reach(&mut refusing);
        refusing.reply(lane, &refused("RESOURCE_EXHAUSTED"));
        assert_eq!(refusing.refusal(), expected(lane), "the database has no room");
    }
}

#[test]
fn a_lane_without_room_leaves_a_purchase_under_way_and_begins_none() {
    let mut buyer = narrow(false);
    let other = buyer.client();
    buyer.connect();
    begin(&mut buyer);
    buyer.ask_as(other, "2", "Logout", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    assert_eq!(buyer.calls().len(), 1, "it fills the lane");
    buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{TAKEN}}}"#)));
    let expected = format!("db_customer did not answer; {UNDER_WAY}");
    assert_eq!(buyer.refusal(), ("UNAVAILABLE".to_owned(), expected));

    buyer.ask("1", "MakePurchase", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    let (code, message) = buyer.refusal();
    let expected = "db_customer has too many requests in flight, try again in 1 s; nothing was changed";
    assert_eq!((&*code, &*message), ("RESOURCE_EXHAUSTED", expected));
}

#[test]
fn each_step_after_the_first_is_repeated_when_its_connection_breaks() {
    for (reach, lane, call) in STAGES {
        let mut buyer = buyer();
        reach(&mut buyer);
        buyer.break_lane(lane);
        buyer.mend_lane(lane);
        expect(&mut buyer, lane, &call());
    }
}

#[test]
fn a_purchase_goes_on_without_its_client() {
    let mut buyer = buyer();
    begin(&mut buyer);
    buyer.disconnect();
    buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{TAKEN}}}"#)));
    expect(&mut buyer, Lane::CustomerWrites, &finish_call(true));
    assert!(!buyer.is_idle());
    buyer.reply(Lane::CustomerWrites, &ok(RECEIPT));
    assert!(buyer.is_idle());
}
