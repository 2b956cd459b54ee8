//! Several databases of a kind: which of them is called, and what becomes of calls when one of them is away, hangs or ends.

use std::time::Duration;

use net::Conn;

use super::harness::{Harness, SESSION, seller, spread_buyer, spread_seller};
use super::{ok, patience, price_change, validated};
use crate::engine::flow::Flow;
use crate::engine::flows::calls::QUEUED_CALLS_MIN;
use crate::engine::lane::{Deadlines, Lane};
use crate::frontend::buyer::Buyer;

/// The connections of reads and of writes of products.
const READS: [usize; 3] = [3, 4, 5];
const WRITES: [usize; 3] = [6, 7, 8];

const ITEM: &str = r#"{"item_id":"1:42"}"#;
const END: &str = r#"{"type":"End"}"#;
const MOMENT: Duration = Duration::from_millis(1);
/// How long a call may wait for a connection until another one is chosen.
const CHOOSE_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How long a connection may be silent.
const SUSPECT_AFTER: Duration = Duration::from_millis(500);

/// Another client asks for an item. Returns it, and the connection that its call has taken, if it has left.
fn get(buyer: &mut Harness<Buyer>) -> (Conn, Option<usize>) {
    let client = buyer.connect();
    buyer.ask("1", "GetItem", ITEM);
    (client, taken(buyer))
}

/// The connection that a call has taken, the only one that has left, if one has.
fn taken(harness: &mut Harness<impl Flow>) -> Option<usize> {
    let calls = harness.calls_by_link();
    assert!(calls.len() < 2, "{calls:?}");
    calls.first().map(|(link, _)| *link)
}

/// The connections that so many further reads take, sorted.
fn links(buyer: &mut Harness<Buyer>, reads: usize) -> Vec<usize> {
    let mut links: Vec<_> = (0..reads).map(|_| get(buyer).1.expect("it leaves")).collect();
    links.sort_unstable();
    links
}

#[test]
fn calls_go_where_the_fewest_are_and_equals_take_turns() {
    let mut buyer = spread_buyer();
    assert_eq!(links(&mut buyer, 6), [3, 3, 4, 4, 5, 5]);
    (0..2).for_each(|_| buyer.reply_over(4, &ok("{}")));
    assert_eq!(links(&mut buyer, 2), [4, 4]);
    READS.into_iter().for_each(|link| (0..2).for_each(|_| buyer.reply_over(link, &ok("{}"))));

    let alone: Vec<_> = (0..6)
        .map(|_| {
            let link = get(&mut buyer).1.expect("it leaves");
            buyer.reply_over(link, &ok("{}"));
            link
        })
        .collect();
    assert_eq!(alone[..3], alone[3..], "each in turn, though none is busy");
    assert_eq!(alone[..3].iter().sum::<usize>(), 3 + 4 + 5);
}

#[test]
fn a_connection_that_is_down_is_passed_over_until_it_stands_again() {
    let mut buyer = spread_buyer();
    buyer.break_link(4);
    assert_eq!(links(&mut buyer, 4), [3, 3, 5, 5]);
    buyer.mend_link(4);
    assert_eq!(links(&mut buyer, 2), [4, 4]);
}

#[test]
fn a_lost_read_is_made_again_over_another_connection_at_once() {
    let mut buyer = spread_buyer();
    let (client, link) = get(&mut buyer);
    let first = link.expect("it leaves");
    buyer.break_link(first);
    let second = taken(&mut buyer).expect("it leaves again");
    assert_ne!(second, first);
    buyer.reply_over(second, &ok("{}"));
    assert_eq!(buyer.replies_to(client), [ok("{}")]);
}

/// Asks for a change that must not be made twice, and returns the connection that its call has taken.
fn change_price(seller: &mut Harness<impl Flow>) -> usize {
    seller.ask("1", "ChangeItemPrice", &price_change());
    seller.calls();
    seller.reply(Lane::Customer, &validated());
    taken(seller).expect("it leaves")
}

