//! [`RecoverFlow`]: purchases whose client, frontend or database went away in the middle are brought to their end. They
//! are claimed, some at a time, and driven one after another, as their clients' flows would.
//!
//! It remembers nothing from one time to the next: what is unfinished, `db_customer` knows.

use std::vec;

use super::purchase::{decision, finish, is_lost, take};
use crate::api::envelope::Reply;
use crate::api::error::{Error, excerpt};
use crate::api::purchases::{ClaimPurchases, Unfinished, WasRefused};
use crate::api::values::{Limit, PurchaseId};
use crate::engine::call::DatabaseCall;
use crate::engine::flow::{Recovery, Step};
use crate::engine::metrics::Title;

/// The most purchases that are claimed at a time.
pub(crate) const CLAIMED_MAX: usize = 100;
/// The most characters of an error that a log line repeats.
const LOGGED_CHARS_MAX: usize = 200;

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
    Taken(PurchaseId, Round),
    /// For it to be finished.
    Finished(PurchaseId, Round),
}

/// Purchases that were claimed together.
pub(crate) struct Round {
    /// Those that were not begun with.
    left: vec::IntoIter<Unfinished>,
    /// There were as many as may be claimed, so there may be more.
    is_full: bool,
    /// How many have ended.
    ended: u64,
    /// The log says that one cannot be ended. Said of each, it would be too much.
    has_warned: bool,
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
                let is_full = purchases.len() >= CLAIMED_MAX;
                let round = Round { left: purchases.into_iter(), is_full, ended: 0, has_warned: false };
                Ok(round.next())
            }
            Self::Taken(purchase_id, round) => Ok(match decision(reply) {
                Ok(decision) => {
                    Step::Call(finish(purchase_id, decision).0, Self::Finished(purchase_id, round))
                }
                Err(error) => round.failed(purchase_id, &error),
            }),
            Self::Finished(purchase_id, round) => Ok(match reply.and_then(Reply::data) {
                Ok(end) => round.ended(purchase_id, &end),
                Err(error) => round.failed(purchase_id, &error),
            }),
        }
    }
}

impl Round {
    /// Begins with the next purchase.
    fn next(mut self) -> Step<RecoverFlow> {
        match self.left.next() {
            Some(purchase) => {
                let purchase_id = purchase.purchase_id;
                Step::Call(take(purchase), RecoverFlow::Taken(purchase_id, self))
            }
            None => Step::Done { recovered: self.ended, is_more: self.is_full },
        }
    }

    fn ended(
        mut self,
        PurchaseId(number): PurchaseId,
        WasRefused { refused }: &WasRefused,
    ) -> Step<RecoverFlow> {
        let outcome = if *refused { "refused" } else { "made" };
        log::info!("event=purchase_recovered purchase_id={number} outcome={outcome}");
        self.ended += 1;
        self.next()
    }

    fn failed(mut self, PurchaseId(number): PurchaseId, error: &Error) -> Step<RecoverFlow> {
        // The database is away, which the log says already. The others would wait for it in vain, each as long as this
        // one: they are claimed again.
        if is_lost(error) {
            return Step::Done { recovered: self.ended, is_more: false };
        }
        if !self.has_warned {
            let message = excerpt(&error.message, LOGGED_CHARS_MAX);
            log::warn!("event=purchase_not_recovered purchase_id={number} error=\"{message}\"");
            self.has_warned = true;
        }
        self.next()
    }
}
