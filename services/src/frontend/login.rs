//! What both frontends do alike: accounts, logging in and out, and whose session it is.

use serde::{Deserialize, Serialize};

use crate::api::envelope::{Code, Error};
use crate::api::fields::Fields;
use crate::api::requests::{Credentials, NewAccount, SessionCheck};
use crate::api::values::Role;
use crate::engine::flows::{DatabaseCall, Effect, Lane};

/// What `ValidateSession` returns, as far as a frontend needs it.
#[derive(Deserialize)]
pub(crate) struct Validated {
    pub(crate) user_id: u32,
}

/// `CreateAccount`, `Login` or `Logout`.
pub(crate) fn start(api: &str, mut fields: Fields<'_>, role: Role) -> Result<DatabaseCall, Error> {
    let call = match api {
        "CreateAccount" => create_account(&mut fields, role)?,
        "Login" => login(&mut fields, role)?,
        "Logout" => logout(&mut fields, role)?,
        other => unreachable!("`{other}` is not about logging in"),
    };
    fields.finish()?;
    Ok(call)
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

fn create_account(fields: &mut Fields<'_>, role: Role) -> Result<DatabaseCall, Error> {
    let account = NewAccount::decode(fields)?;
    let api = match role {
        Role::Buyer => "CreateBuyer",
        Role::Seller => "CreateSeller",
    };
    Ok(DatabaseCall::new(Lane::CustomerPasswords, Effect::Once, api, &account))
}

/// A login that is repeated opens one more session, which takes nothing from others and times out.
fn login(fields: &mut Fields<'_>, role: Role) -> Result<DatabaseCall, Error> {
    let login = Login { credentials: Credentials::decode(fields)?, role };
    Ok(DatabaseCall::new(Lane::CustomerPasswords, Effect::Repeatable, "Login", &login))
}

/// A session that has ended never comes back, so it can be ended again.
fn logout(fields: &mut Fields<'_>, role: Role) -> Result<DatabaseCall, Error> {
    let check = session(fields, role)?;
    Ok(DatabaseCall::new(Lane::CustomerWrites, Effect::Repeatable, "Logout", &check))
}

#[derive(Serialize)]
struct Login<'a> {
    #[serde(flatten)]
    credentials: Credentials<'a>,
    role: Role,
}