#[test]
fn a_lost_change_is_not_made_again_over_another_connection_either() {
    let mut seller = spread_seller();
    let link = change_price(&mut seller);
    seller.break_link(link);
    assert_eq!(taken(&mut seller), None);
    assert_eq!(seller.refusal().1, "db_product did not answer; the change may have been made");
}

#[test]
fn what_a_database_has_not_seen_when_it_ends_is_called_elsewhere_whatever_it_does() {
    let mut seller = spread_seller();
    let first = change_price(&mut seller);
    seller.line_over(first, END);
    let second = taken(&mut seller).expect("it leaves again");
    assert!(WRITES.contains(&second) && second != first);
    seller.line_over(second, END);
    let third = taken(&mut seller).expect("it leaves again");
    seller.line_over(third, END);
    assert_eq!(taken(&mut seller), None, "nobody is left");
    seller.mend_link(second);
    seller.pass(CHOOSE_AGAIN_AFTER);
    assert_eq!(taken(&mut seller), Some(second), "one is back");
    seller.reply_over(second, &ok("{}"));
    assert_eq!(seller.replies(), [ok("{}")]);

    change_price(&mut seller);
    seller.line_over(second, END);
    seller.pass(patience());
    assert_eq!(seller.refusal().1, "db_product cannot be reached; nothing was changed");
}

#[test]
fn who_was_not_asked_for_a_last_line_has_none() {
    let mut seller = seller();
    seller.ask("1", "ChangeItemPrice", &price_change());
    seller.reply(Lane::Customer, &validated());
    seller.line(Lane::ProductWrites, END);
    assert_eq!(seller.refusal().1, "db_product did not answer; the change may have been made");
}

