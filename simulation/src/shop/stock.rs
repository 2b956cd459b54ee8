//! [`Stock`]: what may be asked of the units of an item, one after another.

use todc_utils::Specification;

/// The units of one item.
pub(super) struct Stock;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StockOperation {
    /// So many are there.
    Read { units: i64 },
    /// Some are added or removed, and then so many are there. An item begins with the addition of its first ones.
    Changed { delta: i64, units: i64 },
    /// So many are not there to be removed.
    Refused { delta: i64 },
    /// Nobody knows whether they are added or removed.
    Lost { delta: i64 },
    /// A purchase takes so many.
    Taken { units: i64 },
}

impl Specification for Stock {
    type State = i64;
    type Operation = StockOperation;

    fn init() -> i64 {
        0
    }

    fn apply(operation: &StockOperation, stock: &i64) -> (bool, i64) {
        let stock = *stock;
        match *operation {
            StockOperation::Read { units } => (stock == units, stock),
            StockOperation::Changed { delta, units } => (stock + delta == units, units),
            StockOperation::Refused { delta } => (stock + delta < 0, stock),
            StockOperation::Lost { delta } if stock + delta < 0 => (true, stock),
            StockOperation::Lost { delta } => (true, stock + delta),
            StockOperation::Taken { units } => (stock >= units, stock - units),
        }
    }
}

#[cfg(test)]
mod tests {
    use net::Time;

    use super::StockOperation::{Changed, Lost, Read, Refused, Taken};
    use super::*;
    use crate::linearizability::{Timed, is_linearizable};

    /// Whether operations from and to these times are linearizable; 0: it never ends.
    fn may_be<const N: usize>(history: [(u64, u64, StockOperation); N]) -> bool {
        let timed = |(start, end, operation)| Timed {
            start: Time::from_millis(start),
            end: (end > 0).then_some(Time::from_millis(end)),
            operation,
        };
        is_linearizable::<Stock>(&history.into_iter().map(timed).collect::<Vec<_>>())
    }

    const NEW: (u64, u64, StockOperation) = (1, 2, Changed { delta: 5, units: 5 });

    #[test]
    fn what_overlaps_may_come_in_either_order() {
        for (units, after) in [(5, 7), (7, 7)] {
            let changed = Changed { delta: 2, units: after };
            assert!(may_be([NEW, (3, 9, changed), (4, 8, Read { units })]));
        }
        assert!(may_be([NEW, (3, 9, Taken { units: 2 }), (4, 8, Changed { delta: -1, units: 2 })]));
        assert!(may_be([NEW, (3, 9, Taken { units: 5 }), (4, 8, Refused { delta: -1 })]));
    }

    #[test]
    fn a_lost_update_is_noticed() {
        let changes = [NEW, (3, 9, Changed { delta: 2, units: 7 }), (4, 8, Changed { delta: 1, units: 6 })];
        assert!(!may_be(changes));
        assert!(!may_be([NEW, (3, 4, Taken { units: 2 }), (5, 6, Changed { delta: 1, units: 6 })]));
    }

    #[test]
    fn a_stale_read_is_noticed() {
        assert!(!may_be([NEW, (3, 4, Changed { delta: 2, units: 7 }), (4, 5, Read { units: 5 })]));
        // What one reader has seen, no later one misses, though the change goes on.
        let change = (3, 9, Changed { delta: 2, units: 7 });
        assert!(!may_be([NEW, change, (4, 5, Read { units: 7 }), (6, 7, Read { units: 5 })]));
    }

    #[test]
    fn more_than_there_is_is_not_taken() {
        assert!(!may_be([NEW, (3, 9, Taken { units: 3 }), (4, 8, Taken { units: 3 })]));
        assert!(!may_be([NEW, (3, 4, Refused { delta: -5 })]));
    }

    #[test]
    fn what_was_lost_may_come_late_or_never_but_not_twice() {
        let lost = (3, 0, Lost { delta: 2 });
        assert!(may_be([NEW, lost.clone(), (4, 5, Read { units: 5 }), (6, 7, Read { units: 7 })]));
        assert!(may_be([NEW, lost.clone(), (6, 7, Read { units: 5 })]));
        assert!(may_be([NEW, (3, 0, Lost { delta: -6 }), (6, 7, Read { units: 5 })]));
        assert!(!may_be([NEW, lost.clone(), (4, 5, Read { units: 9 })]));
        assert!(!may_be([NEW, lost, (4, 5, Read { units: 7 }), (6, 7, Read { units: 5 })]));
    }
}
