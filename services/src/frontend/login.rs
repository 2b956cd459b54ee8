//! What both frontends do alike: accounts, their passwords, and logging in and out. Each is one call.

use crate::api::accounts::{ChangePassword, CreateAccount, CreateBuyer, CreateSeller};
use crate::api::sessions::{Login, Logout, OwnRole, SessionCheck, ValidateSession};
use crate::api::values::Role;
use crate::engine::call::DatabaseCall;

/// Opens an account of this role.
pub(crate) fn create_account(role: Role, account: CreateAccount) -> DatabaseCall {
    let username = account.username.0.clone();
    let call = match role {
        Role::Buyer => DatabaseCall::new(&CreateBuyer(account)),
        Role::Seller => DatabaseCall::new(&CreateSeller(account)),
    };
    call.about(&username)
}

/// Opens a session of this role.
pub(crate) fn log_in(role: Role, login: Login<OwnRole>) -> DatabaseCall {
    let login = login.of(role);
    DatabaseCall::new(&login).about(&login.username.0)
}

/// Changes the password of the account whose session it is. Only the database knows which one that is, so it waits in turn with
/// what its session asks for.
pub(crate) fn change_password(change: ChangePassword<impl Into<SessionCheck>>) -> DatabaseCall {
    let change = change.checked();
    DatabaseCall::new(&change).about(&change.session.session_id.number.to_string())
}

/// Ends a session.
pub(crate) fn log_out(session: impl Into<SessionCheck>) -> DatabaseCall {
    DatabaseCall::new(&Logout(session.into()))
}

/// Asks whose session it is.
pub(crate) fn validate(session: impl Into<SessionCheck>) -> DatabaseCall {
    DatabaseCall::new(&ValidateSession(session.into()))
}
