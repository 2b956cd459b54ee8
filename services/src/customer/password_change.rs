//! How the password of an account is changed, and what ends with the old one: all sessions but that in which it is changed.
//!
//! Passwords are compared and hashed elsewhere. Between that and the change, others may have changed the same, or ended the
//! session; so both are looked at again.

use net::Time;

use super::Customer;
use super::hashing::{Account, Request};
use super::rules::{unknown_session, wrong_name_or_password};
use crate::api::accounts::{ChangePassword, PasswordChanged};
use crate::api::error::Error;
use crate::api::sessions::SessionCheck;
use crate::engine::caller::Caller;
use crate::engine::domain::{Begin, Job};

impl Begin<ChangePassword<SessionCheck>> for Customer {
    fn begin(
        &mut self,
        now: Time,
        caller: Caller,
        change: ChangePassword<SessionCheck>,
    ) -> Result<Job, Error> {
        let session = self.sessions.check_latest(now, change.session)?;
        let (role, user_id) = (session.role, session.user_id);
        let username = self.accounts.username(role, user_id).ok_or_else(unknown_session)?;
        let salt = (self.random)().to_be_bytes();
        let request = Request::change((role, username), change, (), salt);
        let job = self.hashing.submit(now, caller, request)?;
        self.start_hashing(now);
        Ok(job)
    }
}

impl Customer {
    /// The password of this account was right when it was compared.
    pub(super) fn change_password(
        &mut self,
        now: Time,
        check: SessionCheck,
        (user_id, old_hash): Account,
        new_hash: Box<str>,
    ) -> Result<PasswordChanged, Error> {
        let session = self.sessions.check_latest(now, check)?;
        let role = session.role;
        if session.user_id != user_id || !self.accounts.has_hash(role, user_id, &old_hash) {
            return Err(wrong_name_or_password());
        }
        self.accounts.change_password(role, user_id, new_hash);
        self.sessions.close_others(role, user_id, check.session_id.number);
        Ok(PasswordChanged { changed: true })
    }
}

#[cfg(test)]
mod tests;
