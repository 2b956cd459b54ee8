//! How the rows of a table are found: by an index, if the conditions say something of its first columns, or one by one.

use std::ops::Bound;
use std::slice;
use std::sync::Arc;

use super::plan::{Comparison, Filter, Limit};
use super::reader::Reader;
use super::scope::Scope;
use crate::error::SqlError;
use crate::storage::{Index, KeyRange, Read, RowId, TableId};
use crate::value::{Row, Value};

/// More ranges than this are not looked up one by one.
const RANGES_MAX: usize = 4096;

impl Reader<'_> {
    /// The rows of a table that may fit a filter, as one of its sources, where the rows of those before it are given. What
    /// is left out does not fit. They come in the order of the index that serves, or else in that of the primary key.
    pub(crate) fn scan(
        &self,
        table: TableId,
        filter: &Filter,
        source: usize,
        scope: &Scope<'_>,
    ) -> Result<Vec<(RowId, Row)>, SqlError> {
        let about = self.database.table(table);
        let limits: Vec<&Limit> = filter.limits.iter().filter(|limit| limit.source == source).collect();
        // The first of the best.
        let best = about.indexes.iter().rev().max_by_key(|index| usefulness(index, &limits));
        let Some(index) = best.filter(|index| usefulness(index, &limits) > 0) else {
            self.note(table, Read::All);
            let all = KeyRange::of_prefix(Arc::clone(&about.indexes[0].columns), Vec::new());
            let seen = about.seen(&about.indexes[0], &all, &self.snapshot);
            return Ok(seen.map(|(id, row)| (id, row.clone())).collect());
        };
        let mut found = Vec::new();
        for range in self.ranges(index, &limits, scope)? {
            let seen = about.seen(index, &range, &self.snapshot);
            found.extend(seen.map(|(id, row)| (id, row.clone())));
            self.note(table, Read::Range(range));
        }
        Ok(found)
    }

    /// What is to be looked up in an index, in its order and without what comes twice.
    fn ranges(&self, index: &Index, limits: &[&Limit], scope: &Scope<'_>) -> Result<Vec<KeyRange>, SqlError> {
        let mut prefixes = vec![Vec::new()];
        let mut columns = index.columns.iter().peekable();
        while let Some(column) = columns.peek() {
            let Some(limit) = equality(limits, **column) else { break };
            let mut values = self.alternatives(limit, scope)?;
            values.sort();
            values.dedup();
            if prefixes.len() * values.len() > RANGES_MAX {
                break;
            }
            let longer = |prefix: &Vec<Value>| {
                values.iter().map(|value| [&prefix[..], slice::from_ref(value)].concat()).collect::<Vec<_>>()
            };
            prefixes = prefixes.iter().flat_map(longer).collect();
            columns.next();
        }
        let (mut from, mut to) = (Bound::Unbounded, Bound::Unbounded);
        if let Some(column) = columns.next() {
            for limit in limits.iter().filter(|limit| limit.column == *column) {
                let Some(value) = self.alternatives(limit, scope)?.pop() else { continue };
                match limit.comparison {
                    Comparison::Greater => from = Bound::Excluded(value),
                    Comparison::GreaterOrEqual => from = Bound::Included(value),
                    Comparison::Less => to = Bound::Excluded(value),
                    Comparison::LessOrEqual => to = Bound::Included(value),
                    Comparison::Equal | Comparison::NotEqual => {}
                }
            }
        }
        let range = |prefix| KeyRange {
            columns: Arc::clone(&index.columns),
            prefix,
            from: from.clone(),
            to: to.clone(),
        };
        Ok(prefixes.into_iter().map(range).collect())
    }

    /// The values that a column may have. NULL is equal to none.
    fn alternatives(&self, limit: &Limit, scope: &Scope<'_>) -> Result<Vec<Value>, SqlError> {
        let mut values = Vec::new();
        for expression in &limit.values {
            match self.evaluate(expression, scope)? {
                Value::Array(array) if limit.is_array => values.extend(array.iter().cloned()),
                value => values.push(value),
            }
        }
        values.retain(|value| *value != Value::Null);
        Ok(values)
    }
}

/// How far an index serves: two for each of its first columns of which all values are known, and one for bounds of the
/// next.
fn usefulness(index: &Index, limits: &[&Limit]) -> usize {
    let known = index.columns.iter().take_while(|column| equality(limits, **column).is_some()).count();
    let next = index.columns.get(known);
    let is_bounded = next.is_some_and(|next| {
        limits.iter().any(|limit| limit.column == *next && limit.comparison != Comparison::NotEqual)
    });
    2 * known + usize::from(is_bounded)
}

fn equality<'a>(limits: &[&'a Limit], column: usize) -> Option<&'a Limit> {
    let mut limits = limits.iter();
    limits.find(|limit| limit.column == column && limit.comparison == Comparison::Equal).copied()
}
