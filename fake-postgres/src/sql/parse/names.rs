//! [`Names`]: what the names in a query stand for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use sqlparser::ast::ObjectName;

use super::super::plan::{Aggregate, Expression, Query};
use crate::error::SqlError;
use crate::storage::Database;

/// Plans the queries of a statement.
pub(super) struct Planner<'a> {
    pub(super) database: &'a Database,
    next_query: Cell<usize>,
}

/// The names of a query, and those around it.
#[derive(Default)]
pub(super) struct Names<'a> {
    sources: RefCell<Vec<Named>>,
    pub(super) outer: Option<&'a Names<'a>>,
    /// Queries that have names of their own, with their columns.
    pub(super) queries: Rc<NamedQueries>,
    /// Aggregates that were found in the result, where there may be some.
    pub(super) aggregates: RefCell<Option<Vec<Aggregate>>>,
    /// Whether something around it was named.
    pub(super) is_correlated: Cell<bool>,
    /// How many sources what was named needs, from the first.
    reach: Cell<usize>,
}

/// Queries by their names, with their columns.
pub(super) type NamedQueries = BTreeMap<String, (Arc<Query>, Vec<String>)>;

/// A source.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(database: &'a Database) -> Self {
        Self { database, next_query: Cell::new(0) }
    }

    pub(super) fn next_query(&self) -> usize {
        self.next_query.replace(self.next_query.get() + 1)
    }
}

impl<'a> Names<'a> {
    /// No names yet, in a query inside this one.
    pub(super) fn inside(outer: &'a Names<'a>) -> Self {
        Self { outer: Some(outer), queries: Rc::clone(&outer.queries), ..Self::default() }
    }

    /// No names yet, in a query that stands beside the sources of this one.
    pub(super) fn beside(&self) -> Names<'a> {
        Names { outer: self.outer, queries: Rc::clone(&self.queries), ..Names::default() }
    }

    /// The same, where these queries have names too.
    pub(super) fn with(&self, queries: NamedQueries) -> Names<'a> {
        Names { queries: Rc::new(queries), ..self.beside() }
    }

    pub(super) fn add(&self, source: Named) {
        self.sources.borrow_mut().push(source);
    }

    /// What a name stands for.
    pub(super) fn resolve(&self, qualifier: Option<&str>, name: &str) -> Result<Expression, SqlError> {
        let (mut names, mut depth) = (self, 0);
        loop {
            if let Some((source, column)) = names.find(qualifier, name)? {
                names.reach.set(names.reach.get().max(source + 1));
                return Ok(Expression::Column { depth, source, column });
            }
            names.is_correlated.set(true);
            let missing = || SqlError::new("42703", format!("column \"{name}\" does not exist"));
            names = names.outer.ok_or_else(missing)?;
            depth += 1;
        }
    }

    fn find(&self, qualifier: Option<&str>, name: &str) -> Result<Option<(usize, usize)>, SqlError> {
        let sources = self.sources.borrow();
        let named = sources.iter().enumerate();
        let named = named.filter(|(_, source)| qualifier.is_none_or(|qualifier| source.name == qualifier));
        let mut found = named.filter_map(|(number, source)| {
            Some((number, source.columns.iter().position(|column| column == name)?))
        });
        let first = found.next();
        match found.next() {
            Some(_) => Err(SqlError::new("42702", format!("column reference \"{name}\" is ambiguous"))),
            None => Ok(first),
        }
    }

    /// What is planned by this, and how many sources of the query it needs, from the first.
    pub(super) fn reaching<T>(
        &self,
        plan: impl FnOnce() -> Result<T, SqlError>,
    ) -> Result<(usize, T), SqlError> {
        let before = self.reach.replace(0);
        let planned = plan();
        let reach = self.reach.replace(before);
        Ok((reach, planned?))
    }
}

/// A name without a schema, as it is stored.
pub(super) fn name(name: &ObjectName) -> Result<String, SqlError> {
    match &name.0[..] {
        [part] => part.as_ident().map(|ident| ident.value.clone()),
        _ => None,
    }
    .ok_or_else(|| SqlError::unsupported(name))
}
