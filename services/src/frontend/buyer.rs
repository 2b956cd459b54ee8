//! `server_buyer`: what buyers ask for, as flows through the databases.

use serde::{Deserialize, Serialize};

use crate::api::envelope::{Code, Error, Reply, encode};
use crate::api::fields::Fields;
use crate::api::requests::{Page, Search, SessionCheck};
use crate::api::values::{Feedback, ItemId, Revision, Role, Units, UserId, Vote};
use crate::engine::flows::{DatabaseCall, Effect, Flow, Lane, Step};
use crate::frontend::login::{self, Validated, validate};

/// A request of a buyer, by what it waits for.
pub(crate) enum Buyer {
    /// For the last reply, which is the client's.
    LastReply,
    /// For the session of someone who browses, to be checked before this call.
    BrowsingSession(DatabaseCall),
    /// For how much there is of an item that is to go into the cart.
    Availability { check: SessionCheck, item_id: ItemId, quantity: u32 },
    /// For the session of someone who is about to be refused: that they are not logged in comes first.
    RefusedSession(Error),
    /// For who it is that votes.
    Voter { item_id: ItemId, vote: Vote },
    /// For the vote to be counted for the item.
    ItemVote { buyer_id: u32, vote: Vote },
    /// For the vote to be counted for the seller too; the item's feedback is already known.
    SellerVote { voted: Vec<u8> },
}

impl Flow for Buyer {
    const SERVICE: &'static str = "server_buyer";
    const APIS: &'static [&'static str] = &[
        "CreateAccount",
        "Login",
        "Logout",
        "SearchItemsForSale",
        "GetItem",
        "AddItemToCart",
        "RemoveItemFromCart",
        "SaveCart",
        "ClearCart",
        "DisplayCart",
        "ProvideFeedback",
        "GetSellerRating",
        "GetBuyerPurchases",
    ];

    fn start(api: &str, fields: Fields<'_>) -> Result<Step<Self>, Error> {
        let call = match api {
            "CreateAccount" | "Login" | "Logout" => login::start(api, fields, Role::Buyer)?,
            "SearchItemsForSale" => return search(fields),
            "GetItem" => return get_item(fields),
            "AddItemToCart" => return add_item(fields),
            "RemoveItemFromCart" => remove_item(fields)?,
            "SaveCart" => own_cart(fields, Lane::CustomerWrites, Effect::Once, "SaveCart")?,
            "ClearCart" => own_cart(fields, Lane::CustomerWrites, Effect::Once, "ClearCart")?,
            "DisplayCart" => own_cart(fields, Lane::Customer, Effect::Read, "GetCart")?,
            "ProvideFeedback" => return provide_feedback(fields),
            "GetSellerRating" => seller_rating(fields)?,
            "GetBuyerPurchases" => purchases(fields)?,
            _ => return Err(Error::unimplemented(Self::SERVICE, api)),
        };
        Ok(Step::Call(call, Self::LastReply))
    }

    fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        match self {
            Self::LastReply => reply.map(|_| Step::Relay),
            Self::BrowsingSession(call) => {
                reply?.data::<Validated>()?;
                Ok(Step::Call(call, Self::LastReply))
            }
            Self::Availability { check, item_id, quantity } => {
                let stock = reply
                    .and_then(Reply::data::<Availability>)
                    .and_then(|stock| stock.enough(item_id, quantity));
                match stock {
                    Ok(available) => {
                        let update = UpdateCart {
                            check,
                            item_id,
                            quantity_delta: quantity.into(),
                            quantity_max: Some(available),
                        };
                        let call =
                            DatabaseCall::new(Lane::CustomerWrites, Effect::Once, "UpdateCart", &update);
                        Ok(Step::Call(call, Self::LastReply))
                    }
                    Err(error) => Ok(Step::Call(validate(check), Self::RefusedSession(error))),
                }
            }
            Self::RefusedSession(refusal) => {
                reply?.data::<Validated>()?;
                Err(refusal)
            }
            Self::Voter { item_id, vote } => {
                let buyer_id = reply?.data::<Validated>()?.user_id;
                let item_vote = ItemVote { item_id, vote, buyer_id };
                let call =
                    DatabaseCall::new(Lane::ProductWrites, Effect::Once, "ProvideFeedback", &item_vote);
                Ok(Step::Call(call, Self::ItemVote { buyer_id, vote }))
            }
            Self::ItemVote { buyer_id, vote } => {
                let Voted { item_id, feedback, seller_id, revision } = reply?.data()?;
                let mut voted = Vec::new();
                encode(&mut voted, &ItemFeedback { item_id: &item_id, feedback });
                let seller_vote = SellerVote { buyer_id, item_id, seller_id, vote, revision };
                // The revision keeps a late or second time from replacing a later vote.
                let call =
                    DatabaseCall::new(Lane::CustomerWrites, Effect::Repeatable, "RateSeller", &seller_vote);
                Ok(Step::Call(call, Self::SellerVote { voted }))
            }
            Self::SellerVote { voted } => match reply.and_then(Reply::data::<Rated>) {
                Ok(_) => Ok(Step::Reply(voted)),
                // An item can be registered by other tools for a seller that has no account here.
                Err(error) if error.code == Code::NotFound => Ok(Step::Reply(voted)),
                Err(error) if matches!(error.code, Code::Unavailable | Code::ResourceExhausted) => {
                    Err(Error::new(
                        error.code,
                        "the vote counts for the item, and may not count for its seller yet: vote again to complete it",
                    ))
                }
                Err(error) => Err(error),
            },
        }
    }
}

