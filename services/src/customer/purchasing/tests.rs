//! Purchases between carts, sellers and histories.

mod harness;

use std::time::Duration;

use self::harness::{DESK, LAMP, SECOND, START, Shop, TIMEOUT, check, code, json, taken};
use super::*;
use crate::api::error::Code;
use crate::api::purchases::{LINES_MAX, Unfinished};
use crate::api::sessions::Logout;
use crate::api::values::{ItemId, QUANTITY_MAX, SessionId};
use crate::customer::cart::Cart;
use crate::customer::rows::CustomerKey;
use crate::engine::domain::Domain;

const REFUSED: &str = r#"{"refused":true}"#;

#[test]
fn what_was_bought_leaves_the_cart_and_is_counted_and_remembered() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 2);
    shop.add(1, LAMP, 3);
    let begun = shop.begun(1, None);
    assert_eq!(begun.lines, Lines([(DESK, 2), (LAMP, 3)].into()));
    assert_eq!(shop.cart(1), [(DESK, 2), (LAMP, 3)], "nothing has left it yet");
    let mut items = taken(&begun.lines, 1, 1999);
    items.0[1].seller_id = 2;
    let receipt = shop.finish(begun.purchase_id, Some(items)).expect("it is made");
    let items = r#"[{"item_id":"1:1","name":"item \"1:1\"","quantity":2,"price":19.99},{"item_id":"1:2","name":"item \"1:2\"","quantity":3,"price":19.99}]"#;
    let id = begun.purchase_id;
    assert_eq!(receipt, format!(r#"{{"purchase_id":"{id}","items":{items},"total":99.95}}"#));
    assert_eq!((shop.cart(1), shop.sold()), (vec![], [2, 3]));
    assert_eq!(shop.history(1, 1, None).purchases_count, 0, "it is not on disk");
    shop.flush();
    let history = json(&shop.history(1, 1, None));
    let at = START.as_millis();
    let purchase = format!(r#"{{"purchase_id":"{id}","at":{at},"items":{items},"total":99.95}}"#);
    let page = format!(r#"{{"buyer_id":1,"purchases_count":1,"purchases":[{purchase}],"next_cursor":null}}"#);
    assert_eq!(history, page);
}

#[test]
fn an_empty_cart_buys_nothing() {
    let mut shop = Shop::new();
    assert_eq!(code(shop.begin(1, None)), Code::FailedPrecondition);
    assert_eq!(code(shop.begin(1, Some("a"))), Code::FailedPrecondition);
    assert!(!shop.customer.is_dirty());
    shop.add(1, DESK, 1);
    shop.begun(1, Some("a"));
}

#[test]
fn who_may_not_use_the_session_buys_nothing() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 1);
    let other = SessionCheck { session_id: SessionId { number: 1, secret: 1 }, role: None };
    let request = BeginPurchase { session: other, idempotency_key: None };
    assert_eq!(code(shop.customer.answer(START, request)), Code::NotLoggedIn);
    shop.now = START + TIMEOUT * 2;
    assert_eq!(code(shop.begin(1, None)), Code::SessionTimeout);
}

#[test]
fn a_second_time_while_one_is_under_way_is_the_same_purchase_or_refused() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 1);
    let id = shop.begun(1, Some("a")).purchase_id;
    shop.add(1, LAMP, 1);
    for key in [None, Some("a")] {
        let joined = shop.begun(1, key);
        assert_eq!((joined.purchase_id, joined.lines), (id, Lines([(DESK, 1)].into())));
    }
    assert_eq!(code(shop.begin(1, Some("b"))), Code::FailedPrecondition);
    assert_eq!(shop.begun(2, Some("a")).purchase_id, id, "from another session, whose cart is empty");
    shop.add(3, DESK, 1);
    let other = shop.begun(3, Some("a")).purchase_id;
    assert_ne!(other, id, "another buyer has keys of their own");
    shop.add(2, LAMP, 1);
    assert_ne!(shop.begun(2, None).purchase_id, id, "another session has a cart of its own");
}

#[test]
fn a_key_returns_the_first_reply_byte_for_byte_whatever_is_in_the_cart_now() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 1);
    let begun = shop.begun(1, Some("a"));
    let receipt = shop.buy(&begun);
    shop.add(1, LAMP, 5);
    assert_eq!(shop.made(1, "a"), receipt);
    assert_eq!(shop.made(2, "a"), receipt, "from another session");
    assert_eq!(shop.cart(1), [(LAMP, 5)]);
    shop.flush();
    shop.restart(START + Duration::from_secs(24 * 3600));
    shop.now = START + SECOND;
    assert_eq!(shop.made(1, "a"), receipt, "after a restart");
    assert_eq!(shop.sold(), [1, 0]);
}

