//! [`Backlog`]: about how many purchases are unfinished, so that they stay below the most that there may be. They are counted
//! now and then, the sooner the more are begun, and no purchase waits for that.
//!
//! What other services begin meanwhile is not known, nor what ends. So there may be some thousands more for a moment, and
//! a purchase may be refused for which there has just come to be room.

use std::time::Duration;

use net::Time;

use super::super::answers::{carried_out, first, nonsense};
use super::super::operation::{Step, Transaction};
use super::super::wire::Statement;
use super::RemoteCustomer;
use super::holdings::PURCHASES_UNFINISHED;
use crate::customer::rules::UNFINISHED_MAX;

/// How often they are counted.
const INTERVAL: Duration = Duration::from_secs(60);
/// How often where there are too many, or this service has begun so many since. To count all that there may be takes an
/// engine some dozen milliseconds, and there are hardly ever more than some hundred.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
const BEGUN_MAX: usize = 1000;

/// `UNFINISHED_MAX` stands in it.
const COUNT: Statement = Statement::kept(
    "backlog_count",
    "SELECT count(*) FROM (SELECT purchase_id FROM purchases_begun ORDER BY purchase_id LIMIT 100000) b",
);

/// What is known of purchases that are unfinished.
#[derive(Debug)]
pub(super) struct Backlog {
    /// So many were counted, and this service has begun so many since.
    counted: usize,
    begun: usize,
    counted_at: Option<Time>,
}

impl Backlog {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self { counted: 0, begun: 0, counted_at: None }
    }

    /// A purchase has begun.
    pub(super) fn begin(&mut self) {
        self.begun += 1;
    }

    /// There are so many.
    pub(super) fn count(&mut self, counted: usize) {
        (self.counted, self.begun) = (counted, 0);
    }

    /// Whether no more may begin.
    pub(super) fn is_full(&self) -> bool {
        self.counted + self.begun >= UNFINISHED_MAX
    }

    /// When they are to be counted.
    pub(super) fn next_at(&self) -> Time {
        let is_soon = self.is_full() || self.begun >= BEGUN_MAX;
        let interval = if is_soon { INTERVAL_MIN } else { INTERVAL };
        self.counted_at.map_or(Time::default(), |at| at + interval)
    }
}

impl RemoteCustomer {
    /// Counts purchases that are unfinished, if it is time to.
    pub(super) fn count_backlog(&mut self, now: Time) -> Option<Step<Self>> {
        if self.backlog.next_at() > now {
            return None;
        }
        self.backlog.counted_at = Some(now);
        Step::ask(Transaction::read(None, COUNT.with([])), |customer: &mut Self, _, answer| {
            let replies = carried_out(answer)?;
            let count = first(&replies, 0).ok_or_else(|| nonsense("a count is missing"))?.int(0)?;
            let count = u64::try_from(count).map_err(|_| nonsense("a number is below 0"))?;
            customer.backlog.count(usize::try_from(count).unwrap_or(usize::MAX));
            customer.holdings.set(PURCHASES_UNFINISHED, count);
            Ok(Step::Reply(Vec::new()))
        })
        .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_millis(1_000_000);

    #[test]
    fn what_is_begun_counts_until_all_are_counted_again() {
        let mut backlog = Backlog::new();
        backlog.count(UNFINISHED_MAX - 2);
        backlog.begin();
        assert!(!backlog.is_full());
        backlog.begin();
        assert!(backlog.is_full());
        backlog.count(UNFINISHED_MAX - 1);
        assert!(!backlog.is_full());
    }

    #[test]
    fn they_are_counted_sooner_where_many_begin_and_while_there_are_too_many() {
        let mut backlog = Backlog::new();
        assert_eq!(backlog.next_at(), Time::default());
        backlog.counted_at = Some(START);
        (1..BEGUN_MAX).for_each(|_| backlog.begin());
        assert_eq!(backlog.next_at(), START + INTERVAL);
        backlog.begin();
        assert_eq!(backlog.next_at(), START + INTERVAL_MIN);
        for (counted, interval) in [(UNFINISHED_MAX, INTERVAL_MIN), (UNFINISHED_MAX - 1, INTERVAL)] {
            backlog.count(counted);
            assert_eq!(backlog.next_at(), START + interval);
        }
    }
}
