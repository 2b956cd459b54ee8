//! Votes of buyers for items, which count for the items' sellers too.

use serde::{Deserialize, Serialize};

use super::accounts::{BuyerId, SellerId};
use super::error::Error;
use super::fields::Fields;
use super::sessions::BuyerSession;
use super::values::{Ballot, Feedback, ItemId, Revision, UserId, Vote};
use super::{Api, Database, DatabaseApi, Effect, FromFields};

/// `ProvideFeedback`. A buyer's vote for an item replaces the one before; a database takes votes of nobody too.
#[derive(Serialize)]
pub(crate) struct ProvideFeedback<B> {
    pub(crate) item_id: ItemId,
    pub(crate) vote: Vote,
    #[serde(flatten)]
    pub(crate) by: B,
}

/// How an item is voted.
#[derive(Serialize)]
pub(crate) struct ItemFeedback {
    pub(crate) item_id: ItemId,
    pub(crate) feedback: Feedback,
}

/// How an item is voted, and what is needed for the vote to count for the seller too.
#[derive(Serialize, Deserialize)]
pub(crate) struct Voted {
    pub(crate) item_id: ItemId,
    pub(crate) feedback: Feedback,
    pub(crate) seller_id: UserId,
    pub(crate) revision: Revision,
}

/// `RateSeller`: counts a vote for an item for its seller. The revision keeps a late or second time from replacing a
/// later vote.
#[derive(Serialize)]
pub(crate) struct RateSeller {
    pub(crate) buyer_id: UserId,
    pub(crate) item_id: ItemId,
    #[serde(flatten)]
    pub(crate) seller: SellerId,
    #[serde(flatten)]
    pub(crate) ballot: Ballot,
}

/// The vote counts for the seller, or a later one does.
#[derive(Serialize, Deserialize)]
pub(crate) struct Rated {
    pub(crate) rated: bool,
}

impl FromFields for ProvideFeedback<BuyerSession> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let by = BuyerSession::from_fields(fields)?;
        Ok(Self { item_id: fields.required("item_id")?, vote: fields.required("vote")?, by })
    }
}

impl FromFields for ProvideFeedback<Option<BuyerId>> {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            item_id: fields.required("item_id")?,
            vote: fields.required("vote")?,
            by: FromFields::from_fields(fields)?,
        })
    }
}

impl Api for ProvideFeedback<BuyerSession> {
    const NAME: &'static str = "ProvideFeedback";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = ItemFeedback;
}

impl Api for ProvideFeedback<Option<BuyerId>> {
    const NAME: &'static str = "ProvideFeedback";
    const EFFECT: Effect = Effect::Once;
    type Reply<'a> = Voted;
}

impl DatabaseApi for ProvideFeedback<Option<BuyerId>> {
    const DATABASE: Database = Database::Product;
}

impl FromFields for RateSeller {
    fn from_fields(fields: &mut Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            buyer_id: fields.required("buyer_id")?,
            item_id: fields.required("item_id")?,
            seller: SellerId::from_fields(fields)?,
            ballot: Ballot { vote: fields.required("vote")?, revision: fields.required("revision")? },
        })
    }
}

impl Api for RateSeller {
    const NAME: &'static str = "RateSeller";
    const EFFECT: Effect = Effect::Repeatable;
    type Reply<'a> = Rated;
}

impl DatabaseApi for RateSeller {
    const DATABASE: Database = Database::Customer;
}
