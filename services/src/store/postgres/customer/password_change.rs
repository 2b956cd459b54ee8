//! Changing the password of an account, with which all of its sessions end but that in which it is changed.
//!
//! The account's row is changed before its sessions are looked for, and whoever logs in holds that row until the new session
//! is committed. So none that the old password has opened is missed.

use net::Time;

use super::super::answers::{carried_out, first};
use super::super::domain::Carry;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Call, Statement};
use super::sessions::{Holder, Used};
use super::values::{int, text};
use super::{ATTEMPTS_MAX, Flow, RemoteCustomer, account_lane};
use crate::api::Api;
use crate::api::accounts::{ChangePassword, PasswordChanged};
use crate::api::sessions::SessionCheck;
use crate::api::values::Role;
use crate::customer::hashing::{Account, Attempt, Request};
use crate::customer::rules::{unknown_session, wrong_name_or_password};
use crate::engine::caller::Caller;

const READ_SELLER: Statement = Statement::kept(
    "password_read_seller",
    "SELECT username, password_hash FROM sellers WHERE seller_id = $1",
);
const READ_BUYER: Statement =
    Statement::kept("password_read_buyer", "SELECT username, password_hash FROM buyers WHERE buyer_id = $1");
/// The old hash is that with which the old password was compared.
const CHANGE_SELLER: Statement = Statement::kept(
    "password_change_seller",
    "UPDATE sellers SET password_hash = $2::text WHERE seller_id = $1 AND password_hash = $3::text
        AND EXISTS (SELECT 1 FROM sessions WHERE digest = $4 AND active_at_ms > $5) RETURNING seller_id",
);
const CHANGE_BUYER: Statement = Statement::kept(
    "password_change_buyer",
    "UPDATE buyers SET password_hash = $2::text WHERE buyer_id = $1 AND password_hash = $3::text
        AND EXISTS (SELECT 1 FROM sessions WHERE digest = $4 AND active_at_ms > $5) RETURNING buyer_id",
);
const END_OTHERS_OF_SELLER: Statement = Statement::kept(
    "password_end_others_of_seller",
    "DELETE FROM sessions WHERE user_id = $1 AND role = 'seller' AND digest <> $3
        AND EXISTS (SELECT 1 FROM sellers WHERE seller_id = $1 AND password_hash = $2::text)",
);
/// From here on nobody changes their carts.
const HOLD_OTHERS: Statement = Statement::kept(
    "password_hold_others",
    "UPDATE sessions SET active_at_ms = active_at_ms WHERE user_id = $1 AND role = 'buyer' AND digest <> $3
        AND EXISTS (SELECT 1 FROM buyers WHERE buyer_id = $1 AND password_hash = $2::text)",
);
const DROP_CARTS: Statement = Statement::kept(
    "password_drop_carts",
    "DELETE FROM cart_lines
        WHERE cart IN (SELECT digest FROM sessions WHERE user_id = $1 AND role = 'buyer' AND digest <> $3)
        AND EXISTS (SELECT 1 FROM buyers WHERE buyer_id = $1 AND password_hash = $2::text)",
);
const END_OTHERS_OF_BUYER: Statement = Statement::kept(
    "password_end_others_of_buyer",
    "DELETE FROM sessions WHERE user_id = $1 AND role = 'buyer' AND digest <> $3
        AND EXISTS (SELECT 1 FROM buyers WHERE buyer_id = $1 AND password_hash = $2::text)",
);

/// A password that is to be changed: the old one was right.
struct Change {
    used: Used,
    from: Attempt,
    account: Account,
    new_hash: Box<str>,
}

impl Carry<ChangePassword<SessionCheck>> for RemoteCustomer {
    fn carry(&mut self, now: Time, caller: Caller, change: ChangePassword<SessionCheck>) -> Flow {
        let used = self.used(now, change.session);
        Step::ask(Transaction::lookup(used.key.lane(), used.read()), move |customer: &mut Self, _, answer| {
            let holder = customer.admit(used, first(&carried_out(answer)?, 0))?;
            Self::read_account(caller, holder, change)
        })
    }
}

impl RemoteCustomer {
    /// Reads whose password it is about, and has the old one compared.
    fn read_account(caller: Caller, holder: Holder, change: ChangePassword<SessionCheck>) -> Flow {
        let Holder { role, user_id } = holder;
        let read = match role {
            Role::Seller => READ_SELLER,
            Role::Buyer => READ_BUYER,
        };
        let read = Transaction::lookup(account_lane(role, user_id), read.with([int(user_id)]));
        Step::ask(read, move |customer: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            let row = first(&replies, 0).ok_or_else(unknown_session)?;
            let (username, account) = (Box::<str>::from(row.text(0)?), (user_id, row.text(1)?.into()));
            let attempt = Attempt { client: caller.client, role, username: username.clone() };
            let salt = (customer.random)().to_be_bytes();
            Self::try_password(
                caller,
                attempt,
                Request::change((role, username), change, Some(account), salt),
            )
        })
    }

    /// The old password is right.
    pub(super) fn change_password(
        &self,
        now: Time,
        from: Attempt,
        session: SessionCheck,
        (account, new_hash): (Account, Box<str>),
    ) -> Flow {
        let used = self.used(now, session);
        Self::replace_password(Change { used, from, account, new_hash }, ATTEMPTS_MAX)
    }

    fn replace_password(change: Change, attempts: u32) -> Flow {
        Step::ask(change.transaction(), move |_, _, answer| {
            let replies = carried_out(answer)?;
            if first(&replies, 0).is_none() {
                let used = change.used;
                let anew = move |_: &mut Self, attempts| Self::replace_password(change, attempts);
                return Self::refuse(used, attempts, anew);
            }
            // Another one has changed it meanwhile.
            first(&replies, 1).ok_or_else(wrong_name_or_password)?;
            Step::reply(&PasswordChanged { changed: true })
        })
    }
}

impl Change {
    /// What changes it. The first statement returns something if the session may be used, and the second one if the password
    /// was changed. It locks what nobody can tell before, so it shares its transaction with nobody.
    fn transaction(&self) -> Transaction {
        let Self { used, from, account: (user_id, old_hash), new_hash } = self;
        let own = || used.key.value();
        // No other hash is the same, so whoever finds it knows that it was changed here.
        let changed = || [int(*user_id), text(new_hash)];
        let with_old = || [&changed()[..], &[text(old_hash), own(), used.alive_after()]].concat();
        let others = |statement: Statement| statement.with([&changed()[..], &[own()]].concat());
        let change: Vec<Call> = match from.role {
            Role::Seller => vec![CHANGE_SELLER.with(with_old()), others(END_OTHERS_OF_SELLER)],
            Role::Buyer => {
                let ends = [HOLD_OTHERS, DROP_CARTS, END_OTHERS_OF_BUYER].map(others);
                [CHANGE_BUYER.with(with_old())].into_iter().chain(ends).collect()
            }
        };
        let calls = [used.hold()].into_iter().chain(change).chain([from.forgiven()]).collect();
        Transaction::write(used.key.lane(), ChangePassword::<SessionCheck>::EFFECT, calls).alone()
    }
}
