//! `server_seller`: its APIs, and which flow each begins.

use super::login;
use super::sell::{Sale, SellFlow};
use crate::api::accounts::{ChangePassword, CreateAccount, GetSellerRating, Oneself};
use crate::api::envelope::Reply;
use crate::api::error::Error;
use crate::api::items::{ChangeItemPrice, DisplayItemsForSale, RegisterItem, UpdateUnitsForSale};
use crate::api::sessions::{Login, Logout, OwnRole, SellerSession};
use crate::api::values::Role;
use crate::engine::call::DatabaseCall;
use crate::engine::flow::{Flow, Start, Starter, Step, started};
use crate::engine::intake::Entry;

/// A request of a seller, by its flow.
pub(crate) enum Seller {
    /// One call, whose reply is the client's.
    LastReply,
    Sell(SellFlow),
}

impl Flow for Seller {
    const SERVICE: &'static str = "server_seller";
    const APIS: &'static [Entry<Starter<Self>>] = &[
        started::<Self, CreateAccount>(),
        started::<Self, Login<OwnRole>>(),
        started::<Self, Logout<SellerSession>>(),
        started::<Self, ChangePassword<SellerSession>>(),
        started::<Self, GetSellerRating<SellerSession, Oneself>>(),
        started::<Self, RegisterItem<SellerSession>>(),
        started::<Self, ChangeItemPrice<SellerSession>>(),
        started::<Self, UpdateUnitsForSale<SellerSession>>(),
        started::<Self, DisplayItemsForSale<SellerSession>>(),
    ];

    fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        match self {
            Self::LastReply => reply.map(|_| Step::Relay),
            Self::Sell(flow) => Ok(flow.resume(reply)?.map(Self::Sell)),
        }
    }
}

impl Start<CreateAccount> for Seller {
    fn start(account: CreateAccount) -> Result<Step<Self>, Error> {
        Ok(Step::Call(login::create_account(Role::Seller, account), Self::LastReply))
    }
}

impl Start<Login<OwnRole>> for Seller {
    fn start(request: Login<OwnRole>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(login::log_in(Role::Seller, request), Self::LastReply))
    }
}

impl Start<Logout<SellerSession>> for Seller {
    fn start(Logout(session): Logout<SellerSession>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(login::log_out(session), Self::LastReply))
    }
}

impl Start<ChangePassword<SellerSession>> for Seller {
    fn start(change: ChangePassword<SellerSession>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(login::change_password(change), Self::LastReply))
    }
}

impl Start<GetSellerRating<SellerSession, Oneself>> for Seller {
    fn start(request: GetSellerRating<SellerSession, Oneself>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(DatabaseCall::new(&GetSellerRating::from(request)), Self::LastReply))
    }
}

impl Start<RegisterItem<SellerSession>> for Seller {
    fn start(request: RegisterItem<SellerSession>) -> Result<Step<Self>, Error> {
        Ok(SellFlow::start(Sale::Register(request)).map(Self::Sell))
    }
}

impl Start<ChangeItemPrice<SellerSession>> for Seller {
    fn start(request: ChangeItemPrice<SellerSession>) -> Result<Step<Self>, Error> {
        Ok(SellFlow::start(Sale::ChangePrice(request)).map(Self::Sell))
    }
}

impl Start<UpdateUnitsForSale<SellerSession>> for Seller {
    fn start(request: UpdateUnitsForSale<SellerSession>) -> Result<Step<Self>, Error> {
        Ok(SellFlow::start(Sale::UpdateUnits(request)).map(Self::Sell))
    }
}

impl Start<DisplayItemsForSale<SellerSession>> for Seller {
    fn start(request: DisplayItemsForSale<SellerSession>) -> Result<Step<Self>, Error> {
        Ok(SellFlow::start(Sale::Display(request)).map(Self::Sell))
    }
}