#[test]
fn a_connection_over_which_nothing_comes_is_left_and_taken_again_when_something_does() {
    let mut buyer = spread_buyer();
    let (client, link) = get(&mut buyer);
    let silent = link.expect("it leaves");
    buyer.pass(SUSPECT_AFTER - MOMENT);
    assert_eq!(taken(&mut buyer), None, "it has time");
    buyer.pass(MOMENT);
    let other = taken(&mut buyer).expect("it is made again");
    assert_ne!(other, silent);
    assert!(!links(&mut buyer, 4).contains(&silent));
    buyer.reply_over(other, &ok("{}"));
    assert_eq!(buyer.replies_to(client), [ok("{}")]);

    buyer.reply_over(silent, &ok(r#"{"late":true}"#));
    assert_eq!(buyer.replies_to(client), [""; 0], "it has its reply");
    assert_eq!(links(&mut buyer, 1), [silent]);
    buyer.pass(SUSPECT_AFTER);
    assert_eq!(buyer.calls(), [], "all are silent: one is as good as another");
}

#[test]
fn a_connection_is_left_as_often_as_it_becomes_silent() {
    let mut buyer = spread_buyer();
    buyer.break_link(3);
    for _ in 0..3 {
        let (client, link) = get(&mut buyer);
        let silent = link.expect("it leaves");
        buyer.pass(SUSPECT_AFTER);
        let other = taken(&mut buyer).expect("it is made again");
        buyer.reply_over(silent, &ok("{}"));
        buyer.reply_over(other, &ok("{}"));
        assert_eq!(buyer.replies_to(client), [ok("{}")]);
    }
}

#[test]
fn a_call_leaves_a_silent_connection_once() {
    let mut buyer = spread_buyer();
    get(&mut buyer);
    buyer.pass(SUSPECT_AFTER);
    assert!(taken(&mut buyer).is_some());
    buyer.pass(patience() - SUSPECT_AFTER - MOMENT);
    assert_eq!(taken(&mut buyer), None, "where all are slow, calls must not become more and more");
    buyer.pass(MOMENT);
    assert_eq!(buyer.refusal().1, "db_product did not answer; nothing was changed");
}

#[test]
fn what_waits_over_a_silent_connection_is_made_again_as_soon_as_there_is_a_better_one() {
    let mut buyer = spread_buyer();
    [4, 5].into_iter().for_each(|link| buyer.break_link(link));
    buyer.ask("1", "GetItem", ITEM);
    assert_eq!(taken(&mut buyer), Some(3));
    buyer.pass(SUSPECT_AFTER + SUSPECT_AFTER / 2);
    assert_eq!(taken(&mut buyer), None, "it is the only one");
    buyer.mend_link(5);
    buyer.pass(CHOOSE_AGAIN_AFTER);
    assert_eq!(taken(&mut buyer), Some(5));
    buyer.reply_over(5, &ok("{}"));
    assert_eq!(buyer.replies(), [ok("{}")]);
    buyer.disconnect();
    buyer.drain();
    assert!(buyer.is_idle(), "nobody waits for the late reply");
}

#[test]
fn a_change_that_must_not_be_made_twice_waits_for_a_silent_connection() {
    let mut seller = spread_seller();
    let silent = change_price(&mut seller);
    seller.pass(patience() - MOMENT);
    assert_eq!(taken(&mut seller), None);
    seller.reply_over(silent, &ok("{}"));
    assert_eq!(seller.replies(), [ok("{}")]);
}

#[test]
fn a_call_that_finds_none_standing_takes_the_first_that_does() {
    let mut buyer = spread_buyer();
    READS.into_iter().for_each(|link| buyer.break_link(link));
    let waiting: Vec<_> = (0..6).map(|_| get(&mut buyer)).collect();
    assert!(waiting.iter().all(|(_, link)| link.is_none()));
    buyer.pass(patience() / 2);
    buyer.mend_link(5);
    buyer.pass(CHOOSE_AGAIN_AFTER);
    assert_eq!(buyer.calls_by_link().iter().filter(|(link, _)| *link == 5).count(), waiting.len());
}

#[test]
fn a_call_that_finds_none_standing_is_told_so_when_its_time_is_over() {
    let mut buyer = spread_buyer();
    READS.into_iter().for_each(|link| buyer.break_link(link));
    get(&mut buyer);
    buyer.pass(patience() - MOMENT);
    assert_eq!(buyer.replies(), [""; 0]);
    buyer.pass(MOMENT);
    assert_eq!(buyer.refusal().1, "db_product cannot be reached; nothing was changed");
}

#[test]
fn requests_are_refused_early_only_where_all_databases_that_stand_are_behind() {
    let mut buyer = spread_buyer();
    buyer.break_link(3);
    let queue = 2 * QUEUED_CALLS_MIN;
    assert_eq!(links(&mut buyer, queue).len(), queue);
    buyer.pass(Deadlines::default().behind_after);
    buyer.calls();
    get(&mut buyer);
    assert_eq!(buyer.refusal().0, "RESOURCE_EXHAUSTED");
    buyer.mend_link(3);
    buyer.calls();
    assert_eq!(get(&mut buyer).1, Some(3), "one has just come");
    assert_eq!(buyer.replies(), [""; 0]);
}

#[test]
fn a_database_is_reached_while_each_kind_of_call_has_a_connection() {
    let mut buyer = spread_buyer();
    let up = r#"marketplace_backend_up{backend="db_product"} 1"#;
    let is_up =
        |buyer: &Harness<Buyer>| buyer.metrics("marketplace_backend_up").iter().any(|line| line == up);
    for link in [3, 4, 7, 8] {
        buyer.break_link(link);
        assert!(is_up(&buyer), "{link}");
    }
    buyer.break_link(6);
    assert!(!is_up(&buyer), "no writes");
    buyer.mend_link(7);
    assert!(is_up(&buyer));
}

#[test]
fn a_lane_with_one_connection_goes_on_as_ever() {
    let mut buyer = spread_buyer();
    buyer.ask("1", "DisplayCart", &format!(r#"{{"session_id":"{SESSION}"}}"#));
    assert_eq!(taken(&mut buyer), Some(0));
    buyer.pass(patience() - MOMENT);
    assert_eq!(buyer.calls(), []);
    buyer.reply_over(0, &ok("{}"));
    assert_eq!(buyer.replies(), [ok("{}")]);
}
