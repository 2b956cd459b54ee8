//! [`Change`]: a statement that changes rows, one after another. Where another transaction has a row or a key locked, it
//! stops, and goes on from there once that transaction has ended.
//!
//! What it is about is decided by what the statement sees when it begins. At READ COMMITTED, a row that somebody else has
//! changed since is taken as it is by then, and looked at once more: if its conditions do not hold any more it is left
//! alone. Only the row itself is newer then; what its conditions and new values read besides is what the statement has
//! seen from the beginning.

use std::collections::VecDeque;
use std::slice;
use std::sync::Arc;

use crate::error::SqlError;
use crate::sql::{Conflict, Filter, Insert, Plan, Reader, Scope, Update};
use crate::storage::{KeyRange, Place, Read, RowId, Snapshot, TableId, TransactionId};
use crate::store::{Isolation, Key, Store};
use crate::value::{Row, Value};

/// A statement on its way.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    plan: Arc<Plan>,
    parameters: Arc<[Value]>,
    snapshot: Snapshot,
    todo: VecDeque<Todo>,
    written: Option<Written>,
    /// What it returns.
    pub(crate) rows: Vec<Row>,
    /// How many rows it has changed.
    pub(crate) count: usize,
}

#[derive(Clone, Debug)]
enum Todo {
    Insert(Row),
    /// A row as the statement sees it.
    Existing(RowId, Row),
}

/// A row that is written, and not in all indexes yet.
#[derive(Clone, Debug)]
struct Written {
    place: Place,
    from: Option<Row>,
    to: Row,
    next_index: usize,
}

impl Change {
    /// Finds out what a statement is about. Nothing is changed.
    pub(crate) fn begin(
        store: &mut Store,
        snapshot: Snapshot,
        plan: Arc<Plan>,
        parameters: Arc<[Value]>,
    ) -> Result<Self, SqlError> {
        let reader = Reader::new(&store.database, snapshot, &parameters);
        let todo = match &*plan {
            Plan::Insert(insert) => {
                let width = store.database.table(insert.table).columns.len();
                let rows = reader.rows(&insert.rows, None)?;
                rows.iter().map(|row| Todo::Insert(insert.whole(row, width))).collect()
            }
            Plan::Update(Update { table, filter, .. }) => existing(&reader, *table, filter)?,
            Plan::Delete(delete) => existing(&reader, delete.table, &delete.filter)?,
            _ => VecDeque::new(),
        };
        let reads = reader.into_reads();
        store.note(&snapshot, reads)?;
        Ok(Self { plan, parameters, snapshot, todo, written: None, rows: Vec::new(), count: 0 })
    }

    /// Goes on as far as possible. Returns the transaction whose end it has to wait for, if there is one.
    pub(crate) fn go_on(&mut self, store: &mut Store) -> Result<Option<TransactionId>, SqlError> {
        loop {
            let waits = if self.written.is_some() {
                self.index(store)?
            } else {
                let Some(todo) = self.todo.front().cloned() else { return Ok(None) };
                let plan = Arc::clone(&self.plan);
                let waits = match (&*plan, todo) {
                    (Plan::Insert(insert), Todo::Insert(row)) => self.insert(store, insert, row)?,
                    (Plan::Update(update), Todo::Existing(id, seen)) => {
                        self.update(store, update, Place { table: update.table, row: id }, seen)?
                    }
                    (Plan::Delete(delete), Todo::Existing(id, seen)) => {
                        let place = Place { table: delete.table, row: id };
                        self.delete(store, &delete.filter, place, seen)?
                    }
                    _ => unreachable!("this is about no rows"),
                };
                if waits.is_none() {
                    self.todo.pop_front();
                }
                waits
            };
            if waits.is_some() {
                return Ok(waits);
            }
        }
    }

    fn insert(
        &mut self,
        store: &mut Store,
        insert: &Insert,
        row: Row,
    ) -> Result<Option<TransactionId>, SqlError> {
        self.check(store, insert.table, &row)?;
        if let Conflict::DoNothing { index } = insert.on_conflict {
            match store.key((insert.table, index), &row, self.snapshot.own, None) {
                Key::Free => {}
                Key::Locked(by) => return Ok(Some(by)),
                Key::Taken(place) => return self.leave(store, index, place, &row).map(|()| None),
            }
        }
        let place = store.insert(insert.table, &self.snapshot, &row)?;
        self.written = Some(Written { place, from: None, to: row, next_index: 0 });
        Ok(None)
    }

