//! [`VoteFlow`]: a vote for an item. It counts for the item in one database, then for the item's seller in the other.

use super::login::validate;
use crate::api::accounts::{BuyerId, SellerId};
use crate::api::envelope::Reply;
use crate::api::error::{Code, Error};
use crate::api::sessions::{BuyerSession, ValidateSession};
use crate::api::values::{Ballot, ItemId, UserId, Vote};
use crate::api::votes::{ItemFeedback, ProvideFeedback, RateSeller, Voted};
use crate::engine::call::DatabaseCall;
use crate::engine::flow::Step;

/// A vote, by what it waits for.
pub(crate) enum VoteFlow {
    /// For who it is that votes.
    Voter { item_id: ItemId, vote: Vote },
    /// For the vote to be counted for the item.
    ItemVote { buyer_id: UserId, vote: Vote },
    /// For the vote to be counted for the seller too; the item's feedback is already known.
    SellerVote(ItemFeedback),
}

impl VoteFlow {
    pub(crate) fn start(request: ProvideFeedback<BuyerSession>) -> Step<Self> {
        let ProvideFeedback { item_id, vote, by } = request;
        Step::Call(validate(by), Self::Voter { item_id, vote })
    }

    pub(crate) fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        match self {
            Self::Voter { item_id, vote } => {
                let buyer_id = UserId(reply?.data_of::<ValidateSession>()?.user_id);
                let request = ProvideFeedback { item_id, vote, by: Some(BuyerId { buyer_id }) };
                Ok(Step::Call(DatabaseCall::new(&request), Self::ItemVote { buyer_id, vote }))
            }
            Self::ItemVote { buyer_id, vote } => {
                let voted = reply?.data_of::<ProvideFeedback<Option<BuyerId>>>()?;
                let Voted { item_id, feedback, seller_id, revision } = voted;
                let (seller, ballot) = (SellerId { seller_id }, Ballot { vote, revision });
                let call = DatabaseCall::new(&RateSeller { buyer_id, item_id, seller, ballot });
                Ok(Step::Call(call, Self::SellerVote(ItemFeedback { item_id, feedback })))
            }
            Self::SellerVote(voted) => match reply.and_then(Reply::data_of::<RateSeller>) {
                Ok(_) => Ok(Step::reply(&voted)),
                // An item can be registered by other tools for a seller that has no account here.
                Err(error) if error.code == Code::NotFound => Ok(Step::reply(&voted)),
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
