//! [`AddFlow`]: putting an item into a cart. The cart lies in one database and the stock in the other.

use super::login::validate;
use crate::api::carts::{AddItemToCart, Owner, RemoveItemFromCart, UpdateCart};
use crate::api::envelope::Reply;
use crate::api::error::{Code, Error};
use crate::api::items::{Availability, CheckAvailability};
use crate::api::sessions::ValidateSession;
use crate::api::values::{Quantity, QuantityDelta, Units};
use crate::engine::call::DatabaseCall;
use crate::engine::flow::Step;

/// A request for more of an item, by what it waits for.
pub(crate) enum AddFlow {
    /// For how much of the item is for sale.
    Availability(AddItemToCart),
    /// For the cart to hold it.
    Added,
    /// For the session of someone who is about to be refused: that they are not logged in comes first.
    RefusedSession(Error),
}

impl AddFlow {
    pub(crate) fn start(add: AddItemToCart) -> Step<Self> {
        let AddItemToCart { item_id, quantity: Units(quantity), .. } = add;
        let check = CheckAvailability { item_id, quantity: Quantity(quantity) };
        Step::Call(DatabaseCall::new(&check), Self::Availability(add))
    }

    pub(crate) fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        match self {
            Self::Availability(add) => Ok(match reply.and_then(|reply| check(&add, reply)) {
                Ok(update) => Step::Call(DatabaseCall::new(&update), Self::Added),
                Err(refusal) => Step::Call(validate(add.session), Self::RefusedSession(refusal)),
            }),
            Self::Added => reply.map(|_| Step::Relay),
            Self::RefusedSession(refusal) => {
                reply?.data_of::<ValidateSession>()?;
                Err(refusal)
            }
        }
    }
}

/// What takes units out of a cart.
pub(crate) fn remove(remove: RemoveItemFromCart) -> DatabaseCall {
    let RemoveItemFromCart { session, item_id, quantity: Units(quantity) } = remove;
    let quantity_delta = QuantityDelta(-i64::from(quantity));
    DatabaseCall::new(&UpdateCart { owner: session.into(), item_id, quantity_delta, quantity_max: None })
}

/// What brings the item into the cart, if enough of it is for sale.
fn check(add: &AddItemToCart, reply: Reply<'_>) -> Result<UpdateCart, Error> {
    let &AddItemToCart { session, item_id, quantity: Units(quantity) } = add;
    let Availability { available, .. } = reply.data_of::<CheckAvailability>()?;
    if quantity > available {
        let message = format!("the stock of {item_id} is {available}, less than {quantity}");
        return Err(Error::new(Code::OutOfStock, message));
    }
    Ok(UpdateCart {
        owner: Owner::from(session),
        item_id,
        quantity_delta: QuantityDelta(quantity.into()),
        quantity_max: Some(Quantity(available)),
    })
}
