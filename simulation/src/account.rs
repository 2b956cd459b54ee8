//! [`Account`]: the part of every user that opens an account, logs in and out, and holds the session.

use std::collections::BTreeMap;

use serde_json::json;

use crate::request::{Outcome, Request, Span};

/// User names whose accounts were acknowledged, by role and ID.
#[derive(Debug, Default)]
pub(crate) struct Accounts(pub(crate) BTreeMap<(&'static str, u64), String>);

impl Accounts {
    /// Takes note of an account; no two have the same ID.
    fn created(&mut self, role: &'static str, id: u64, username: &str) {
        let known = self.0.insert((role, id), username.to_owned());
        assert!(known.is_none_or(|known| known == username), "{role} {id} is two accounts");
    }

    /// The IDs of a role.
    pub(crate) fn ids(&self, role: &str) -> Vec<u64> {
        self.0.keys().filter(|(of, _)| *of == role).map(|(_, id)| *id).collect()
    }
}

pub(crate) struct Account {
    role: &'static str,
    pub(crate) username: String,
    state: State,
    user_id: Option<u64>,
    session_id: Option<String>,
    /// Sessions that were logged out.
    pub(crate) ended: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Creating,
    LoggingIn,
    LoggedIn,
    LoggingOut,
}

impl Account {
    pub(crate) fn new(role: &'static str, username: String) -> Self {
        Self { role, username, state: State::Creating, user_id: None, session_id: None, ended: Vec::new() }
    }

    pub(crate) fn user_id(&self) -> u64 {
        self.user_id.expect("the user is logged in")
    }

    pub(crate) fn session_id(&self) -> &str {
        self.session_id.as_deref().expect("the user is logged in")
    }

    /// Leaves the session as it is, and logs in anew.
    pub(crate) fn leave(&mut self) {
        self.state = State::LoggingIn;
    }

    /// Logs out, and in again.
    pub(crate) fn log_out(&mut self) {
        self.state = State::LoggingOut;
    }

    /// The request that must come before any other.
    pub(crate) fn next(&self) -> Option<Request> {
        let credentials = json!({"name": self.username, "password": self.username});
        match self.state {
            State::Creating => Some(Request { api: "CreateAccount", data: credentials }),
            State::LoggingIn => Some(Request { api: "Login", data: credentials }),
            State::LoggingOut => {
                Some(Request { api: "Logout", data: json!({"session_id": self.session_id()}) })
            }
            State::LoggedIn => None,
        }
    }

    /// Takes what came of that request; false if it was none of the account's. Whatever failed is repeated: an
    /// account has no other owner, so it is the user's own if it already exists.
    pub(crate) fn answered(&mut self, span: Span, outcome: &Outcome, accounts: &mut Accounts) -> bool {
        self.state = match (self.state, outcome) {
            (State::LoggedIn, _) => return false,
            (state, Outcome::NotDone | Outcome::Unknown) => state,
            (State::Creating, Outcome::Refused(code)) => {
                assert_eq!(code, "ALREADY_EXISTS", "at {span:?}");
                State::LoggingIn
            }
            // It has ended by itself, and perhaps long ago.
            (State::LoggingOut, Outcome::Refused(code))
                if code == "SESSION_TIMEOUT" || code == "NOT_LOGGED_IN" =>
            {
                self.session_id = None;
                State::LoggingIn
            }
            (state, Outcome::Refused(code)) => panic!("{state:?} {} is {code} at {span:?}", self.username),
            (State::Creating, Outcome::Done(data)) => {
                let id = data[format!("{}_id", self.role)].as_u64().expect("an ID");
                accounts.created(self.role, id, &self.username);
                self.user_id = Some(id);
                State::LoggingIn
            }
            (State::LoggingIn, Outcome::Done(data)) => {
                let id = data["user_id"].as_u64().expect("an ID");
                assert!(self.user_id.is_none_or(|known| known == id), "{} has two IDs", self.username);
                accounts.created(self.role, id, &self.username);
                self.user_id = Some(id);
                self.session_id = Some(data["session_id"].as_str().expect("a session ID").to_owned());
                State::LoggedIn
            }
            (State::LoggingOut, Outcome::Done(_)) => {
                self.ended.extend(self.session_id.take());
                State::LoggingIn
            }
        };
        true
    }
}
