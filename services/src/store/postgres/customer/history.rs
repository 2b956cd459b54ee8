//! What a buyer has bought.

use net::Time;

use super::super::answers::{carried_out, first, nonsense};
use super::super::columns::{purchase_id, purchase_value};
use super::super::domain::Carry;
use super::super::json::items;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Row, Statement, Value};
use super::values::{count, int, time_of};
use super::{Flow, RemoteCustomer, account_lane};
use crate::api::carts::Owner;
use crate::api::error::Error;
use crate::api::page::{Cursor, Page};
use crate::api::purchases::{GetBuyerPurchases, Purchase, PurchasedItem};
use crate::api::values::{Limit, PurchaseId, Role, Total, UserId};
use crate::customer::rules::{history, history_fits, no_buyer};
use crate::engine::caller::Caller;

/// How many purchases are read at once: as long as each of them may be, they are less than a flight may return.
const READ_MAX: usize = 100;

const COUNT: Statement = Statement::kept(
    "history_count",
    "SELECT buyer_id, (SELECT count(*) FROM purchases WHERE buyer_id = $1) FROM buyers WHERE buyer_id = $1",
);
const PAGE: Statement = Statement::kept(
    "history_page",
    "SELECT purchase_id, at_ms, items FROM purchases WHERE buyer_id = $1 AND purchase_id < $2
        ORDER BY purchase_id DESC LIMIT $3",
);

/// A purchase that was made.
struct Made {
    id: PurchaseId,
    at: Time,
    items: Vec<PurchasedItem>,
}

/// A page that is being read.
struct Reading {
    buyer_id: u32,
    limit: usize,
    after: Option<PurchaseId>,
    /// How many purchases there are in all.
    count: usize,
    /// The newest first. One more than fits tells that there are more.
    made: Vec<Made>,
}

impl Carry<GetBuyerPurchases<Owner>> for RemoteCustomer {
    fn carry(&mut self, now: Time, _: Caller, request: GetBuyerPurchases<Owner>) -> Flow {
        let GetBuyerPurchases { owner, page } = request;
        match owner {
            Owner::Buyer { buyer_id: UserId(buyer_id) } => Reading::of(buyer_id, &page).go_on(),
            Owner::Session(check) => {
                let used = self.used(now, check);
                let read = Transaction::lookup(used.key.lane(), used.read());
                Step::ask(read, move |customer: &mut Self, _, answer| {
                    let holder = customer.admit(used, first(&carried_out(answer)?, 0))?;
                    Reading::of(holder.user_id, &page).go_on()
                })
            }
        }
    }
}

impl Reading {
    fn of(buyer_id: u32, page: &Page<PurchaseId>) -> Self {
        let Limit(limit) = page.limit;
        let after = page.after.map(|Cursor(after)| after);
        Self { buyer_id, limit, after, count: 0, made: Vec::new() }
    }

    /// Reads some more of the page.
    fn go_on(mut self) -> Flow {
        let before = self.made.last().map(|made| made.id).or(self.after);
        let before = before.map_or(Value::Int(i64::MAX), purchase_value);
        let wanted = (self.limit + 1 - self.made.len()).min(READ_MAX);
        let calls =
            vec![COUNT.with([int(self.buyer_id)]), PAGE.with([int(self.buyer_id), before, count(wanted)])];
        let lane = account_lane(Role::Buyer, self.buyer_id);
        Step::ask(Transaction::reads(Some(lane), calls), move |_, _, answer| {
            let replies = carried_out(answer)?;
            let row = first(&replies, 0).ok_or_else(|| no_buyer(self.buyer_id))?;
            self.count = usize::try_from(row.int(1)?).map_err(|_| nonsense("there are fewer than none"))?;
            let rows = replies.get(1).map_or(&[][..], |reply| &reply.rows);
            for row in rows {
                self.made.push(Made::of(row)?);
            }
            let is_last = rows.len() < wanted;
            let is_full =
                self.made.len() > self.limit || !history_fits(self.made.iter().map(|made| made.items.len()));
            if is_last || is_full { self.end() } else { self.go_on() }
        })
    }

    fn end(self) -> Flow {
        let newest_first = self.made.iter().take(self.limit).map(|made| Purchase {
            purchase_id: made.id,
            at: made.at.as_millis(),
            items: &made.items,
            total: Total::of(&made.items),
        });
        Step::reply(&history(self.buyer_id, self.count, self.made.len(), newest_first))
    }
}

impl Made {
    fn of(row: &Row) -> Result<Self, Error> {
        let items = items(row.text(2)?).ok_or_else(|| nonsense("what was bought is unclear"))?;
        Ok(Self { id: purchase_id(row, 0)?, at: time_of(row, 1)?, items })
    }
}
