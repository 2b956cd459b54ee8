//! How much `db_customer` has on its engine, found out now and then: a bounded part of it at a time, and no large table is
//! ever counted for it. Sessions are counted by whoever goes through them anyway (`upkeep.rs`), and unfinished purchases by who
//! bounds them (`backlog.rs`).

use std::time::Duration;

use net::Time;

use super::super::answers::{carried_out, first, nonsense};
use super::super::columns::purchase_id;
use super::super::operation::{Step, Transaction};
use super::super::wire::{Reply, Statement};
use super::{Flow, RemoteCustomer};
use crate::api::error::Error;
use crate::api::values::PurchaseId;

/// How often it is found out.
const INTERVAL: Duration = Duration::from_secs(60);

/// The last number that was given to an account of each role. Few have no account.
const ACCOUNTS: Statement = Statement::kept("holdings_accounts", "SELECT role, last FROM account_numbers");
const OLDEST: Statement = Statement::kept(
    "holdings_oldest",
    "SELECT purchase_id FROM purchases_begun ORDER BY purchase_id LIMIT 1",
);

/// The places of what is held among `Customer::HOLDINGS`.
const SELLERS: usize = 0;
const BUYERS: usize = 1;
pub(super) const SESSIONS: usize = 2;
pub(super) const PURCHASES_UNFINISHED: usize = 3;
const UNFINISHED_SINCE: usize = 4;

impl RemoteCustomer {
    /// Finds out how much there is, if it is time to.
    pub(super) fn count(&mut self, now: Time) -> Option<Step<Self>> {
        if self.count_at > now {
            return None;
        }
        self.count_at = now + INTERVAL;
        let calls = [ACCOUNTS, OLDEST].map(|statement| statement.with([]));
        Step::ask(Transaction::reads(None, calls.into()), |customer: &mut Self, _, answer| {
            customer.counted(&carried_out(answer)?)
        })
        .ok()
    }

    fn counted(&self, replies: &[Reply]) -> Flow {
        let number = |number| u64::try_from(number).map_err(|_| nonsense("a number is below 0"));
        for row in replies.first().map_or(&[][..], |reply| &reply.rows) {
            let place = if row.text(0)? == "seller" { SELLERS } else { BUYERS };
            self.holdings.set(place, number(row.int(1)?)?);
        }
        let oldest = first(replies, 1).map(|row| purchase_id(row, 0)).transpose()?;
        self.holdings.set(UNFINISHED_SINCE, oldest.map_or(0, PurchaseId::begun_at_secs));
        Ok::<_, Error>(Step::Reply(Vec::new()))
    }
}
