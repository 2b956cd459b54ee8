//! [`Waits`]: which transaction waits for the end of which, in the order in which they began to.

use std::collections::BTreeMap;

use crate::storage::TransactionId;

/// Who waits for whom. Nobody waits for two.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    waits: BTreeMap<TransactionId, Wait>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    on: TransactionId,
    since: u64,
}

impl Waits {
    /// Whether nobody in this circle would ever go on, if one more waited for another.
    pub(crate) fn would_deadlock(&self, waiter: TransactionId, on: TransactionId) -> bool {
        let mut last = on;
        while last != waiter {
            match self.waits.get(&last) {
                Some(wait) => last = wait.on,
                None => return false,
            }
        }
        true
    }

    /// A transaction waits for the end of another.
    pub(crate) fn add(&mut self, waiter: TransactionId, on: TransactionId) {
        assert!(!self.would_deadlock(waiter, on), "who waits in a circle waits for ever");
        self.waits.insert(waiter, Wait { on, since: self.next });
        self.next += 1;
    }

    /// A transaction waits no more.
    pub(crate) fn remove(&mut self, waiter: TransactionId) {
        self.waits.remove(&waiter);
    }

    /// A transaction has come to its end: who has waited for it, whoever has for the longest time first.
    pub(crate) fn ended(&mut self, on: TransactionId) -> Vec<TransactionId> {
        let waiting = self.waits.iter().filter(|(_, wait)| wait.on == on);
        let mut waiting: Vec<_> = waiting.map(|(waiter, wait)| (wait.since, *waiter)).collect();
        waiting.sort();
        waiting
            .into_iter()
            .map(|(_, waiter)| waiter)
            .inspect(|waiter| _ = self.waits.remove(waiter))
            .collect()
    }

    /// Whose end a transaction waits for.
    pub(crate) fn on(&self, waiter: TransactionId) -> Option<TransactionId> {
        self.waits.get(&waiter).map(|wait| wait.on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_goes_on_first_and_a_circle_is_found() {
        let [a, b, c, d] = [1, 2, 3, 4].map(TransactionId);
        let mut waits = Waits::default();
        waits.add(c, a);
        waits.add(b, a);
        waits.add(d, c);
        assert!(waits.would_deadlock(a, d) && !waits.would_deadlock(a, TransactionId(9)));
        assert_eq!(waits.ended(a), [c, b]);
        assert_eq!((waits.on(d), waits.on(c)), (Some(c), None));
        waits.remove(d);
        assert!(waits.ended(c).is_empty());
    }
}
