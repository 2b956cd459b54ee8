//! [`Timers`]: deadlines in the order in which they fall due. It reads no clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::time::Time;

/// A queue of deadlines, each under a key.
///
/// Nothing is ever cancelled: a key says by its generation, or its owner by its state, whether a
/// deadline that falls due still means something. An owner arms one deadline at a time (see
/// [`Alarm`]), so the queue stays small: about as long as the number of owners, and of those that are gone
/// and whose deadline has not come.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    queue: BinaryHeap<Reverse<(Time, K)>>,
}

/// The earliest deadline that an owner has in [`Timers`].
///
/// A deadline that moves later, as most do, is not armed again: the owner is called at the earlier
/// one, sees that nothing is due and arms the later one then.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    armed: Option<Time>,
}

impl<K: Ord> Timers<K> {
    pub(crate) fn new() -> Self {
        Self { queue: BinaryHeap::new() }
    }

    /// Makes sure that `key` falls due at `at` or earlier.
    pub(crate) fn arm(&mut self, alarm: &mut Alarm, at: Time, key: K) {
        if alarm.armed.is_none_or(|armed| at < armed) {
            alarm.armed = Some(at);
            self.queue.push(Reverse((at, key)));
        }
    }

    /// The moment of the next deadline, which may have lost its meaning meanwhile.
    pub(crate) fn next(&self) -> Option<Time> {
        self.queue.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes a key whose deadline has come.
    pub(crate) fn pop_due(&mut self, now: Time) -> Option<(Time, K)> {
        if self.next()? > now {
            return None;
        }
        self.queue.pop().map(|Reverse(due)| due)
    }

    /// Whether the owner of this alarm, who has this deadline, is called in time, by whoever looks at [`Timers::next`].
    pub(crate) fn reach(&self, alarm: &Alarm, deadline: Option<Time>) -> bool {
        let is_known = |armed| self.next().is_some_and(|next| next <= armed);
        let is_in_time = |deadline| alarm.armed.is_some_and(|armed| armed <= deadline);
        alarm.armed.is_none_or(is_known) && deadline.is_none_or(is_in_time)
    }
}

impl Alarm {
    /// Notes that the deadline armed for `at` has come. False if an earlier one replaced it, whose
    /// coming has dealt with the owner already.
    pub(crate) fn ring(&mut self, at: Time) -> bool {
        let current = self.armed == Some(at);
        if current {
            self.armed = None;
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: u64) -> Time {
        Time::from_nanos(nanos)
    }

    #[test]
    fn deadlines_fall_due_in_order() {
        let mut timers = Timers::new();
        for (key, nanos) in [("c", 30), ("a", 10), ("b", 20)] {
            timers.arm(&mut Alarm::default(), at(nanos), key);
        }
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(25)), Some((at(10), "a")));
        assert_eq!(timers.pop_due(at(25)), Some((at(20), "b")));
        assert_eq!(timers.pop_due(at(25)), None);
    }

    #[test]
    fn an_owner_is_queued_again_only_for_an_earlier_deadline() {
        let (mut timers, mut alarm) = (Timers::new(), Alarm::default());
        timers.arm(&mut alarm, at(20), ());
        timers.arm(&mut alarm, at(30), ());
        assert_eq!(timers.queue.len(), 1);
        timers.arm(&mut alarm, at(10), ());
        assert_eq!(timers.queue.len(), 2);

        assert!(alarm.ring(at(10)));
        assert!(!alarm.ring(at(20)), "the replaced deadline says nothing");
        timers.arm(&mut alarm, at(30), ());
        assert_eq!(timers.queue.len(), 3);
    }
}
