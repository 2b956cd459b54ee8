//! Queries.

use std::sync::Arc;

use sqlparser::ast::{
    self, Expr, GroupByExpr, JoinConstraint, JoinOperator, LimitClause, OrderByKind, OrderByOptions,
    OrderBySort, SelectItem, SetExpr, SetOperator, SetQuantifier, TableFactor,
};

use super::super::plan::{Body, Expression, Grouping, Order, OrderBy, Query, Select, Source};
use super::names::{Named, Names, Planner, name};
use crate::error::SqlError;

/// A query, with the names of its columns.
type Planned = (Query, Vec<String>);

impl Planner<'_> {
    /// A query in which nothing is named yet but what is around it.
    pub(super) fn query(&self, query: &ast::Query, around: &Names<'_>) -> Result<Planned, SqlError> {
        let ast::Query { with, body, order_by, limit_clause, fetch: None, locks, .. } = query else {
            return Err(SqlError::unsupported(query));
        };
        if !locks.is_empty() {
            return Err(SqlError::unsupported(query));
        }
        let names = self.with(with.as_ref(), around)?;
        if let (SetExpr::Query(inside), None, None) = (&**body, order_by, limit_clause) {
            return Ok(note(around, self.query(inside, &names)?));
        }
        let limit = match limit_clause {
            None => None,
            Some(LimitClause::LimitOffset { limit, offset: None, limit_by }) if limit_by.is_empty() => {
                limit.as_ref()
            }
            Some(other) => return Err(SqlError::unsupported(other)),
        };
        self.whole(body, order_by.as_ref(), limit, &names).map(|planned| note(around, planned))
    }

    /// A query of what its names stand for already.
    fn whole(
        &self,
        body: &SetExpr,
        order_by: Option<&ast::OrderBy>,
        limit: Option<&Expr>,
        names: &Names<'_>,
    ) -> Result<Planned, SqlError> {
        let (body, columns) = self.body(body, names)?;
        let order = match order_by.map(|order| &order.kind) {
            None => Vec::new(),
            Some(OrderByKind::Expressions(by)) => {
                by.iter().map(|by| self.order(by, &columns, names)).collect::<Result<_, _>>()?
            }
            Some(OrderByKind::All(_)) => return Err(SqlError::unsupported("ORDER BY ALL")),
        };
        let limit = limit.map(|limit| self.expression(limit, &names.beside())).transpose()?;
        // What orders the groups may have aggregates of its own.
        let body = match body {
            Body::Select(select) => {
                Body::Select(Select { grouping: group(select.grouping, names), ..select })
            }
            body => body,
        };
        let is_correlated = names.is_correlated.get();
        Ok((Query { id: self.next_query(), is_correlated, body, order, limit }, columns))
    }

    fn body(&self, body: &SetExpr, names: &Names<'_>) -> Result<(Body, Vec<String>), SqlError> {
        match body {
            SetExpr::Select(select) => {
                let (select, columns) = self.select(select, names)?;
                Ok((Body::Select(select), columns))
            }
            SetExpr::Values(values) => self.values(values, names),
            SetExpr::SetOperation {
                left,
                op: SetOperator::Union,
                set_quantifier: SetQuantifier::All,
                right,
            } => {
                let (left, columns) = self.part(left, names)?;
                let (right, of_right) = self.part(right, names)?;
                if columns.len() != of_right.len() {
                    let message = "each UNION query must have the same number of columns";
                    return Err(SqlError::new(SqlError::SYNTAX, message));
                }
                Ok((Body::UnionAll(Box::new(left), Box::new(right)), columns))
            }
            other => Err(SqlError::unsupported(other)),
        }
    }

    /// One of the queries of a union.
    fn part(&self, part: &SetExpr, names: &Names<'_>) -> Result<Planned, SqlError> {
        match part {
            SetExpr::Query(query) => self.query(query, names),
            part => self.whole(part, None, None, &names.beside()).map(|planned| note(names, planned)),
        }
    }

    /// The names that a query begins with.
    fn with<'n>(&self, with: Option<&ast::With>, around: &Names<'n>) -> Result<Names<'n>, SqlError> {
        let Some(with) = with else { return Ok(around.beside()) };
        let mut queries = (*around.queries).clone();
        for cte in &with.cte_tables {
            if with.recursive || !cte.alias.columns.is_empty() {
                return Err(SqlError::unsupported(with));
            }
            let names = around.with(queries.clone());
            let (query, columns) = self.query(&cte.query, &names)?;
            if query.is_correlated {
                return Err(SqlError::unsupported("a correlated query with a name"));
            }
            queries.insert(cte.alias.name.value.clone(), (Arc::new(query), columns));
        }
        Ok(around.with(queries))
    }

    fn values(&self, values: &ast::Values, names: &Names<'_>) -> Result<(Body, Vec<String>), SqlError> {
        let row = |row: &Vec<Expr>| row.iter().map(|value| self.expression(value, names)).collect();
        let rows = values.rows.iter().map(|values| row(&values.content));
        let rows = rows.collect::<Result<Vec<Vec<Expression>>, SqlError>>()?;
        let width = rows.first().map_or(0, Vec::len);
        if rows.iter().any(|row| row.len() != width) {
            return Err(SqlError::new(SqlError::SYNTAX, "VALUES lists must all be the same length"));
        }
        let columns = (1..=width).map(|number| format!("column{number}")).collect();
        Ok((Body::Values(rows), columns))
    }

    fn select(&self, select: &ast::Select, names: &Names<'_>) -> Result<(Select, Vec<String>), SqlError> {
        let ast::Select { distinct: None, having: None, into: None, selection, .. } = select else {
            return Err(SqlError::unsupported(select));
        };
        if !select.named_window.is_empty() {
            return Err(SqlError::unsupported(select));
        }
        let (mut from, mut on) = (Vec::new(), Vec::new());
        for tables in &select.from {
            from.push(self.source(&tables.relation, names)?);
            for join in &tables.joins {
                from.push(self.source(&join.relation, names)?);
                match &join.join_operator {
                    JoinOperator::Join(JoinConstraint::On(condition))
                    | JoinOperator::Inner(JoinConstraint::On(condition)) => on.push(condition),
                    _ => return Err(SqlError::unsupported(select)),
                }
            }
        }
        let filter = self.filter(on.into_iter().chain(selection), names)?;
        let by = match &select.group_by {
            GroupByExpr::Expressions(by, modifiers) if modifiers.is_empty() => {
                by.iter().map(|by| self.expression(by, names)).collect::<Result<Vec<_>, _>>()?
            }
            other => return Err(SqlError::unsupported(other)),
        };
        *names.aggregates.borrow_mut() = Some(Vec::new());
        let (mut output, mut columns) = (Vec::new(), Vec::new());
        for item in &select.projection {
            let (expression, column) = match item {
                SelectItem::UnnamedExpr(expression) => (expression, column_name(expression)),
                SelectItem::ExprWithAlias { expr, alias } => (expr, alias.value.clone()),
                other => return Err(SqlError::unsupported(other)),
            };
            output.push(self.expression(expression, names)?);
            columns.push(column);
        }
        let grouping = Some(Grouping { by, aggregates: Vec::new() });
        Ok((Select { from, filter, output, grouping }, columns))
    }

    fn source(&self, source: &TableFactor, names: &Names<'_>) -> Result<Source, SqlError> {
        match source {
            TableFactor::Table { name: of, alias, args: None, .. } => {
                let known = name(of)?;
                if let Some((query, columns)) = names.queries.get(&known) {
                    let name = alias.as_ref().map_or(known, |alias| alias.name.value.clone());
                    names.add(Named { name, columns: columns.clone() });
                    return Ok(Source::Query(Arc::clone(query)));
                }
                let table = self.table(of)?;
                names.add(self.named(table, alias.as_ref()));
                Ok(Source::Table(table))
            }
            TableFactor::Derived { lateral: false, subquery, alias: Some(alias), .. } => {
                let (query, columns) = self.query(subquery, &names.beside())?;
                if query.is_correlated {
                    names.is_correlated.set(true);
                }
                names.add(Named { name: alias.name.value.clone(), columns });
                Ok(Source::Query(Arc::new(query)))
            }
            TableFactor::UNNEST { alias: Some(alias), array_exprs, .. } => {
                let ([array], [column]) = (&array_exprs[..], &alias.columns[..]) else {
                    return Err(SqlError::unsupported(source));
                };
                let array = self.expression(array, names)?;
                let columns = vec![column.name.value.clone()];
                names.add(Named { name: alias.name.value.clone(), columns });
                Ok(Source::Unnest(array))
            }
            other => Err(SqlError::unsupported(other)),
        }
    }

    fn order(&self, by: &ast::OrderByExpr, columns: &[String], names: &Names<'_>) -> Result<Order, SqlError> {
        let OrderByOptions { sort, nulls_first: None } = &by.options else {
            return Err(SqlError::unsupported(by));
        };
        let is_descending = match sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(_) => return Err(SqlError::unsupported(by)),
        };
        let output = match &by.expr {
            Expr::Identifier(name) => columns.iter().position(|column| *column == name.value),
            Expr::Value(_) => return Err(SqlError::unsupported(by)),
            _ => None,
        };
        let by = match output {
            Some(column) => OrderBy::Output(column),
            None => OrderBy::Expression(self.expression(&by.expr, names)?),
        };
        Ok(Order { by, is_descending })
    }
}

/// What a query is grouped by, if it is.
fn group(grouping: Option<Grouping>, names: &Names<'_>) -> Option<Grouping> {
    let aggregates = names.aggregates.take().unwrap_or_default();
    let by = grouping.map(|grouping| grouping.by).unwrap_or_default();
    let is_grouped = !by.is_empty() || !aggregates.is_empty();
    is_grouped.then_some(Grouping { by, aggregates })
}

/// What a query depends on, the one around it does too.
fn note(around: &Names<'_>, planned: Planned) -> Planned {
    if planned.0.is_correlated {
        around.is_correlated.set(true);
    }
    planned
}

/// What PostgreSQL calls a column without a name.
fn column_name(expression: &Expr) -> String {
    match expression {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map(|part| part.value.clone()).unwrap_or_default(),
        Expr::Function(function) => function.name.to_string(),
        Expr::Cast { expr, .. } => column_name(expr),
        _ => "?column?".to_owned(),
    }
}
