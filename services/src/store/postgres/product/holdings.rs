//! How much `db_product` has on its engine, found out now and then: a bounded part of it at a time, and no large table is
//! ever counted for it.

use std::time::Duration;

use net::Time;

use super::super::answers::{carried_out, first, nonsense};
use super::super::columns::purchase_value;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Reply, Value};
use super::{RemoteProduct, statements};
use crate::api::error::Error;

/// How long a way through the categories takes for each step, and how long until the next one begins.
const STEP_INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(60);
/// How many categories are read in a step, which stands in the statement.
const STEP_ROWS: usize = 500;
/// What is before all categories.
const BEFORE_ALL: i64 = -1;

/// The places of what is held among `Product::HOLDINGS`.
const ITEMS: usize = 0;
const DECISIONS: usize = 1;

/// How far counting has come: numbers of items have no gaps, so the last one of each category tells how many it has.
#[derive(Debug)]
pub(super) struct Counting {
    /// Categories up to this one have so many items.
    category: i64,
    items: u64,
    next_at: Time,
}

impl Counting {
    pub(super) fn new() -> Self {
        Self { category: BEFORE_ALL, items: 0, next_at: Time::default() }
    }

    pub(super) fn next_at(&self) -> Time {
        self.next_at
    }
}

impl RemoteProduct {
    /// Counts a part of what there is, if it is time to.
    pub(super) fn count(&mut self, now: Time) -> Option<Step<Self>> {
        let Counting { category, next_at, .. } = self.counting;
        if next_at > now {
            return None;
        }
        self.counting.next_at = now + STEP_INTERVAL;
        let mut calls = vec![statements::CATEGORIES.with([Value::Int(category)])];
        if category == BEFORE_ALL {
            calls.push(statements::COUNT_DECISIONS.with([purchase_value(self.forgetting.at())]));
        }
        Step::ask(Transaction::reads(None, calls), |product: &mut Self, now, answer| {
            product.counted(now, &carried_out(answer)?)
        })
        .ok()
    }

    fn counted(&mut self, now: Time, replies: &[Reply]) -> Result<Step<Self>, Error> {
        let number = |number| u64::try_from(number).map_err(|_| nonsense("a number is below 0"));
        if let Some(row) = first(replies, 1) {
            self.holdings.set(DECISIONS, number(row.int(0)?)?);
        }
        let rows = replies.first().map_or(&[][..], |reply| &reply.rows);
        for row in rows {
            self.counting.category = row.int(0)?;
            self.counting.items += number(row.int(1)?)?;
        }
        if rows.len() < STEP_ROWS {
            self.holdings.set(ITEMS, self.counting.items);
            self.counting = Counting { next_at: now + INTERVAL, ..Counting::new() };
        }
        Ok(Step::Reply(Vec::new()))
    }
}
