//! Whose turn it is, what is refused and when, without a thread or a clock.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

const START: Time = Time::from_millis(1_000_000);
const PATIENCE: Duration = Duration::from_secs(10);

fn caller(host: usize) -> Caller {
    let host = Ipv4Addr::from_bits(u32::try_from(host).expect("small"));
    Caller::new(IpAddr::V4(host), START, Some(PATIENCE))
}

/// A queue with one place, which is taken.
fn busy() -> FairQueue<&'static str> {
    let mut queue = FairQueue::new(1, Duration::MAX);
    queue.push(START, caller(0), "", "first").expect("it is empty");
    assert_eq!(next(&mut queue), Some("first"));
    queue
}

fn next<T>(queue: &mut FairQueue<T>) -> Option<T> {
    match queue.pop(START, |_, _| false)? {
        Popped::Next(item) => Some(item),
        Popped::Stale(_) => panic!("nothing is stale"),
    }
}

/// Everything, in the order of its turns.
fn drain<T>(queue: &mut FairQueue<T>) -> Vec<T> {
    let mut items = Vec::new();
    queue.done(START);
    while let Some(item) = next(queue) {
        items.push(item);
        queue.done(START);
    }
    items
}

#[test]
fn clients_take_turns_and_so_do_the_accounts_of_a_client() {
    let mut queue = busy();
    for (host, account, item) in [
        (1, "ann", "1 ann 1"),
        (1, "ann", "1 ann 2"),
        (1, "ann", "1 ann 3"),
        (1, "ben", "1 ben 1"),
        (2, "ann", "2 ann 1"),
    ] {
        queue.push(START, caller(host), account, item).expect("there is room");
    }
    assert_eq!(drain(&mut queue), ["1 ann 1", "2 ann 1", "1 ben 1", "1 ann 2", "1 ann 3"]);
}

#[test]
fn an_account_that_is_busy_with_a_client_lets_others_pass() {
    let mut queue = FairQueue::new(2, Duration::MAX);
    for (host, item) in [(1, "held up"), (2, "passes")] {
        queue.push(START, caller(host), "ann", item).expect("there is room");
    }
    let is_busy = |network, _: &str| network == caller(1).client;
    assert!(matches!(queue.pop(START, is_busy), Some(Popped::Next("passes"))));
    assert!(queue.pop(START, is_busy).is_none(), "there is nothing else");
    assert!(!queue.is_empty());
}

#[test]
fn a_client_alone_may_hold_half_and_others_find_room() {
    let mut queue = busy();
    let held = (0..=WAITING_MAX).take_while(|_| queue.push(START, caller(1), "", "").is_ok()).count();
    assert_eq!(held, WAITING_MAX / 2);
    let (_, error) = queue.push(START, caller(1), "", "").expect_err("its share is full");
    assert_eq!(error.code, Code::ResourceExhausted);
    assert!(error.message.contains("try again in 4 s"), "{}", error.message);
    for host in 2..100 {
        queue.push(START, caller(host), "", "").expect("it has a share");
    }
    for host in 100.. {
        if queue.push(START, caller(host), "", "").is_err() {
            break;
        }
    }
    assert!(queue.waiting <= WAITING_MAX);
}

#[test]
fn what_would_be_done_too_late_is_refused_at_once_and_told_when_to_come_back() {
    let mut queue = busy();
    queue.done(START + Duration::from_secs(3));
    queue.push(START, caller(1), "", "1").expect("there is room");
    assert_eq!(next(&mut queue), Some("1"));
    // One is under way, and each takes 3 s.
    queue.push(START, caller(1), "", "2").expect("done after 6 s");
    queue.push(START, caller(1), "", "3").expect("done after 9 s");
    let (item, error) = queue.push(START, caller(1), "", "4").expect_err("done after 12 s");
    assert_eq!((item, error.code), ("4", Code::ResourceExhausted));
    assert!(error.message.ends_with("try again in 12 s"), "{}", error.message);
    queue.push(START, caller(2), "", "other").expect("its turn is behind one of each");
}

#[test]
fn what_is_stale_is_handed_back_and_takes_no_place() {
    let mut queue = busy();
    queue.push(START, caller(1), "", "late").expect("there is room");
    let late = START + PATIENCE + Duration::from_millis(1);
    queue.lost(late);
    assert_eq!(queue.next_deadline(), Some(START + PATIENCE));
    assert!(matches!(queue.pop(late, |_, _| false), Some(Popped::Stale("late"))));
    assert!(queue.has_room() && queue.is_empty());
    assert_eq!(queue.stale().code, Code::Unavailable);
}

#[test]
fn a_pause_does_not_count_towards_the_pace() {
    let mut queue = busy();
    queue.done(START + Duration::from_millis(10));
    let later = START + Duration::from_secs(5);
    queue.push(later, caller(1), "", "").expect("there is room");
    assert!(matches!(queue.pop(later, |_, _| false), Some(Popped::Next(_))));
    queue.done(later + Duration::from_millis(10));
    assert_eq!(queue.pace.duration(1), Duration::from_millis(10));
}

#[test]
fn what_nobody_waits_for_is_taken_out() {
    let mut queue = busy();
    for item in ["gone", "stays", "gone"] {
        queue.push(START, caller(1), item, item).expect("there is room");
    }
    assert_eq!(queue.take_if(|_, item| *item == "gone"), ["gone", "gone"]);
    assert_eq!(queue.waiting, 1);
    assert_eq!(drain(&mut queue), ["stays"]);
}

#[test]
fn no_more_is_under_way_than_is_done_soon() {
    let mut queue = FairQueue::new(64, Duration::from_millis(100));
    (0..100).for_each(|host| queue.push(START, caller(host), "", "").expect("there is room"));
    let begun = |queue: &mut FairQueue<&str>| (0..).take_while(|_| next(queue).is_some()).count();
    assert_eq!(begun(&mut queue), 6, "at 15 ms each, as a guess");
    (1..=6).for_each(|n| queue.done(START + Duration::from_millis(n)));
    assert_eq!(begun(&mut queue), 64, "at 1 ms each");
    (1..=64).for_each(|n| queue.done(START + Duration::from_secs(n)));
    assert_eq!(begun(&mut queue), 2, "at 1 s each");
}
