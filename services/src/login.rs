//! What both frontends do alike: accounts, logging in and out, and whose session it is.

use serde::{Deserialize, Serialize};

use crate::fields::Fields;
use crate::frontend::{DatabaseCall, Effect, Lane};
use crate::message::{Code, Error};
use crate::requests::{Credentials, NewAccount, SessionCheck};
use crate::values::Role;

/// What `ValidateSession` returns, as far as a frontend needs it.
#[derive(Deserialize)]
pub(crate) struct Validated {
    pub(crate) user_id: u32,
}

/// `CreateAccount`; `api` is what the database calls it.
pub(crate) fn create_account(mut fields: Fields<'_>, api: &'static str) -> Result<DatabaseCall, Error> {
    let account = NewAccount::decode(&mut fields)?;
    fields.finish()?;
    Ok(DatabaseCall::new(Lane::CustomerPasswords, Effect::Once, api, &account))
}

/// `Login`. Repeated, it opens one more session, which does no harm and times out.
pub(crate) fn login(mut fields: Fields<'_>, role: Role) -> Result<DatabaseCall, Error> {
    let credentials = Credentials::decode(&mut fields)?;
    fields.finish()?;
    let login = Login { credentials, role };
    Ok(DatabaseCall::new(Lane::CustomerPasswords, Effect::Idempotent, "Login", &login))
}

/// `Logout`.
pub(crate) fn logout(mut fields: Fields<'_>, role: Role) -> Result<DatabaseCall, Error> {
    let check = session(&mut fields, role)?;
    fields.finish()?;
    Ok(DatabaseCall::new(Lane::CustomerWrites, Effect::Idempotent, "Logout", &check))
}

/// The session that a request must name.
///
/// # Errors
/// `NOT_LOGGED_IN`: it names none.
pub(crate) fn session(fields: &mut Fields<'_>, role: Role) -> Result<SessionCheck, Error> {
    let missing = || Error::new(Code::NotLoggedIn, "`session_id` is missing: log in");
    let session_id = fields.optional("session_id")?.ok_or_else(missing)?;
    Ok(SessionCheck { session_id, role: Some(role) })
}

/// The call that tells whose session it is.
pub(crate) fn validate(check: SessionCheck) -> DatabaseCall {
    DatabaseCall::new(Lane::Customer, Effect::Read, "ValidateSession", &check)
}

#[derive(Serialize)]
struct Login<'a> {
    #[serde(flatten)]
    credentials: Credentials<'a>,
    role: Role,
}
