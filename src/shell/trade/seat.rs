//! [`Seat`]: a seller at work, who is logged in and logs in again where that can be done without asking anybody.

use std::process::ExitCode;

use serde_json::value::RawValue;

use super::item::Item;
use super::listing::all_items;
use crate::client::{CallError, Client, Data, raw};
use crate::command_line::report;
use crate::shell::engine::{Engine, HINT_LOGIN, given_password};
use crate::shell::failure::explain_call;
use crate::shell::reply::{cell_at, session_id};
use crate::shell::session::Session;
use crate::text::escape;

/// A shell whose session is used for many calls.
pub(crate) struct Seat<'a> {
    engine: &'a mut Engine,
}

/// Says why a call failed, and returns the exit code.
pub(super) fn explain(error: &CallError, json: bool) -> ExitCode {
    ExitCode::from(explain_call(error, json, error.says_not_logged_in().then_some(HINT_LOGIN)))
}

impl Seat<'_> {
    /// Takes a shell's place.
    pub(crate) fn of(engine: &mut Engine) -> Seat<'_> {
        Seat { engine }
    }

    /// Where the shop is.
    pub(crate) fn server(&mut self) -> String {
        self.engine.caller.client().server().to_owned()
    }

    /// The session, or an empty one, which every service refuses.
    pub(crate) fn session_id(&self) -> String {
        self.engine.session.as_ref().map(|session| session.session_id.clone()).unwrap_or_default()
    }

    /// The seller whose session it is, as a number.
    ///
    /// # Errors
    /// The call failed.
    pub(crate) fn seller_id(&mut self) -> Result<String, CallError> {
        let rating = self.read("GetSellerRating", Data::new())?;
        Ok(cell_at(&rating, "seller_id"))
    }

    /// All items in the shop.
    ///
    /// # Errors
    /// A call failed.
    pub(crate) fn items(&mut self) -> Result<Vec<Item>, CallError> {
        all_items(|data| self.read("DisplayItemsForSale", data))
    }

    /// Clients for calls at once.
    pub(crate) fn clients(&self, count: usize) -> Vec<Client> {
        (0..count).map(|_| self.engine.caller.another_client()).collect()
    }

    /// Calls an API that changes nothing.
    fn read(&mut self, api: &'static str, mut data: Data) -> Result<Box<RawValue>, CallError> {
        data.insert("session_id", raw(&self.session_id()));
        let error = match self.engine.caller.client().call(api, &data, true) {
            Err(error) if error.says_not_logged_in() => error,
            result => return result,
        };
        self.log_in_again(error)?;
        data.insert("session_id", raw(&self.session_id()));
        self.engine.caller.client().call(api, &data, true)
    }

    /// Begins a new session of the same user in place of one that has ended, if a password is known.
    ///
    /// # Errors
    /// The one that told of the end if no password is known, or that of the login.
    pub(crate) fn log_in_again(&mut self, ended: CallError) -> Result<(), CallError> {
        let session = self.engine.session.take();
        if let (Some(session), Some(file)) = (&session, &self.engine.session_file) {
            file.remove(session);
        }
        let username = session.and_then(|session| session.username);
        let (Some(username), Some(password)) = (username, given_password()) else { return Err(ended) };
        let data = Data::from([("username", raw(&username)), ("password", raw(&password))]);
        let reply = self.engine.caller.client().call("Login", &data, true)?;
        let session = Session { session_id: session_id(&reply)?, username: Some(username) };
        report("The session had ended; logged in again.");
        if let Some(file) = &self.engine.session_file
            && let Err(error) = file.replace().and_then(|file| file.keep(&session))
        {
            report(&format!("Later commands will not know of this login: {}", escape(&error.to_string())));
        }
        self.engine.session = Some(session);
        Ok(())
    }
}
