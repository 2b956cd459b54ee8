//! [`SellFlow`]: what sellers do with their items. Who asks is found out first, then the request is made in their name.

use super::login::validate;
use crate::api::accounts::SellerId;
use crate::api::envelope::Reply;
use crate::api::error::Error;
use crate::api::items::{ChangeItemPrice, DisplayItemsForSale, RegisterItem, UpdateUnitsForSale};
use crate::api::sessions::{SellerSession, ValidateSession};
use crate::api::values::UserId;
use crate::engine::call::DatabaseCall;
use crate::engine::flow::Step;

/// A request of a seller about items, by what it waits for.
pub(crate) enum SellFlow {
    /// For who it is that asks.
    Seller(Sale),
    /// For it to be done.
    Done,
}

/// What a seller asks for.
pub(crate) enum Sale {
    Register(RegisterItem<SellerSession>),
    ChangePrice(ChangeItemPrice<SellerSession>),
    UpdateUnits(UpdateUnitsForSale<SellerSession>),
    Display(DisplayItemsForSale<SellerSession>),
}

impl SellFlow {
    pub(crate) fn start(sale: Sale) -> Step<Self> {
        Step::Call(validate(sale.session()), Self::Seller(sale))
    }

    pub(crate) fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        let reply = reply?;
        match self {
            Self::Seller(sale) => {
                let seller_id = UserId(reply.data_of::<ValidateSession>()?.user_id);
                Ok(Step::Call(sale.of(SellerId { seller_id }), Self::Done))
            }
            Self::Done => Ok(Step::Relay),
        }
    }
}

impl Sale {
    fn session(&self) -> SellerSession {
        match self {
            Self::Register(request) => request.by,
            Self::ChangePrice(request) => request.by,
            Self::UpdateUnits(request) => request.by,
            Self::Display(request) => request.by,
        }
    }

    /// The call that does it in the name of this seller.
    fn of(self, seller: SellerId) -> DatabaseCall {
        match self {
            Self::Register(request) => DatabaseCall::new(&request.of(seller)),
            Self::ChangePrice(request) => DatabaseCall::new(&request.of(seller)),
            Self::UpdateUnits(request) => DatabaseCall::new(&request.of(seller)),
            Self::Display(request) => DatabaseCall::new(&request.of(seller)),
        }
    }
}
