//! [`Seal`]: what tells rows that were committed from those that a disk has changed, lost or brought back.
//!
//! Each row carries the number of the commit that wrote it, and a checksum of itself with that number. All checksums
//! together, in whatever order, are that of the database: a change replaces those of its rows in it. The last number and
//! that checksum are the [`State`]; they cost no page of their own. SQL makes the checksums, by functions of ours:
//!
//! - `commit_number()` is the number of the commit under way;
//! - `sealed(before, column, …)` is the checksum of a row with these columns, written by that commit. `before` is the
//!   checksum that the row had, or `NULL`;
//! - `unsealed(before)` takes note that a row with this checksum is removed.
//!
//! Columns are given in the order of the table, without `commit_number`, `checksum` and generated ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use siphasher::sip::SipHasher13;

/// Where a database stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// How many commits have led there, from 1.
    pub(crate) commits: u64,
    /// The checksum of all rows.
    pub(crate) checksum: u64,
}

/// What the commit under way does to the state.
#[derive(Clone, Default)]
pub(super) struct Seal(Arc<Mutex<Change>>);

#[derive(Default)]
struct Change {
    /// The number of the commit.
    number: u64,
    /// What it makes of the checksum of all rows is this, exclusive or the one before.
    checksum: u64,
    wrote: bool,
    removed: bool,
    /// A row as bytes; kept for its memory.
    bytes: Vec<u8>,
}

impl Seal {
    /// Gives a connection the functions that seal rows.
    ///
    /// # Errors
    /// What SQLite says.
    pub(super) fn install(&self, connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8;
        let seal = self.clone();
        connection.create_scalar_function("commit_number", 0, flags, move |_| {
            Ok(seal.change().number.cast_signed())
        })?;
        let seal = self.clone();
        connection.create_scalar_function("sealed", -1, flags, move |row| seal.change().write(row))?;
        let seal = self.clone();
        connection.create_scalar_function("unsealed", 1, flags, move |row| seal.change().remove(row))
    }

    /// Begins the commit after a state.
    pub(super) fn begin(&self, before: State) {
        let mut change = self.change();
        let bytes = std::mem::take(&mut change.bytes);
        *change = Change { number: before.commits + 1, bytes, ..Change::default() };
    }

    /// Whether the commit has removed rows. Those that it has written carry its number; of these, nothing is left.
    pub(super) fn has_removed(&self) -> bool {
        self.change().removed
    }

    /// The state that the commit leads to.
    pub(super) fn after(&self, before: State) -> State {
        let change = self.change();
        let commits = if change.wrote || change.removed { change.number } else { before.commits };
        State { commits, checksum: before.checksum ^ change.checksum }
    }

    fn change(&self) -> MutexGuard<'_, Change> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    fn write(&mut self, row: &Context<'_>) -> rusqlite::Result<i64> {
        self.bytes.clear();
        for column in 1..row.len() {
            append(row.get_raw(column), &mut self.bytes);
        }
        append(ValueRef::Integer(self.number.cast_signed()), &mut self.bytes);
        let checksum = hash(&self.bytes);
        self.checksum ^= before(row)? ^ checksum;
        self.wrote = true;
        Ok(checksum.cast_signed())
    }

    fn remove(&mut self, row: &Context<'_>) -> rusqlite::Result<bool> {
        self.checksum ^= before(row)?;
        self.removed = true;
        Ok(true)
    }
}

/// The checksum of the row before; none is 0, which changes nothing.
fn before(row: &Context<'_>) -> rusqlite::Result<u64> {
    Ok(row.get::<Option<i64>>(0)?.unwrap_or(0).cast_unsigned())
}

/// Reads all rows of these tables: the state that they are in, or else which row is not as it was written.
///
/// # Errors
/// What SQLite says.
pub(super) fn survey(connection: &Connection, tables: &[&str]) -> rusqlite::Result<Result<State, String>> {
    let mut state = State::default();
    let mut bytes = Vec::new();
    for table in tables {
        let columns = columns(connection, table)?;
        let query = format!("SELECT {}, commit_number, checksum FROM {table}", columns.join(", "));
        let mut statement = connection.prepare(&query)?;
        let mut rows = statement.query([])?;
        let last = columns.len() + 1;
        while let Some(row) = rows.next()? {
            bytes.clear();
            for column in 0..last {
                append(row.get_ref(column)?, &mut bytes);
            }
            let checksum = hash(&bytes);
            if row.get_ref(last)? != ValueRef::Integer(checksum.cast_signed()) {
                let (key, name): (i64, _) = (row.get(0)?, &columns[0]);
                return Ok(Err(format!("a row of {table}, {name} {key}, is not as it was written")));
            }
            state.checksum ^= checksum;
            state.commits = state.commits.max(row.get::<_, i64>(last - 1)?.unsigned_abs());
        }
    }
    Ok(Ok(state))
}

/// Seals all rows of these tables anew.
#[cfg(test)]
pub(super) fn reseal(connection: &Connection, tables: &[&str]) -> rusqlite::Result<()> {
    for table in tables {
        let columns = columns(connection, table)?.join(", ");
        let seals = format!("commit_number = commit_number(), checksum = sealed(NULL, {columns})");
        connection.execute(&format!("UPDATE {table} SET {seals}"), [])?;
    }
    Ok(())
}

/// The columns of a table that are to be sealed.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM pragma_table_info(?) WHERE name NOT IN ('commit_number', 'checksum')";
    let mut statement = connection.prepare(sql)?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

/// Appends a value so that no two rows are the same bytes.
fn append(value: ValueRef<'_>, bytes: &mut Vec<u8>) {
    let mut text = |kind, text: &[u8]| {
        bytes.push(kind);
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text);
    };
    match value {
        ValueRef::Null => text(0, &[]),
        ValueRef::Integer(value) => text(1, &value.to_le_bytes()),
        ValueRef::Real(value) => text(2, &value.to_le_bytes()),
        ValueRef::Text(value) => text(3, value),
        ValueRef::Blob(value) => text(4, value),
    }
}

/// Stays the same from version to version, because it is stored. Checksums are added without carry, so it must be no
/// linear one: with those, what has changed alike in two rows would cancel out.
fn hash(bytes: &[u8]) -> u64 {
    SipHasher13::new().hash(bytes)
}
