//! Purchases on their way to disk and to their end.

use std::time::Duration;

use super::*;
use crate::api::error::Code;
use crate::api::values::{ItemId, Price};

const START: Time = Time::from_millis(1_800_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const ITEM: ItemId = ItemId { category: 1, n: 42 };

fn lines() -> Lines {
    Lines([(ITEM, 2)].into())
}

fn items() -> Vec<PurchasedItem> {
    vec![PurchasedItem { item_id: ITEM, name: "desk".into(), quantity: 2, price: Price(1999) }]
}

fn key(key: &str) -> IdempotencyKey {
    IdempotencyKey(key.into())
}

/// Begins a purchase of buyer 7.
fn begin(purchases: &mut Purchases, at: Time, session_number: u64) -> PurchaseId {
    purchases.begin(at, 7, session_number, None, lines()).expect("there is room")
}

/// Seals what has changed, as a group that is under way to disk; returns how many rows it has.
fn seal(purchases: &mut Purchases) -> usize {
    purchases.seal().count()
}

fn flush(purchases: &mut Purchases) {
    seal(purchases);
    purchases.publish();
}

fn claim(purchases: &mut Purchases, now: Time) -> Vec<PurchaseId> {
    purchases.claim(now, 1000).into_iter().map(|unfinished| unfinished.purchase_id).collect()
}

fn code<T>(result: Result<T, Error>) -> Code {
    result.err().expect("it is refused").code
}

#[test]
fn what_is_old_and_on_disk_is_claimed_by_one_at_a_time() {
    let mut purchases = Purchases::new();
    let id = begin(&mut purchases, START, 1);
    assert_eq!(claim(&mut purchases, START + SECOND), [], "it is not on disk");
    seal(&mut purchases);
    assert_eq!(claim(&mut purchases, START + SECOND), [], "it is under way to disk");
    purchases.publish();
    let millis = Duration::from_millis;
    assert_eq!(claim(&mut purchases, START + millis(999)), [], "whoever began it has a second");
    assert_eq!(claim(&mut purchases, START + SECOND), [id]);
    assert_eq!(claim(&mut purchases, START + millis(3999)), [], "whoever has claimed it has three");
    assert_eq!(claim(&mut purchases, START + SECOND * 4), [id]);
    purchases.make(id, items());
    assert_eq!(claim(&mut purchases, START + SECOND * 10), [], "its end is under way to disk");
    flush(&mut purchases);
    assert_eq!(claim(&mut purchases, START + SECOND * 10), []);
}

#[test]
fn the_oldest_are_claimed_first_and_no_more_than_were_asked_for() {
    let mut purchases = Purchases::new();
    let ids: Vec<_> = (1..=5).map(|session| begin(&mut purchases, START, session)).collect();
    flush(&mut purchases);
    let now = START + SECOND;
    let pages: Vec<Vec<_>> = (0..4)
        .map(|_| purchases.claim(now, 2).iter().map(|unfinished| unfinished.purchase_id).collect())
        .collect();
    assert_eq!(pages, [&ids[..2], &ids[2..4], &ids[4..], &[]]);
    let claimed = purchases.claim(now + SECOND * 3, 1);
    assert_eq!(claimed[0].lines, lines());
}

#[test]
fn what_has_ended_is_told_once_that_is_on_disk_and_ten_seconds_old() {
    let mut purchases = Purchases::new();
    let first = begin(&mut purchases, START, 1);
    let second = begin(&mut purchases, START + SECOND, 2);
    flush(&mut purchases);
    let late = START + SECOND * 100;
    assert_eq!(purchases.ended_before(late), first);
    purchases.make(first, items());
    seal(&mut purchases);
    assert_eq!(purchases.ended_before(late), first, "its end is not on disk");
    purchases.publish();
    assert_eq!(purchases.ended_before(late), second);
    assert_eq!(purchases.ended_before(START + SECOND * 10), PurchaseId::first_at(START), "it is too young");
    purchases.refuse(second);
    assert_eq!(purchases.ended_before(late), second, "its end is not on disk");
    flush(&mut purchases);
    assert_eq!(purchases.ended_before(late), PurchaseId::first_at(START + SECOND * 90));
    assert_eq!(purchases.ended_counts(), [1, 1]);
    assert_eq!(purchases.unfinished_len(), 0);
}

#[test]
fn no_purchase_counts_as_ended_for_one_that_is_told_at_the_same_time() {
    let mut purchases = Purchases::new();
    let id = begin(&mut purchases, START, 1);
    flush(&mut purchases);
    for now in [START, START + SECOND * 1000] {
        assert!(purchases.unfinished(now, id, lines()).ended_before <= id);
    }
}

#[test]
fn a_session_has_one_under_way_and_a_key_names_one() {
    let mut purchases = Purchases::new();
    let id = purchases.begin(START, 7, 1, Some(key("a")), lines()).expect("there is room");
    assert_eq!(purchases.meant(7, 1, None), Ok(Some(id)));
    assert_eq!(purchases.meant(7, 2, Some(&key("a"))), Ok(Some(id)), "from whichever session");
    assert_eq!(purchases.meant(8, 3, Some(&key("a"))), Ok(None), "it is another buyer's own");
    assert_eq!(purchases.meant(7, 2, None), Ok(None));
    assert_eq!(code(purchases.meant(7, 1, Some(&key("b")))), Code::FailedPrecondition);
    purchases.make(id, items());
    assert_eq!(purchases.meant(7, 1, None), Ok(None), "the next one may begin");
    assert_eq!(purchases.meant(7, 2, Some(&key("a"))), Ok(Some(id)), "as long as there is the record");
    let other = purchases.begin(START, 7, 1, Some(key("b")), lines()).expect("there is room");
    purchases.refuse(other);
    assert_eq!(purchases.meant(7, 1, Some(&key("b"))), Ok(None), "the key is free again");
}

#[test]
fn ids_grow_whatever_the_clock_says() {
    let mut purchases = Purchases::new();
    let first = begin(&mut purchases, START, 1);
    assert_eq!(first, PurchaseId::first_at(START));
    assert_eq!(begin(&mut purchases, START - SECOND, 2), PurchaseId(first.0 + 1));
    assert!(begin(&mut purchases, START + SECOND, 3) >= PurchaseId::first_at(START + SECOND));

    let record = purchases.latest(first).expect("it has begun").clone();
    let mut restarted = Purchases::new();
    assert!(restarted.load(first, record));
    assert_eq!(begin(&mut restarted, START - SECOND, 2), PurchaseId(first.0 + 1));
}

#[test]
fn rows_that_make_no_sense_together_are_not_taken() {
    let begun = |session_number| State::Begun { session_number, lines: lines() };
    let record = |buyer_id, key, state| Record { buyer_id, key, at: START, state };
    let loads = |rows: [Record; 2]| {
        let mut purchases = Purchases::new();
        let loaded = rows.into_iter().zip(1..).map(|(record, id)| purchases.load(PurchaseId(id), record));
        loaded.collect::<Vec<_>>()
    };
    let a = || Some(key("a"));
    assert_eq!(loads([record(7, None, begun(1)), record(7, None, begun(1))]), [true, false]);
    assert_eq!(loads([record(7, None, begun(1)), record(7, None, begun(2))]), [true, true]);
    assert_eq!(loads([record(7, a(), State::Made(items())), record(7, a(), begun(1))]), [true, false]);
    assert_eq!(loads([record(7, a(), State::Made(items())), record(8, a(), begun(1))]), [true, true]);
}

#[test]
fn what_was_under_way_before_a_start_is_claimed_after_it() {
    let mut purchases = Purchases::new();
    let state = State::Begun { session_number: 1, lines: lines() };
    assert!(purchases.load(PurchaseId(5), Record { buyer_id: 7, key: None, at: START, state }));
    assert_eq!(purchases.ended_before(START + SECOND * 100), PurchaseId(5));
    assert_eq!(claim(&mut purchases, START), [PurchaseId(5)], "nobody else has it in hand");
    assert_eq!(claim(&mut purchases, START), []);
}

#[test]
fn a_history_is_in_order_in_whatever_order_purchases_are_made() {
    let mut purchases = Purchases::new();
    let [first, second, third] = [1, 2, 3].map(|session| begin(&mut purchases, START, session));
    purchases.make(second, items());
    assert_eq!(purchases.history(7), [], "it is not on disk");
    flush(&mut purchases);
    assert_eq!(purchases.history(7), [second]);
    purchases.make(third, items());
    purchases.make(first, items());
    flush(&mut purchases);
    assert_eq!(purchases.history(7), [first, second, third]);
    assert_eq!(purchases.made(first), Some((START, &*items())));
    assert_eq!(purchases.history(8), []);
}

#[test]
fn there_is_a_maximum_of_what_is_under_way() {
    let mut purchases = Purchases::new();
    let ids: Vec<_> =
        (1..=UNFINISHED_MAX as u64).map(|session| begin(&mut purchases, START, session)).collect();
    let refused = purchases.begin(START, 7, 0, Some(key("a")), lines());
    assert_eq!(code(refused), Code::ResourceExhausted);
    assert_eq!(purchases.meant(7, 0, Some(&key("a"))), Ok(None), "it has not begun");
    purchases.refuse(ids[0]);
    assert!(purchases.begin(START, 7, 0, None, lines()).is_err(), "its end is not on disk");
    flush(&mut purchases);
    begin(&mut purchases, START, 0);
}
