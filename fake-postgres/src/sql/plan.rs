//! [`Plan`]: what a statement means, with its names resolved.

use std::sync::Arc;

use crate::storage::{Column, TableId};
use crate::value::{Type, Value};

/// A statement.
#[derive(Debug)]
pub(crate) enum Plan {
    Begin,
    Commit,
    Rollback,
    /// The setting of this name.
    Show(String),
    CreateTable(CreateTable),
    CreateIndex(CreateIndex),
    Select(Query),
    Insert(Insert),
    Update(Update),
    Delete(Delete),
}

/// A table that is made unless it is there.
#[derive(Debug)]
pub(crate) struct CreateTable {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) primary_key: Vec<usize>,
    pub(crate) checks: Vec<Check>,
}

/// What must not be false of a row.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) condition: Arc<Expression>,
}

/// An index that is made unless it is there.
#[derive(Debug)]
pub(crate) struct CreateIndex {
    pub(crate) name: String,
    pub(crate) table: TableId,
    pub(crate) columns: Vec<usize>,
    pub(crate) is_unique: bool,
}

#[derive(Debug)]
pub(crate) struct Insert {
    pub(crate) table: TableId,
    /// To which column each column of the rows goes.
    pub(crate) columns: Vec<usize>,
    pub(crate) rows: Query,
    pub(crate) on_conflict: Conflict,
    pub(crate) returning: Option<Vec<Expression>>,
}

/// What becomes of a row whose key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    Fail,
    /// Nothing, if it is the key of this index.
    DoNothing {
        index: usize,
    },
}

#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) table: TableId,
    pub(crate) filter: Filter,
    pub(crate) set: Vec<(usize, Expression)>,
    pub(crate) returning: Option<Vec<Expression>>,
}

#[derive(Debug)]
pub(crate) struct Delete {
    pub(crate) table: TableId,
    pub(crate) filter: Filter,
    pub(crate) returning: Option<Vec<Expression>>,
}

/// A query. Its rows are read once in a statement, unless they depend on the row around it.
#[derive(Debug)]
pub(crate) struct Query {
    /// No other query of the statement has the same one.
    pub(crate) id: usize,
    pub(crate) is_correlated: bool,
    pub(crate) body: Body,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<Expression>,
}

#[derive(Debug)]
pub(crate) enum Body {
    Select(Select),
    Values(Vec<Vec<Expression>>),
    UnionAll(Box<Query>, Box<Query>),
}

#[derive(Debug)]
pub(crate) struct Select {
    /// What is joined, in this order.
    pub(crate) from: Vec<Source>,
    pub(crate) filter: Filter,
    pub(crate) output: Vec<Expression>,
    pub(crate) grouping: Option<Grouping>,
}

#[derive(Debug)]
pub(crate) enum Source {
    Table(TableId),
    Query(Arc<Query>),
    /// The elements of an array.
    Unnest(Expression),
}

#[derive(Debug)]
pub(crate) struct Grouping {
    /// Rows with the same values are one group. If there are none, all rows are, even if there is no row.
    pub(crate) by: Vec<Expression>,
    pub(crate) aggregates: Vec<Aggregate>,
}

#[derive(Debug)]
pub(crate) struct Aggregate {
    pub(crate) function: Function,
    /// `None` counts rows.
    pub(crate) argument: Option<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Sum,
    Min,
    Max,
}

#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) by: OrderBy,
    pub(crate) is_descending: bool,
}

#[derive(Debug)]
pub(crate) enum OrderBy {
    /// A column of the result.
    Output(usize),
    /// Something of the rows that it is made from.
    Expression(Expression),
}

/// Which rows a statement is about.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Each with how many of the sources it needs, from the first.
    pub(crate) conditions: Vec<(usize, Expression)>,
    pub(crate) limits: Vec<Limit>,
}

/// What the conditions say of a column, so that an index may serve: how it compares with what is known once the sources
/// before it are.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) source: usize,
    pub(crate) column: usize,
    pub(crate) comparison: Comparison,
    /// For `Equal`, alternatives.
    pub(crate) values: Vec<Expression>,
    /// Each of them is an array of alternatives.
    pub(crate) is_array: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
pub(crate) enum Expression {
    Literal(Value),
    Parameter(usize),
    /// A column of a source, `depth` queries further out.
    Column {
        depth: usize,
        source: usize,
        column: usize,
    },
    /// The aggregate of this number of the group.
    Aggregate(usize),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    Calculate(Calculation, Box<Expression>, Box<Expression>),
    /// One text behind another.
    Concatenate(Box<Expression>, Box<Expression>),
    IsNull(Box<Expression>),
    /// Conditions with what each leads to, and what there is otherwise.
    Case(Vec<(Expression, Expression)>, Box<Expression>),
    Coalesce(Vec<Expression>),
    Cast(Box<Expression>, Type),
    InList(Box<Expression>, Vec<Expression>),
    /// Whether an array has it.
    InArray(Box<Expression>, Box<Expression>),
    InQuery(Box<Expression>, Arc<Query>),
    Exists(Arc<Query>),
    Scalar(Arc<Query>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calculation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}
