//! [`Member`]: somebody of the demo who is logged in.

use serde_json::value::RawValue;

use super::market::Failure;
use crate::client::{CallError, Client, Data, raw};
use crate::shell::reply::{cell_at, session_id};

/// The password of everybody in the demo, which is no secret.
pub(super) const PASSWORD: &str = "demo";

/// A session.
pub(super) struct Member {
    pub(super) client: Client,
    pub(super) session_id: String,
    /// The account's number.
    pub(super) user_id: String,
}

impl Member {
    /// Opens an account, unless it is there already, and logs in.
    ///
    /// # Errors
    /// The account is somebody else's, or a call failed.
    pub(super) fn enter(mut client: Client, name: &str, username: &str) -> Result<Member, Failure> {
        let account =
            Data::from([("name", raw(name)), ("username", raw(username)), ("password", raw(PASSWORD))]);
        match client.call("CreateAccount", &account, false) {
            Ok(_) => {}
            Err(CallError::Refused(refusal)) if refusal.code == "ALREADY_EXISTS" => {}
            Err(error) => return Err(error.into()),
        }
        Member::log_in(client, username)?
            .ok_or_else(|| Failure::Refused(format!("the account {username} is not the demo's")))
    }

    /// Logs in, unless there is no such account of the demo.
    ///
    /// # Errors
    /// The call failed.
    pub(super) fn log_in(mut client: Client, username: &str) -> Result<Option<Member>, Failure> {
        let login = Data::from([("username", raw(username)), ("password", raw(PASSWORD))]);
        let reply = match client.call("Login", &login, true) {
            Ok(reply) => reply,
            Err(CallError::Refused(refusal)) if refusal.code == "AUTH_FAILED" => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(Member { client, session_id: session_id(&reply)?, user_id: cell_at(&reply, "user_id") }))
    }

    /// Calls an API that may be called again.
    ///
    /// # Errors
    /// The call failed.
    pub(super) fn call_again(&mut self, api: &str, data: Data) -> Result<Box<RawValue>, CallError> {
        let data = self.own(data);
        self.client.call(api, &data, true)
    }

    /// Calls an API once.
    ///
    /// # Errors
    /// The call failed.
    pub(super) fn call_once(&mut self, api: &str, data: Data) -> Result<Box<RawValue>, CallError> {
        let data = self.own(data);
        self.client.call(api, &data, false)
    }

    /// Ends the session.
    pub(super) fn leave(mut self) {
        // One that stays is of no use to anybody, and times out.
        let _ = self.call_again("Logout", Data::new());
    }

    fn own(&self, mut data: Data) -> Data {
        data.insert("session_id", raw(&self.session_id));
        data
    }
}
