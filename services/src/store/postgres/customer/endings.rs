//! How purchases end: as it was decided about their stock, once each.
//!
//! Whoever ends a purchase changes its row first, where it is under way, which keeps others from it until that is committed;
//! those find that it is no more. All else is done only where the row is.

use std::collections::BTreeMap;

use net::Time;

use super::super::answers::{carried_out, first, nonsense};
use super::super::columns::purchase_value;
use super::super::domain::Carry;
use super::super::json::from_items;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Row, Statement, Value};
use super::carts::lines;
use super::purchases::{made, read};
use super::sessions::SessionKey;
use super::values::{int, user_id_of};
use super::{ATTEMPTS_MAX, Flow, RemoteCustomer, account_lane, again};
use crate::api::Api;
use crate::api::error::Error;
use crate::api::purchases::{FinishPurchase, Finished, Lines, Receipt, TakenItems};
use crate::api::values::{PurchaseId, Role};
use crate::customer::rules::{check_taken, purchased, unknown_purchase};
use crate::engine::caller::Caller;

const FIND: Statement = Statement::kept(
    "ending_find",
    "SELECT buyer_id, session_digest, idempotency_key FROM purchases_begun WHERE purchase_id = $1",
);
/// Whoever changes the cart waits until the purchase has ended.
const HOLD_SESSION: Statement = Statement::kept(
    "ending_hold_session",
    "UPDATE sessions SET active_at_ms = active_at_ms WHERE digest = $1",
);
const HOLD: Statement = Statement::kept(
    "ending_hold",
    "UPDATE purchases_begun SET claimable_at_ms = claimable_at_ms WHERE purchase_id = $1 RETURNING purchase_id",
);
const MAKE: Statement = Statement::kept(
    "ending_make",
    "INSERT INTO purchases (buyer_id, purchase_id, at_ms, items)
        SELECT buyer_id, purchase_id, at_ms, $2::text FROM purchases_begun WHERE purchase_id = $1",
);
const COUNT_SOLD: Statement = Statement::kept(
    "ending_count_sold",
    "UPDATE sellers SET items_sold = CASE WHEN items_sold > 9223372036854775807 - $3 THEN 9223372036854775807
        ELSE items_sold + $3 END
        WHERE seller_id = $2 AND EXISTS (SELECT 1 FROM purchases_begun WHERE purchase_id = $1)",
);
const TAKE_OUT: Statement = Statement::kept(
    "ending_take_out",
    "DELETE FROM cart_lines WHERE cart = $2
        AND EXISTS (SELECT 1 FROM purchases_begun WHERE purchase_id = $1)
        AND quantity <= (SELECT l.quantity FROM purchase_lines l WHERE l.purchase_id = $1 AND l.item_id = cart_lines.item_id)",
);
const TAKE_OUT_SOME: Statement = Statement::kept(
    "ending_take_out_some",
    "UPDATE cart_lines SET quantity = quantity
        - (SELECT l.quantity FROM purchase_lines l WHERE l.purchase_id = $1 AND l.item_id = cart_lines.item_id)
        WHERE cart = $2 AND EXISTS (SELECT 1 FROM purchases_begun WHERE purchase_id = $1)
        AND item_id IN (SELECT item_id FROM purchase_lines WHERE purchase_id = $1)",
);
const FREE_KEY: Statement = Statement::kept(
    "ending_free_key",
    "DELETE FROM purchase_keys WHERE buyer_id = $2 AND idempotency_key = $3 AND purchase_id = $1
        AND EXISTS (SELECT 1 FROM purchases_begun WHERE purchase_id = $1)",
);
const DROP_LINES: Statement =
    Statement::kept("ending_drop_lines", "DELETE FROM purchase_lines WHERE purchase_id = $1");
const END: Statement = Statement::kept("ending_end", "DELETE FROM purchases_begun WHERE purchase_id = $1");

/// A purchase that is under way, and what there is to know of it.
struct UnderWay {
    id: PurchaseId,
    buyer_id: u32,
    session: SessionKey,
    /// Empty if there is none.
    key: Value,
    lines: Lines,
}

impl Carry<FinishPurchase> for RemoteCustomer {
    fn carry(&mut self, _: Time, _: Caller, request: FinishPurchase) -> Flow {
        Self::finish(request, ATTEMPTS_MAX)
    }
}

