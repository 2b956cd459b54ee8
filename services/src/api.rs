//! The contract as types, used by both sides of each connection: by whom an API is answered, what a call of it changes,
//! which fields its requests have and what it returns. No rules, no state, no store.
//!
//! A value of an API's type is one request of it. Where a frontend and a database have an API of the same meaning, it
//! is one type with a parameter for what differs: clients are known by their session, and databases are told who asks.

pub(crate) mod accounts;
pub(crate) mod carts;
pub(crate) mod categories;
pub(crate) mod checked;
pub(crate) mod encoded;
pub(crate) mod envelope;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod items;
pub(crate) mod page;
pub(crate) mod purchases;
pub(crate) mod service;
pub(crate) mod sessions;
pub(crate) mod values;
pub(crate) mod votes;

use serde::Serialize;

use self::error::Error;
use self::fields::Fields;

/// What a call changes, which decides whether it is repeated when its connection breaks. Then the service may have
/// carried it out, and others may have changed the same since and been told so. That a second time changes nothing if
/// nothing came between (`f(f(x)) = f(x)`) is therefore not enough: it must undo nothing, whatever came between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// It changes something, and a second or late time undoes nothing, whatever others did in between.
    Repeatable,
    /// It changes something, and a second time could undo or double a change. It is called once.
    Once,
}

/// A process that answers frontends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Customer,
    Product,
}

/// What can be read from the fields of a request, in whole or in part.
pub(crate) trait FromFields: Sized {
    /// Takes the fields.
    ///
    /// # Errors
    /// What is wrong with one of them, or that it is missing.
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error>;
}

/// An API. Each value is a request.
pub(crate) trait Api: FromFields {
    /// What clients call it.
    const NAME: &'static str;
    /// What a call of it changes.
    const EFFECT: Effect;
    /// What it returns. It may borrow from who answers.
    type Reply<'a>: Encode;
}

/// An API of a database.
pub(crate) trait DatabaseApi: Api + Serialize {
    /// Who answers it.
    const DATABASE: Database;
    /// Whether a password is hashed for it, which is slow on purpose.
    const HASHES: bool = false;
}

/// What has a form as JSON.
pub(crate) trait Encode {
    /// Appends the JSON.
    fn encode(&self, json: &mut Vec<u8>);
}

impl<T: Serialize> Encode for T {
    fn encode(&self, json: &mut Vec<u8>) {
        serde_json::to_writer(json, self).expect("writing our own values to memory cannot fail");
    }
}

impl Effect {
    /// Whether it changes anything.
    pub(crate) fn is_write(self) -> bool {
        self != Self::Read
    }
}

impl Database {
    /// Both, in their order.
    pub(crate) const ALL: [Self; 2] = [Self::Customer, Self::Product];

    /// The name of the service.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Customer => "db_customer",
            Self::Product => "db_product",
        }
    }
}
