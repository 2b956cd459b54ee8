//! Whose turn it is, what is refused and when, without a thread or a clock.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

const START: Time = Time::from_millis(1_000_000);
const PATIENCE: Duration = Duration::from_secs(10);

fn caller(host: usize) -> Caller {
    let host = Ipv4Addr::from_bits(u32::try_from(host).expect("small"));
    Caller::new(IpAddr::V4(host), START, PATIENCE)
}

/// Lets something of this host wait, for which there is room.
fn wait<T>(queue: &mut FairQueue<T>, host: usize, account: &str, item: T) {
    assert!(queue.push(START, caller(host), account, item).is_none(), "there is room");
}

/// A queue with one place, which is taken.
fn busy() -> FairQueue<&'static str> {
    let mut queue = FairQueue::new(1, Duration::MAX);
    wait(&mut queue, 0, "", "first");
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
        wait(&mut queue, host, account, item);
    }
    assert_eq!(drain(&mut queue), ["1 ann 1", "2 ann 1", "1 ben 1", "1 ann 2", "1 ann 3"]);
}

#[test]
fn an_account_that_is_busy_with_a_client_lets_others_pass() {
    let mut queue = FairQueue::new(2, Duration::MAX);
    for (host, item) in [(1, "held up"), (2, "passes")] {
        wait(&mut queue, host, "ann", item);
    }
    let is_busy = |network, _: &str| network == caller(1).client;
    assert!(matches!(queue.pop(START, is_busy), Some(Popped::Next("passes"))));
    assert!(queue.pop(START, is_busy).is_none(), "there is nothing else");
    assert!(!queue.is_empty());
}

#[test]
fn in_a_full_queue_whoever_holds_most_gives_way() {
    let mut queue = busy();
    (0..WAITING_MAX).for_each(|n| wait(&mut queue, 1, "", n.to_string().leak()));
    let (item, error) = queue.push(START, caller(1), "", "mine").expect("it is full of its own");
    assert_eq!((item, error.code), ("mine", Code::ResourceExhausted));
    assert!(error.message.starts_with("512 passwords of your address wait"), "{}", error.message);
    assert!(error.message.ends_with("try again in 8 s"), "{}", error.message);
    let (item, error) = queue.push(START, caller(2), "", "theirs").expect("somebody gives way");
    assert_eq!((item, error.code), ("511", Code::ResourceExhausted), "the newest of who holds most");
    for host in 3..WAITING_MAX + 1 {
        assert!(queue.push(START, caller(host), "", "").is_some());
    }
    assert_eq!((queue.waiting, queue.clients.len()), (WAITING_MAX, WAITING_MAX));
    let (item, _) = queue.push(START, caller(WAITING_MAX + 1), "", "late").expect("each has one");
    assert_eq!(item, "late");
}

#[test]
fn in_a_full_queue_those_who_have_failed_give_way_first() {
    let mut queue = busy();
    queue.failed(START, caller(1).client);
    wait(&mut queue, 1, "", "failed");
    (1..WAITING_MAX).for_each(|n| wait(&mut queue, n + 1, "", ""));
    let (item, _) = queue.push(START, caller(WAITING_MAX + 1), "", "").expect("somebody gives way");
    assert_eq!(item, "failed");
    let (item, _) = queue.push(START, caller(1), "", "again").expect("all others come first");
    assert_eq!(item, "again");
    assert_eq!(queue.waiting, WAITING_MAX);
}

#[test]
fn in_a_full_queue_no_standing_buys_more_than_a_share() {
    let mut queue = busy();
    queue.succeeded(START, caller(1).client);
    queue.failed(START, caller(2).client);
    (0..WAITING_MAX).for_each(|_| wait(&mut queue, 1, "", "greedy"));
    for (place, host) in [3, 2].into_iter().enumerate() {
        let (item, _) = queue.push(START, caller(host), "", "").expect("somebody gives way");
        assert_eq!(item, "greedy", "{place}");
    }
    assert_eq!(queue.clients.iter().map(Client::len).collect::<Vec<_>>(), [WAITING_MAX - 2, 1, 1]);
}

