//! From the text of a statement to its [`Plan`]: the grammar is `sqlparser`'s, which only this folder knows. What is not
//! understood is refused, so that nothing is taken for something else.

mod definition;
mod expression;
mod filter;
mod names;
mod query;

use sqlparser::ast::{
    self, AssignmentTarget, ConflictTarget, FromTable, OnConflictAction, OnInsert, SelectItem, TableFactor,
    TableObject, TableWithJoins,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use self::definition::{create_index, create_table};
use self::names::{Named, Names, Planner};
use super::plan::{Conflict, Delete, Expression, Insert, Plan, Update};
use crate::error::SqlError;
use crate::storage::{Database, TableId};

/// What a statement means.
pub(crate) fn parse(sql: &str, database: &Database) -> Result<Plan, SqlError> {
    let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql)
        .map_err(|error| SqlError::new(SqlError::SYNTAX, format!("{error}")))?;
    let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
        return Err(SqlError::unsupported("no statement, or several"));
    };
    let planner = Planner::new(database);
    match &statement {
        ast::Statement::StartTransaction { modes, statements, .. }
            if modes.is_empty() && statements.is_empty() =>
        {
            Ok(Plan::Begin)
        }
        ast::Statement::Commit { chain: false, .. } => Ok(Plan::Commit),
        ast::Statement::Rollback { chain: false, savepoint: None } => Ok(Plan::Rollback),
        ast::Statement::ShowVariable { variable } => match &variable[..] {
            [name] => Ok(Plan::Show(name.value.to_lowercase())),
            _ => Err(SqlError::unsupported(&statement)),
        },
        ast::Statement::CreateTable(create) => create_table(&planner, create).map(Plan::CreateTable),
        ast::Statement::CreateIndex(create) => create_index(database, create).map(Plan::CreateIndex),
        ast::Statement::Query(query) => Ok(Plan::Select(planner.query(query, &Names::default())?.0)),
        ast::Statement::Insert(insert) => planner.insert(insert).map(Plan::Insert),
        ast::Statement::Update(update) => planner.update(update).map(Plan::Update),
        ast::Statement::Delete(delete) => planner.delete(delete).map(Plan::Delete),
        other => Err(SqlError::unsupported(other)),
    }
}

impl Planner<'_> {
    fn insert(&self, insert: &ast::Insert) -> Result<Insert, SqlError> {
        let ast::Insert { table, table_alias, columns, source, on, returning, .. } = insert;
        let (TableObject::TableName(name), None, Some(source)) = (table, table_alias, source) else {
            return Err(SqlError::unsupported(insert));
        };
        let table = self.table(name)?;
        let columns: Vec<usize> = columns
            .iter()
            .map(|column| self.column(table, &names::name(column)?))
            .collect::<Result<_, _>>()?;
        let (rows, given) = self.query(source, &Names::default())?;
        if given.len() != columns.len() {
            return Err(SqlError::new(SqlError::SYNTAX, "more or fewer expressions than target columns"));
        }
        let on_conflict = on.as_ref().map_or(Ok(Conflict::Fail), |on| self.conflict(table, on))?;
        let returning = self.returning(table, returning.as_deref())?;
        Ok(Insert { table, columns, rows, on_conflict, returning })
    }

    fn conflict(&self, table: TableId, on: &OnInsert) -> Result<Conflict, SqlError> {
        let OnInsert::OnConflict(conflict) = on else { return Err(SqlError::unsupported(on)) };
        let (Some(ConflictTarget::Columns { columns, predicate: None }), OnConflictAction::DoNothing) =
            (&conflict.conflict_target, &conflict.action)
        else {
            return Err(SqlError::unsupported(conflict));
        };
        let columns = columns.iter().map(|column| self.column(table, &column.value));
        let mut columns = columns.collect::<Result<Vec<_>, _>>()?;
        columns.sort_unstable();
        let mut indexes = self.database.table(table).indexes.iter();
        let index = indexes.position(|index| {
            let mut of_index = index.columns.to_vec();
            of_index.sort_unstable();
            index.is_unique && of_index == columns
        });
        let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
        index.map(|index| Conflict::DoNothing { index }).ok_or_else(|| SqlError::new("42P10", message))
    }

    fn update(&self, update: &ast::Update) -> Result<Update, SqlError> {
        let ast::Update { table, assignments, from: None, selection, returning, .. } = update else {
            return Err(SqlError::unsupported(update));
        };
        let (table, names) = self.target(table)?;
        let assignment = |assignment: &ast::Assignment| {
            let AssignmentTarget::ColumnName(name) = &assignment.target else {
                return Err(SqlError::unsupported(assignment));
            };
            let column = self.column(table, &names::name(name)?)?;
            Ok((column, self.expression(&assignment.value, &names)?))
        };
        let set = assignments.iter().map(assignment).collect::<Result<_, _>>()?;
        let filter = self.filter(selection.iter(), &names)?;
        let returning = self.returning(table, returning.as_deref())?;
        Ok(Update { table, filter, set, returning })
    }

    fn delete(&self, delete: &ast::Delete) -> Result<Delete, SqlError> {
        let ast::Delete { tables, from, using: None, selection, returning, .. } = delete else {
            return Err(SqlError::unsupported(delete));
        };
        let (FromTable::WithFromKeyword(from), []) = (from, &tables[..]) else {
            return Err(SqlError::unsupported(delete));
        };
        let [table] = &from[..] else { return Err(SqlError::unsupported(delete)) };
        let (table, names) = self.target(table)?;
        let filter = self.filter(selection.iter(), &names)?;
        let returning = self.returning(table, returning.as_deref())?;
        Ok(Delete { table, filter, returning })
    }

    /// The table that is changed, and its names.
    fn target(&self, target: &TableWithJoins) -> Result<(TableId, Names<'static>), SqlError> {
        let TableWithJoins { relation: TableFactor::Table { name, alias, args: None, .. }, joins } = target
        else {
            return Err(SqlError::unsupported(target));
        };
        if !joins.is_empty() {
            return Err(SqlError::unsupported(target));
        }
        let (table, names) = (self.table(name)?, Names::default());
        names.add(self.named(table, alias.as_ref()));
        Ok((table, names))
    }

    fn returning(
        &self,
        table: TableId,
        items: Option<&[SelectItem]>,
    ) -> Result<Option<Vec<Expression>>, SqlError> {
        let names = Names::default();
        names.add(self.named(table, None));
        let item = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                self.expression(expression, &names)
            }
            other => Err(SqlError::unsupported(other)),
        };
        items.map(|items| items.iter().map(item).collect()).transpose()
    }

    fn named(&self, table: TableId, alias: Option<&ast::TableAlias>) -> Named {
        let table = self.database.table(table);
        let name = alias.map_or(&table.name, |alias| &alias.name.value);
        let columns = table.columns.iter().map(|column| column.name.clone()).collect();
        Named { name: name.clone(), columns }
    }

    fn table(&self, name: &ast::ObjectName) -> Result<TableId, SqlError> {
        let name = names::name(name)?;
        let missing = || SqlError::new("42P01", format!("relation \"{name}\" does not exist"));
        self.database.find(&name).ok_or_else(missing)
    }

    fn column(&self, table: TableId, name: &str) -> Result<usize, SqlError> {
        let table = self.database.table(table);
        let missing = || {
            SqlError::new("42703", format!("column \"{name}\" of relation \"{}\" does not exist", table.name))
        };
        table.column(name).ok_or_else(missing)
    }
}
