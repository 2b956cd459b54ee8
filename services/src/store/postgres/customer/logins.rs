//! Logging in. Failures are counted where all services see them, so guessing is as slow at many of them as it is at one.

use net::Time;
use sha2::{Digest, Sha256};

use super::super::answers::{carried_out, first, number};
use super::super::domain::Carry;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Call, Reply, Row, Statement, Value};
use super::accounts::{find, found};
use super::carts::saved_cart;
use super::sessions::SessionKey;
use super::values::{int, text, time, time_of};
use super::{Flow, RemoteCustomer, username_lane};
use crate::api::error::Error;
use crate::api::sessions::{LoggedIn, Login};
use crate::api::values::{Role, SessionId};
use crate::api::{Api, Effect};
use crate::customer::hashing::{Account, Attempt, Request};
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
/// Whoever changes the password waits until the session is there, and ends it with the others.
const HOLD_SELLER: Statement = Statement::kept(
    "login_hold_seller",
    "UPDATE sellers SET name = name WHERE seller_id = $1 AND password_hash = $2::text RETURNING seller_id",
);
const HOLD_BUYER: Statement = Statement::kept(
    "login_hold_buyer",
    "UPDATE buyers SET name = name WHERE buyer_id = $1 AND password_hash = $2::text RETURNING buyer_id",
);
// It may be said again, if nobody knows whether it was heard.
const OPEN_OF_SELLER: Statement = Statement::kept(
    "session_open_of_seller",
    "INSERT INTO sessions (digest, role, user_id, active_at_ms)
        SELECT $3::bytea, 'seller'::text, seller_id, $4 FROM sellers WHERE seller_id = $1 AND password_hash = $2::text
        ON CONFLICT (digest) DO NOTHING",
);
const OPEN_OF_BUYER: Statement = Statement::kept(
    "session_open_of_buyer",
    "INSERT INTO sessions (digest, role, user_id, active_at_ms)
        SELECT $3::bytea, 'buyer'::text, buyer_id, $4 FROM buyers WHERE buyer_id = $1 AND password_hash = $2::text
        ON CONFLICT (digest) DO NOTHING",
);
const FILL_CART: Statement = Statement::kept(
    "session_fill_cart",
    "INSERT INTO cart_lines (cart, item_id, quantity)
        SELECT $1::bytea, item_id, quantity FROM cart_lines WHERE cart = $2 AND quantity > 0
        AND EXISTS (SELECT 1 FROM sessions WHERE digest = $1)
        ON CONFLICT (cart, item_id) DO NOTHING",
);

impl Carry<Login<Role>> for RemoteCustomer {
    fn carry(&mut self, _: Time, caller: Caller, login: Login<Role>) -> Flow {
        let username: Box<str> = login.username.0.as_str().into();
        let attempt = Attempt { client: caller.client, role: login.role, username };
        let [there, all] = attempt.failures();
        let calls = vec![there, all, find(attempt.role, &attempt.username)];
        let lane = username_lane(attempt.role, &attempt.username);
        Step::ask(Transaction::reads(Some(lane), calls), move |customer: &mut Self, now, answer| {
            let replies = carried_out(answer)?;
            customer.learn_failures(&attempt, &replies)?;
            let account = found(first(&replies, 2))?;
            customer.submit(now, caller, Request::login(login, account))
        })
    }
}

impl RemoteCustomer {
    /// Has the password of a request compared, unless too many were wrong.
    pub(super) fn try_password(caller: Caller, attempt: Attempt, request: Request<Option<Account>>) -> Flow {
        let lane = username_lane(attempt.role, &attempt.username);
        let read = Transaction::reads(Some(lane), attempt.failures().into());
        Step::ask(read, move |customer: &mut Self, now, answer| {
            customer.learn_failures(&attempt, &carried_out(answer)?)?;
            customer.submit(now, caller, request)
        })
    }

    /// What the first two statements have told of an account's failures counts here, too.
    fn learn_failures(&mut self, attempt: &Attempt, replies: &[Reply]) -> Result<(), Error> {
        let [there, all] = [failures(first(replies, 0))?, failures(first(replies, 1))?];
        self.hashing.learn(attempt, there, all);
        Ok(())
    }

    fn submit(&mut self, now: Time, caller: Caller, request: Request<Option<Account>>) -> Flow {
        let job = self.hashing.submit(now, caller, request)?;
        self.start_hashing(now);
        Ok(Step::Work(job))
    }

    /// The password is right. If it is so no more when the session is to be opened, it opens none. What is held meanwhile is the
    /// account, which others hold for other reasons, so the transaction is shared with nobody.
    pub(super) fn open_session(&mut self, now: Time, from: Attempt, (user_id, hash): Account) -> Flow {
        let secret = (self.random)();
        // As many bits as where sessions are counted, and never 0.
        let number = ((self.random)() >> 75) as u64 | 1;
        let session_id = SessionId { number, secret };
        let (role, key) = (from.role, SessionKey::of(session_id));
        let (hold, open) = match role {
            Role::Seller => (HOLD_SELLER, OPEN_OF_SELLER),
            Role::Buyer => (HOLD_BUYER, OPEN_OF_BUYER),
        };
        let account = [int(user_id), text(&hash)];
        let new = [&account[..], &[key.value(), time(now)]].concat();
        let mut calls = vec![hold.with(account), open.with(new), from.forgiven()];
        if role == Role::Buyer {
            calls.push(FILL_CART.with([key.value(), saved_cart(user_id)]));
        }
        let lane = username_lane(role, &from.username);
        let transaction = Transaction::write(lane, Login::<Role>::EFFECT, calls).alone();
        Step::ask(transaction, move |_, _, answer| {
            first(&carried_out(answer)?, 0).ok_or_else(wrong_name_or_password)?;
            Step::reply(&LoggedIn { session_id, user_id, role })
        })
    }

    /// The name or the password is wrong. That is told once it is counted.
    pub(super) fn count_failure(now: Time, from: &Attempt) -> Flow {
        let [there, all] = from.digests();
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

impl Attempt {
    /// What reads how often passwords of the account were wrong: from the network, and from all together.
    fn failures(&self) -> [Call; 2] {
        self.digests().map(|digest| READ_FAILURES.with([digest]))
    }

    /// What forgets those from the network.
    pub(super) fn forgiven(&self) -> Call {
        let [there, _] = self.digests();
        FORGET_FAILURES.with([there])
    }

    /// Where these are counted: those from the network, and those from all together.
    fn digests(&self) -> [Value; 2] {
        let Self { client, role, username } = self;
        [digest(*role, username, Some(*client)), digest(*role, username, None)]
    }
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