    /// Inserts nothing, because this row has the key. Whoever relies on that must see it as it is.
    fn leave(
        &self,
        store: &mut Store,
        index: usize,
        Place { table, row: id }: Place,
        row: &Row,
    ) -> Result<(), SqlError> {
        if store.isolation == Isolation::ReadCommitted {
            return Ok(());
        }
        let found = store.database.table(table);
        let chain = found.chain(id).expect("it was just found");
        let is_own = chain.writer() == Some(self.snapshot.own);
        if !is_own && chain.committed_at() > self.snapshot.at {
            return Err(SqlError::concurrent_update());
        }
        let index = &found.indexes[index];
        let key = KeyRange::of_prefix(Arc::clone(&index.columns), index.key(row));
        store.note(&self.snapshot, vec![(table, Read::Range(key))])
    }

    fn update(
        &mut self,
        store: &mut Store,
        update: &Update,
        place: Place,
        seen: Row,
    ) -> Result<Option<TransactionId>, SqlError> {
        // What the row that was seen would become is looked at before anybody is waited for.
        let mut to = self.updated(store, update, &seen)?;
        let from = match self.current(store, &update.filter, place, seen.clone())? {
            Current::Locked(by) => return Ok(Some(by)),
            Current::Gone => return Ok(None),
            Current::Row(row) => row,
        };
        if from != seen {
            to = self.updated(store, update, &from)?;
        }
        store.change(place, &self.snapshot, &from, Some(&to))?;
        self.written = Some(Written { place, from: Some(from), to, next_index: 0 });
        Ok(None)
    }

    /// What a row is to become, which the table may have.
    fn updated(&self, store: &mut Store, update: &Update, from: &Row) -> Result<Row, SqlError> {
        let reader = Reader::new(&store.database, self.snapshot, &self.parameters);
        let mut to = from.to_vec();
        for (column, expression) in &update.set {
            to[*column] = reader.evaluate(expression, &Scope::of(slice::from_ref(from)))?;
        }
        let (reads, to) = (reader.into_reads(), Row::from(to));
        store.note(&self.snapshot, reads)?;
        self.check(store, update.table, &to)?;
        Ok(to)
    }

    fn delete(
        &mut self,
        store: &mut Store,
        filter: &Filter,
        place: Place,
        seen: Row,
    ) -> Result<Option<TransactionId>, SqlError> {
        match self.current(store, filter, place, seen)? {
            Current::Locked(by) => Ok(Some(by)),
            Current::Gone => Ok(None),
            Current::Row(row) => {
                store.change(place, &self.snapshot, &row, None)?;
                self.changed(store, row)?;
                Ok(None)
            }
        }
    }

    /// What a row is by now that the statement has seen.
    fn current(
        &self,
        store: &Store,
        filter: &Filter,
        Place { table, row: id }: Place,
        seen: Row,
    ) -> Result<Current, SqlError> {
        let Some(chain) = store.database.table(table).chain(id) else { return Ok(Current::Gone) };
        let own = self.snapshot.own;
        let is_as_seen = chain.committed_at() <= self.snapshot.at;
        match chain.writer() {
            Some(writer) if writer == own => return Ok(Current::Row(seen)),
            // Whoever must not see what was committed meanwhile need not wait for what is done to that.
            _ if !is_as_seen && store.isolation != Isolation::ReadCommitted => {
                return Err(SqlError::concurrent_update());
            }
            Some(writer) => return Ok(Current::Locked(writer)),
            None if is_as_seen => return Ok(Current::Row(seen)),
            None => {}
        }
        let Some(row) = chain.newest() else { return Ok(Current::Gone) };
        let reader = Reader::new(&store.database, self.snapshot, &self.parameters);
        let fits = fits(&reader, filter, row)?;
        Ok(if fits { Current::Row(row.clone()) } else { Current::Gone })
    }

