//! `server_seller`: what sellers ask for, as flows through the databases.

use serde::Serialize;

use crate::api::envelope::{Error, Reply};
use crate::api::fields::Fields;
use crate::api::requests::{NewItem, Page};
use crate::api::values::{ItemId, Price, QuantityDelta, Role};
use crate::engine::flows::{DatabaseCall, Effect, Flow, Lane, Step};
use crate::frontend::login::{self, Validated, validate};

/// A request of a seller, by what it waits for.
pub(crate) enum Seller {
    /// For the last reply, which is the client's.
    LastReply,
    /// For who it is that asks, which is then added to this call.
    Asker(DatabaseCall),
}

impl Flow for Seller {
    const SERVICE: &'static str = "server_seller";
    const APIS: &'static [&'static str] = &[
        "CreateAccount",
        "Login",
        "Logout",
        "GetSellerRating",
        "RegisterItemForSale",
        "ChangeItemPrice",
        "UpdateUnitsForSale",
        "DisplayItemsForSale",
    ];

    fn start(api: &str, mut fields: Fields<'_>) -> Result<Step<Self>, Error> {
        let call = match api {
            "CreateAccount" | "Login" | "Logout" => login::start(api, fields, Role::Seller)?,
            "GetSellerRating" => {
                let check = login::session(&mut fields, Role::Seller)?;
                fields.finish()?;
                DatabaseCall::new(Lane::Customer, Effect::Read, "GetSellerRating", &check)
            }
            "RegisterItemForSale" => return as_seller(fields, register),
            "ChangeItemPrice" => return as_seller(fields, change_price),
            "UpdateUnitsForSale" => return as_seller(fields, update_units),
            "DisplayItemsForSale" => return as_seller(fields, display),
            _ => return Err(Error::unimplemented(Self::SERVICE, api)),
        };
        Ok(Step::Call(call, Self::LastReply))
    }

    fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        match self {
            Self::LastReply => reply.map(|_| Step::Relay),
            Self::Asker(call) => {
                let seller_id = reply?.data::<Validated>()?.user_id;
                Ok(Step::Call(call.with("seller_id", &seller_id), Self::LastReply))
            }
        }
    }
}

/// A call in the name of the seller whose session it is.
fn as_seller<'a>(
    mut fields: Fields<'a>,
    decode: impl FnOnce(&mut Fields<'a>) -> Result<DatabaseCall, Error>,
) -> Result<Step<Seller>, Error> {
    let check = login::session(&mut fields, Role::Seller)?;
    let call = decode(&mut fields)?;
    fields.finish()?;
    Ok(Step::Call(validate(check), Seller::Asker(call)))
}

fn register(fields: &mut Fields<'_>) -> Result<DatabaseCall, Error> {
    let item = NewItem::decode(fields)?;
    Ok(DatabaseCall::new(Lane::ProductWrites, Effect::Once, "RegisterItem", &item))
}

fn change_price(fields: &mut Fields<'_>) -> Result<DatabaseCall, Error> {
    let change = PriceChange { item_id: fields.required("item_id")?, price: fields.required("price")? };
    Ok(DatabaseCall::new(Lane::ProductWrites, Effect::Once, "ChangeItemPrice", &change))
}

fn update_units(fields: &mut Fields<'_>) -> Result<DatabaseCall, Error> {
    let update = UnitsUpdate {
        item_id: fields.required("item_id")?,
        quantity_delta: fields.required("quantity_delta")?,
    };
    Ok(DatabaseCall::new(Lane::ProductWrites, Effect::Once, "UpdateUnitsForSale", &update))
}

fn display(fields: &mut Fields<'_>) -> Result<DatabaseCall, Error> {
    let sold_out = fields.optional("sold_out")?.unwrap_or(false);
    let display = Display { sold_out, page: Page::decode(fields)? };
    Ok(DatabaseCall::new(Lane::Product, Effect::Read, "DisplayItemsForSale", &display))
}

#[derive(Serialize)]
struct PriceChange {
    item_id: ItemId,
    price: Price,
}

#[derive(Serialize)]
struct UnitsUpdate {
    item_id: ItemId,
    quantity_delta: QuantityDelta,
}

#[derive(Serialize)]
struct Display<'a> {
    sold_out: bool,
    #[serde(flatten)]
    page: Page<'a>,
}
