use super::*;
use crate::api::values::ItemId;

const TIMEOUT: Duration = Duration::from_secs(300);
const START: Time = Time::from_millis(1_000_000);

fn logged_in() -> (Sessions, SessionCheck) {
    let mut sessions = Sessions::new(TIMEOUT);
    let session_id = sessions.open(START, 42, Role::Buyer, 7, Cart::default()).expect("there is room");
    commit(&mut sessions);
    (sessions, SessionCheck { session_id, role: Some(Role::Buyer) })
}

fn commit(sessions: &mut Sessions) -> usize {
    let rows = sessions.rows.seal().count();
    sessions.rows.publish();
    rows
}

/// What a start finds on disk, and the earliest time at which it begins.
fn restart(sessions: &Sessions, check: SessionCheck, stored_clock: Option<Time>) -> (Sessions, Time) {
    let mut restarted = Sessions::new(TIMEOUT);
    let row = sessions.rows.get(&check.session_id.number).expect("it is on disk").clone();
    assert!(restarted.load(check.session_id.number, row));
    stored_clock.into_iter().for_each(|at| restarted.clock.load(at));
    let floor = restarted.clock.latest();
    (restarted, floor)
}

fn code(result: Result<&Session, Error>) -> Code {
    result.expect_err("the check fails").code
}

#[test]
fn a_session_is_known_by_its_secret_and_its_role() {
    let (mut sessions, check) = logged_in();
    assert_eq!(sessions.check(START, check).expect("valid").user_id, 7);
    let wrong = SessionId { secret: 43, ..check.session_id };
    assert_eq!(code(sessions.check(START, SessionCheck { session_id: wrong, ..check })), Code::NotLoggedIn);
    let seller = SessionCheck { role: Some(Role::Seller), ..check };
    assert_eq!(code(sessions.check(START, seller)), Code::NotLoggedIn);
    assert!(sessions.check(START, SessionCheck { role: None, ..check }).is_ok());
}

#[test]
fn it_times_out_when_idle_and_not_while_active() {
    let (mut sessions, check) = logged_in();
    let almost = Duration::from_secs(299);
    assert!(sessions.check(START + almost, check).is_ok());
    assert!(sessions.check(START + almost * 2, check).is_ok());
    assert_eq!(code(sessions.check(START + almost * 2 + TIMEOUT, check)), Code::SessionTimeout);
    assert_eq!(code(sessions.check(START + almost * 2 + TIMEOUT * 2, check)), Code::SessionTimeout);
}

#[test]
fn what_timed_out_is_forgotten_in_the_end() {
    let (mut sessions, check) = logged_in();
    let end = START + TIMEOUT + REMEMBERED;
    sessions.expire(START + TIMEOUT);
    assert_eq!(commit(&mut sessions), 1, "it is on disk that it has timed out");
    sessions.expire(START + TIMEOUT);
    assert!(!sessions.rows.is_dirty(), "once");
    sessions.expire(end);
    assert!(sessions.rows.is_dirty());
    commit(&mut sessions);
    assert_eq!(code(sessions.check(end, check)), Code::NotLoggedIn);
    assert!(sessions.active_at.is_empty() && sessions.expiries.is_empty());
    assert!(sessions.of_accounts.is_empty());
}

#[test]
fn what_timed_out_has_no_cart() {
    let (mut sessions, check) = logged_in();
    let mut cart = Cart::default();
    assert_eq!(cart.update(ItemId { category: 1, n: 1 }, 1, None), Ok(1));
    let number = check.session_id.number;
    sessions.put_cart(START, number, cart.clone());
    commit(&mut sessions);
    sessions.expire(START + (TIMEOUT - Duration::from_secs(1)));
    assert_eq!(sessions.rows.latest(&number).expect("it is there").cart, cart);
    sessions.expire(START + TIMEOUT);
    assert_eq!(sessions.rows.latest(&number).expect("it is remembered").cart, Cart::default());
}

#[test]
fn activity_is_written_now_and_then_and_a_crash_costs_no_session() {
    let (mut sessions, check) = logged_in();
    let second = Duration::from_secs(1);
    assert!(sessions.check(START + second * 59, check).is_ok());
    assert_eq!(commit(&mut sessions), 0);
    assert!(sessions.check(START + second * 60, check).is_ok());
    assert_eq!(commit(&mut sessions), 1);
    assert!(sessions.check(START + second * 119, check).is_ok());

    let (mut restarted, _) = restart(&sessions, check, None);
    assert!(restarted.check(START + second * (119 + 299), check).is_ok());
    let next = restarted.open(START, 1, Role::Buyer, 7, Cart::default()).expect("there is room");
    assert!(next.number > check.session_id.number, "the number of a session that is there is taken");
}

