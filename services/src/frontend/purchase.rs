//! [`PurchaseFlow`]: buying what is in a cart. It is begun in one database, its stock is taken in the other, and it is
//! finished in the first. Here is also what a recovery does alike: which calls these are, and what their replies mean.
//!
//! A purchase that has begun only goes forward, whoever drives it. So nothing is undone here, and where a call is lost
//! the client is told that the purchase is under way.

use crate::api::Database;
use crate::api::envelope::Reply;
use crate::api::error::{Code, Error};
use crate::api::purchases::{
    BeginPurchase, Begun, Decision, FinishPurchase, MakePurchase, Shortage, TakeStock, Unfinished, WasRefused,
};
use crate::api::values::PurchaseId;
use crate::engine::call::DatabaseCall;
use crate::engine::flow::Step;

/// A purchase that a client waits for, by what it waits for.
pub(crate) enum PurchaseFlow {
    /// For it to be begun, or to be found, begun already or made.
    Begun,
    /// For its stock to be taken, or not.
    Taken(PurchaseId),
    /// For it to be finished as it was decided. Because of these, if there are any, nothing was taken.
    Finished(Vec<Shortage>),
}

impl PurchaseFlow {
    pub(crate) fn start(MakePurchase { session, idempotency_key }: MakePurchase) -> Step<Self> {
        let begin = BeginPurchase { session: session.into(), idempotency_key };
        Step::Call(DatabaseCall::new(&begin), Self::Begun)
    }

    pub(crate) fn resume(self, reply: Result<Reply<'_>, Error>) -> Result<Step<Self>, Error> {
        match self {
            Self::Begun => match reply?.data_of::<BeginPurchase>()? {
                Begun::Made(receipt) => Ok(Step::Reply(receipt.get().as_bytes().to_vec())),
                Begun::Unfinished(purchase) => {
                    let purchase_id = purchase.purchase_id;
                    Ok(Step::Call(take(purchase), Self::Taken(purchase_id)))
                }
            },
            Self::Taken(purchase_id) => {
                let decision = decision(reply).map_err(|error| under_way(error, Database::Product))?;
                let (call, shortages) = finish(purchase_id, decision);
                Ok(Step::Call(call, Self::Finished(shortages)))
            }
            // That a purchase is refused is certain before. But whoever is told so may count on what follows from it: the
            // key is free, and what is in the cart by then can be bought. For that the record must be gone, and where this
            // call is lost, nobody knows whether it is.
            Self::Finished(shortages) => {
                let end = reply.and_then(Reply::data::<WasRefused>);
                let end = end.map_err(|error| under_way(error, Database::Customer))?;
                if end.refused { Err(out_of_stock(&shortages)) } else { Ok(Step::Relay) }
            }
        }
    }
}

/// The call that decides whether a purchase is made.
pub(super) fn take(purchase: Unfinished) -> DatabaseCall {
    DatabaseCall::new(&TakeStock(purchase))
}

/// What was decided.
pub(super) fn decision(reply: Result<Reply<'_>, Error>) -> Result<Decision<'static>, Error> {
    match reply.and_then(Reply::data) {
        // It has ended some time ago, and how is forgotten here. Whoever finishes it again is told, and a purchase of
        // which there is no record was refused.
        Err(error) if error.code == Code::FailedPrecondition => Ok(Decision::Refused(Vec::new())),
        decided => decided,
    }
}

/// The call that ends a purchase as it was decided, and of what there was too little for it.
pub(super) fn finish(purchase_id: PurchaseId, decision: Decision<'static>) -> (DatabaseCall, Vec<Shortage>) {
    let (taken, shortages) = match decision {
        Decision::Taken(items) => (Some(items), Vec::new()),
        Decision::Refused(shortages) => (None, shortages),
    };
    (DatabaseCall::new(&FinishPurchase { purchase_id, taken }), shortages)
}

/// What is to be said when a call about a purchase that has begun fails.
fn under_way(error: Error, database: Database) -> Error {
    if !error.code.is_passing() {
        return error;
    }
    let message = format!(
        "{} did not answer; the purchase is under way and ends by itself: ask again with its idempotency key, or look \
         at the purchases",
        database.name()
    );
    Error::new(Code::Unavailable, message)
}

fn out_of_stock(shortages: &[Shortage]) -> Error {
    if shortages.is_empty() {
        return Error::new(Code::OutOfStock, "fewer units were for sale than the cart holds");
    }
    let each = shortages.iter().map(|&Shortage { item_id, available, quantity }| match available {
        1 => format!("1 unit of {item_id} is for sale, fewer than {quantity}"),
        _ => format!("{available} units of {item_id} are for sale, fewer than {quantity}"),
    });
    Error::new(Code::OutOfStock, each.collect::<Vec<_>>().join("; "))
}
