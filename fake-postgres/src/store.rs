//! [`Store`]: tables, and the transactions that are open on them. What a statement does is decided in
//! [`change`](crate::change), who waits for whom in [`locks`](crate::locks).

use std::collections::{BTreeMap, BTreeSet};

use crate::conflicts::Conflicts;
use crate::error::SqlError;
use crate::sql::{Check, CreateIndex, CreateTable};
use crate::storage::{
    Database, Index, KeyRange, Place, Read, RowId, Snapshot, Table, TableId, TransactionId,
};
use crate::value::Row;

/// How far transactions are kept from seeing each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what is committed when it begins, and of what it changes what is committed when it comes to it.
    ReadCommitted,
    /// A transaction sees what is committed when it begins, and fails where it would change what others have changed since.
    RepeatableRead,
    /// Besides, it fails where there may be no order in which transactions would have led to the same one by one.
    Serializable,
}

/// Tables and transactions.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) isolation: Isolation,
    pub(crate) database: Database,
    checks: BTreeMap<TableId, Vec<Check>>,
    transactions: BTreeMap<TransactionId, Transaction>,
    conflicts: Conflicts,
    next_transaction: u64,
    last_commit: u64,
}

#[derive(Clone, Debug, Default)]
struct Transaction {
    /// The last commit that it sees, once it sees anything.
    sees: Option<u64>,
    /// How many statements it has begun.
    commands: u32,
    written: BTreeSet<Place>,
    has_defined: bool,
}

/// Whether a row may have a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Free,
    /// A row has it.
    Taken(Place),
    /// It depends on how this transaction ends.
    Locked(TransactionId),
}

impl Store {
    pub(crate) fn new(isolation: Isolation) -> Self {
        Self {
            isolation,
            database: Database::default(),
            checks: BTreeMap::new(),
            transactions: BTreeMap::new(),
            conflicts: Conflicts::default(),
            next_transaction: 0,
            last_commit: 0,
        }
    }

    /// A transaction begins. It sees nothing yet.
    pub(crate) fn begin(&mut self) -> TransactionId {
        self.next_transaction += 1;
        let own = TransactionId(self.next_transaction);
        self.transactions.insert(own, Transaction::default());
        own
    }

    /// A statement of a transaction begins: what it sees.
    ///
    /// # Errors
    /// The transaction is to be undone.
    pub(crate) fn begin_statement(&mut self, own: TransactionId) -> Result<Snapshot, SqlError> {
        self.conflicts.go_on(own)?;
        let last_commit = self.last_commit;
        let transaction = self.transaction(own);
        let is_first = transaction.sees.is_none();
        let at = *transaction.sees.get_or_insert(last_commit);
        transaction.commands += 1;
        let command = transaction.commands;
        if is_first && self.isolation == Isolation::Serializable {
            self.conflicts.begin(own, at);
        }
        Ok(Snapshot { at, own, command })
    }

    /// The statement has come to its end.
    pub(crate) fn end_statement(&mut self, own: TransactionId) {
        if self.isolation == Isolation::ReadCommitted {
            self.transaction(own).sees = None;
        }
    }

    /// What a statement has read.
    ///
    /// # Errors
    /// The transaction is to be undone.
    pub(crate) fn note(&mut self, snapshot: &Snapshot, reads: Vec<(TableId, Read)>) -> Result<(), SqlError> {
        if self.isolation != Isolation::Serializable {
            return Ok(());
        }
        for (table, read) in reads {
            let (mut commits, mut writers) = (Vec::new(), Vec::new());
            for chain in self.database.table(table).come_by(&read) {
                commits.extend(chain.commits_since(snapshot.at));
                writers.extend(chain.writer());
            }
            self.conflicts.read(snapshot.own, (table, read), &commits, &writers)?;
        }
        Ok(())
    }

    /// Whether a row may have its key in an index, besides this one row.
    pub(crate) fn key(
        &self,
        (table, index): (TableId, usize),
        row: &Row,
        own: TransactionId,
        except: Option<RowId>,
    ) -> Key {
        let table_of = self.database.table(table);
        let index = &table_of.indexes[index];
        let key = index.key(row);
        let has_key = |row: Option<&Row>| row.is_some_and(|row| index.key(row) == key);
        let range = KeyRange::of_prefix(index.columns.clone(), key.clone());
        for (id, chain) in table_of.within(index, &range).filter(|(id, _)| Some(*id) != except) {
            match chain.writer().filter(|writer| *writer != own) {
                Some(writer) if has_key(chain.newest()) || has_key(chain.committed()) => {
                    return Key::Locked(writer);
                }
                None if has_key(chain.newest()) => return Key::Taken(Place { table, row: id }),
                _ => {}
            }
        }
        Key::Free
    }