#[test]
fn the_benefit_of_the_doubt_does_not_outlast_the_next_activity() {
    let (sessions, check) = logged_in();
    let (mut restarted, _) = restart(&sessions, check, None);
    assert!(restarted.check(START, check).is_ok());
    restarted.expire(START + TIMEOUT);
    assert_eq!(commit(&mut restarted), 1, "it is on disk that it has timed out");
    let (mut again, _) = restart(&restarted, check, None);
    assert_eq!(code(again.check(START + TIMEOUT, check)), Code::SessionTimeout);
}

#[test]
fn what_timed_out_is_not_good_again_when_the_clock_is_set_back() {
    let (mut sessions, check) = logged_in();
    // Nothing else happens: the turns are those that are asked for.
    let (mut next, mut stored_clock) = (Some(START), None);
    while let Some(now) = next.filter(|now| *now <= START + TIMEOUT) {
        next = sessions.expire(now);
        stored_clock = sessions.clock.seal().or(stored_clock);
    }
    assert_eq!(next, Some(START + TIMEOUT + REMEMBERED));
    commit(&mut sessions);
    let (mut restarted, floor) = restart(&sessions, check, stored_clock);
    assert_eq!(floor, START + TIMEOUT);
    assert_eq!(code(restarted.check(floor, check)), Code::SessionTimeout);
    restarted.expire(floor);
    assert!(!restarted.is_dirty(), "there is nothing new about it");
}

#[test]
fn what_was_idle_before_the_clock_was_set_back_has_less_time_left() {
    let (mut sessions, check) = logged_in();
    let idle = Duration::from_secs(200);
    let mut stored_clock = None;
    let mut next = Some(START);
    while let Some(now) = next.filter(|now| *now <= START + idle) {
        next = sessions.expire(now);
        stored_clock = sessions.clock.seal().or(stored_clock);
    }
    // A crash: what is stored is late by an interval at most.
    let (_, floor) = restart(&sessions, check, stored_clock);
    assert!(floor + sessions.store_interval() >= START + idle, "{floor:?}");
    // A stop in order, after which only the doubt of a start is left.
    sessions.store_clock(START + idle);
    let stored_clock = sessions.clock.seal();
    let (mut restarted, floor) = restart(&sessions, check, stored_clock);
    assert_eq!(floor, START + idle);
    let left = TIMEOUT - idle + restarted.store_interval();
    assert_eq!(code(restarted.check(floor + left, check)), Code::SessionTimeout);
}

#[test]
fn a_time_that_no_clock_shows_keeps_no_session_alive() {
    let (mut sessions, check) = logged_in();
    let row = sessions.rows.get(&check.session_id.number).expect("it is on disk").clone();
    let damaged = Session { active_at: END_OF_TIME, ..row };
    assert!(sessions.load(check.session_id.number, damaged));
    assert_eq!(sessions.clock.latest(), Time::default());
    assert_eq!(code(sessions.check(START, check)), Code::SessionTimeout);
}

#[test]
fn of_an_account_all_sessions_end_but_one() {
    let (mut sessions, check) = logged_in();
    let mut open = |role, user_id| {
        let session_id = sessions.open(START, 1, role, user_id, Cart::default()).expect("there is room");
        SessionCheck { session_id, role: None }
    };
    let (other, idle) = (open(Role::Buyer, 7), open(Role::Buyer, 7));
    let strangers = [open(Role::Buyer, 6), open(Role::Buyer, 8), open(Role::Seller, 7)];
    commit(&mut sessions);
    let now = START + TIMEOUT;
    for check in [check, other].into_iter().chain(strangers) {
        assert!(sessions.check(START + TIMEOUT / 2, check).is_ok());
    }
    sessions.expire(now);
    commit(&mut sessions);
    sessions.close_others(Role::Buyer, 7, check.session_id.number);
    for ended in [other, idle] {
        assert_eq!(code(sessions.check_latest(now, ended)), Code::NotLoggedIn);
    }
    assert!(sessions.check(now, other).is_ok(), "it is not on disk yet");
    commit(&mut sessions);
    assert_eq!(code(sessions.check(now, other)), Code::NotLoggedIn);
    assert!([check].into_iter().chain(strangers).all(|check| sessions.check(now, check).is_ok()));
    sessions.close_others(Role::Buyer, 7, 0);
    assert_eq!(code(sessions.check_latest(now, check)), Code::NotLoggedIn);
}

#[test]
fn nobody_is_woken_for_no_session() {
    let mut sessions = Sessions::new(TIMEOUT);
    assert_eq!(sessions.expire(START), None);
    sessions.store_clock(START);
    assert!(!sessions.is_dirty());
}
