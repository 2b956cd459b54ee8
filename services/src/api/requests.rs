//! Requests that a frontend takes from a client and a database takes from a frontend: one reading for both.
//!
//! Requests that only one side reads are read where they are carried out.

use serde::Serialize;

use crate::api::envelope::{Error, encode};
use crate::api::fields::{Fields, invalid};
use crate::api::values::{
    Category, Condition, Cursor, Keywords, KnownUsername, Limit, Name, Password, Price, Quantity, Role,
    SessionId, Username, Value,
};

/// `CreateAccount`, `CreateBuyer` and `CreateSeller`.
#[derive(Serialize)]
pub(crate) struct NewAccount<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) username: Username<'a>,
    pub(crate) password: Password<'a>,
}

impl<'a> NewAccount<'a> {
    pub(crate) fn decode(fields: &mut Fields<'a>) -> Result<Self, Error> {
        let name: Name<'a> = fields.required("name")?;
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

/// `Login`. At a database, the role is to follow.
#[derive(Serialize)]
pub(crate) struct Credentials<'a> {
    pub(crate) username: KnownUsername<'a>,
    pub(crate) password: Password<'a>,
}

impl<'a> Credentials<'a> {
    pub(crate) fn decode(fields: &mut Fields<'a>) -> Result<Self, Error> {
        let username = fields.optional("username")?;
        let name = fields.optional("name")?;
        let missing = || invalid("`username` is missing: it, or `name`, must be the login of an account");
        Ok(Self { username: username.or(name).ok_or_else(missing)?, password: fields.required("password")? })
    }
}

/// An item that is to be sold.
#[derive(Serialize)]
pub(crate) struct NewItem<'a> {
    pub(crate) name: Name<'a>,
    pub(crate) category: Category,
    pub(crate) keywords: Keywords,
    pub(crate) condition: Condition,
    pub(crate) price: Price,
    pub(crate) quantity: Quantity,
}

impl<'a> NewItem<'a> {
    pub(crate) fn decode(fields: &mut Fields<'a>) -> Result<Self, Error> {
        Ok(Self {
            name: fields.required("name")?,
            category: fields.required("category")?,
            keywords: fields.optional("keywords")?.unwrap_or_default(),
            condition: fields.required("condition")?,
            price: fields.required("price")?,
            quantity: fields.required("quantity")?,
        })
    }
}

/// `SearchItemsForSale` and `SearchItems`.
#[derive(Serialize)]
pub(crate) struct Search<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) category: Option<Category>,
    pub(crate) keywords: Keywords,
    #[serde(flatten)]
    pub(crate) page: Page<'a>,
}

impl<'a> Search<'a> {
    pub(crate) fn decode(fields: &mut Fields<'a>) -> Result<Self, Error> {
        let category = fields.optional("category")?;
        let keywords: Keywords = fields.optional("keywords")?.unwrap_or_default();
        if category.is_none() && keywords.0.is_empty() {
            return Err(invalid("`category` or `keywords` must be there: what is to be searched for?"));
        }
        Ok(Self { category, keywords, page: Page::decode(fields)? })
    }
}

/// Which part of a list is wanted.
#[derive(Serialize)]
pub(crate) struct Page<'a> {
    pub(crate) limit: Limit,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cursor: Option<Cursor<'a>>,
}

impl<'a> Page<'a> {
    pub(crate) fn decode(fields: &mut Fields<'a>) -> Result<Self, Error> {
        Ok(Self { limit: fields.optional("limit")?.unwrap_or_default(), cursor: fields.optional("cursor")? })
    }

    /// Where the page begins, as `parse` understands it: after which entry.
    pub(crate) fn after<P>(&self, parse: impl FnOnce(&str) -> Option<P>) -> Result<Option<P>, Error> {
        let unknown = || invalid("`cursor` must be a next_cursor that was returned by this API");
        self.cursor.as_ref().map(|Cursor(cursor)| parse(cursor).ok_or_else(unknown)).transpose()
    }
}

/// A session that is to be checked, and the role that it must have.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct SessionCheck {
    pub(crate) session_id: SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
}

impl SessionCheck {
    /// The session of a request, if it names one.
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Option<Self>, Error> {
        let session_id = fields.optional("session_id")?;
        let role = fields.optional("role")?;
        Ok(session_id.map(|session_id| Self { session_id, role }))
    }
}

/// Answers `Ping`, which every service does alike; a database adds how many groups it has flushed to disk since its
/// start.
pub(crate) fn ping(
    service: &'static str,
    commits: Option<u64>,
    fields: Fields<'_>,
    data: &mut Vec<u8>,
) -> Result<(), Error> {
    fields.finish()?;
    encode(data, &Pong { service, version: env!("CARGO_PKG_VERSION"), commits });
    Ok(())
}

#[derive(Serialize)]
struct Pong {
    service: &'static str,
    version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commits: Option<u64>,
}