#[test]
fn each_standing_has_a_turn_for_three_of_the_one_before_it() {
    let mut queue = FairQueue::new(1, Duration::MAX);
    queue.succeeded(START, caller(1).client);
    queue.failed(START, caller(3).client);
    for _ in 0..100 {
        for (host, item) in [(1, "known"), (2, "new"), (3, "failed")] {
            wait(&mut queue, host, "", item);
        }
    }
    queue.under_way = 1;
    let served = drain(&mut queue);
    assert_eq!(served[..3], ["known", "new", "failed"], "nobody is kept out");
    let count = |item| served[..130].iter().filter(|&&served| served == item).count();
    assert_eq!([count("known"), count("new"), count("failed")], [90, 30, 10]);
}

#[test]
fn a_login_that_ends_changes_the_turn_of_what_waits_behind_it() {
    let mut queue = FairQueue::new(1, Duration::MAX);
    for (host, item) in [(1, "failed"), (2, "new"), (3, "known")] {
        wait(&mut queue, host, "", item);
    }
    queue.failed(START, caller(1).client);
    queue.succeeded(START, caller(3).client);
    queue.under_way = 1;
    assert_eq!(drain(&mut queue), ["known", "new", "failed"]);
}

#[test]
fn a_flood_of_those_who_have_failed_makes_nobody_else_wait_long() {
    let mut queue = FairQueue::new(1, Duration::MAX);
    for host in 0..200 {
        queue.failed(START, caller(host).client);
        wait(&mut queue, host, "", "flood");
    }
    assert_eq!(next(&mut queue), Some("flood"));
    queue.done(START + Duration::from_secs(1));
    let soon = |host| Caller::new(IpAddr::V4(Ipv4Addr::from_bits(host)), START, Duration::from_secs(2));
    let (item, _) = queue.push(START, soon(1), "", "flood").expect("it waits for all others");
    assert_eq!(item, "flood");
    assert!(queue.push(START, soon(201), "", "new").is_none(), "done within 2 s");
    assert_eq!(next(&mut queue), Some("new"));
}

#[test]
fn what_would_be_done_too_late_is_refused_at_once_and_told_when_to_come_back() {
    let mut queue = busy();
    queue.done(START + Duration::from_secs(3));
    wait(&mut queue, 1, "", "1");
    assert_eq!(next(&mut queue), Some("1"));
    // One is under way, and each takes 3 s.
    wait(&mut queue, 1, "", "2");
    wait(&mut queue, 1, "", "3");
    let (item, error) = queue.push(START, caller(1), "", "4").expect("done after 12 s");
    assert_eq!((item, error.code), ("4", Code::ResourceExhausted));
    assert!(error.message.ends_with("try again in 12 s"), "{}", error.message);
    wait(&mut queue, 2, "", "other");
}

#[test]
fn what_is_stale_is_handed_back_and_takes_no_place() {
    let mut queue = busy();
    wait(&mut queue, 1, "", "late");
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
    assert!(queue.push(later, caller(1), "", "").is_none());
    assert!(matches!(queue.pop(later, |_, _| false), Some(Popped::Next(_))));
    queue.done(later + Duration::from_millis(10));
    assert_eq!(queue.pace.duration(1), Duration::from_millis(10));
}

#[test]
fn what_nobody_waits_for_is_taken_out() {
    let mut queue = busy();
    for item in ["gone", "stays", "gone"] {
        wait(&mut queue, 1, item, item);
    }
    assert_eq!(queue.take_if(|_, item| *item == "gone"), ["gone", "gone"]);
    assert_eq!(queue.waiting, 1);
    assert_eq!(drain(&mut queue), ["stays"]);
}

#[test]
fn no_more_is_under_way_than_is_done_soon() {
    let mut queue = FairQueue::new(64, Duration::from_millis(100));
    (0..100).for_each(|host| wait(&mut queue, host, "", ""));
    let begun = |queue: &mut FairQueue<&str>| (0..).take_while(|_| next(queue).is_some()).count();
    assert_eq!(begun(&mut queue), 6, "at 15 ms each, as a guess");
    (1..=6).for_each(|n| queue.done(START + Duration::from_millis(n)));
    assert_eq!(begun(&mut queue), 64, "at 1 ms each");
    (1..=64).for_each(|n| queue.done(START + Duration::from_secs(n)));
    assert_eq!(begun(&mut queue), 2, "at 1 s each");
}
