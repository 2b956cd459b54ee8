//! [`Sessions`]: who is logged in, since when idle, and with which cart.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
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
    /// The sessions of each account, on disk or not, by their numbers.
    of_accounts: BTreeSet<(Role, u32, u64)>,
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
            of_accounts: BTreeSet::new(),
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
        self.of_accounts.insert((session.role, session.user_id, number));
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
        self.of_accounts.insert((role, user_id, number));
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

    /// Ends all sessions of an account but this one, in whatever state they are.
    pub(crate) fn close_others(&mut self, role: Role, user_id: u32, number: u64) {
        let all = self.of_accounts.range((role, user_id, 0)..=(role, user_id, u64::MAX));
        let others: Vec<u64> = all.map(|(_, _, other)| *other).filter(|other| *other != number).collect();
        others.into_iter().for_each(|other| self.close(other));
    }

    /// Ends a session, which is known no more.
    pub(crate) fn close(&mut self, number: u64) {
        if let Some(Session { role, user_id, .. }) = self.rows.latest(&number) {
            self.of_accounts.remove(&(*role, *user_id, number));
        }
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
mod tests;
