//! Logging in and out, and whose session it is.

use serde::{Deserialize, Serialize};

use super::error::{Code, Error};
use super::fields::{Fields, invalid};
use super::values::{KnownUsername, Password, Role, SessionId};
use super::{Api, Database, DatabaseApi, Effect, FromFields};

/// A session that is to be checked, and the role that it must have.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct SessionCheck {
    pub(crate) session_id: SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
}

/// A session that must be a buyer's.
#[derive(Clone, Copy)]
pub(crate) struct BuyerSession(SessionId);

/// A session that must be a seller's.
#[derive(Clone, Copy)]
pub(crate) struct SellerSession(SessionId);

/// `Login`. A database is told the role; a frontend is for one of them.
#[derive(Serialize)]
pub(crate) struct Login<R> {
    pub(crate) username: KnownUsername,
    pub(crate) password: Password,
    pub(crate) role: R,
}

/// The role of whoever asks a frontend: the one that it is for.
pub(crate) struct OwnRole;

/// A session that was opened, and whose it is.
#[derive(Serialize)]
pub(crate) struct LoggedIn {
    pub(crate) session_id: SessionId,
    pub(crate) user_id: u32,
    pub(crate) role: Role,
}

/// `Logout`. A session that has ended never comes back, so it can be ended again.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Logout<S>(pub(crate) S);

/// The session has ended.
#[derive(Serialize)]
pub(crate) struct LoggedOut {
    pub(crate) logged_out: bool,
}

/// `ValidateSession`: tells whose session it is, and counts as activity.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct ValidateSession(pub(crate) SessionCheck);

/// Whose session it is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Validated {
    pub(crate) role: Role,
    pub(crate) user_id: u32,
}

impl From<BuyerSession> for SessionCheck {
    fn from(BuyerSession(session_id): BuyerSession) -> Self {
        Self { session_id, role: Some(Role::Buyer) }
    }
}

impl From<SellerSession> for SessionCheck {
    fn from(SellerSession(session_id): SellerSession) -> Self {
        Self { session_id, role: Some(Role::Seller) }
    }
}

impl FromFields for Option<SessionCheck> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let session_id = fields.optional("session_id")?;
        let role = fields.optional("role")?;
        Ok(session_id.map(|session_id| SessionCheck { session_id, role }))
    }
}

impl FromFields for SessionCheck {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Option::from_fields(fields)?.ok_or_else(not_logged_in)
    }
}

impl FromFields for Option<BuyerSession> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(fields.optional("session_id")?.map(BuyerSession))
    }
}

impl FromFields for BuyerSession {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Option::from_fields(fields)?.ok_or_else(not_logged_in)
    }
}

impl FromFields for SellerSession {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        fields.optional("session_id")?.map(Self).ok_or_else(not_logged_in)
    }
}

fn not_logged_in() -> Error {
    Error::new(Code::NotLoggedIn, "`session_id` is missing: log in")
}

impl FromFields for Role {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        fields.required("role")
    }
}

impl FromFields for OwnRole {
    fn from_fields(_: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self)
    }
}

impl<R: FromFields> FromFields for Login<R> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let username = fields.optional("username")?;
        let name = fields.optional("name")?;
        let missing = || invalid("`username` is missing: it, or `name`, must be the login of an account");
        Ok(Self {
            username: username.or(name).ok_or_else(missing)?,
            password: fields.required("password")?,
            role: R::from_fields(fields)?,
        })
    }
}

impl Login<OwnRole> {
    /// The same login, of this role.
    pub(crate) fn of(self, role: Role) -> Login<Role> {
        Login { username: self.username, password: self.password, role }
    }
}

/// A login that is repeated opens one more session, which takes nothing from others and times out.
impl<R: FromFields> Api for Login<R> {
    const NAME: &'static str = "Login";
    const EFFECT: Effect = Effect::Repeatable;
    type Reply<'a> = LoggedIn;
}

impl DatabaseApi for Login<Role> {
    const DATABASE: Database = Database::Customer;
    const HASHES: bool = true;
}

impl<S: FromFields> FromFields for Logout<S> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        S::from_fields(fields).map(Self)
    }
}

impl<S: FromFields> Api for Logout<S> {
    const NAME: &'static str = "Logout";
    const EFFECT: Effect = Effect::Repeatable;
    type Reply<'a> = LoggedOut;
}

impl DatabaseApi for Logout<SessionCheck> {
    const DATABASE: Database = Database::Customer;
}

impl FromFields for ValidateSession {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        SessionCheck::from_fields(fields).map(Self)
    }
}

impl Api for ValidateSession {
    const NAME: &'static str = "ValidateSession";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = Validated;
}

impl DatabaseApi for ValidateSession {
    const DATABASE: Database = Database::Customer;
}
