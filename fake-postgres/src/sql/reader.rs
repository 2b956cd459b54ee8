//! [`Reader`]: carries out queries on what a snapshot shows, and notes what it has come by.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::plan::{Aggregate, Body, Expression, Function, Grouping, OrderBy, Query, Select, Source};
use super::scope::Scope;
use crate::error::SqlError;
use crate::storage::{Database, Read, Snapshot, TableId};
use crate::value::{Row, Value};

/// Reads for a statement.
pub(crate) struct Reader<'a> {
    pub(crate) database: &'a Database,
    pub(crate) snapshot: Snapshot,
    parameters: &'a [Value],
    /// The rows of queries that depend on nothing around them.
    known: RefCell<BTreeMap<usize, Vec<Row>>>,
    reads: RefCell<Vec<(TableId, Read)>>,
}

/// A row of a result, with what it is ordered by.
type Keyed = (Vec<Value>, Row);

impl<'a> Reader<'a> {
    pub(crate) fn new(database: &'a Database, snapshot: Snapshot, parameters: &'a [Value]) -> Self {
        Self {
            database,
            snapshot,
            parameters,
            known: RefCell::new(BTreeMap::new()),
            reads: RefCell::new(Vec::new()),
        }
    }

    /// All that was read.
    pub(crate) fn into_reads(self) -> Vec<(TableId, Read)> {
        self.reads.into_inner()
    }

    /// The rows of a query.
    pub(crate) fn rows(&self, query: &Query, outer: Option<&Scope<'_>>) -> Result<Vec<Row>, SqlError> {
        if query.is_correlated {
            return self.read(query, outer);
        }
        if let Some(rows) = self.known.borrow().get(&query.id) {
            return Ok(rows.clone());
        }
        let rows = self.read(query, outer)?;
        self.known.borrow_mut().insert(query.id, rows.clone());
        Ok(rows)
    }

    /// What each expression comes to in a scope.
    pub(crate) fn row(&self, expressions: &[Expression], scope: &Scope<'_>) -> Result<Row, SqlError> {
        expressions.iter().map(|expression| self.evaluate(expression, scope)).collect()
    }

    pub(super) fn note(&self, table: TableId, read: Read) {
        self.reads.borrow_mut().push((table, read));
    }

    pub(super) fn parameter(&self, number: usize) -> Result<Value, SqlError> {
        let value = self.parameters.get(number).cloned();
        value.ok_or_else(|| SqlError::new("42P02", "there is no such parameter"))
    }