impl RemoteCustomer {
    /// Reads how far the purchase has come, and brings it to its end unless it is there.
    fn finish(request: FinishPurchase, attempts: u32) -> Flow {
        let id = request.purchase_id;
        let find = FIND.with([purchase_value(id)]);
        let calls = [find].into_iter().chain(read(id)).collect();
        // It is about the purchase; who ends it at the same time is kept off by the engine.
        Step::ask(Transaction::reads(Some(id.0), calls), move |_, _, answer| {
            let replies = carried_out(answer)?;
            let lines = lines(&replies, 1)?;
            match (first(&replies, 0), made(&replies, 2)?) {
                (_, Some(items)) => Step::reply(&Finished::Made(Receipt::of(id, &items))),
                (None, None) => Step::reply(&unknown_purchase(id, request.taken.is_some())?),
                // It has ended in between.
                (Some(_), None) if lines.is_empty() => Self::finish(request, again(attempts)?),
                (Some(row), None) => {
                    let under_way = UnderWay::of(id, row, Lines(lines))?;
                    match request.taken {
                        Some(taken) => Self::make(under_way, taken, attempts),
                        None => Self::give_up(under_way, attempts),
                    }
                }
            }
        })
    }

    /// All of it was taken.
    fn make(under_way: UnderWay, taken: TakenItems<'static>, attempts: u32) -> Flow {
        check_taken(&under_way.lines, &taken.0)?;
        let (id, transaction) = (under_way.id, under_way.make(&taken));
        Step::ask(transaction, move |_, _, answer| {
            if first(&carried_out(answer)?, 1).is_none() {
                return Self::finish(
                    FinishPurchase { purchase_id: id, taken: Some(taken) },
                    again(attempts)?,
                );
            }
            let items: Vec<_> = taken.0.into_iter().map(purchased).collect();
            Step::reply(&Finished::Made(Receipt::of(id, &items)))
        })
    }

    /// Nothing was taken.
    fn give_up(under_way: UnderWay, attempts: u32) -> Flow {
        let UnderWay { id, buyer_id, key, .. } = under_way;
        let mut calls = vec![HOLD.with([purchase_value(id)])];
        if key != Value::Bytes(Vec::new()) {
            calls.push(FREE_KEY.with([purchase_value(id), int(buyer_id), key]));
        }
        calls.extend([DROP_LINES, END].map(|statement| statement.with([purchase_value(id)])));
        let transaction = Transaction::write(id.0, FinishPurchase::EFFECT, calls);
        Step::ask(transaction, move |_, _, answer| {
            if first(&carried_out(answer)?, 0).is_none() {
                return Self::finish(FinishPurchase { purchase_id: id, taken: None }, again(attempts)?);
            }
            Step::reply(&Finished::Refused { refused: true })
        })
    }
}

impl UnderWay {
    fn of(id: PurchaseId, row: &Row, lines: Lines) -> Result<Self, Error> {
        let session = SessionKey::from_bytes(row.bytes(1)?).ok_or_else(|| nonsense("a session is none"))?;
        let key = Value::Bytes(row.bytes(2)?.to_vec());
        Ok(Self { id, buyer_id: user_id_of(row, 0)?, session, key, lines })
    }

    /// What makes it. The second statement returns something if it was under way.
    ///
    /// Where one seller has sold all of it, it shares a transaction with others of the same, whose count all of them raise.
    /// What several have sold holds all of their counts until its own commit, so it is alone.
    fn make(&self, TakenItems(taken): &TakenItems) -> Transaction {
        let id = || purchase_value(self.id);
        let items: Vec<_> = taken.iter().cloned().map(purchased).collect();
        // Everybody counts sellers in this order, so nobody waits for each other.
        let mut sold = BTreeMap::<u32, i64>::new();
        for item in taken {
            *sold.entry(item.seller_id).or_default() += i64::from(item.quantity);
        }
        let mut calls = vec![
            HOLD_SESSION.with([self.session.value()]),
            HOLD.with([id()]),
            MAKE.with([id(), Value::Text(from_items(&items))]),
        ];
        calls.extend([TAKE_OUT, TAKE_OUT_SOME].map(|statement| statement.with([id(), self.session.value()])));
        let only_seller = sold.keys().next().copied().filter(|_| sold.len() == 1);
        let count = |(seller_id, units)| COUNT_SOLD.with([id(), int(seller_id), Value::Int(units)]);
        calls.extend(sold.into_iter().map(count));
        calls.extend([DROP_LINES, END].map(|statement| statement.with([id()])));
        let write = |key| Transaction::write(key, FinishPurchase::EFFECT, calls);
        match only_seller {
            Some(seller_id) => {
                write(account_lane(Role::Seller, seller_id)).ranked(self.session.lane()).with_its_like()
            }
            None => write(self.id.0).alone(),
        }
    }
}
