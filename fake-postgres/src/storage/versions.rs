//! [`Chain`]: the versions of a row, and which of them a [`Snapshot`] shows.

use crate::value::Row;

/// Which transaction it is. No other has the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TransactionId(pub(crate) u64);

/// What a statement sees: all that was committed up to some commit, and what the statements before it in its own
/// transaction have changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Snapshot {
    /// The number of the last commit that it shows.
    pub(crate) at: u64,
    pub(crate) own: TransactionId,
    /// The number of the statement in its transaction.
    pub(crate) command: u32,
}

/// Whose a version is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stamp {
    /// A statement of a transaction that may yet be undone.
    Uncommitted { by: TransactionId, command: u32 },
    /// The commit of this number.
    Committed(u64),
}

#[derive(Clone, Debug)]
struct Version {
    stamp: Stamp,
    /// `None`: the row was deleted.
    row: Option<Row>,
}

/// The versions of a row, the oldest first. Those that are not committed come last, and are all of one transaction: it has
/// the row locked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain(Vec<Version>);

impl Chain {
    /// What a snapshot shows.
    pub(crate) fn visible(&self, snapshot: &Snapshot) -> Option<&Row> {
        let is_shown = |version: &&Version| match version.stamp {
            Stamp::Uncommitted { by, command } => by == snapshot.own && command < snapshot.command,
            Stamp::Committed(number) => number <= snapshot.at,
        };
        self.0.iter().rev().find(is_shown).and_then(|version| version.row.as_ref())
    }

    /// The newest version, whoever sees it.
    pub(crate) fn newest(&self) -> Option<&Row> {
        self.0.last().and_then(|version| version.row.as_ref())
    }

    /// The newest version that is committed.
    pub(crate) fn committed(&self) -> Option<&Row> {
        let is_committed = |version: &&Version| matches!(version.stamp, Stamp::Committed(_));
        self.0.iter().rev().find(is_committed).and_then(|version| version.row.as_ref())
    }

    /// The transaction that has the row locked.
    pub(crate) fn writer(&self) -> Option<TransactionId> {
        match self.0.last()?.stamp {
            Stamp::Uncommitted { by, .. } => Some(by),
            Stamp::Committed(_) => None,
        }
    }

    /// The number of the newest commit that has changed it, or 0.
    pub(crate) fn committed_at(&self) -> u64 {
        let committed = self.0.iter().rev().find_map(|version| match version.stamp {
            Stamp::Committed(number) => Some(number),
            Stamp::Uncommitted { .. } => None,
        });
        committed.unwrap_or(0)
    }

    /// The commits that have changed it since another one.
    pub(crate) fn commits_since(&self, at: u64) -> impl Iterator<Item = u64> {
        self.0.iter().filter_map(move |version| match version.stamp {
            Stamp::Committed(number) if number > at => Some(number),
            _ => None,
        })
    }

    /// All values that it has or had.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.0.iter().filter_map(|version| version.row.as_ref())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a version of a transaction that has the row locked, or that locks it by this.
    pub(super) fn push(&mut self, snapshot: &Snapshot, row: Option<Row>) {
        let (by, command) = (snapshot.own, snapshot.command);
        assert!(self.writer().is_none_or(|writer| writer == by), "the row is locked by another transaction");
        self.0.push(Version { stamp: Stamp::Uncommitted { by, command }, row });
    }

    /// Takes out what is not committed.
    pub(super) fn undo(&mut self) -> Vec<Row> {
        let first = self.0.iter().position(|version| !matches!(version.stamp, Stamp::Committed(_)));
        let undone = self.0.drain(first.unwrap_or(self.0.len())..);
        undone.filter_map(|version| version.row).collect()
    }

    /// Commits the newest version. Takes out those that came before it in the same transaction, and all that nobody sees
    /// any more who sees the commit `horizon`.
    pub(super) fn publish(&mut self, number: u64, horizon: u64) -> Vec<Row> {
        let newest = self.0.last().and_then(|version| version.row.clone());
        let mut gone = self.undo();
        self.0.push(Version { stamp: Stamp::Committed(number), row: newest });
        gone.extend(self.prune(horizon));
        gone
    }

    /// Takes out what nobody sees any more who sees the commit `horizon`.
    pub(super) fn prune(&mut self, horizon: u64) -> Vec<Row> {
        let is_old = |version: &Version| matches!(version.stamp, Stamp::Committed(at) if at <= horizon);
        let last_old = self.0.iter().rposition(is_old);
        let mut keep_from = last_old.unwrap_or(0);
        // Of a row that is deleted for all, nothing is kept.
        if last_old.is_some_and(|last| self.0[last].row.is_none()) {
            keep_from += 1;
        }
        self.0.drain(..keep_from).filter_map(|version| version.row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn row(value: i64) -> Option<Row> {
        Some([Value::Int(value)].into())
    }

    fn snapshot(at: u64, own: u64, command: u32) -> Snapshot {
        Snapshot { at, own: TransactionId(own), command }
    }

    #[test]
    fn a_snapshot_shows_what_was_committed_and_what_statements_before_it_have_done() {
        let mut chain = Chain::default();
        chain.push(&snapshot(0, 1, 0), row(1));
        assert_eq!(chain.visible(&snapshot(0, 1, 0)), None, "a statement does not see what it does");
        assert_eq!(chain.visible(&snapshot(0, 1, 1)), row(1).as_ref());
        assert_eq!(chain.visible(&snapshot(9, 2, 1)), None);
        chain.publish(1, 0);
        assert_eq!(chain.visible(&snapshot(0, 2, 1)), None);
        assert_eq!(chain.visible(&snapshot(1, 2, 1)), row(1).as_ref());
        chain.push(&snapshot(1, 2, 0), None);
        assert_eq!(chain.visible(&snapshot(1, 2, 1)), None);
        assert_eq!(chain.visible(&snapshot(1, 3, 1)), row(1).as_ref());
    }

    #[test]
    fn versions_are_kept_as_long_as_somebody_may_see_them() {
        let mut chain = Chain::default();
        for number in 1..=3 {
            chain.push(&snapshot(0, number, 0), row(number.cast_signed()));
            chain.publish(number, 1);
        }
        assert_eq!(chain.rows().count(), 3);
        assert_eq!(chain.prune(2).len(), 1);
        assert_eq!(chain.visible(&snapshot(2, 9, 0)), row(2).as_ref());
        chain.push(&snapshot(3, 9, 0), None);
        assert_eq!(chain.publish(4, 4).len(), 2);
        assert!(chain.is_empty());
    }

    #[test]
    fn what_is_undone_leaves_what_was_committed() {
        let mut chain = Chain::default();
        chain.push(&snapshot(0, 1, 0), row(1));
        chain.publish(1, 0);
        chain.push(&snapshot(1, 2, 0), row(2));
        chain.push(&snapshot(1, 2, 1), None);
        assert_eq!((chain.newest(), chain.committed()), (None, row(1).as_ref()));
        chain.undo();
        assert_eq!((chain.newest(), chain.writer()), (row(1).as_ref(), None));
    }
}
