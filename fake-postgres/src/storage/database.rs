//! [`Database`]: all tables, and how versions come into them and go.

use std::collections::{BTreeMap, VecDeque};

use super::table::{RowId, Table, TableId};
use super::versions::Snapshot;
use crate::value::Row;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) table: TableId,
    pub(crate) row: RowId,
}

/// The tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    tables: Vec<Table>,
    names: BTreeMap<String, TableId>,
    /// Rows that have versions which will be of no use, once nobody is left who does not see this commit.
    outdated: VecDeque<(u64, Place)>,
}

impl Database {
    pub(crate) fn table(&self, TableId(table): TableId) -> &Table {
        &self.tables[table]
    }

    pub(crate) fn table_mut(&mut self, TableId(table): TableId) -> &mut Table {
        &mut self.tables[table]
    }

    pub(crate) fn find(&self, name: &str) -> Option<TableId> {
        self.names.get(name).copied()
    }

    /// Whether there is an index of this name, of whichever table.
    pub(crate) fn has_index(&self, name: &str) -> bool {
        self.tables.iter().flat_map(|table| &table.indexes).any(|index| index.name == name)
    }

    /// Adds a table whose name is new.
    pub(crate) fn add(&mut self, table: Table) -> TableId {
        let id = TableId(self.tables.len());
        self.names.insert(table.name.clone(), id);
        self.tables.push(table);
        id
    }

    /// Adds a row, which is in no index yet.
    pub(crate) fn insert(&mut self, table: TableId, snapshot: &Snapshot, row: Row) -> Place {
        let TableId(number) = table;
        let table_mut = &mut self.tables[number];
        let id = RowId(table_mut.next_row);
        table_mut.next_row += 1;
        table_mut.chains.entry(id).or_default().push(snapshot, Some(row));
        Place { table, row: id }
    }

    /// Changes a row; `None` deletes it. A new key is in no index yet.
    pub(crate) fn change(&mut self, place: Place, snapshot: &Snapshot, row: Option<Row>) {
        let chain = self.table_mut(place.table).chains.get_mut(&place.row);
        chain.expect("what is changed was just read").push(snapshot, row);
    }

    /// Brings the newest version of a row into an index.
    pub(crate) fn index(&mut self, place: Place, index: usize) {
        let table = self.table_mut(place.table);
        let newest = table.chains.get(&place.row).and_then(|chain| chain.newest());
        if let Some(row) = newest {
            table.indexes[index].insert(row, place.row);
        }
    }

    /// Undoes what is not committed of a row.
    pub(crate) fn undo(&mut self, place: Place) {
        let table = self.table_mut(place.table);
        if let Some(chain) = table.chains.get_mut(&place.row) {
            let gone = chain.undo();
            table.forget(place.row, &gone);
        }
    }

    /// Commits what is not committed of a row. `horizon` is the oldest commit up to which somebody sees.
    pub(crate) fn publish(&mut self, place: Place, number: u64, horizon: u64) {
        let table = self.table_mut(place.table);
        if let Some(chain) = table.chains.get_mut(&place.row) {
            let gone = chain.publish(number, horizon);
            table.forget(place.row, &gone);
            if horizon < number {
                self.outdated.push_back((number, place));
            }
        }
    }

    /// Takes out versions that nobody sees any more.
    pub(crate) fn prune(&mut self, horizon: u64) {
        while let Some((number, place)) = self.outdated.front().copied()
            && number <= horizon
        {
            self.outdated.pop_front();
            let table = self.table_mut(place.table);
            if let Some(chain) = table.chains.get_mut(&place.row) {
                let gone = chain.prune(horizon);
                table.forget(place.row, &gone);
            }
        }
    }
}
