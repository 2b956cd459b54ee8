//! [`Sessions`]: who is logged in, since when idle, and with which cart.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use net::Time;
use sha2::{Digest, Sha256};

use super::cart::Cart;
use super::clock::{END_OF_TIME, StoredClock};
use super::rules::{REMEMBERED, admit, unknown_session};
use crate::api::error::{Code, Error};
use crate::api::purchases::Lines;
use crate::api::sessions::SessionCheck;
use crate::api::values::{Role, SessionId};
use crate::engine::table::Table;

/// The most sessions that are remembered, live or timed out.
const SESSIONS_MAX: usize = 1_000_000;
/// No session comes near this number.
const NUMBERS_END: u64 = 1 << 53;
/// Sessions whose time is looked at in one turn.
const EXPIRIES_PER_TURN_MAX: usize = 64;

/// A session as it is on disk. Of its secret it has the digest only, so whoever reads the disk cannot use it.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) digest: u128,
    pub(crate) role: Role,
    pub(crate) user_id: u32,
    /// The last activity, as of when this was written.
    pub(crate) active_at: Time,
    pub(crate) cart: Cart,
}

/// All sessions.
pub(crate) struct Sessions {
    pub(crate) rows: Table<u64, Session>,
    last_number: u64,
    timeout: Duration,
    /// The last activity of each session. It is newer than that in the rows, which are not written for it
    /// alone more often than once in [`Sessions::store_interval`].
    active_at: HashMap<u64, Time>,
    /// When to look at a session next, at the latest.
    expiries: BinaryHeap<Reverse<(Time, u64)>>,
    /// The last activity of any session.
    last_active_at: Time,
    /// It is stored when a session ends by itself, and once in [`Sessions::store_interval`] while any lives: so if the
    /// wall clock is set back, none gets back more of its time than a crash gives it.
    pub(crate) clock: StoredClock,
}

