//! What `db_product` does of itself: it forgets what was decided about purchases that have ended, some at a time.
//!
//! Which have ended, it is told with each purchase. Before anything is forgotten, the floor is raised to there, and that is
//! committed. Whoever still takes by a lower one is undone: see [`statements::COUNT_LINES`]. So it takes no clock and no
//! agreement: each replica forgets as far as it was told, and where two forget the same, one of them finds it gone.
//!
//! A refusal whose transaction has not seen the floor may be written when all around it is forgotten. It does no harm, for
//! nobody is told of it any more, but would stay, so from time to time forgetting begins anew.

use std::time::Duration;

use net::Time;

use super::super::answers::{carried_out, number};
use super::super::columns::{purchase_id, purchase_value};
use super::super::operation::{Step, Transaction};
use super::super::wire::{Call, Row};
use super::{RemoteProduct, purchase_key, statements};
use crate::api::Effect;
use crate::api::error::Error;
use crate::api::purchases::LINES_MAX;
use crate::api::values::PurchaseId;

/// How long decisions wait to be forgotten together.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often all of them are looked through that are below the floor. There are hardly any, but where they lie an engine may
/// have to step over what was deleted lately.
const ANEW_INTERVAL: Duration = Duration::from_secs(600);
/// How many are read at once, which stands in the statement.
const READ_MAX: usize = 500;
/// How many lines are forgotten in one transaction, unless one decision has more, and then as many as that has.
const FORGOTTEN_MAX: usize = 2 * LINES_MAX;

/// How far forgetting has come.
#[derive(Debug)]
pub(super) struct Forgetting {
    /// The floor is there, or above it.
    floor: PurchaseId,
    /// Decisions below it are forgotten, but for those that were written late.
    at: PurchaseId,
    next_at: Time,
    /// When to begin anew with the first of them.
    anew_at: Time,
}

/// Decisions that are forgotten together.
#[derive(Debug, PartialEq, Eq)]
struct Batch {
    first: PurchaseId,
    last: PurchaseId,
    /// Whether there may be more below the floor.
    has_more: bool,
}

impl Forgetting {
    pub(super) fn new() -> Self {
        let (none, at_once) = (PurchaseId(0), Time::default());
        Self { floor: none, at: none, next_at: at_once, anew_at: at_once }
    }

    /// Decisions below it are forgotten, as far as is known.
    pub(super) fn at(&self) -> PurchaseId {
        self.at
    }

    /// When there is something to do, if all below this have ended.
    pub(super) fn next_at(&self, ended_before: PurchaseId) -> Option<Time> {
        let floor = self.floor.max(ended_before);
        match self.at < floor {
            true => Some(self.next_at),
            false => (floor > PurchaseId(0)).then_some(self.anew_at),
        }
    }
}

impl RemoteProduct {
    /// Forgets some decisions, if it is time to.
    pub(super) fn next_forgetting(&mut self, now: Time) -> Option<Step<Self>> {
        self.forgetting.next_at(self.ended_before).filter(|at| *at <= now)?;
        self.forgetting.next_at = now + INTERVAL;
        if self.forgetting.anew_at <= now {
            self.forgetting.at = PurchaseId(0);
            self.forgetting.anew_at = now + ANEW_INTERVAL;
        }
        let is_raised = self.forgetting.floor >= self.ended_before;
        if is_raised { self.look() } else { self.raise() }.ok()
    }

    fn raise(&self) -> Result<Step<Self>, Error> {
        let floor = self.ended_before;
        let calls = vec![statements::RAISE_FLOOR.with([purchase_value(floor)])];
        Step::ask(write(calls), move |product: &mut Self, _, answer| {
            carried_out(answer)?;
            product.forgetting.floor = floor;
            product.look()
        })
    }

    fn look(&self) -> Result<Step<Self>, Error> {
        let Forgetting { floor, at, .. } = self.forgetting;
        let read = statements::ENDED.with([at, floor].map(purchase_value));
        Step::ask(Transaction::read(Some(key()), read), move |product: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            match batch(replies.first().map_or(&[], |reply| &reply.rows))? {
                Some(batch) => forget(batch),
                None => {
                    product.forgetting.at = floor;
                    Ok(Step::Reply(Vec::new()))
                }
            }
        })
    }
}

fn forget(batch: Batch) -> Result<Step<RemoteProduct>, Error> {
    let range = [batch.first, batch.last].map(purchase_value);
    let forget = [statements::FORGET_DECISIONS, statements::FORGET_LINES];
    let calls = forget.map(|statement| statement.with(range.clone())).into();
    Step::ask(write(calls), move |product: &mut RemoteProduct, now, answer| {
        carried_out(answer)?;
        product.forgetting.at = PurchaseId(batch.last.0 + 1);
        if batch.has_more {
            product.forgetting.next_at = now;
        } else {
            product.forgetting.at = product.forgetting.floor;
        }
        Ok(Step::Reply(Vec::new()))
    })
}

/// The first of these decisions that are forgotten together, if there are any.
fn batch(rows: &[Row]) -> Result<Option<Batch>, Error> {
    let (mut batch, mut lines) = (None, 0);
    for row in rows {
        let id = purchase_id(row, 0)?;
        lines += number(row, 1, u32::MAX)? as usize;
        let first = match batch {
            None => id,
            Some(Batch { first, .. }) if lines <= FORGOTTEN_MAX => first,
            Some(batch) => return Ok(Some(batch)),
        };
        // Behind it, there are others, until it turns out to be the last.
        batch = Some(Batch { first, last: id, has_more: true });
    }
    let has_more = rows.len() >= READ_MAX;
    Ok(batch.map(|batch| Batch { has_more, ..batch }))
}

/// It shares no transaction, so it keeps nobody waiting for longer than it takes.
fn write(calls: Vec<Call>) -> Transaction {
    Transaction::write(key(), Effect::Repeatable, calls).alone()
}

/// What is about forgetting is carried out in order. No purchase has this ID.
fn key() -> u64 {
    purchase_key(PurchaseId(0))
}
