//! Carts: what is in them, what goes in and out, and the one that is kept when a session ends.

use std::collections::BTreeMap;

use serde::Serialize;

use super::error::Error;
use super::fields::{Fields, invalid};
use super::sessions::{BuyerSession, SessionCheck};
use super::values::{ItemId, Quantity, QuantityDelta, Role, Units, UserId};
use super::{Api, Database, DatabaseApi, Effect, FromFields};

/// Whose cart or history a request to a database is about.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
pub(crate) enum Owner {
    /// The buyer's whose session it is; of carts, that of the session.
    Session(SessionCheck),
    /// This buyer's; of carts, the saved one.
    Buyer { buyer_id: UserId },
}

/// `AddItemToCart`.
pub(crate) struct AddItemToCart {
    pub(crate) session: BuyerSession,
    pub(crate) item_id: ItemId,
    pub(crate) quantity: Units,
}

/// `RemoveItemFromCart`.
pub(crate) struct RemoveItemFromCart {
    pub(crate) session: BuyerSession,
    pub(crate) item_id: ItemId,
    pub(crate) quantity: Units,
}

/// `UpdateCart`: adds units, or removes them. With `quantity_max`, the cart holds no more than that afterwards.
#[derive(Serialize)]
pub(crate) struct UpdateCart {
    #[serde(flatten)]
    pub(crate) owner: Owner,
    pub(crate) item_id: ItemId,
    pub(crate) quantity_delta: QuantityDelta,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) quantity_max: Option<Quantity>,
}

/// The units of an item that there are now: in a cart, or for sale.
#[derive(Serialize)]
pub(crate) struct Counted {
    pub(crate) item_id: ItemId,
    pub(crate) quantity: u32,
}

/// `DisplayCart` of a frontend.
pub(crate) struct DisplayCart(pub(crate) BuyerSession);

/// `GetCart` of the database.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct GetCart(pub(crate) Owner);

/// What a cart holds.
#[derive(Serialize)]
pub(crate) struct CartHeld<'a> {
    /// Units by item, as `{"1:42":2}`, in the order of the items.
    pub(crate) cart: &'a BTreeMap<ItemId, u32>,
}

/// `ClearCart`.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct ClearCart<O>(pub(crate) O);

/// The cart is empty.
#[derive(Serialize)]
pub(crate) struct Cleared {
    pub(crate) cleared: bool,
}

/// `SaveCart`.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct SaveCart<S>(pub(crate) S);

/// The cart is kept for the next session.
#[derive(Serialize)]
pub(crate) struct Saved {
    pub(crate) saved: bool,
}

impl From<BuyerSession> for Owner {
    fn from(session: BuyerSession) -> Self {
        Self::Session(session.into())
    }
}

impl FromFields for Owner {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let buyer_id = fields.optional("buyer_id")?;
        match (Option::from_fields(fields)?, buyer_id) {
            (Some(check), _) => Ok(Self::Session(SessionCheck { role: Some(Role::Buyer), ..check })),
            (None, Some(buyer_id)) => Ok(Self::Buyer { buyer_id }),
            (None, None) => Err(invalid("give `session_id` or `buyer_id`")),
        }
    }
}

impl FromFields for AddItemToCart {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            session: FromFields::from_fields(fields)?,
            item_id: fields.required("item_id")?,
            quantity: fields.required("quantity")?,
        })
    }
}

impl Api for AddItemToCart {
    const NAME: &'static str = "AddItemToCart";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Counted;
}

impl FromFields for RemoveItemFromCart {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let AddItemToCart { session, item_id, quantity } = FromFields::from_fields(fields)?;
        Ok(Self { session, item_id, quantity })
    }
}

impl Api for RemoveItemFromCart {
    const NAME: &'static str = "RemoveItemFromCart";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Counted;
}

impl FromFields for UpdateCart {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            owner: Owner::from_fields(fields)?,
            item_id: fields.required("item_id")?,
            quantity_delta: fields.required("quantity_delta")?,
            quantity_max: fields.optional("quantity_max")?,
        })
    }
}

impl Api for UpdateCart {
    const NAME: &'static str = "UpdateCart";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Counted;
}

impl DatabaseApi for UpdateCart {
    const DATABASE: Database = Database::Customer;
}

impl FromFields for DisplayCart {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        FromFields::from_fields(fields).map(Self)
    }
}

impl Api for DisplayCart {
    const NAME: &'static str = "DisplayCart";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = CartHeld<'a>;
}

impl FromFields for GetCart {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        FromFields::from_fields(fields).map(Self)
    }
}

impl Api for GetCart {
    const NAME: &'static str = "GetCart";
    const EFFECT: Effect = Effect::Read;
    type Reply<'a> = CartHeld<'a>;
}

impl DatabaseApi for GetCart {
    const DATABASE: Database = Database::Customer;
}

impl<O: FromFields> FromFields for ClearCart<O> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        O::from_fields(fields).map(Self)
    }
}

impl<O: FromFields> Api for ClearCart<O> {
    const NAME: &'static str = "ClearCart";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Cleared;
}

impl DatabaseApi for ClearCart<Owner> {
    const DATABASE: Database = Database::Customer;
}

impl<S: FromFields> FromFields for SaveCart<S> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        S::from_fields(fields).map(Self)
    }
}

impl<S: FromFields> Api for SaveCart<S> {
    const NAME: &'static str = "SaveCart";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Saved;
}

impl DatabaseApi for SaveCart<SessionCheck> {
    const DATABASE: Database = Database::Customer;
}
