//! [`Table`]: what its rows are like, where they are, and by what they are found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::key_range::{KeyRange, Read};
use super::versions::{Chain, Snapshot};
use crate::value::{Row, Type, Value};

/// The place of a table in its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TableId(pub(crate) usize);

/// The number of a row in its table, which no later one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowId(pub(crate) u64);

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    /// The primary key first.
    pub(crate) indexes: Vec<Index>,
    pub(super) chains: BTreeMap<RowId, Chain>,
    pub(super) next_row: u64,
}

/// A column, which is never NULL.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) ty: Type,
}

/// The keys of all versions of all rows, in order.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) name: String,
    pub(crate) columns: Arc<[usize]>,
    pub(crate) is_unique: bool,
    entries: BTreeSet<(Vec<Value>, RowId)>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(name: String, columns: Vec<Column>, primary_key: Index) -> Self {
        let indexes = vec![primary_key];
        Self { name, columns, indexes, chains: BTreeMap::new(), next_row: 0 }
    }

    /// The column of this name.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub(crate) fn chain(&self, row: RowId) -> Option<&Chain> {
        self.chains.get(&row)
    }

    /// The rows of which some version has a key of this range, in the order of keys. A row comes once for each key.
    pub(crate) fn within<'a>(
        &'a self,
        index: &'a Index,
        range: &'a KeyRange,
    ) -> impl Iterator<Item = (RowId, &'a Chain)> {
        self.entries(index, range).map(|(_, id, chain)| (id, chain))
    }

    /// The rows that a read comes by, also where it does not see them.
    pub(crate) fn come_by<'a>(&'a self, read: &'a Read) -> Vec<&'a Chain> {
        let index = |range: &KeyRange| self.indexes.iter().find(|index| index.columns == range.columns);
        match read {
            Read::All => self.chains.values().collect(),
            Read::Range(range) => {
                let index = index(range).expect("it was read by an index");
                self.within(index, range).map(|(_, chain)| chain).collect()
            }
        }
    }

    /// What a snapshot shows of the rows with a key of this range, in the order of keys.
    pub(crate) fn seen<'a>(
        &'a self,
        index: &'a Index,
        range: &'a KeyRange,
        snapshot: &'a Snapshot,
    ) -> impl Iterator<Item = (RowId, &'a Row)> {
        let entries = self.entries(index, range);
        entries.filter_map(|(key, id, chain)| {
            // Another version than that which is shown may have led here.
            let row = chain.visible(snapshot)?;
            (index.key(row) == *key).then_some((id, row))
        })
    }

    fn entries<'a>(
        &'a self,
        index: &'a Index,
        range: &'a KeyRange,
    ) -> impl Iterator<Item = (&'a [Value], RowId, &'a Chain)> {
        let entries = index.entries.range((range.start(), RowId(0))..);
        let entries = entries.take_while(|(key, _)| !range.is_past(key));
        entries.filter_map(|(key, row)| Some((&key[..], *row, self.chains.get(row)?)))
    }

    /// Adds an index of what there is. False if it is to be unique, and two rows that are not undone have the same key.
    pub(crate) fn add_index(&mut self, mut index: Index) -> bool {
        let mut seen = BTreeSet::new();
        for (id, chain) in &self.chains {
            let keys: Vec<_> = chain.rows().map(|row| index.key(row)).collect();
            index.entries.extend(keys.into_iter().map(|key| (key, *id)));
            if let Some(row) = chain.newest()
                && !seen.insert(index.key(row))
                && index.is_unique
            {
                return false;
            }
        }
        self.indexes.push(index);
        true
    }

    /// Takes out the keys that a row had in versions that are gone.
    pub(super) fn forget(&mut self, id: RowId, gone: &[Row]) {
        let chain = self.chains.get(&id);
        for index in &mut self.indexes {
            for row in gone {
                let key = index.key(row);
                let is_left = chain.is_some_and(|chain| chain.rows().any(|row| index.key(row) == key));
                if !is_left {
                    index.entries.remove(&(key, id));
                }
            }
        }
        if chain.is_some_and(Chain::is_empty) {
            self.chains.remove(&id);
        }
    }
}

impl Index {
    /// An index without entries.
    pub(crate) fn new(name: String, columns: Vec<usize>, is_unique: bool) -> Self {
        Self { name, columns: columns.into(), is_unique, entries: BTreeSet::new() }
    }

    pub(crate) fn key(&self, row: &Row) -> Vec<Value> {
        self.columns.iter().map(|column| row[*column].clone()).collect()
    }

    pub(super) fn insert(&mut self, row: &Row, id: RowId) {
        self.entries.insert((self.key(row), id));
    }
}
