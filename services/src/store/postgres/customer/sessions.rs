//! Sessions as rows: by what they are found, whether they live, and who has used which lately.
//!
//! Whoever changes something in the name of a session changes its row first, which keeps others from it until the change
//! is committed, and counts as activity. Whoever only looks is remembered, and written with others once a second.

use std::collections::BTreeMap;
use std::time::Duration;

use net::Time;

use super::super::answers::{carried_out, first};
use super::super::domain::Carry;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Call, Row, Statement, Value};
use super::values::{millis, role_of, text, time, time_of, user_id_of};
use super::{Flow, RemoteCustomer, again};
use crate::api::Api;
use crate::api::error::Error;
use crate::api::sessions::{LoggedOut, Logout, SessionCheck, ValidateSession, Validated};
use crate::api::values::{Role, SessionId};
use crate::customer::rules::{admit, unknown_session};
use crate::customer::sessions::digest;
use crate::engine::caller::Caller;

/// The most sessions whose activity is remembered. They are written much faster than they come.
const TOUCHED_MAX: usize = 200_000;
/// The most that are written at once.
const BATCH_MAX: usize = 1000;
/// How often activity is written.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

const READ: Statement =
    Statement::kept("session_read", "SELECT role, user_id, active_at_ms FROM sessions WHERE digest = $1");
const USE: Statement = Statement::kept(
    "session_use",
    "UPDATE sessions SET active_at_ms = CASE WHEN active_at_ms < $3 THEN $3 ELSE active_at_ms END
        WHERE digest = $1 AND active_at_ms > $2 AND (role = $4::text OR role = $5::text) RETURNING role, user_id",
);
const TOUCH: Statement = Statement::kept(
    "session_touch",
    "UPDATE sessions SET active_at_ms = $2 WHERE digest = ANY($1::bytea[]) AND active_at_ms < $2",
);
const CLOSE: Statement = Statement::kept(
    "session_close",
    "DELETE FROM sessions WHERE digest = $1 AND active_at_ms > $2 AND (role = $3::text OR role = $4::text)",
);
const DROP_CART: Statement = Statement::kept(
    "session_drop_cart",
    "DELETE FROM cart_lines WHERE cart = $1 AND NOT EXISTS (SELECT 1 FROM sessions WHERE digest = $1)",
);

/// By what a session is found: the digest of its secret, which spreads them, and its number. Nobody can make the ID of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SessionKey([u8; 24]);

/// A session that a request is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) key: SessionKey,
    /// The role that it must have.
    pub(super) role: Option<Role>,
    pub(super) now: Time,
    /// It lives if it was active later than then.
    alive_after_ms: i64,
}

/// Whose a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) role: Role,
    pub(super) user_id: u32,
}

/// The sessions that were used and whose rows do not tell.
#[derive(Debug, Default)]
pub(super) struct Activity {
    touched: BTreeMap<SessionKey, Time>,
    /// Those that are about to be written, all with the time at which the last of them was used. They are of one second, for
    /// no session may live longer because it was written late.
    writing: BTreeMap<SessionKey, Time>,
    writing_at: Time,
    /// When to write next, if there is something to write.
    next_at: Time,
}

impl SessionKey {
    pub(super) fn of(id: SessionId) -> Self {
        Self::of_digest(digest(id.secret), id.number)
    }

    /// That of the session with this digest of its secret, and this number.
    pub(super) fn of_digest(digest: u128, number: u64) -> Self {
        let mut key = [0; 24];
        key[..16].copy_from_slice(&digest.to_be_bytes());
        key[16..].copy_from_slice(&number.to_be_bytes());
        Self(key)
    }

    /// One as it is stored.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(super) fn value(self) -> Value {
        Value::Bytes(self.0.to_vec())
    }

    /// What is about this session is carried out in order.
    pub(super) fn lane(self) -> u64 {
        let (first, _) = self.0.split_first_chunk().expect("it is longer");
        u64::from_be_bytes(*first)
    }
}

impl Used {
    pub(super) fn read(self) -> Call {
        READ.with([self.key.value()])
    }

    /// Uses the session, if it lives and has the role, and keeps others from it until the transaction ends. It returns the
    /// holder.
    pub(super) fn hold(self) -> Call {
        let [one, other] = self.roles();
        USE.with([self.key.value(), self.alive_after(), time(self.now), one, other])
    }

    /// The roles that it may have.
    fn roles(self) -> [Value; 2] {
        let roles = self.role.map_or([Role::Buyer, Role::Seller], |role| [role; 2]);
        roles.map(|role| text(role.as_str()))
    }

    pub(super) fn alive_after(self) -> Value {
        Value::Int(self.alive_after_ms)
    }
}

impl Activity {
    /// A session was used, and its row does not tell.
    fn touch(&mut self, now: Time, key: SessionKey) {
        if self.touched.len() < TOUCHED_MAX || self.touched.contains_key(&key) {
            self.touched.insert(key, now);
        }
    }

    fn last(&self, key: SessionKey) -> Option<Time> {
        self.touched.get(&key).or_else(|| self.writing.get(&key)).copied()
    }