#[test]
fn what_was_refused_leaves_nothing_and_its_key_is_free() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 1);
    let first = shop.begun(1, Some("a")).purchase_id;
    shop.flush();
    assert_eq!(shop.finish(first, None).as_deref(), Ok(REFUSED));
    assert_eq!(shop.finish(first, None).as_deref(), Ok(REFUSED), "it may be asked for again");
    shop.flush();
    assert_eq!(shop.finish(first, None).as_deref(), Ok(REFUSED));
    assert!(!shop.stored.contains_key(&CustomerKey::Purchase(first)));
    assert_eq!((shop.cart(1), shop.sold()), (vec![(DESK, 1)], [0, 0]));
    let second = shop.begun(1, Some("a"));
    assert!(second.purchase_id > first);
    shop.buy(&second);
    shop.flush();
    assert_eq!(shop.history(1, 10, None).purchases_count, 1);
}

#[test]
fn a_purchase_is_made_once_however_often_it_is_finished() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 2);
    let begun = shop.begun(1, None);
    let receipt = shop.buy(&begun);
    shop.add(1, DESK, 2);
    assert_eq!(shop.buy(&begun), receipt);
    shop.flush();
    assert_eq!(shop.buy(&begun), receipt);
    assert_eq!(shop.finish(begun.purchase_id, None), Ok(receipt.clone()), "it stays as it has ended");
    shop.restart(START);
    assert_eq!(shop.buy(&begun), receipt);
    assert_eq!((shop.cart(1), shop.sold()), (vec![(DESK, 2)], [2, 0]));
    assert!(!shop.customer.is_dirty());
}

#[test]
fn what_was_taken_for_no_purchase_is_not_found() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 1);
    let begun = shop.begun(1, None);
    let taken = taken(&begun.lines, 1, 1);
    assert_eq!(shop.finish(begun.purchase_id, None).as_deref(), Ok(REFUSED));
    assert_eq!(code(shop.finish(begun.purchase_id, Some(taken.clone()))), Code::NotFound);
    assert_eq!(code(shop.finish(PurchaseId(5), Some(taken))), Code::NotFound);
    assert_eq!((shop.cart(1), shop.sold()), (vec![(DESK, 1)], [0, 0]));
}

#[test]
fn what_was_taken_must_be_what_was_to_be_bought() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 2);
    let begun = shop.begun(1, None);
    for lines in [[(DESK, 1)].into(), [(LAMP, 2)].into(), [(DESK, 2), (LAMP, 2)].into()] {
        let taken = taken(&Lines(lines), 1, 1);
        assert_eq!(code(shop.finish(begun.purchase_id, Some(taken))), Code::InvalidArgument);
    }
    assert_eq!((shop.cart(1), shop.sold()), (vec![(DESK, 2)], [0, 0]));
    shop.buy(&begun);
}

#[test]
fn what_was_added_meanwhile_stays_and_what_was_removed_is_not_missed() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 5);
    shop.add(1, LAMP, 5);
    let begun = shop.begun(1, None);
    shop.add(1, DESK, 3);
    shop.add(1, LAMP, -4);
    shop.flush();
    shop.buy(&begun);
    assert_eq!(shop.cart(1), [(DESK, 3)]);
}

#[test]
fn a_purchase_goes_on_when_its_session_ends_and_does_not_keep_it_alive() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 1);
    shop.add(2, DESK, 2);
    let [of_first, of_second] = [1, 2].map(|session| shop.begun(session, None));
    shop.flush();
    shop.customer.answer(START, Logout(check(1))).expect("it was open");
    shop.flush();
    shop.buy(&of_first);
    assert!(shop.customer.sessions.rows.latest(&1).is_none(), "it does not come back");

    shop.now = START + TIMEOUT + TIMEOUT / 5;
    shop.customer.end_turn(shop.now);
    shop.flush();
    let ended = shop.customer.sessions.rows.get(&2).expect("it is remembered").active_at;
    shop.buy(&of_second);
    assert_eq!(code(shop.begin(2, None)), Code::SessionTimeout);
    assert_eq!(shop.customer.sessions.rows.latest(&2).expect("it is remembered").active_at, ended);
    shop.flush();
    assert_eq!((shop.history(1, 10, None).purchases_count, shop.sold()), (2, [3, 0]));
}

#[test]
fn no_session_gets_the_number_of_one_that_has_a_purchase_under_way() {
    let mut shop = Shop::new();
    shop.add(3, DESK, 1);
    let begun = shop.begun(3, None);
    shop.customer.answer(START, Logout(check(3))).expect("it was open");
    shop.flush();
    shop.restart(START);
    let cart = Cart::from_lines([(LAMP, 1)].into_iter()).expect("a cart");
    let opened = shop.customer.sessions.open(shop.now, 0, Role::Buyer, 1, cart).expect("there is room");
    assert_eq!(opened.number, 4);
    let other = shop.begun(4, None);
    assert_ne!(other.purchase_id, begun.purchase_id, "it is another buyer's");
    shop.buy(&begun);
    assert_eq!(shop.cart(4), [(LAMP, 1)]);
}

