//! `server_buyer`: its APIs, and which flow each begins.

use super::browse::BrowseFlow;
use super::cart::{self, AddFlow};
use super::login;
use super::purchase::PurchaseFlow;
use super::recovery::RecoverFlow;
use super::vote::VoteFlow;
use crate::api::accounts::{ChangePassword, CreateAccount, GetSellerRating, SellerId};
use crate::api::carts::{
    AddItemToCart, ClearCart, DisplayCart, GetCart, Owner, RemoveItemFromCart, SaveCart,
};
use crate::api::categories::ListCategories;
use crate::api::envelope::Reply;
use crate::api::error::Error;
use crate::api::items::{Browse, GetItem, SearchItems};
use crate::api::purchases::{GetBuyerPurchases, MakePurchase};
use crate::api::sessions::{BuyerSession, Login, Logout, OwnRole, SessionCheck};
use crate::api::values::Role;
use crate::api::votes::ProvideFeedback;
use crate::engine::call::DatabaseCall;
use crate::engine::flow::{Flow, Recovery, Start, Starter, Step, started};
use crate::engine::intake::Entry;

/// A request of a buyer, or the recovery, by its flow.
pub(crate) enum Buyer {
    /// One call, whose reply is the client's.
    LastReply,
    Browse(BrowseFlow),
    Add(AddFlow),
    Vote(VoteFlow),
    Purchase(PurchaseFlow),
    Recover(RecoverFlow),
}

impl Flow for Buyer {
    const SERVICE: &'static str = "server_buyer";
    const APIS: &'static [Entry<Starter<Self>>] = &[
        started::<Self, CreateAccount>(),
        started::<Self, Login<OwnRole>>(),
        started::<Self, Logout<BuyerSession>>(),
        started::<Self, ChangePassword<BuyerSession>>(),
        started::<Self, Browse<ListCategories>>(),
        started::<Self, Browse<SearchItems>>(),
        started::<Self, Browse<GetItem>>(),
        started::<Self, AddItemToCart>(),
        started::<Self, RemoveItemFromCart>(),
        started::<Self, SaveCart<BuyerSession>>(),
        started::<Self, ClearCart<BuyerSession>>(),
        started::<Self, DisplayCart>(),
        started::<Self, MakePurchase>(),
        started::<Self, ProvideFeedback<BuyerSession>>(),
        started::<Self, GetSellerRating<BuyerSession, SellerId>>(),
        started::<Self, GetBuyerPurchases<BuyerSession>>(),
    ];
    const RECOVERY: Option<Recovery<Self>> =
        Some(RecoverFlow::recovery(|| RecoverFlow::start().map(Self::Recover)));

    fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        match self {
            Self::LastReply => reply.map(|_| Step::Relay),
            Self::Browse(flow) => Ok(flow.resume(reply)?.map(Self::Browse)),
            Self::Add(flow) => Ok(flow.resume(reply)?.map(Self::Add)),
            Self::Vote(flow) => Ok(flow.resume(reply)?.map(Self::Vote)),
            Self::Purchase(flow) => Ok(flow.resume(reply)?.map(Self::Purchase)),
            Self::Recover(flow) => Ok(flow.resume(reply)?.map(Self::Recover)),
        }
    }
}

impl Start<CreateAccount> for Buyer {
    fn start(account: CreateAccount) -> Result<Step<Self>, Error> {
        Ok(Step::Call(login::create_account(Role::Buyer, account), Self::LastReply))
    }
}

impl Start<Login<OwnRole>> for Buyer {
    fn start(request: Login<OwnRole>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(login::log_in(Role::Buyer, request), Self::LastReply))
    }
}

impl Start<Logout<BuyerSession>> for Buyer {
    fn start(Logout(session): Logout<BuyerSession>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(login::log_out(session), Self::LastReply))
    }
}

impl Start<ChangePassword<BuyerSession>> for Buyer {
    fn start(change: ChangePassword<BuyerSession>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(login::change_password(change), Self::LastReply))
    }
}

impl Start<Browse<ListCategories>> for Buyer {
    fn start(categories: Browse<ListCategories>) -> Result<Step<Self>, Error> {
        Ok(BrowseFlow::start(categories).map(Self::Browse))
    }
}

impl Start<Browse<SearchItems>> for Buyer {
    fn start(search: Browse<SearchItems>) -> Result<Step<Self>, Error> {
        Ok(BrowseFlow::start(search).map(Self::Browse))
    }
}

impl Start<Browse<GetItem>> for Buyer {
    fn start(item: Browse<GetItem>) -> Result<Step<Self>, Error> {
        Ok(BrowseFlow::start(item).map(Self::Browse))
    }
}

impl Start<AddItemToCart> for Buyer {
    fn start(add: AddItemToCart) -> Result<Step<Self>, Error> {
        Ok(AddFlow::start(add).map(Self::Add))
    }
}

impl Start<RemoveItemFromCart> for Buyer {
    fn start(remove: RemoveItemFromCart) -> Result<Step<Self>, Error> {
        Ok(Step::Call(cart::remove(remove), Self::LastReply))
    }
}

impl Start<SaveCart<BuyerSession>> for Buyer {
    fn start(SaveCart(session): SaveCart<BuyerSession>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(DatabaseCall::new(&SaveCart(SessionCheck::from(session))), Self::LastReply))
    }
}

impl Start<ClearCart<BuyerSession>> for Buyer {
    fn start(ClearCart(session): ClearCart<BuyerSession>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(DatabaseCall::new(&ClearCart(Owner::from(session))), Self::LastReply))
    }
}

impl Start<DisplayCart> for Buyer {
    fn start(DisplayCart(session): DisplayCart) -> Result<Step<Self>, Error> {
        Ok(Step::Call(DatabaseCall::new(&GetCart(session.into())), Self::LastReply))
    }
}

impl Start<MakePurchase> for Buyer {
    fn start(purchase: MakePurchase) -> Result<Step<Self>, Error> {
        Ok(PurchaseFlow::start(purchase).map(Self::Purchase))
    }
}

impl Start<ProvideFeedback<BuyerSession>> for Buyer {
    fn start(vote: ProvideFeedback<BuyerSession>) -> Result<Step<Self>, Error> {
        Ok(VoteFlow::start(vote).map(Self::Vote))
    }
}

impl Start<GetSellerRating<BuyerSession, SellerId>> for Buyer {
    fn start(request: GetSellerRating<BuyerSession, SellerId>) -> Result<Step<Self>, Error> {
        Ok(Step::Call(DatabaseCall::new(&GetSellerRating::from(request)), Self::LastReply))
    }
}

impl Start<GetBuyerPurchases<BuyerSession>> for Buyer {
    fn start(request: GetBuyerPurchases<BuyerSession>) -> Result<Step<Self>, Error> {
        let request = GetBuyerPurchases { owner: Owner::from(request.owner), page: request.page };
        Ok(Step::Call(DatabaseCall::new(&request), Self::LastReply))
    }
}