    /// Adds a row, which is in no index yet.
    ///
    /// # Errors
    /// The transaction is to be undone.
    pub(crate) fn insert(
        &mut self,
        table: TableId,
        snapshot: &Snapshot,
        row: &Row,
    ) -> Result<Place, SqlError> {
        self.conflicts.write(snapshot.own, table, &[row])?;
        let place = self.database.insert(table, snapshot, row.clone());
        self.transaction(snapshot.own).written.insert(place);
        Ok(place)
    }

    /// Changes a row that nobody else has locked, from this to that; `None` deletes it.
    ///
    /// # Errors
    /// The transaction is to be undone.
    pub(crate) fn change(
        &mut self,
        place: Place,
        snapshot: &Snapshot,
        from: &Row,
        to: Option<&Row>,
    ) -> Result<(), SqlError> {
        let rows: Vec<_> = [Some(from), to].into_iter().flatten().collect();
        self.conflicts.write(snapshot.own, place.table, &rows)?;
        self.database.change(place, snapshot, to.cloned());
        self.transaction(snapshot.own).written.insert(place);
        Ok(())
    }

    /// Brings the newest version of a row into an index, through which others may have looked for it meanwhile.
    ///
    /// # Errors
    /// The transaction is to be undone.
    pub(crate) fn index(
        &mut self,
        place: Place,
        index: usize,
        own: TransactionId,
        row: &Row,
    ) -> Result<(), SqlError> {
        self.database.index(place, index);
        self.conflicts.write(own, place.table, &[row])
    }

    /// What must not be false of the rows of a table.
    pub(crate) fn checks(&self, table: TableId) -> &[Check] {
        self.checks.get(&table).map_or(&[], Vec::as_slice)
    }

    /// Makes a table, for all at once and for good, unless it is there.
    pub(crate) fn create_table(&mut self, own: TransactionId, create: &CreateTable) {
        let CreateTable { name, columns, primary_key, checks } = create;
        if self.database.find(name).is_some() {
            return;
        }
        let key = Index::new(format!("{name}_pkey"), primary_key.clone(), true);
        let id = self.database.add(Table::new(name.clone(), columns.clone(), key));
        self.checks.insert(id, checks.clone());
        self.transaction(own).has_defined = true;
    }

    /// Makes an index in the same way.
    ///
    /// # Errors
    /// It is to be unique, and rows are not.
    pub(crate) fn create_index(&mut self, own: TransactionId, create: &CreateIndex) -> Result<(), SqlError> {
        let CreateIndex { name, table, columns, is_unique } = create;
        if self.database.has_index(name) {
            return Ok(());
        }
        let index = Index::new(name.clone(), columns.clone(), *is_unique);
        if !self.database.table_mut(*table).add_index(index) {
            return Err(SqlError::new("23505", format!("could not create unique index \"{name}\"")));
        }
        self.transaction(own).has_defined = true;
        Ok(())
    }

    /// A transaction is to be committed. True if that changes anything, so that it has to be [published](Self::publish);
    /// otherwise it is over.
    ///
    /// # Errors
    /// It is to be undone.
    pub(crate) fn commit(&mut self, own: TransactionId) -> Result<bool, SqlError> {
        self.conflicts.commit(own)?;
        let transaction = self.transaction(own);
        if transaction.written.is_empty() && !transaction.has_defined {
            self.publish(own);
            return Ok(false);
        }
        Ok(true)
    }

    /// A transaction is committed: what it has changed is seen from now on.
    pub(crate) fn publish(&mut self, own: TransactionId) {
        let Some(Transaction { written, .. }) = self.transactions.remove(&own) else { return };
        // What is only read takes a number, too: it comes before what is committed later.
        self.last_commit += 1;
        let (number, horizon) = (self.last_commit, self.horizon());
        for place in written {
            self.database.publish(place, number, horizon);
        }
        self.conflicts.committed(own, number);
        self.clean_up();
    }

    /// A transaction is undone.
    pub(crate) fn undo(&mut self, own: TransactionId) {
        let Some(Transaction { written, .. }) = self.transactions.remove(&own) else { return };
        for place in written {
            self.database.undo(place);
        }
        self.conflicts.undone(own);
        self.clean_up();
    }

    /// Nobody is left who does not see the commits up to this one.
    fn horizon(&self) -> u64 {
        self.transactions
            .values()
            .filter_map(|transaction| transaction.sees)
            .min()
            .unwrap_or(self.last_commit)
    }

    fn clean_up(&mut self) {
        let horizon = self.horizon();
        self.database.prune(horizon);
        self.conflicts.forget(horizon);
    }

    fn transaction(&mut self, own: TransactionId) -> &mut Transaction {
        self.transactions.get_mut(&own).expect("the transaction is open")
    }
}