    fn read(&self, query: &Query, outer: Option<&Scope<'_>>) -> Result<Vec<Row>, SqlError> {
        let mut rows: Vec<Keyed> = match &query.body {
            Body::Select(select) => self.select(select, query, outer)?,
            Body::Values(values) => {
                let scope = Scope { outer, ..Scope::EMPTY };
                let row = |row: &Vec<Expression>| self.keyed(self.row(row, &scope)?, query, &scope);
                values.iter().map(row).collect::<Result<_, _>>()?
            }
            Body::UnionAll(left, right) => {
                let scope = Scope { outer, ..Scope::EMPTY };
                let rows = [self.rows(left, outer)?, self.rows(right, outer)?].concat();
                let keyed = |row| self.keyed(row, query, &scope);
                rows.into_iter().map(keyed).collect::<Result<_, _>>()?
            }
        };
        if !query.order.is_empty() {
            rows.sort_by(|(left, _), (right, _)| {
                let columns = query.order.iter().zip(left.iter().zip(right));
                let mut columns = columns.map(|(order, (left, right))| {
                    let ordering = left.cmp(right);
                    if order.is_descending { ordering.reverse() } else { ordering }
                });
                columns.find(|ordering| ordering.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
            });
        }
        if let Some(limit) = &query.limit {
            let scope = Scope { outer, ..Scope::EMPTY };
            match self.evaluate(limit, &scope)? {
                Value::Null => {}
                Value::Int(limit) => {
                    let limit = usize::try_from(limit);
                    rows.truncate(limit.map_err(|_| SqlError::new("2201W", "LIMIT must not be negative"))?);
                }
                _ => return Err(SqlError::type_mismatch("LIMIT")),
            }
        }
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    /// A row of a result, with what it is ordered by.
    fn keyed(&self, row: Row, query: &Query, scope: &Scope<'_>) -> Result<Keyed, SqlError> {
        let key = query.order.iter().map(|order| match &order.by {
            OrderBy::Output(column) => Ok(row[*column].clone()),
            OrderBy::Expression(expression) => self.evaluate(expression, scope),
        });
        Ok((key.collect::<Result<_, _>>()?, row))
    }

    fn select(
        &self,
        select: &Select,
        query: &Query,
        outer: Option<&Scope<'_>>,
    ) -> Result<Vec<Keyed>, SqlError> {
        let mut joined = Vec::new();
        self.join(select, &mut Vec::new(), outer, &mut joined)?;
        let Some(grouping) = &select.grouping else {
            let project = |rows: Vec<Row>| {
                let scope = Scope { rows: &rows, aggregates: &[], outer };
                self.keyed(self.row(&select.output, &scope)?, query, &scope)
            };
            return joined.into_iter().map(project).collect();
        };
        let mut groups = BTreeMap::<Vec<Value>, Vec<Vec<Row>>>::new();
        if grouping.by.is_empty() {
            groups.insert(Vec::new(), Vec::new());
        }
        for rows in joined {
            let key = self.row(&grouping.by, &Scope { rows: &rows, aggregates: &[], outer })?;
            groups.entry(key.to_vec()).or_default().push(rows);
        }
        let project = |group: Vec<Vec<Row>>| {
            let aggregates = self.aggregates(grouping, &group, outer)?;
            let rows = group.first().map_or(&[][..], |rows| rows);
            let scope = Scope { rows, aggregates: &aggregates, outer };
            self.keyed(self.row(&select.output, &scope)?, query, &scope)
        };
        groups.into_values().map(project).collect()
    }

    /// Joins the sources from the one on that follows these rows.
    fn join(
        &self,
        select: &Select,
        rows: &mut Vec<Row>,
        outer: Option<&Scope<'_>>,
        joined: &mut Vec<Vec<Row>>,
    ) -> Result<(), SqlError> {
        let scope = Scope { rows, aggregates: &[], outer };
        for (_, condition) in select.filter.conditions.iter().filter(|(needs, _)| *needs == rows.len()) {
            if self.truth(condition, &scope)? != Some(true) {
                return Ok(());
            }
        }
        let Some(source) = select.from.get(rows.len()) else {
            joined.push(rows.clone());
            return Ok(());
        };
        let next: Vec<Row> = match source {
            Source::Table(table) => {
                let found = self.scan(*table, &select.filter, rows.len(), &scope)?;
                found.into_iter().map(|(_, row)| row).collect()
            }
            // It does not see the sources beside it.
            Source::Query(query) => self.rows(query, outer)?,
            Source::Unnest(array) => match self.evaluate(array, &scope)? {
                Value::Null => Vec::new(),
                Value::Array(values) => values.iter().map(|value| [value.clone()].into()).collect(),
                _ => return Err(SqlError::type_mismatch("what is unnested")),
            },
        };
        for row in next {
            rows.push(row);
            self.join(select, rows, outer, joined)?;
            rows.pop();
        }
        Ok(())
    }

    fn aggregates(
        &self,
        grouping: &Grouping,
        group: &[Vec<Row>],
        outer: Option<&Scope<'_>>,
    ) -> Result<Vec<Value>, SqlError> {
        let aggregate = |Aggregate { function, argument }: &Aggregate| {
            let values = group.iter().map(|rows| match argument {
                None => Ok(Value::Bool(true)),
                Some(argument) => self.evaluate(argument, &Scope { rows, aggregates: &[], outer }),
            });
            let values: Result<Vec<Value>, SqlError> =
                values.filter(|value| !matches!(value, Ok(Value::Null))).collect();
            function.of(values?)
        };
        grouping.aggregates.iter().map(aggregate).collect()
    }
}

impl Function {
    /// What comes of values, of which none is NULL.
    fn of(self, values: Vec<Value>) -> Result<Value, SqlError> {
        Ok(match self {
            Self::Count => Value::Int(i64::try_from(values.len()).map_err(|_| SqlError::out_of_range())?),
            Self::Min => values.into_iter().min().unwrap_or(Value::Null),
            Self::Max => values.into_iter().max().unwrap_or(Value::Null),
            Self::Sum if values.is_empty() => Value::Null,
            Self::Sum => {
                let mut sum = 0i128;
                for value in values {
                    let Value::Int(value) = value else { return Err(SqlError::type_mismatch("a sum")) };
                    sum += i128::from(value);
                }
                Value::Int(i64::try_from(sum).map_err(|_| SqlError::out_of_range())?)
            }
        })
    }
}
