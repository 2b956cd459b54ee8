//! [`Batch`]: the statements that bring rows into tables, gathered until they are worth a transaction, and how many rows each
//! table has got by them.

use super::super::wire::{Call, Statement};

/// The rows of a transaction, about.
const ROWS_MAX: usize = 500;

/// A table that is filled.
#[derive(Debug)]
pub(in super::super) struct Table {
    pub(in super::super) name: &'static str,
    /// What tells how many rows it has.
    pub(in super::super) count: Statement,
}

/// How the rows of a database become those of tables.
pub(in super::super) trait Translator<R> {
    /// The tables that are filled, which nobody else writes to meanwhile.
    fn tables(&self) -> &'static [Table];

    /// Adds what a row becomes. They come in the order in which a service loads them. False if it makes no sense.
    fn add(&mut self, row: R, batch: &mut Batch) -> bool;

    /// Adds some of what follows from all rows together; nothing if that was all.
    fn add_rest(&mut self, batch: &mut Batch);
}

/// Statements for one transaction.
#[derive(Debug)]
pub(in super::super) struct Batch {
    calls: Vec<Call>,
    /// The rows that these write, about. What of a row is of bounded size, such as the terms of an item, counts as nothing.
    rows: usize,
    /// The rows of each table so far, with those of the batches before.
    counts: Vec<(&'static str, u64)>,
}

impl Batch {
    /// Nothing yet.
    pub(super) fn new(tables: &[Table]) -> Self {
        let counts = tables.iter().map(|table| (table.name, 0)).collect();
        Self { calls: Vec::new(), rows: 0, counts }
    }

    /// Adds a row of a table.
    pub(in super::super) fn insert(&mut self, table: &str, call: Call) {
        self.rows += 1;
        self.insert_beside(table, 1, call);
    }

    /// Adds a few rows of a table that come with another row.
    pub(in super::super) fn insert_beside(&mut self, table: &str, rows: usize, call: Call) {
        let count = self.counts.iter_mut().find(|(name, _)| *name == table);
        count.expect("the table is one of those that are filled").1 += rows as u64;
        self.calls.push(call);
    }

    /// What is about to be added is as long as so many rows more.
    pub(in super::super) fn weigh(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// Adds a change of a row that is there already.
    pub(in super::super) fn change(&mut self, call: Call) {
        self.rows += 1;
        self.calls.push(call);
    }

    /// Whether it is worth a transaction. The next row may make it half as much again, or three times as much; no more.
    pub(in super::super) fn is_full(&self) -> bool {
        self.rows >= ROWS_MAX
    }

    /// Takes the statements.
    pub(super) fn take(&mut self) -> Vec<Call> {
        self.rows = 0;
        std::mem::take(&mut self.calls)
    }

    /// The rows of each table so far.
    pub(super) fn counts(&self) -> &[(&'static str, u64)] {
        &self.counts
    }
}