#[test]
fn a_purchase_under_way_survives_a_restart_and_is_claimed() {
    let mut shop = Shop::new();
    shop.add(1, DESK, 1);
    let begun = shop.begun(1, Some("a"));
    assert!(shop.claim(100).is_empty());
    shop.flush();
    shop.restart(START);
    let claimed = shop.claim(100);
    let ids = |claimed: &[Unfinished]| claimed.iter().map(|one| one.purchase_id).collect::<Vec<_>>();
    assert_eq!(ids(&claimed), [begun.purchase_id]);
    assert_eq!(shop.begun(1, Some("a")).purchase_id, begun.purchase_id);
    shop.buy(&claimed[0]);
    assert_eq!((shop.cart(1), shop.sold()), (vec![], [1, 0]));
    shop.now = START + SECOND * 10;
    assert!(shop.claim(100).is_empty(), "it has ended");
}

#[test]
fn no_id_is_given_twice_when_the_clock_is_set_back_over_a_restart() {
    let mut shop = Shop::new();
    let mut last = PurchaseId(0);
    for _ in 0..3 {
        shop.add(1, DESK, 1);
        let begun = shop.begun(1, None);
        assert!(begun.purchase_id > last);
        last = begun.purchase_id;
        shop.flush();
        shop.finish(begun.purchase_id, None).expect("it is refused");
        shop.flush();
        shop.restart(START - Duration::from_secs(3600));
        assert!(shop.now >= START, "it goes on from the last time that is on disk");
    }
}

#[test]
fn the_greatest_purchase_has_an_exact_total() {
    let mut shop = Shop::new();
    for n in 1..=LINES_MAX as u32 {
        shop.add(1, ItemId { category: 1, n }, QUANTITY_MAX.into());
    }
    let begun = shop.begun(1, None);
    assert_eq!(begun.lines.0.len(), 1000);
    let taken = taken(&begun.lines, 1, 100_000_000_000);
    let receipt = shop.finish(begun.purchase_id, Some(taken)).expect("it is made");
    assert!(receipt.ends_with(r#""total":1000000000000000000000.0}"#), "{}", &receipt[receipt.len() - 60..]);
    assert_eq!((shop.cart(1), shop.sold()), (vec![], [1_000_000_000_000, 0]));
    shop.flush();
    shop.restart(START);
    let history = shop.history(1, 1, None);
    assert_eq!(history.purchases[0].total, Total(100_000_000_000_000_000_000_000));
}

#[test]
fn a_history_is_told_newest_first_and_page_by_page() {
    let mut shop = Shop::new();
    let mut newest_first = Vec::new();
    for n in 1..=5 {
        shop.add(1, ItemId { category: 1, n }, 1);
        let begun = shop.begun(1, None);
        shop.buy(&begun);
        newest_first.insert(0, begun.purchase_id);
        shop.now = shop.now + SECOND;
    }
    shop.flush();
    let (mut told, mut after) = (Vec::new(), None);
    loop {
        let page = shop.history(1, 2, after);
        assert_eq!(page.purchases_count, 5);
        assert!(page.purchases.iter().is_sorted_by(|newer, older| newer.at > older.at));
        told.push(page.purchases.len());
        assert!(
            page.purchases
                .iter()
                .map(|purchase| purchase.purchase_id)
                .eq(newest_first.drain(..told[told.len() - 1]))
        );
        after = page.next_cursor.map(|Cursor(id)| id);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(told, [2, 2, 1]);
    assert_eq!(shop.history(2, 2, None).purchases_count, 0);
}

#[test]
fn a_page_of_a_history_has_as_much_as_fits_in_a_reply() {
    let mut shop = Shop::new();
    for _ in 0..5 {
        for n in 1..=LINES_MAX as u32 {
            shop.add(1, ItemId { category: 2_147_483_647, n: u32::MAX - n }, QUANTITY_MAX.into());
        }
        let begun = shop.begun(1, None);
        let mut taken = taken(&begun.lines, u32::MAX, 99_999_999_999);
        taken.0.iter_mut().for_each(|item| item.name = "\u{1f600}".repeat(32).into());
        shop.finish(begun.purchase_id, Some(taken)).expect("it is made");
    }
    shop.flush();
    let page = shop.history(1, 1000, None);
    assert_eq!((page.purchases.len(), page.purchases_count), (4, 5));
    assert!(json(&page).len() < 1 << 20);
    let after = page.next_cursor.map(|Cursor(id)| id);
    let page = shop.history(1, 1000, after);
    assert_eq!((page.purchases.len(), page.next_cursor.is_none()), (1, true));
}

#[test]
fn claims_come_a_hundred_at_once_at_most() {
    let mut shop = Shop::new();
    for number in 10..120 {
        let cart = Cart::from_lines([(DESK, 1)].into_iter()).expect("a cart");
        let opened = shop.customer.sessions.open(START, 0, Role::Buyer, 1, cart).expect("there is room");
        shop.begun(opened.number, None);
        assert_eq!(opened.number, number - 6);
    }
    shop.flush();
    shop.now = START + SECOND;
    assert_eq!([1000, 5, 1000, 1000].map(|limit| shop.claim(limit).len()), [100, 5, 5, 0]);
}
