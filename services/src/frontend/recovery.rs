//! [`RecoverFlow`]: purchases whose client, frontend or database went away in the middle are brought to their end. They
//! are claimed, some at a time, and each of them is driven as its client's flow would, all at the same time: so they share
//! their commits, and none waits for another one's.
//!
//! It remembers nothing from one time to the next: what is unfinished, `db_customer` knows.

use super::purchase::{decision, finish, take};
use crate::api::envelope::Reply;
use crate::api::error::Error;
use crate::api::purchases::{CLAIMED_MAX, ClaimPurchases, WasRefused};
use crate::api::values::{Limit, PurchaseId};
use crate::engine::call::DatabaseCall;
use crate::engine::flow::{Recovery, Step};
use crate::engine::metrics::Title;

/// Under what ended purchases are counted.
const METRIC: Title = Title {
    name: "marketplace_purchases_recovered_total",
    help: "Purchases that were brought to their end for clients, frontends or databases that went away.",
};

/// A recovery, by what it waits for.
pub(crate) enum RecoverFlow {
    /// For purchases that are unfinished.
    Claimed,
    /// For the stock of this one to be taken, or not.
    Taken(PurchaseId),
    /// For this one to be finished.
    Finished(PurchaseId),
}

impl RecoverFlow {
    /// What a service does that is to recover purchases.
    pub(crate) const fn recovery<F>(start: fn() -> Step<F>) -> Recovery<F> {
        Recovery { start, metric: METRIC }
    }

    pub(crate) fn start() -> Step<Self> {
        Step::Call(DatabaseCall::new(&ClaimPurchases { limit: Limit(CLAIMED_MAX) }), Self::Claimed)
    }

    pub(crate) fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        match self {
            Self::Claimed => {
                let purchases = reply?.data_of::<ClaimPurchases>()?.purchases;
                let is_more = purchases.len() >= CLAIMED_MAX;
                let calls = purchases.into_iter().map(|purchase| {
                    let purchase_id = purchase.purchase_id;
                    (take(purchase), Self::Taken(purchase_id))
                });
                Ok(Step::Fork { calls: calls.collect(), is_more })
            }
            Self::Taken(purchase_id) => {
                let decision = decision(reply).map_err(|error| about(purchase_id, error))?;
                Ok(Step::Call(finish(purchase_id, decision).0, Self::Finished(purchase_id)))
            }
            Self::Finished(purchase_id) => {
                let end = reply.and_then(Reply::data::<WasRefused>);
                let end = end.map_err(|error| about(purchase_id, error))?;
                let outcome = if end.refused { "refused" } else { "made" };
                log::info!("event=purchase_recovered purchase_id={purchase_id} outcome={outcome}");
                Ok(Step::Recovered)
            }
        }
    }
}

/// An error that says which purchase cannot be ended.
fn about(purchase_id: PurchaseId, Error { code, message }: Error) -> Error {
    Error::new(code, format!("purchase {purchase_id}: {message}"))
}
