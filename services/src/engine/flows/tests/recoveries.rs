//! Purchases that were left in the middle: a frontend brings them to their end, without being asked.

use std::time::Duration;

use super::harness::{Harness, SESSION, narrow, recovering, seller};
use super::purchases::expect;
use super::{ok, patience, refused};
use crate::engine::lane::Lane;
use crate::frontend::buyer::Buyer;

/// The time from one recovery to the next.
const PAUSE: Duration = Duration::from_secs(1);
const CLAIM: &str = r#""api":"ClaimPurchases","data":{"limit":100}"#;
/// What a purchase that was made is finished with.
const MADE: &str = r#"{"purchase_id":"1","items":[],"total":0.0}"#;
const RECOVERED: &str = "marketplace_purchases_recovered_total";

/// Answers a claim with purchases of these numbers.
fn claim(buyer: &mut Harness<Buyer>, numbers: impl IntoIterator<Item = u32>) {
    expect(buyer, Lane::Customer, CLAIM);
    let purchases = numbers
        .into_iter()
        .map(|n| format!(r#"{{"purchase_id":"{n}","lines":{{"1:42":2}},"ended_before":"0"}}"#));
    let purchases = purchases.collect::<Vec<_>>().join(",");
    buyer.reply(Lane::Customer, &ok(&format!(r#"{{"purchases":[{purchases}]}}"#)));
}

/// What was taken for a purchase: its number tells the price.
fn taken(n: u32) -> String {
    format!(r#"[{{"item_id":"1:42","seller_id":3,"name":"pen","quantity":2,"price":{n}.0}}]"#)
}

fn take_call(n: u32) -> (Lane, String) {
    let data = format!(r#"{{"purchase_id":"{n}","lines":{{"1:42":2}},"ended_before":"0"}}"#);
    (Lane::ProductWrites, call("TakeStock", &data))
}

fn finish_call(n: u32, is_made: bool) -> (Lane, String) {
    let taken = if is_made { format!(r#","taken":{}"#, taken(n)) } else { String::new() };
    (Lane::CustomerWrites, call("FinishPurchase", &format!(r#"{{"purchase_id":"{n}"{taken}}}"#)))
}

fn call(api: &str, data: &str) -> String {
    format!(r#"{{"type":"Request","request_id":#,"api":"{api}","data":{data}}}"#)
}

/// The oldest purchase whose stock was asked for is made.
fn recover(buyer: &mut Harness<Buyer>, n: u32) {
    buyer.calls();
    buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{}}}"#, taken(n))));
    assert_eq!(buyer.calls(), [finish_call(n, true)]);
    buyer.reply(Lane::CustomerWrites, &ok(MADE));
}

/// Checks that nothing is asked for until the next recovery, which begins then.
#[track_caller]
fn expect_rest(buyer: &mut Harness<Buyer>) {
    assert_eq!(buyer.calls(), []);
    buyer.pass(PAUSE - Duration::from_millis(1));
    assert_eq!(buyer.calls(), []);
    buyer.pass(Duration::from_millis(1));
    expect(buyer, Lane::Customer, CLAIM);
}

fn count(buyer: &Harness<Buyer>) -> Vec<String> {
    buyer.metrics(RECOVERED)
}

fn counted(number: u64) -> [String; 1] {
    [format!("{RECOVERED} {number}")]
}

#[test]
fn a_frontend_looks_for_unfinished_purchases_at_its_start_and_each_second() {
    let mut buyer = recovering();
    claim(&mut buyer, []);
    expect_rest(&mut buyer);
    buyer.reply(Lane::Customer, &ok(r#"{"purchases":[]}"#));
    expect_rest(&mut buyer);
    assert_eq!(count(&buyer), [""; 0]);
}

#[test]
fn only_buyers_have_purchases() {
    let mut seller = seller();
    seller.pass(10 * PAUSE);
    assert_eq!(seller.calls(), []);
}

#[test]
fn unfinished_purchases_are_brought_to_their_ends_at_the_same_time() {
    let mut buyer = recovering();
    claim(&mut buyer, 1..=3);
    assert_eq!(buyer.calls(), [take_call(1), take_call(2), take_call(3)]);
    buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{}}}"#, taken(1))));
    let refused = r#"{"refused":[{"item_id":"1:42","available":1,"quantity":2}]}"#;
    buyer.reply(Lane::ProductWrites, &ok(refused));
    assert_eq!(buyer.calls(), [finish_call(1, true), finish_call(2, false)]);
    buyer.reply(Lane::CustomerWrites, &ok(MADE));
    buyer.reply(Lane::CustomerWrites, &ok(r#"{"refused":true}"#));
    buyer.pass(patience() - Duration::from_millis(1));
    assert_eq!(buyer.calls(), [], "the next recovery waits for all of this one");
    recover(&mut buyer, 3);
    assert_eq!(count(&buyer), counted(3));
    expect_rest(&mut buyer);
    assert_eq!(buyer.replies(), [""; 0], "nobody has asked for it");
    assert_eq!(buyer.metrics("marketplace_requests_total"), [""; 0]);
}

#[test]
fn a_purchase_whose_decision_is_forgotten_is_ended_without_it() {
    let mut buyer = recovering();
    claim(&mut buyer, 1..=2);
    buyer.calls();
    buyer.reply(Lane::ProductWrites, &refused("FAILED_PRECONDITION"));
    assert_eq!(buyer.calls(), [finish_call(1, false)]);
    buyer.reply(Lane::CustomerWrites, &ok(r#"{"refused":true}"#));
    recover(&mut buyer, 2);
    assert_eq!(count(&buyer), counted(2));
}

#[test]
fn as_many_as_may_be_claimed_are_followed_by_more_at_once() {
    let mut buyer = recovering();
    claim(&mut buyer, 1..=100);
    (1..=100).for_each(|n| recover(&mut buyer, n));
    buyer.pass(Duration::ZERO);
    claim(&mut buyer, 101..=101);
    recover(&mut buyer, 101);
    assert_eq!(count(&buyer), counted(101));
    expect_rest(&mut buyer);
}

#[test]
fn a_purchase_that_cannot_be_ended_keeps_none_of_the_others() {
    for is_taken in [false, true] {
        let mut buyer = recovering();
        claim(&mut buyer, 1..=2);
        buyer.calls();
        if is_taken {
            buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{}}}"#, taken(1))));
            assert_eq!(buyer.calls(), [finish_call(1, true)]);
            buyer.reply(Lane::CustomerWrites, &refused("NOT_FOUND"));
        } else {
            buyer.reply(Lane::ProductWrites, &refused("INTERNAL"));
        }
        recover(&mut buyer, 2);
        assert_eq!(count(&buyer), counted(1));
        expect_rest(&mut buyer);
    }
}

#[test]
fn a_step_that_is_lost_is_left_to_the_next_recovery() {
    let mut claiming = recovering();
    claim(&mut claiming, []);
    expect_rest(&mut claiming);
    claiming.pass(patience());
    expect_rest(&mut claiming);

    let mut taking = recovering();
    claim(&mut taking, 1..=3);
    recover(&mut taking, 1);
    taking.pass(patience());
    assert_eq!(count(&taking), counted(1), "what has ended counts");
    expect_rest(&mut taking);

    let mut finishing = recovering();
    claim(&mut finishing, 1..=1);
    finishing.calls();
    finishing.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{}}}"#, taken(1))));
    finishing.break_lane(Lane::CustomerWrites);
    finishing.calls();
    finishing.pass(patience());
    expect_rest(&mut finishing);
}

#[test]
fn where_one_of_many_is_lost_there_is_a_rest_too() {
    let mut buyer = recovering();
    claim(&mut buyer, 1..=100);
    (1..100).for_each(|n| recover(&mut buyer, n));
    buyer.pass(patience());
    assert_eq!(count(&buyer), counted(99));
    expect_rest(&mut buyer);
}

#[test]
fn a_step_is_repeated_when_its_connection_breaks() {
    let mut buyer = recovering();
    for lane in [Lane::Customer, Lane::ProductWrites, Lane::CustomerWrites] {
        let calls = buyer.calls();
        assert_eq!(calls.len(), 1);
        buyer.break_lane(lane);
        buyer.mend_lane(lane);
        assert_eq!(buyer.calls(), calls);
        match lane {
            Lane::Customer => buyer.reply(
                lane,
                &ok(r#"{"purchases":[{"purchase_id":"1","lines":{"1:42":2},"ended_before":"0"}]}"#),
            ),
            Lane::ProductWrites => buyer.reply(lane, &ok(&format!(r#"{{"taken":{}}}"#, taken(1)))),
            _ => buyer.reply(lane, &ok(r#"{"refused":true}"#)),
        }
    }
    assert_eq!(count(&buyer), counted(1));
}

#[test]
fn what_a_lane_has_no_room_for_is_left_to_the_next_recovery() {
    let mut buyer = narrow(true);
    claim(&mut buyer, 1..=3);
    assert_eq!(buyer.calls(), [take_call(1)]);
    buyer.ask("1", "ClearCart", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    assert_eq!(buyer.calls().len(), 1);
    buyer.reply(Lane::ProductWrites, &ok(&format!(r#"{{"taken":{}}}"#, taken(1))));
    expect_rest(&mut buyer);
}

#[test]
fn while_no_database_is_there_a_recovery_begins_again_and_again() {
    let mut buyer = recovering();
    Lane::all().for_each(|lane| buyer.break_lane(lane));
    buyer.calls();
    buyer.pass(10 * (patience() + PAUSE));
    assert_eq!(buyer.calls(), []);
    Lane::all().for_each(|lane| buyer.mend_lane(lane));
    buyer.pass(PAUSE);
    claim(&mut buyer, 1..=1);
    recover(&mut buyer, 1);
    assert_eq!(count(&buyer), counted(1));
}

#[test]
fn a_service_that_is_to_end_begins_no_recovery_and_waits_for_none() {
    let mut resting = recovering();
    claim(&mut resting, []);
    resting.disconnect();
    resting.drain();
    assert!(resting.is_idle());
    resting.pass(10 * PAUSE);
    assert_eq!(resting.calls(), []);

    let mut busy = recovering();
    claim(&mut busy, 1..=100);
    busy.disconnect();
    busy.drain();
    assert!(busy.is_idle(), "somebody else goes on with what was claimed");
    (1..=100).for_each(|n| recover(&mut busy, n));
    busy.pass(10 * PAUSE);
    assert_eq!(busy.calls(), [], "there may be more, and they are not for us");
}

#[test]
fn a_client_is_waited_for_while_there_is_a_recovery() {
    let mut buyer = recovering();
    buyer.ask("1", "GetItem", r#"{"item_id":"1:42"}"#);
    buyer.drain();
    assert!(!buyer.is_idle());
    buyer.reply(Lane::Product, &ok("{}"));
    assert_eq!(buyer.replies(), [ok("{}")]);
}