    /// When there is something to write, if there is.
    pub(super) fn next_at(&self) -> Option<Time> {
        (!self.touched.is_empty() || !self.writing.is_empty()).then_some(self.next_at)
    }

    /// What is to be written now. It is kept until it is [`written`](Self::written).
    pub(super) fn write(&mut self, now: Time) -> Option<(Vec<SessionKey>, Transaction)> {
        self.next_at().filter(|at| *at <= now)?;
        if self.writing.is_empty() {
            let end = self.touched.values().min().map(|first| *first + WRITE_INTERVAL);
            let touched = std::mem::take(&mut self.touched).into_iter();
            (self.writing, self.touched) = touched.partition(|(_, at)| end.is_some_and(|end| *at < end));
            self.writing_at = self.writing.values().max().copied().unwrap_or(now);
        }
        self.next_at = now + WRITE_INTERVAL;
        let keys: Vec<SessionKey> = self.writing.keys().take(BATCH_MAX).copied().collect();
        let array = keys.iter().map(|key| key.0.to_vec()).collect();
        let call = TOUCH.with([Value::BytesArray(array), time(self.writing_at)]);
        let transaction = Transaction::write(keys[0].lane(), crate::api::Effect::Repeatable, vec![call]);
        Some((keys, transaction))
    }

    /// This was written. The rest follows at once.
    pub(super) fn written(&mut self, now: Time, keys: &[SessionKey]) {
        keys.iter().for_each(|key| _ = self.writing.remove(key));
        if !self.writing.is_empty() || self.touched.values().any(|at| now.since(*at) >= WRITE_INTERVAL) {
            self.next_at = now;
        }
    }
}

impl RemoteCustomer {
    /// A session that is to be used now. That this service has seen it used lately counts, too.
    pub(super) fn used(&self, now: Time, check: SessionCheck) -> Used {
        let key = SessionKey::of(check.session_id);
        let last = self.activity.last(key).filter(|last| now.since(*last) < self.timeout);
        let timeout_ms = i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX);
        let alive_after_ms = millis(last.map_or(now, |last| last.min(now))).saturating_sub(timeout_ms);
        Used { key, role: check.role, now, alive_after_ms }
    }

    /// Whose a session is that was [read](Used::read). Its use is remembered.
    ///
    /// # Errors
    /// `NOT_LOGGED_IN`, `SESSION_TIMEOUT`.
    pub(super) fn admit(&mut self, used: Used, row: Option<&Row>) -> Result<Holder, Error> {
        let row = row.ok_or_else(unknown_session)?;
        let holder = Holder { role: role_of(row, 0)?, user_id: user_id_of(row, 1)? };
        let stored_at = time_of(row, 2)?;
        let active_at = self.activity.last(used.key).map_or(stored_at, |last| last.max(stored_at));
        admit(used.now, self.timeout, used.role, holder.role, active_at)?;
        self.activity.touch(used.now, used.key);
        Ok(holder)
    }

    /// What follows where a session could not be [held](Used::hold): it is read why. If it can be used after all, the
    /// request begins anew.
    pub(super) fn refuse(
        used: Used,
        attempts: u32,
        anew: impl FnOnce(&mut Self, u32) -> Flow + 'static,
    ) -> Flow {
        Step::ask(Transaction::lookup(used.key.lane(), used.read()), move |customer: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            customer.admit(used, first(&replies, 0))?;
            anew(customer, again(attempts)?)
        })
    }
}

/// The holder of a session, as [`Used::hold`] has returned it.
///
/// # Errors
/// The row is something else.
pub(super) fn held(row: Option<&Row>) -> Result<Option<Holder>, Error> {
    row.map(|row| Ok(Holder { role: role_of(row, 0)?, user_id: user_id_of(row, 1)? })).transpose()
}

impl Carry<ValidateSession> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, ValidateSession(check): ValidateSession) -> Flow {
        let used = self.used(now, check);
        Step::ask(Transaction::lookup(used.key.lane(), used.read()), move |customer: &mut Self, _, answer| {
            let Holder { role, user_id } = customer.admit(used, first(&carried_out(answer)?, 0))?;
            Step::reply(&Validated { role, user_id })
        })
    }
}

impl Carry<Logout<SessionCheck>> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, Logout(check): Logout<SessionCheck>) -> Flow {
        // A session that is gone already is what was asked for; but one of the other role is not for us to end.
        let used = self.used(now, check);
        let any = Used { role: None, ..used };
        let key = used.key.value();
        let [one, other] = used.roles();
        let close = CLOSE.with([key.clone(), used.alive_after(), one, other]);
        let calls = vec![any.hold(), close, DROP_CART.with([key])];
        let transaction = Transaction::write(used.key.lane(), Logout::<SessionCheck>::EFFECT, calls);
        Step::ask(transaction, move |_, _, answer| {
            if let Some(holder) = held(first(&carried_out(answer)?, 0))? {
                admit(used.now, Duration::MAX, used.role, holder.role, used.now)?;
            }
            Step::reply(&LoggedOut { logged_out: true })
        })
    }
}
