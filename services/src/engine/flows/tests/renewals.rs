//! Connections that are made anew one after another, and what becomes of calls meanwhile.

use std::time::Duration;

use super::harness::{Harness, buyer, renewing_buyer, spread_buyer};
use super::ok;
use crate::frontend::buyer::Buyer;

const LIFETIME: Duration = Duration::from_secs(60);
/// The longest pause in a lane with three connections, and the shortest, but for the first one, which may be of any length.
const PAUSE_MAX: Duration = Duration::from_secs(22);
const PAUSE_MIN: Duration = Duration::from_secs(18);
/// By how much time goes on here. Less than it takes until a new connection is given up, or a silent one.
const STEP: Duration = Duration::from_millis(100);
/// The connections of reads of products.
const READS: [usize; 3] = [9, 10, 11];

const ITEM: &str = r#"{"item_id":"1:42"}"#;

/// Lets time pass until one of the connections of reads is made anew; those of others stand again at once. `None`: none was
/// in so many steps.
fn next(buyer: &mut Harness<Buyer>, steps: u32) -> Option<usize> {
    (0..steps).find_map(|_| step(buyer))
}

fn step(buyer: &mut Harness<Buyer>) -> Option<usize> {
    buyer.pass(STEP);
    let (of_reads, others): (Vec<_>, Vec<_>) =
        buyer.renewed().into_iter().partition(|link| READS.contains(link));
    others.into_iter().for_each(|link| buyer.mend_link(link));
    assert!(of_reads.len() < 2, "{of_reads:?}");
    of_reads.first().copied()
}

fn steps(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / STEP.as_millis()).expect("a few")
}

/// Another client asks for an item. Returns the connection that its call has taken.
fn get(buyer: &mut Harness<Buyer>) -> usize {
    buyer.connect();
    buyer.ask("1", "GetItem", ITEM);
    let calls = buyer.calls_by_link();
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls[0].0
}

/// The connections that so many calls take, one after another, sorted; all are answered.
fn taken(buyer: &mut Harness<Buyer>, calls: usize) -> Vec<usize> {
    let mut links: Vec<_> = (0..calls).map(|_| get(buyer)).collect();
    links.iter().for_each(|link| buyer.reply_over(*link, &ok("{}")));
    links.sort_unstable();
    links
}

/// A frontend of which one connection of reads is about to be made anew. Each has a call; returns also which it is.
fn draining() -> (Harness<Buyer>, usize) {
    let mut twin = renewing_buyer(LIFETIME);
    let count = (1..=steps(PAUSE_MAX)).find_map(|count| Some((step(&mut twin)?, count)));
    let (link, count) = count.expect("the pause is over");
    let mut buyer = renewing_buyer(LIFETIME);
    assert_eq!(next(&mut buyer, count - 1), None);
    (0..READS.len()).for_each(|_| _ = get(&mut buyer));
    assert_eq!(next(&mut buyer, 2), None, "it has a call");
    (buyer, link)
}

#[test]
fn connections_are_made_anew_in_turn_and_one_at_a_time() {
    let mut buyer = renewing_buyer(LIFETIME);
    let mut order = Vec::new();
    for _ in 0..6 {
        let link = next(&mut buyer, steps(PAUSE_MAX)).expect("the pause is over");
        let others: Vec<_> = READS.into_iter().filter(|other| *other != link).collect();
        assert_eq!(taken(&mut buyer, 2), others);
        buyer.mend_link(link);
        assert_eq!(taken(&mut buyer, 3), READS);
        assert_eq!(next(&mut buyer, steps(PAUSE_MIN) - 20), None, "it is too early");
        order.push(link);
    }
    assert_eq!(order[..3], order[3..], "the one that stands for longest");
    order[..3].sort_unstable();
    assert_eq!(order[..3], READS);
}

#[test]
fn a_connection_first_comes_to_the_end_of_its_calls_and_gets_no_more() {
    let (mut buyer, link) = draining();
    assert!((0..4).all(|_| get(&mut buyer) != link));
    assert_eq!(buyer.renewed(), [0; 0]);
    buyer.reply_over(link, &ok("{}"));
    assert_eq!(buyer.renewed(), [link]);
    buyer.mend_link(link);
    assert_eq!(get(&mut buyer), link, "it has the fewest");
}

#[test]
fn the_last_connection_that_stands_is_not_made_anew() {
    let (mut buyer, link) = draining();
    READS.into_iter().filter(|other| *other != link).for_each(|other| buyer.break_link(other));
    assert_eq!(buyer.calls_by_link().iter().map(|(link, _)| *link).collect::<Vec<_>>(), [link, link]);
    assert_eq!(get(&mut buyer), link);
    (0..4).for_each(|_| buyer.reply_over(link, &ok("{}")));
    assert_eq!(next(&mut buyer, 3 * steps(PAUSE_MAX)), None);
    assert_eq!(taken(&mut buyer, 1), [link]);
}

#[test]
fn one_that_does_not_come_back_keeps_the_others_where_they_are() {
    let mut buyer = renewing_buyer(LIFETIME);
    let link = next(&mut buyer, steps(PAUSE_MAX)).expect("the pause is over");
    assert_eq!(next(&mut buyer, 3 * steps(PAUSE_MAX)), None);
    assert!(!taken(&mut buyer, 4).contains(&link));
}

#[test]
fn one_that_breaks_before_it_is_made_anew_is_forgotten() {
    let (mut buyer, link) = draining();
    buyer.break_link(link);
    let again = buyer.calls_by_link();
    assert!(again.len() == 1 && again[0].0 != link, "its call is made elsewhere: {again:?}");
    buyer.mend_link(link);
    for other in READS.into_iter().filter(|other| *other != link) {
        let calls = if other == again[0].0 { 2 } else { 1 };
        (0..calls).for_each(|_| buyer.reply_over(other, &ok("{}")));
    }
    let second = next(&mut buyer, steps(PAUSE_MAX));
    assert!(second.is_some_and(|second| second != link), "{second:?}: it is the newest");
}

#[test]
fn where_each_address_has_one_connection_it_stays() {
    let mut spread = spread_buyer();
    spread.pass(20 * LIFETIME);
    assert_eq!(spread.renewed(), [0; 0]);
    let mut single = buyer();
    single.pass(20 * LIFETIME);
    assert_eq!(single.renewed(), [0; 0]);
}
