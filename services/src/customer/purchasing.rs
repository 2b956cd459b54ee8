//! How a purchase begins and ends, and what a buyer is told of those that were made. Its stock is taken elsewhere.

use net::Time;

use super::Customer;
use super::purchases::State;
use super::rules::{check_taken, empty_cart, history, no_buyer, purchased, unknown_purchase};
use crate::api::carts::Owner;
use crate::api::error::Error;
use crate::api::page::{Cursor, Page};
use crate::api::purchases::{
    BeginPurchase, Begun, CLAIMED_MAX, ClaimPurchases, Claimed, FinishPurchase, Finished, GetBuyerPurchases,
    Lines, Purchase, Purchases, Receipt, TakenItems,
};
use crate::api::sessions::SessionCheck;
use crate::api::values::{Limit, PurchaseId, Role, Total, UserId};
use crate::engine::domain::Answer;

impl Answer<BeginPurchase> for Customer {
    fn answer(&mut self, now: Time, request: BeginPurchase) -> Result<Begun, Error> {
        let BeginPurchase { session: check, idempotency_key: key } = request;
        let check = SessionCheck { role: Some(Role::Buyer), ..check };
        let session = self.sessions.check_latest(now, check)?;
        let (buyer_id, number) = (session.user_id, check.session_id.number);
        let id = match self.purchases.meant(buyer_id, number, key.as_ref())? {
            Some(id) => id,
            None => {
                let lines = Lines(session.cart.lines().clone());
                if lines.0.is_empty() {
                    return Err(empty_cart());
                }
                self.room.check_new(now)?;
                let id = self.purchases.begin(now, buyer_id, number, key, lines)?;
                // No ID is given twice: the next start goes on from there, even if this purchase is refused and forgotten.
                self.sessions.clock.put(id.greater_from());
                id
            }
        };
        Ok(match &self.purchases.latest(id).expect("it has begun").state {
            State::Begun { lines, .. } => {
                Begun::Unfinished(self.purchases.unfinished(now, id, lines.clone()))
            }
            State::Made(items) => Begun::made(&Receipt::of(id, items)),
        })
    }
}

impl Answer<FinishPurchase> for Customer {
    fn answer(&mut self, _: Time, request: FinishPurchase) -> Result<Finished<'_>, Error> {
        let FinishPurchase { purchase_id: id, taken } = request;
        let Some(record) = self.purchases.latest(id) else { return unknown_purchase(id, taken.is_some()) };
        if let State::Begun { session_number, lines } = &record.state {
            let Some(TakenItems(taken)) = taken else {
                self.purchases.refuse(id);
                return Ok(Finished::Refused { refused: true });
            };
            check_taken(lines, &taken)?;
            self.sessions.take_out(*session_number, lines);
            for item in &taken {
                self.accounts.count_sold(item.seller_id, item.quantity);
            }
            self.purchases.make(id, taken.into_iter().map(purchased).collect());
        }
        match &self.purchases.latest(id).expect("it is made").state {
            State::Made(items) => Ok(Finished::Made(Receipt::of(id, items))),
            State::Begun { .. } => unreachable!("it was made, now or before"),
        }
    }
}

impl Answer<ClaimPurchases> for Customer {
    fn answer(&mut self, now: Time, request: ClaimPurchases) -> Result<Claimed, Error> {
        let Limit(limit) = request.limit;
        Ok(Claimed { purchases: self.purchases.claim(now, limit.min(CLAIMED_MAX)) })
    }
}

impl Answer<GetBuyerPurchases<Owner>> for Customer {
    fn answer(&mut self, now: Time, request: GetBuyerPurchases<Owner>) -> Result<Purchases<'_>, Error> {
        let buyer_id = match request.owner {
            Owner::Session(check) => self.sessions.check(now, check)?.user_id,
            Owner::Buyer { buyer_id: UserId(buyer_id) } => buyer_id,
        };
        self.accounts.buyers.get(&buyer_id).ok_or_else(|| no_buyer(buyer_id))?;
        Ok(self.history(buyer_id, &request.page))
    }
}

impl Customer {
    /// A page of a buyer's history: at most as long as was asked for, and not too long to be sent.
    fn history(&self, buyer_id: u32, page: &Page<PurchaseId>) -> Purchases<'_> {
        let Limit(limit) = page.limit;
        let all = self.purchases.history(buyer_id);
        let end = page.after.map_or(all.len(), |Cursor(last)| all.partition_point(|id| *id < last));
        let rest = &all[..end];
        let newest_first = rest.iter().rev().take(limit).map(|id| {
            let (at, items) = self.purchases.made(*id).expect("a history is of what was made");
            Purchase { purchase_id: *id, at: at.as_millis(), items, total: Total::of(items) }
        });
        history(buyer_id, all.len(), rest.len(), newest_first)
    }
}

#[cfg(test)]
mod tests;