impl Sessions {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self {
            rows: Table::new(),
            last_number: 0,
            timeout,
            active_at: HashMap::new(),
            expiries: BinaryHeap::new(),
            last_active_at: Time::default(),
            clock: StoredClock::default(),
        }
    }

    /// Takes a session from disk. Activity that was not written before a crash may have gone on until one
    /// interval later, so the session gets the benefit of the doubt. False if it has a number that is never given.
    pub(crate) fn load(&mut self, number: u64, mut session: Session) -> bool {
        let may_be = self.load_number(number);
        self.clock.load(session.active_at);
        if session.active_at >= END_OF_TIME {
            session.active_at = Time::default();
        }
        self.watch(number, session.active_at + self.store_interval());
        self.rows.load(number, session);
        may_be
    }

    /// Takes note of a session that a purchase under way knows, whether or not it lives: no other one may get its number.
    /// False if it has a number that is never given.
    pub(crate) fn load_number(&mut self, number: u64) -> bool {
        self.last_number = self.last_number.max(number);
        (1..NUMBERS_END).contains(&number)
    }

    /// Opens a session.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn open(
        &mut self,
        now: Time,
        secret: u128,
        role: Role,
        user_id: u32,
        cart: Cart,
    ) -> Result<SessionId, Error> {
        if self.active_at.len() >= SESSIONS_MAX {
            let message = format!("there are {SESSIONS_MAX} sessions, and there may be no more");
            return Err(Error::new(Code::ResourceExhausted, message));
        }
        self.last_number += 1;
        let number = self.last_number;
        self.rows.put(number, Session { digest: digest(secret), role, user_id, active_at: now, cart });
        self.watch(number, now);
        Ok(SessionId { number, secret })
    }

    /// Checks a session as it is on disk, and counts this as activity.
    ///
    /// # Errors
    /// `NOT_LOGGED_IN`, `SESSION_TIMEOUT`.
    pub(crate) fn check(&mut self, now: Time, check: SessionCheck) -> Result<&Session, Error> {
        let number = check.session_id.number;
        self.admit(now, check, self.rows.get(&number))?;
        self.touch(now, number);
        Ok(self.rows.get(&number).expect("it was admitted"))
    }

    /// Checks a session in its latest state, and counts this as activity: for those that change it.
    ///
    /// # Errors
    /// `NOT_LOGGED_IN`, `SESSION_TIMEOUT`.
    pub(crate) fn check_latest(&mut self, now: Time, check: SessionCheck) -> Result<&Session, Error> {
        let number = check.session_id.number;
        self.admit(now, check, self.rows.latest(&number))?;
        self.touch(now, number);
        Ok(self.rows.latest(&number).expect("it was admitted"))
    }

    /// Replaces the cart of a session that was checked.
    pub(crate) fn put_cart(&mut self, now: Time, number: u64, cart: Cart) {
        let session = self.rows.latest(&number).expect("it was checked").clone();
        self.rows.put(number, Session { cart, active_at: now, ..session });
    }

    /// Takes what was bought out of the cart of a session, if it lives. That is nothing that its buyer does, so it is no
    /// activity.
    pub(crate) fn take_out(&mut self, number: u64, bought: &Lines) {
        let Some(session) = self.rows.latest(&number) else { return };
        let mut cart = session.cart.clone();
        cart.take_out(bought);
        if cart != session.cart {
            let session = Session { cart, ..session.clone() };
            self.rows.put(number, session);
        }
    }

    /// Ends a session that was checked.
    pub(crate) fn close(&mut self, number: u64) {
        self.rows.remove(number);
        self.active_at.remove(&number);
    }

    /// Ends the sessions that have timed out and forgets those that have long ago, a bounded number of them. Returns
    /// when to go on.
    pub(crate) fn expire(&mut self, now: Time) -> Option<Time> {
        self.expire_due(now);
        let expire_at = self.expiries.peek().map(|Reverse((at, _))| *at);
        expire_at.into_iter().chain(self.keep_clock(now)).min()
    }

    /// Has the present stored now and then, as long as a session lives. Returns when to do so next.
    fn keep_clock(&mut self, now: Time) -> Option<Time> {
        if self.active_at.is_empty() || self.last_active_at + self.timeout <= now {
            return None;
        }
        let store_at = self.clock.latest() + self.store_interval();
        if store_at > now {
            return Some(store_at);
        }
        self.clock.put(now);
        Some(now + self.store_interval())
    }

    /// Has the present stored, if there is a session that this may matter to.
    pub(crate) fn store_clock(&mut self, now: Time) {
        if !self.active_at.is_empty() {
            self.clock.put(now);
        }
    }

    /// Whether there are changes that were not sealed.
    pub(crate) fn is_dirty(&self) -> bool {
        self.rows.is_dirty() || self.clock.is_dirty()
    }

    fn expire_due(&mut self, now: Time) {
        for _ in 0..EXPIRIES_PER_TURN_MAX {
            let Some(&Reverse((at, number))) = self.expiries.peek() else { return };
            if at > now {
                return;
            }
            self.expiries.pop();
            let Some(active_at) = self.active_at.get(&number) else { continue };
            let idle_at = *active_at + self.timeout;
            if idle_at > now {
                self.expiries.push(Reverse((idle_at, number)));
            } else if idle_at + REMEMBERED > now {
                self.end(now, number, idle_at - self.timeout);
                self.expiries.push(Reverse((idle_at + REMEMBERED, number)));
            } else {
                self.close(number);
            }
        }
    }

    /// Drops the cart of a session that has timed out, and has it on disk that it has: a start finds neither doubt of
    /// its last activity nor a time at which it was still alive.
    fn end(&mut self, now: Time, number: u64, active_at: Time) {
        let Some(session) = self.rows.latest(&number) else { return };
        // The doubt that `load` adds.
        let active_at = active_at - self.store_interval();
        if session.active_at != active_at || session.cart != Cart::default() {
            let session = Session { active_at, cart: Cart::default(), ..session.clone() };
            self.rows.put(number, session);
            self.clock.put(now);
        }
    }

    fn admit(&self, now: Time, check: SessionCheck, session: Option<&Session>) -> Result<(), Error> {
        let digest = digest(check.session_id.secret);
        let session = session.filter(|session| session.digest == digest).ok_or_else(unknown_session)?;
        let active_at = self.active_at.get(&check.session_id.number).copied().unwrap_or(session.active_at);
        admit(now, self.timeout, check.role, session.role, active_at)
    }

    fn touch(&mut self, now: Time, number: u64) {
        let before = self.active_at.insert(number, now);
        // After a start, the doubt of it: now that the last activity is known, the session times out earlier.
        if before.is_some_and(|before| before > now) {
            self.expiries.push(Reverse((now + self.timeout, number)));
        }
        self.last_active_at = self.last_active_at.max(now);
        let session = self.rows.latest(&number);
        if let Some(session) = session.filter(|session| now.since(session.active_at) >= self.store_interval())
        {
            let session = Session { active_at: now, ..session.clone() };
            self.rows.put(number, session);
        }
    }

    fn watch(&mut self, number: u64, active_at: Time) {
        self.active_at.insert(number, active_at);
        self.last_active_at = self.last_active_at.max(active_at);
        self.expiries.push(Reverse((active_at + self.timeout, number)));
    }

    /// How far the activity on disk may lag behind.
    fn store_interval(&self) -> Duration {
        self.timeout / 5
    }
}

/// What is kept of a secret: half of its SHA-256, for no more can be found out than the 128 bits that it has. They are
/// random, so a hash that is fast is as good as one that is slow.
pub(crate) fn digest(secret: u128) -> u128 {
    let hash = Sha256::digest(secret.to_be_bytes());
    u128::from_be_bytes(hash[..16].try_into().expect("a hash has 32 bytes"))
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            code(sessions.check(START, SessionCheck { session_id: wrong, ..check })),
            Code::NotLoggedIn
        );
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
    fn nobody_is_woken_for_no_session() {
        let mut sessions = Sessions::new(TIMEOUT);
        assert_eq!(sessions.expire(START), None);
        sessions.store_clock(START);
        assert!(!sessions.is_dirty());
    }
}
