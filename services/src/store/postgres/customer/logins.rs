//! Logging in. Failures are counted where all services see them, so guessing is as slow at many of them as it is at one.

use net::Time;
use sha2::{Digest, Sha256};

use super::super::answers::{carried_out, first, number};
use super::super::domain::Carry;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Row, Statement, Value};
use super::accounts::{find, found};
use super::carts::saved_cart;
use super::sessions::SessionKey;
use super::values::{int, text, time, time_of};
use super::{Flow, RemoteCustomer, username_lane};
use crate::api::error::Error;
use crate::api::sessions::{LoggedIn, Login};
use crate::api::values::{Role, SessionId};
use crate::api::{Api, Effect};
use crate::customer::hashing::{Attempt, Request};
use crate::customer::rules::wrong_name_or_password;
use crate::customer::throttle::{Failures, WINDOW};
use crate::engine::caller::{Caller, ClientNetwork};

const READ_FAILURES: Statement =
    Statement::kept("failures_read", "SELECT failures, last_at_ms FROM login_failures WHERE digest = $1");
const ADD_FAILURES: Statement = Statement::kept(
    "failures_add",
    "INSERT INTO login_failures (digest, failures, last_at_ms) VALUES ($1, 0, $2) ON CONFLICT (digest) DO NOTHING",
);
const RAISE_FAILURES: Statement = Statement::kept(
    "failures_raise",
    "UPDATE login_failures SET failures = CASE WHEN last_at_ms <= $3 THEN 1 ELSE failures + 1 END,
        last_at_ms = CASE WHEN last_at_ms < $2 THEN $2 ELSE last_at_ms END WHERE digest = $1",
);
const FORGET_FAILURES: Statement =
    Statement::kept("failures_forget", "DELETE FROM login_failures WHERE digest = $1");
// It may be said again, if nobody knows whether it was heard.
const OPEN: Statement = Statement::kept(
    "session_open",
    "INSERT INTO sessions (digest, role, user_id, active_at_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (digest) DO NOTHING",
);
const FILL_CART: Statement = Statement::kept(
    "session_fill_cart",
    "INSERT INTO cart_lines (cart, item_id, quantity)
        SELECT $1::bytea, item_id, quantity FROM cart_lines WHERE cart = $2 AND quantity > 0
        ON CONFLICT (cart, item_id) DO NOTHING",
);

impl Carry<Login<Role>> for RemoteCustomer {
    fn carry(&mut self, _: Time, caller: Caller, login: Login<Role>) -> Flow {
        let username: Box<str> = login.username.0.as_str().into();
        let attempt = Attempt { client: caller.client, role: login.role, username };
        let [there, all] = digests(&attempt).map(|digest| READ_FAILURES.with([digest]));
        let calls = vec![find(attempt.role, &attempt.username), there, all];
        let lane = username_lane(attempt.role, &attempt.username);
        Step::ask(Transaction::reads(Some(lane), calls), move |customer: &mut Self, now, answer| {
            let replies = carried_out(answer)?;
            let account = found(first(&replies, 0))?;
            let [there, all] = [failures(first(&replies, 1))?, failures(first(&replies, 2))?];
            customer.hashing.learn(&attempt, there, all);
            let job = customer.hashing.submit(now, caller, Request::login(login, account))?;
            customer.start_hashing(now);
            Ok(Step::Work(job))
        })
    }
}

impl RemoteCustomer {
    /// The password is right.
    pub(super) fn open_session(&mut self, now: Time, from: Attempt, user_id: u32) -> Flow {
        let secret = (self.random)();
        // As many bits as where sessions are counted, and never 0.
        let number = ((self.random)() >> 75) as u64 | 1;
        let session_id = SessionId { number, secret };
        let (role, key) = (from.role, SessionKey::of(session_id));
        let [there, _] = digests(&from);
        let open = [key.value(), text(role.as_str()), int(user_id), time(now)];
        let mut calls = vec![OPEN.with(open), FORGET_FAILURES.with([there])];
        if role == Role::Buyer {
            calls.push(FILL_CART.with([key.value(), saved_cart(user_id)]));
        }
        let transaction = Transaction::write(key.lane(), Login::<Role>::EFFECT, calls);
        Step::ask(transaction, move |_, _, answer| {
            carried_out(answer)?;
            Step::reply(&LoggedIn { session_id, user_id, role })
        })
    }

    /// The name or the password is wrong. That is told once it is counted.
    pub(super) fn count_failure(now: Time, from: &Attempt) -> Flow {
        let [there, all] = digests(from);
        let raise = |digest: Value| {
            let values = [digest.clone(), time(now), time(now - WINDOW)];
            [ADD_FAILURES.with([digest, time(now)]), RAISE_FAILURES.with(values)]
        };
        // Everybody counts in this order, so nobody waits for each other.
        let calls = raise(all).into_iter().chain(raise(there)).collect();
        let lane = username_lane(from.role, &from.username);
        // Counting one twice only slows down somebody who fails.
        Step::ask(Transaction::write(lane, Effect::Repeatable, calls), |_, _, answer| {
            carried_out(answer)?;
            Err(wrong_name_or_password())
        })
    }
}

/// Where failed logins to an account are counted: those from a network, and those from all together.
fn digests(Attempt { client, role, username }: &Attempt) -> [Value; 2] {
    [digest(*role, username, Some(*client)), digest(*role, username, None)]
}

/// User names have no control characters, so what is told apart by one cannot be mistaken.
fn digest(role: Role, username: &str, client: Option<ClientNetwork>) -> Value {
    let client = client.map(|client| client.to_string()).unwrap_or_default();
    let hash = Sha256::digest(format!("{}\n{username}\n{client}", role.as_str()));
    Value::Bytes(hash[..16].to_vec())
}

fn failures(row: Option<&Row>) -> Result<Failures, Error> {
    let failures = |row| Ok(Failures { count: number(row, 0, u32::MAX)?, last_at: time_of(row, 1)? });
    row.map_or(Ok(Failures::default()), failures)
}
