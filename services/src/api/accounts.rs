//! Accounts: opening them, what they are known by, their passwords, and how sellers are rated.

use serde::Serialize;

use super::error::Error;
use super::fields::{Fields, invalid};
use super::sessions::{BuyerSession, SellerSession, SessionCheck};
use super::values::{Feedback, Name, Password, UserId, Username, Value};
use super::{Api, Database, DatabaseApi, Effect, FromFields};

/// The seller whom a request is about.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SellerId {
    pub(crate) seller_id: UserId,
}

/// The buyer whom a request is about.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct BuyerId {
    pub(crate) buyer_id: UserId,
}

/// `CreateAccount` of a frontend, for whose role it is.
#[derive(Serialize)]
pub(crate) struct CreateAccount {
    pub(crate) name: Name,
    pub(crate) username: Username,
    pub(crate) password: Password,
}

/// `CreateBuyer`.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct CreateBuyer(pub(crate) CreateAccount);

/// `CreateSeller`.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct CreateSeller(pub(crate) CreateAccount);

/// The number of a new account.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum AccountCreated {
    Buyer { buyer_id: u32 },
    Seller { seller_id: u32 },
}

/// `ChangePassword`, of the account whose session it is. The other sessions of the account end.
#[derive(Serialize)]
pub(crate) struct ChangePassword<S> {
    #[serde(flatten)]
    pub(crate) session: S,
    /// The one that it is so far.
    pub(crate) password: Password,
    pub(crate) new_password: Password,
}

/// Only the new password opens the account from now on.
#[derive(Serialize)]
pub(crate) struct PasswordChanged {
    pub(crate) changed: bool,
}

/// `GetSellerRating`: at `server_buyer` of any seller, at `server_seller` of the one who asks, at the database of
/// either.
#[derive(Serialize)]
pub(crate) struct GetSellerRating<S, O> {
    #[serde(flatten)]
    pub(crate) session: S,
    #[serde(flatten)]
    pub(crate) of: O,
}

/// The seller whose session it is.
pub(crate) struct Oneself;

/// How a seller is rated, and how much they have sold.
#[derive(Serialize)]
pub(crate) struct Rating<'a> {
    pub(crate) seller_id: u32,
    pub(crate) name: &'a str,
    pub(crate) feedback: Feedback,
    pub(crate) items_sold: u64,
}

impl FromFields for Option<SellerId> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(fields.optional("seller_id")?.map(|seller_id| SellerId { seller_id }))
    }
}

impl FromFields for SellerId {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { seller_id: fields.required("seller_id")? })
    }
}

impl SellerId {
    /// It must be there, and was not.
    pub(crate) fn missing() -> Error {
        invalid(format!("`seller_id` is missing: it must be {}", UserId::RULE))
    }
}

impl FromFields for Option<BuyerId> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(fields.optional("buyer_id")?.map(|buyer_id| BuyerId { buyer_id }))
    }
}

impl FromFields for CreateAccount {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let name: Name = fields.required("name")?;
        let username = match fields.optional("username")? {
            Some(username) => username,
            None => Username::from_name(name.clone()).ok_or_else(|| {
                let rule = Username::RULE;
                invalid(format!("`username` is missing: `name` would stand in for it, but is not {rule}"))
            })?,
        };
        Ok(Self { name, username, password: fields.required("password")? })
    }
}

impl Api for CreateAccount {
    const NAME: &'static str = "CreateAccount";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = AccountCreated;
}

impl FromFields for CreateBuyer {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        CreateAccount::from_fields(fields).map(Self)
    }
}

impl Api for CreateBuyer {
    const NAME: &'static str = "CreateBuyer";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = AccountCreated;
}

impl DatabaseApi for CreateBuyer {
    const DATABASE: Database = Database::Customer;
    const HASHES: bool = true;
}

impl FromFields for CreateSeller {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        CreateAccount::from_fields(fields).map(Self)
    }
}

impl Api for CreateSeller {
    const NAME: &'static str = "CreateSeller";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = AccountCreated;
}

impl DatabaseApi for CreateSeller {
    const DATABASE: Database = Database::Customer;
    const HASHES: bool = true;
}

impl<S: FromFields> FromFields for ChangePassword<S> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            session: S::from_fields(fields)?,
            password: fields.required("password")?,
            new_password: fields.required("new_password")?,
        })
    }
}

impl<S: Into<SessionCheck>> ChangePassword<S> {
    /// The same, as the database is told.
    pub(crate) fn checked(self) -> ChangePassword<SessionCheck> {
        let Self { session, password, new_password } = self;
        ChangePassword { session: session.into(), password, new_password }
    }
}

/// A second time, the old password is wrong; or somebody has set it again in between, and would be undone.
impl<S: FromFields> Api for ChangePassword<S> {
    const NAME: &'static str = "ChangePassword";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = PasswordChanged;
}

impl DatabaseApi for ChangePassword<SessionCheck> {
    const DATABASE: Database = Database::Customer;
    const HASHES: bool = true;
}

impl FromFields for Oneself {
    fn from_fields(_: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self)
    }
}

impl<S: FromFields, O: FromFields> FromFields for GetSellerRating<S, O> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self { session: S::from_fields(fields)?, of: O::from_fields(fields)? })
    }
}

impl<S: FromFields, O: FromFields> Api for GetSellerRating<S, O> {
    const NAME: &'static str = "GetSellerRating";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = Rating<'a>;
}

impl DatabaseApi for GetSellerRating<Option<SessionCheck>, Option<SellerId>> {
    const DATABASE: Database = Database::Customer;
}

impl From<GetSellerRating<BuyerSession, SellerId>>
    for GetSellerRating<Option<SessionCheck>, Option<SellerId>>
{
    fn from(request: GetSellerRating<BuyerSession, SellerId>) -> Self {
        Self { session: Some(request.session.into()), of: Some(request.of) }
    }
}

impl From<GetSellerRating<SellerSession, Oneself>>
    for GetSellerRating<Option<SessionCheck>, Option<SellerId>>
{
    fn from(request: GetSellerRating<SellerSession, Oneself>) -> Self {
        Self { session: Some(request.session.into()), of: None }
    }
}
