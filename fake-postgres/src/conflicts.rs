//! [`Conflicts`]: what keeps transactions serializable. Who reads what another transaction changes, which it does not see,
//! must come before it in any order of both; where three of them, or two, may so come to stand in a circle, one is undone.
//!
//! In each circle of transactions there is one that is the first to be committed, and before it two others, T1 and T2, of
//! which T1 has read what T2 has changed, and T2 what that first one, T3, has: so where such three are, with T3 committed
//! before the others, somebody is undone, T2 or whoever was about to close the circle. Not all such threes are in a circle,
//! so this undoes more than it must; PostgreSQL does, too, though not always the same. A transaction counts as committed
//! from when it is on its way to disk, because nothing can undo it from then on.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::SqlError;
use crate::storage::{Read, TableId, TransactionId};
use crate::value::Row;

/// What transactions have read, and who has changed what whom.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conflicts {
    records: BTreeMap<TransactionId, Record>,
    /// The transactions by the numbers of their commits.
    by_commit: BTreeMap<u64, TransactionId>,
}

#[derive(Clone, Debug)]
struct Record {
    /// The last commit that it sees.
    sees: u64,
    state: State,
    reads: BTreeMap<TableId, Vec<Read>>,
    /// Those who have changed what it has read, and do not come before it.
    to: BTreeSet<TransactionId>,
    /// Those who have read what it has changed, and do not come after it.
    from: BTreeSet<TransactionId>,
    /// It is to be undone as soon as it does something.
    is_doomed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    /// On its way to disk.
    Committing,
    Committed(u64),
}

impl Conflicts {
    /// A transaction begins, which sees all up to this commit.
    pub(crate) fn begin(&mut self, own: TransactionId, sees: u64) {
        let (to, from) = (BTreeSet::new(), BTreeSet::new());
        let record =
            Record { sees, state: State::Active, reads: BTreeMap::new(), to, from, is_doomed: false };
        self.records.insert(own, record);
    }

    /// A transaction goes on.
    ///
    /// # Errors
    /// It is to be undone.
    pub(crate) fn go_on(&self, own: TransactionId) -> Result<(), SqlError> {
        let is_doomed = self.records.get(&own).is_some_and(|record| record.is_doomed);
        if is_doomed { Err(SqlError::dependencies()) } else { Ok(()) }
    }

    /// A transaction has read this, and not seen what was changed by others: some that are committed, by the numbers of
    /// their commits, and some that are not.
    ///
    /// # Errors
    /// It is to be undone.
    pub(crate) fn read(
        &mut self,
        own: TransactionId,
        (table, read): (TableId, Read),
        committed: &[u64],
        writers: &[TransactionId],
    ) -> Result<(), SqlError> {
        let committed = committed.iter().filter_map(|number| self.by_commit.get(number).copied());
        let writers: BTreeSet<_> = committed.chain(writers.iter().copied()).collect();
        let Some(record) = self.records.get_mut(&own) else { return Ok(()) };
        let reads = record.reads.entry(table).or_default();
        if !reads.contains(&read) {
            reads.push(read);
        }
        writers.into_iter().try_for_each(|writer| self.connect(own, writer, own))
    }

    /// A transaction changes a row from this to that.
    ///
    /// # Errors
    /// It is to be undone.
    pub(crate) fn write(
        &mut self,
        own: TransactionId,
        table: TableId,
        rows: &[&Row],
    ) -> Result<(), SqlError> {
        let Some(record) = self.records.get(&own) else { return Ok(()) };
        let sees = record.sees;
        let is_reader = |(_, other): &(&TransactionId, &Record)| {
            let is_before = matches!(other.state, State::Committed(number) if number <= sees);
            let mut reads = other.reads.get(&table).into_iter().flatten();
            !is_before && reads.any(|read| rows.iter().any(|row| read.covers(row)))
        };
        let readers: Vec<_> = self.records.iter().filter(is_reader).map(|(id, _)| *id).collect();
        readers.into_iter().try_for_each(|reader| self.connect(reader, own, own))
    }

    /// A transaction is to be committed. If that can be undone, others may have to be.
    ///
    /// # Errors
    /// It is to be undone.
    pub(crate) fn commit(&mut self, own: TransactionId) -> Result<(), SqlError> {
        self.go_on(own)?;
        let Some(record) = self.records.get(&own) else { return Ok(()) };
        let mut doomed = Vec::new();
        for pivot in &record.from {
            let Some(middle) = self.records.get(pivot) else { continue };
            match middle.state {
                State::Committed(_) => {}
                _ if middle.from.is_empty() => {}
                State::Committing => return Err(SqlError::dependencies()),
                State::Active => doomed.push(*pivot),
            }
        }
        for pivot in doomed {
            self.records.get_mut(&pivot).expect("it was just there").is_doomed = true;
        }
        self.records.get_mut(&own).expect("it was just there").state = State::Committing;
        Ok(())
    }

    /// A transaction is committed, by this number.
    pub(crate) fn committed(&mut self, own: TransactionId, number: u64) {
        if let Some(record) = self.records.get_mut(&own) {
            record.state = State::Committed(number);
            self.by_commit.insert(number, own);
        }
    }

    /// A transaction was undone.
    pub(crate) fn undone(&mut self, own: TransactionId) {
        if self.records.remove(&own).is_some() {
            for record in self.records.values_mut() {
                record.to.remove(&own);
                record.from.remove(&own);
            }
        }
    }

    /// Forgets those whose commits all who are left see.
    pub(crate) fn forget(&mut self, horizon: u64) {
        while let Some((number, own)) = self.by_commit.first_key_value().map(|(number, own)| (*number, *own))
            && number <= horizon
        {
            self.by_commit.remove(&number);
            self.records.remove(&own);
        }
    }

    /// The reader comes before the writer. `own` is the one of them that has just found out.
    fn connect(
        &mut self,
        reader: TransactionId,
        writer: TransactionId,
        own: TransactionId,
    ) -> Result<(), SqlError> {
        if reader == writer || !self.records.contains_key(&reader) || !self.records.contains_key(&writer) {
            return Ok(());
        }
        self.records.get_mut(&reader).expect("it was just there").to.insert(writer);
        self.records.get_mut(&writer).expect("it was just there").from.insert(reader);
        // T1 is the reader, or T2 is.
        let reads_before = self.records[&writer].to.iter().any(|first| self.is_committed(*first));
        let is_between = self.is_committed(writer) && !self.records[&reader].from.is_empty();
        debug_assert!(!self.is_committed(own), "what is committed does nothing any more");
        if reads_before || is_between { Err(SqlError::dependencies()) } else { Ok(()) }
    }

    fn is_committed(&self, id: TransactionId) -> bool {
        // What is forgotten was.
        self.records.get(&id).is_none_or(|record| record.state != State::Active)
    }
}
