//! How a purchase begins and ends, and what a buyer is told of those that were made. Its stock is taken elsewhere.

use net::Time;

use super::Customer;
use super::accounts::no_buyer;
use super::purchases::State;
use crate::api::carts::Owner;
use crate::api::error::{Code, Error};
use crate::api::fields::invalid;
use crate::api::page::{Cursor, Page};
use crate::api::purchases::{
    BeginPurchase, Begun, CLAIMED_MAX, ClaimPurchases, Claimed, FinishPurchase, Finished, GetBuyerPurchases,
    LINES_MAX, Lines, Purchase, PurchasedItem, Purchases, Receipt, TakenItem, TakenItems,
};
use crate::api::sessions::SessionCheck;
use crate::api::values::{Limit, PurchaseId, Role, Total, UserId};
use crate::engine::domain::Answer;

/// The most items on a page of a history: such a page is less than 1 MiB, and has a purchase of any size.
const HISTORY_ITEMS_MAX: usize = 4 * LINES_MAX;

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
                    return Err(Error::new(Code::FailedPrecondition, "the cart is empty"));
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
        let Some(record) = self.purchases.latest(id) else { return unknown(id, taken.is_some()) };
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
        let mut items_count = 0;
        let fitting = newest_first.take_while(|purchase| {
            let is_first = items_count == 0;
            items_count += purchase.items.len();
            is_first || items_count <= HISTORY_ITEMS_MAX
        });
        let purchases: Vec<_> = fitting.collect();
        let last = purchases.last().filter(|_| purchases.len() < rest.len());
        let next_cursor = last.map(|purchase| Cursor(purchase.purchase_id));
        Purchases { buyer_id, purchases_count: all.len(), purchases, next_cursor }
    }
}

/// What there is to say of a purchase without a record: it was refused, unless the record is lost.
fn unknown(id: PurchaseId, is_taken: bool) -> Result<Finished<'static>, Error> {
    if is_taken {
        log::warn!(
            "event=purchase_unknown purchase_id={id} its stock was taken, and there is no record of it"
        );
        return Err(Error::new(Code::NotFound, format!("no purchase {id}")));
    }
    Ok(Finished::Refused { refused: true })
}

/// # Errors
/// `INVALID_ARGUMENT`: it is not what was to be bought.
fn check_taken(lines: &Lines, taken: &[TakenItem<'_>]) -> Result<(), Error> {
    let is_same = taken.iter().map(|item| (&item.item_id, &item.quantity)).eq(&lines.0);
    is_same
        .then_some(())
        .ok_or_else(|| invalid("`taken` must be the items and units that the purchase is of"))
}

fn purchased(TakenItem { item_id, name, quantity, price, .. }: TakenItem<'_>) -> PurchasedItem {
    PurchasedItem { item_id, name: name.into_owned(), quantity, price }
}

#[cfg(test)]
mod tests;
