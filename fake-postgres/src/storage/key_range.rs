//! [`KeyRange`]: the keys of an index that a look-up goes through.

use std::ops::Bound;
use std::sync::Arc;

use crate::value::{Row, Value};

/// Keys that begin with these values, and whose next value lies within bounds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeyRange {
    /// The columns of the index, from the first.
    pub(crate) columns: Arc<[usize]>,
    /// The values of the first of them.
    pub(crate) prefix: Vec<Value>,
    pub(crate) from: Bound<Value>,
    pub(crate) to: Bound<Value>,
}

/// What of a table was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Read {
    All,
    Range(KeyRange),
}

impl Read {
    /// Whether this row is part of it.
    pub(crate) fn covers(&self, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Range(range) => range.covers(row),
        }
    }
}

impl KeyRange {
    /// All keys that begin with these values.
    pub(crate) fn of_prefix(columns: Arc<[usize]>, prefix: Vec<Value>) -> Self {
        Self { columns, prefix, from: Bound::Unbounded, to: Bound::Unbounded }
    }

    /// A key that is less than all of these or the least one of them.
    pub(super) fn start(&self) -> Vec<Value> {
        let mut start = self.prefix.clone();
        match &self.from {
            Bound::Unbounded => {}
            Bound::Included(value) => start.push(value.clone()),
            // NULL is above all that may follow.
            Bound::Excluded(value) => start.extend([value.clone(), Value::Null]),
        }
        start
    }

    /// Whether a key of the index that is not below the start is none of these, and neither is one above it.
    pub(super) fn is_past(&self, key: &[Value]) -> bool {
        if !key.starts_with(&self.prefix) {
            return true;
        }
        match (&self.to, key.get(self.prefix.len())) {
            (Bound::Included(to), Some(value)) => value > to,
            (Bound::Excluded(to), Some(value)) => value >= to,
            _ => false,
        }
    }

    /// Whether the key of a row is one of these.
    fn covers(&self, row: &Row) -> bool {
        let is_prefix = self.prefix.iter().zip(&*self.columns).all(|(value, column)| row[*column] == *value);
        let next = self.columns.get(self.prefix.len());
        let is_within = next.is_none_or(|column| {
            let value = &row[*column];
            let is_above = match &self.from {
                Bound::Unbounded => true,
                Bound::Included(from) => value >= from,
                Bound::Excluded(from) => value > from,
            };
            let is_below = match &self.to {
                Bound::Unbounded => true,
                Bound::Included(to) => value <= to,
                Bound::Excluded(to) => value < to,
            };
            is_above && is_below
        });
        is_prefix && is_within
    }
}
