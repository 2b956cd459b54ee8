//! [`Table`]: rows in memory, with what is on disk and what is not yet kept apart, and [`Changes`], its write side.
//!
//! Writers build on the latest state; readers see what is durable, so that no reply shows a change that a
//! power cut could undo, and no reader waits for a flush. It does not know how rows are stored.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;
use std::mem;

use super::map::Map;

/// Changes on their way to disk, by key. A change is first open; the group of all open changes is sealed when it
/// goes to disk, and published when it has arrived there. Groups are published in the order in which they were sealed.
#[derive(Debug)]
pub(crate) struct Changes<K, V> {
    /// The groups under way to disk, oldest first.
    sealed: VecDeque<BTreeMap<K, V>>,
    /// The changes since then. Sorted, because neighbouring rows are cheaper to store together.
    open: BTreeMap<K, V>,
}

/// Rows by key.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    durable: Map<K, V>,
    /// What is not on disk yet; `None` is a removal.
    changes: Changes<K, Option<V>>,
}

impl<K: Copy + Ord, V> Changes<K, V> {
    pub(crate) fn new() -> Self {
        Self { sealed: VecDeque::new(), open: BTreeMap::new() }
    }

    /// The last change of a row, if it is not on disk yet.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.open.get(key).or_else(|| self.sealed.iter().rev().find_map(|group| group.get(key)))
    }

    /// Adds a change. It replaces an open one of the same row, so that a group stores each row once.
    pub(crate) fn put(&mut self, key: K, change: V) {
        self.open.insert(key, change);
    }

    /// Whether there are open changes.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.open.is_empty()
    }

    /// Seals the open changes, if any, as the next group and returns them.
    pub(crate) fn seal(&mut self) -> impl Iterator<Item = (K, &V)> {
        self.sealed.push_back(mem::take(&mut self.open));
        self.sealed.back().into_iter().flatten().map(|(key, change)| (*key, change))
    }

    /// Hands over the next change of the oldest sealed group, which is on disk now. `None` ends the group; after that
    /// comes the next one.
    pub(crate) fn publish_next(&mut self) -> Option<(K, V)> {
        let group = self.sealed.front_mut().expect("a group is sealed before it is published");
        let change = group.pop_first();
        if change.is_none() {
            self.sealed.pop_front();
        }
        change
    }
}

impl<K: Copy + Eq + Hash + Ord, V> Table<K, V> {
    pub(crate) fn new() -> Self {
        Self { durable: Map::new(), changes: Changes::new() }
    }

    /// Takes a row from disk, at start.
    pub(crate) fn load(&mut self, key: K, row: V) {
        self.durable.insert(key, row);
    }

    /// The row as it is on disk.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.durable.get(key)
    }

    /// How many rows are on disk.
    pub(crate) fn len(&self) -> usize {
        self.durable.len()
    }

    /// The row with all changes, on disk or not.
    pub(crate) fn latest(&self, key: &K) -> Option<&V> {
        match self.changes.get(key) {
            Some(change) => change.as_ref(),
            None => self.durable.get(key),
        }
    }

    /// Writes a row. Written again before the group is sealed, it goes to disk once.
    pub(crate) fn put(&mut self, key: K, row: V) {
        self.changes.put(key, Some(row));
    }

    /// Removes a row.
    pub(crate) fn remove(&mut self, key: K) {
        self.changes.put(key, None);
    }

    /// Whether there are open changes.
    pub(crate) fn is_dirty(&self) -> bool {
        self.changes.is_dirty()
    }

    /// Seals the open changes and returns them.
    pub(crate) fn seal(&mut self) -> impl Iterator<Item = (K, Option<&V>)> {
        self.changes.seal().map(|(key, row)| (key, row.as_ref()))
    }

    /// Makes the changes of the oldest sealed group durable.
    pub(crate) fn publish(&mut self) {
        while let Some((key, row)) = self.changes.publish_next() {
            match row {
                Some(row) => self.durable.insert(key, row),
                None => self.durable.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(table: &mut Table<u32, &'static str>) -> Vec<(u32, Option<&'static str>)> {
        table.seal().map(|(key, row)| (key, row.copied())).collect()
    }

    #[test]
    fn readers_see_a_change_only_once_it_is_published() {
        let mut table = Table::new();
        table.load(1, "old");
        table.put(1, "new");
        assert_eq!((table.get(&1), table.latest(&1)), (Some(&"old"), Some(&"new")));
        assert_eq!(sealed(&mut table), [(1, Some("new"))]);
        assert_eq!((table.get(&1), table.latest(&1)), (Some(&"old"), Some(&"new")));
        table.publish();
        assert_eq!(table.get(&1), Some(&"new"));
    }

    #[test]
    fn a_row_changed_again_while_its_group_is_under_way_becomes_durable_in_two_steps() {
        let mut table = Table::new();
        table.put(1, "first");
        assert_eq!(sealed(&mut table).len(), 1);
        table.put(1, "second");
        table.put(1, "third");
        table.publish();
        assert_eq!((table.get(&1), table.latest(&1)), (Some(&"first"), Some(&"third")));
        assert_eq!(sealed(&mut table), [(1, Some("third"))], "a row written twice is stored once");
        table.publish();
        assert_eq!(table.get(&1), Some(&"third"));
        assert!(!table.is_dirty());
    }

    #[test]
    fn groups_become_durable_in_order() {
        let mut table = Table::new();
        table.put(1, "first");
        assert_eq!(sealed(&mut table), [(1, Some("first"))]);
        assert_eq!(sealed(&mut table), [], "a group may be empty");
        table.put(1, "second");
        assert_eq!(sealed(&mut table), [(1, Some("second"))]);
        assert_eq!((table.get(&1), table.latest(&1)), (None, Some(&"second")));
        for durable in ["first", "first", "second"] {
            table.publish();
            assert_eq!((table.get(&1), table.latest(&1)), (Some(&durable), Some(&"second")));
        }
    }

    #[test]
    fn removals_are_changes_too() {
        let mut table = Table::new();
        table.load(1, "old");
        table.remove(1);
        assert!(table.is_dirty());
        assert_eq!((table.get(&1), table.latest(&1)), (Some(&"old"), None));
        assert_eq!(sealed(&mut table), [(1, None)]);
        assert_eq!((table.get(&1), table.latest(&1)), (Some(&"old"), None));
        table.publish();
        assert_eq!(table.get(&1), None);
    }
}