/// A session that need not be sent, but is checked if it is.
fn browsing_session(fields: &mut Fields<'_>) -> Result<Option<SessionCheck>, Error> {
    let session_id = fields.optional("session_id")?;
    Ok(session_id.map(|session_id| SessionCheck { session_id, role: Some(Role::Buyer) }))
}

fn browse(check: Option<SessionCheck>, call: DatabaseCall) -> Step<Buyer> {
    match check {
        Some(check) => Step::Call(validate(check), Buyer::BrowsingSession(call)),
        None => Step::Call(call, Buyer::LastReply),
    }
}

fn search(mut fields: Fields<'_>) -> Result<Step<Buyer>, Error> {
    let check = browsing_session(&mut fields)?;
    let search = Search::decode(&mut fields)?;
    fields.finish()?;
    Ok(browse(check, DatabaseCall::new(Lane::Product, Effect::Read, "SearchItems", &search)))
}

fn get_item(mut fields: Fields<'_>) -> Result<Step<Buyer>, Error> {
    let check = browsing_session(&mut fields)?;
    let item = OneItem { item_id: fields.required("item_id")? };
    fields.finish()?;
    Ok(browse(check, DatabaseCall::new(Lane::Product, Effect::Read, "GetItem", &item)))
}

fn add_item(mut fields: Fields<'_>) -> Result<Step<Buyer>, Error> {
    let check = login::session(&mut fields, Role::Buyer)?;
    let item_id = fields.required("item_id")?;
    let Units(quantity) = fields.required("quantity")?;
    fields.finish()?;
    let wanted = Wanted { item_id, quantity };
    let call = DatabaseCall::new(Lane::Product, Effect::Read, "CheckAvailability", &wanted);
    Ok(Step::Call(call, Buyer::Availability { check, item_id, quantity }))
}

fn remove_item(mut fields: Fields<'_>) -> Result<DatabaseCall, Error> {
    let check = login::session(&mut fields, Role::Buyer)?;
    let item_id = fields.required("item_id")?;
    let Units(quantity) = fields.required("quantity")?;
    fields.finish()?;
    let update = UpdateCart { check, item_id, quantity_delta: -i64::from(quantity), quantity_max: None };
    Ok(DatabaseCall::new(Lane::CustomerWrites, Effect::Once, "UpdateCart", &update))
}

/// A call about the session's own cart.
fn own_cart(
    mut fields: Fields<'_>,
    lane: Lane,
    effect: Effect,
    api: &'static str,
) -> Result<DatabaseCall, Error> {
    let check = login::session(&mut fields, Role::Buyer)?;
    fields.finish()?;
    Ok(DatabaseCall::new(lane, effect, api, &check))
}

fn provide_feedback(mut fields: Fields<'_>) -> Result<Step<Buyer>, Error> {
    let check = login::session(&mut fields, Role::Buyer)?;
    let item_id = fields.required("item_id")?;
    let vote = fields.required("vote")?;
    fields.finish()?;
    Ok(Step::Call(validate(check), Buyer::Voter { item_id, vote }))
}

fn seller_rating(mut fields: Fields<'_>) -> Result<DatabaseCall, Error> {
    let check = login::session(&mut fields, Role::Buyer)?;
    let seller_id: UserId = fields.required("seller_id")?;
    fields.finish()?;
    let rating = RatingOf { check, seller_id };
    Ok(DatabaseCall::new(Lane::Customer, Effect::Read, "GetSellerRating", &rating))
}

fn purchases(mut fields: Fields<'_>) -> Result<DatabaseCall, Error> {
    let check = login::session(&mut fields, Role::Buyer)?;
    let page = Page::decode(&mut fields)?;
    fields.finish()?;
    Ok(DatabaseCall::new(Lane::Customer, Effect::Read, "GetBuyerPurchases", &PurchasesOf { check, page }))
}

#[derive(Serialize)]
struct OneItem {
    item_id: ItemId,
}

#[derive(Serialize)]
struct Wanted {
    item_id: ItemId,
    quantity: u32,
}

#[derive(Deserialize)]
struct Availability {
    available: u32,
}

impl Availability {
    /// The units for sale, if they are enough.
    fn enough(self, item_id: ItemId, quantity: u32) -> Result<u32, Error> {
        if quantity <= self.available {
            return Ok(self.available);
        }
        let message = format!("{} units of {item_id} are for sale, fewer than {quantity}", self.available);
        Err(Error::new(Code::OutOfStock, message))
    }
}

#[derive(Serialize)]
struct UpdateCart {
    #[serde(flatten)]
    check: SessionCheck,
    item_id: ItemId,
    quantity_delta: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity_max: Option<u32>,
}

#[derive(Serialize)]
struct ItemVote {
    item_id: ItemId,
    vote: Vote,
    buyer_id: u32,
}

#[derive(Deserialize)]
struct Voted {
    item_id: String,
    feedback: Feedback,
    seller_id: u32,
    revision: Revision,
}

#[derive(Serialize)]
struct ItemFeedback<'a> {
    item_id: &'a str,
    feedback: Feedback,
}

#[derive(Serialize)]
struct SellerVote {
    buyer_id: u32,
    item_id: String,
    seller_id: u32,
    vote: Vote,
    revision: Revision,
}

#[derive(Deserialize)]
struct Rated {}

#[derive(Serialize)]
struct RatingOf {
    #[serde(flatten)]
    check: SessionCheck,
    seller_id: UserId,
}

#[derive(Serialize)]
struct PurchasesOf<'a> {
    #[serde(flatten)]
    check: SessionCheck,
    #[serde(flatten)]
    page: Page<'a>,
}
