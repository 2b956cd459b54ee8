//! [`Scope`]: the rows that an expression is about.

use crate::value::{Row, Value};

/// The rows that an expression is about.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// One of each source, as far as they are joined.
    pub(crate) rows: &'a [Row],
    /// What the aggregates of the group have come to.
    pub(crate) aggregates: &'a [Value],
    /// Those of the query around it.
    pub(crate) outer: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    /// No rows.
    pub(crate) const EMPTY: Scope<'static> = Scope { rows: &[], aggregates: &[], outer: None };

    /// These rows, and nothing around them.
    pub(crate) fn of(rows: &'a [Row]) -> Self {
        Self { rows, aggregates: &[], outer: None }
    }

    pub(super) fn column(&self, depth: usize, source: usize, column: usize) -> Value {
        let mut scope = self;
        for _ in 0..depth {
            scope = scope.outer.expect("names were resolved");
        }
        // A group without rows has none of its columns.
        scope.rows.get(source).map_or(Value::Null, |row| row[column].clone())
    }
}
