//! Tables and indexes, as statements define them.

use sqlparser::ast::{self, ColumnOption, DataType, Expr, IndexColumn, TableConstraint};

use super::super::plan::{Check, CreateIndex, CreateTable};
use super::names::{Named, Names, Planner, name};
use crate::error::SqlError;
use crate::storage::{Column, Database};
use crate::value::Type;

pub(super) fn create_table(
    planner: &Planner<'_>,
    create: &ast::CreateTable,
) -> Result<CreateTable, SqlError> {
    let ast::CreateTable { if_not_exists: true, temporary: false, query: None, .. } = create else {
        return Err(SqlError::unsupported(create));
    };
    let columns = create.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let table = name(&create.name)?;
    let names = Names::default();
    let column_names = columns.iter().map(|column| column.name.clone()).collect();
    names.add(Named { name: table.clone(), columns: column_names });
    let (mut primary_key, mut checks) = (Vec::new(), Vec::new());
    for constraint in &create.constraints {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                let place = |name: &str| columns.iter().position(|column| column.name == name);
                primary_key = key_columns(&key.columns, place)?;
            }
            TableConstraint::Check(ast::CheckConstraint { name: Some(name), expr, .. }) => {
                let condition = planner.expression(expr, &names)?.into();
                checks.push(Check { name: name.value.clone(), condition });
            }
            other => return Err(SqlError::unsupported(other)),
        }
    }
    // PostgreSQL looks at them in this order.
    checks.sort_by(|one, other| one.name.cmp(&other.name));
    if primary_key.is_empty() {
        return Err(SqlError::unsupported("a table without a primary key"));
    }
    Ok(CreateTable { name: table, columns, primary_key, checks })
}

pub(super) fn create_index(database: &Database, create: &ast::CreateIndex) -> Result<CreateIndex, SqlError> {
    let ast::CreateIndex { name: Some(index), if_not_exists: true, predicate: None, using: None, .. } =
        create
    else {
        return Err(SqlError::unsupported(create));
    };
    let table_name = name(&create.table_name)?;
    let missing = || SqlError::new("42P01", format!("relation \"{table_name}\" does not exist"));
    let table = database.find(&table_name).ok_or_else(missing)?;
    let columns = key_columns(&create.columns, |name| database.table(table).column(name))?;
    Ok(CreateIndex { name: name(index)?, table, columns, is_unique: create.unique })
}

/// The type that something is declared to have.
pub(super) fn type_of(declared: &DataType) -> Result<Type, SqlError> {
    match declared {
        DataType::BigInt(None) => Ok(Type::Int),
        DataType::Text => Ok(Type::Text),
        DataType::Bytea => Ok(Type::Bytes),
        DataType::Array(ast::ArrayElemTypeDef::SquareBracket(of, None)) => match type_of(of)? {
            Type::Text => Ok(Type::Texts),
            Type::Bytes => Ok(Type::BytesArray),
            _ => Err(SqlError::unsupported(declared)),
        },
        _ => Err(SqlError::unsupported(declared)),
    }
}

fn column(column: &ast::ColumnDef) -> Result<Column, SqlError> {
    let ast::ColumnDef { name, data_type, options } = column;
    match &options[..] {
        [ast::ColumnOptionDef { option: ColumnOption::NotNull, .. }] => {
            Ok(Column { name: name.value.clone(), ty: type_of(data_type)? })
        }
        _ => Err(SqlError::unsupported(column)),
    }
}

fn key_columns(
    columns: &[IndexColumn],
    place: impl Fn(&str) -> Option<usize>,
) -> Result<Vec<usize>, SqlError> {
    let column = |column: &IndexColumn| {
        let Expr::Identifier(name) = &column.column.expr else { return Err(SqlError::unsupported(column)) };
        if column.column.options.sort.is_some() || column.column.options.nulls_first.is_some() {
            return Err(SqlError::unsupported(column));
        }
        let missing = || SqlError::new("42703", format!("column \"{}\" does not exist", name.value));
        place(&name.value).ok_or_else(missing)
    };
    columns.iter().map(column).collect()
}