    /// Brings the row that is written into the indexes that it is not in yet.
    fn index(&mut self, store: &mut Store) -> Result<Option<TransactionId>, SqlError> {
        let Some(Written { place, from, to, next_index }) = &mut self.written else { return Ok(None) };
        let own = self.snapshot.own;
        while let Some(index) = store.database.table(place.table).indexes.get(*next_index) {
            let is_new = from.as_ref().is_none_or(|from| index.key(from) != index.key(to));
            if is_new && index.is_unique {
                match store.key((place.table, *next_index), to, own, Some(place.row)) {
                    Key::Free => {}
                    Key::Locked(by) => return Ok(Some(by)),
                    Key::Taken(_) => {
                        let message =
                            format!("duplicate key value violates unique constraint \"{}\"", index.name);
                        return Err(SqlError::new("23505", message));
                    }
                }
            }
            if is_new {
                store.index(*place, *next_index, own, to)?;
            }
            *next_index += 1;
        }
        let to = to.clone();
        self.written = None;
        self.changed(store, to)?;
        Ok(None)
    }

    /// A row was changed: what is returned of it.
    fn changed(&mut self, store: &mut Store, row: Row) -> Result<(), SqlError> {
        self.count += 1;
        let returning = match &*self.plan {
            Plan::Insert(insert) => &insert.returning,
            Plan::Update(update) => &update.returning,
            Plan::Delete(delete) => &delete.returning,
            _ => &None,
        };
        if let Some(returning) = returning {
            let reader = Reader::new(&store.database, self.snapshot, &self.parameters);
            self.rows.push(reader.row(returning, &Scope::of(&[row]))?);
            let reads = reader.into_reads();
            store.note(&self.snapshot, reads)?;
        }
        Ok(())
    }

    /// Whether a table may have a row.
    fn check(&self, store: &Store, table: TableId, row: &Row) -> Result<(), SqlError> {
        let about = store.database.table(table);
        for (value, column) in row.iter().zip(&about.columns) {
            if *value == Value::Null {
                let message =
                    format!("null value in column \"{}\" violates not-null constraint", column.name);
                return Err(SqlError::new("23502", message));
            }
            if !value.is_of(column.ty) {
                return Err(SqlError::type_mismatch(format!("column \"{}\"", column.name)));
            }
        }
        let reader = Reader::new(&store.database, self.snapshot, &self.parameters);
        for check in store.checks(table) {
            if reader.truth(&check.condition, &Scope::of(slice::from_ref(row)))? == Some(false) {
                let message = format!(
                    "new row for relation \"{}\" violates check constraint \"{}\"",
                    about.name, check.name
                );
                return Err(SqlError::new("23514", message));
            }
        }
        Ok(())
    }
}

/// What a row is that a statement has seen.
enum Current {
    Row(Row),
    /// Nothing that the statement is about.
    Gone,
    Locked(TransactionId),
}

impl Insert {
    /// A row of the table, with NULL where nothing is said.
    fn whole(&self, row: &Row, width: usize) -> Row {
        let mut whole = vec![Value::Null; width];
        for (column, value) in self.columns.iter().zip(&**row) {
            whole[*column] = value.clone();
        }
        whole.into()
    }
}

fn existing(reader: &Reader<'_>, table: TableId, filter: &Filter) -> Result<VecDeque<Todo>, SqlError> {
    for (_, condition) in filter.conditions.iter().filter(|(needs, _)| *needs == 0) {
        if reader.truth(condition, &Scope::EMPTY)? != Some(true) {
            return Ok(VecDeque::new());
        }
    }
    let mut todo = VecDeque::new();
    for (id, row) in reader.scan(table, filter, 0, &Scope::EMPTY)? {
        if fits(reader, filter, &row)? {
            todo.push_back(Todo::Existing(id, row));
        }
    }
    Ok(todo)
}

fn fits(reader: &Reader<'_>, filter: &Filter, row: &Row) -> Result<bool, SqlError> {
    for (_, condition) in &filter.conditions {
        if reader.truth(condition, &Scope::of(slice::from_ref(row)))? != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}
