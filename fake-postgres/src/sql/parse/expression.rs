//! Expressions.

use sqlparser::ast::{
    self, BinaryOperator, CastKind, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, InTarget,
    UnaryOperator,
};

use super::super::plan::{Aggregate, Calculation, Comparison, Expression, Function, Query};
use super::definition::type_of;
use super::names::{Names, Planner, name};
use crate::error::SqlError;
use crate::value::Value;

impl Planner<'_> {
    pub(super) fn expression(&self, expression: &Expr, names: &Names<'_>) -> Result<Expression, SqlError> {
        let plan = |of: &Expr| self.expression(of, names);
        let boxed = |of: &Expr| plan(of).map(Box::new);
        Ok(match expression {
            Expr::Nested(inside) => plan(inside)?,
            Expr::Identifier(name) => names.resolve(None, &name.value)?,
            Expr::CompoundIdentifier(parts) => match &parts[..] {
                [source, name] => names.resolve(Some(&source.value), &name.value)?,
                _ => return Err(SqlError::unsupported(expression)),
            },
            Expr::Value(value) => literal(&value.value)?,
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Expression::Not(boxed(expr)?),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Expression::Negative(boxed(expr)?),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, names)?,
            Expr::IsNull(of) => Expression::IsNull(boxed(of)?),
            Expr::IsNotNull(of) => Expression::Not(Box::new(Expression::IsNull(boxed(of)?))),
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, format: None } => {
                Expression::Cast(boxed(expr)?, type_of(data_type)?)
            }
            Expr::Case { operand: None, conditions, else_result, .. } => {
                let case = |case: &ast::CaseWhen| Ok((plan(&case.condition)?, plan(&case.result)?));
                let cases = conditions.iter().map(case).collect::<Result<_, _>>()?;
                let otherwise = else_result.as_ref().map(|otherwise| plan(otherwise)).transpose()?;
                Expression::Case(cases, Box::new(otherwise.unwrap_or(Expression::Literal(Value::Null))))
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                Expression::InArray(boxed(left)?, boxed(right)?)
            }
            Expr::In { expr, target, negated, global: false } => {
                let found = match target {
                    InTarget::List(list) => {
                        let list = list.iter().map(plan).collect::<Result<_, _>>()?;
                        Expression::InList(boxed(expr)?, list)
                    }
                    InTarget::Subquery(query) => {
                        Expression::InQuery(boxed(expr)?, self.subquery(query, names)?.into())
                    }
                    _ => return Err(SqlError::unsupported(expression)),
                };
                negate_if(*negated, found)
            }
            Expr::Exists { subquery, negated } => {
                negate_if(*negated, Expression::Exists(self.subquery(subquery, names)?.into()))
            }
            Expr::Subquery(query) => Expression::Scalar(self.subquery(query, names)?.into()),
            Expr::Function(function) => self.function(function, names)?,
            other => return Err(SqlError::unsupported(other)),
        })
    }

    fn binary(
        &self,
        left: &Expr,
        operator: &BinaryOperator,
        right: &Expr,
        names: &Names<'_>,
    ) -> Result<Expression, SqlError> {
        let (left, right) =
            (Box::new(self.expression(left, names)?), Box::new(self.expression(right, names)?));
        if let Some(comparison) = comparison(operator) {
            return Ok(Expression::Compare(comparison, left, right));
        }
        let calculation = match operator {
            BinaryOperator::And => return Ok(Expression::And(left, right)),
            BinaryOperator::Or => return Ok(Expression::Or(left, right)),
            BinaryOperator::StringConcat => return Ok(Expression::Concatenate(left, right)),
            BinaryOperator::Plus => Calculation::Add,
            BinaryOperator::Minus => Calculation::Subtract,
            BinaryOperator::Multiply => Calculation::Multiply,
            BinaryOperator::Divide => Calculation::Divide,
            BinaryOperator::Modulo => Calculation::Remainder,
            other => return Err(SqlError::unsupported(other)),
        };
        Ok(Expression::Calculate(calculation, left, right))
    }

    fn subquery(&self, query: &ast::Query, names: &Names<'_>) -> Result<Query, SqlError> {
        self.query(query, &Names::inside(names)).map(|(query, _)| query)
    }

    fn function(&self, function: &ast::Function, names: &Names<'_>) -> Result<Expression, SqlError> {
        let ast::Function { filter: None, over: None, args: FunctionArguments::List(list), .. } = function
        else {
            return Err(SqlError::unsupported(function));
        };
        if list.duplicate_treatment.is_some() || !list.clauses.is_empty() || !function.within_group.is_empty()
        {
            return Err(SqlError::unsupported(function));
        }
        let argument = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => {
                self.expression(argument, names).map(Some)
            }
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Ok(None),
            _ => Err(SqlError::unsupported(function)),
        };
        let mut arguments = list.args.iter().map(argument).collect::<Result<Vec<_>, _>>()?;
        let name = name(&function.name)?.to_lowercase();
        if name == "coalesce" {
            let arguments = arguments.into_iter().collect::<Option<Vec<_>>>();
            return arguments.map(Expression::Coalesce).ok_or_else(|| SqlError::unsupported(function));
        }
        let (Some(of), Some(argument), true) = (aggregate(&name), arguments.pop(), arguments.is_empty())
        else {
            return Err(SqlError::unsupported(function));
        };
        if argument.is_none() && of != Function::Count {
            return Err(SqlError::unsupported(function));
        }
        let mut aggregates = names.aggregates.borrow_mut();
        let aggregates = aggregates.as_mut();
        let aggregates =
            aggregates.ok_or_else(|| SqlError::new("42803", "aggregate functions are not allowed here"))?;
        aggregates.push(Aggregate { function: of, argument });
        Ok(Expression::Aggregate(aggregates.len() - 1))
    }
}

/// How an operator compares, if it does.
pub(super) fn comparison(operator: &BinaryOperator) -> Option<Comparison> {
    Some(match operator {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn aggregate(name: &str) -> Option<Function> {
    Some(match name {
        "count" => Function::Count,
        "sum" => Function::Sum,
        "min" => Function::Min,
        "max" => Function::Max,
        _ => return None,
    })
}

fn negate_if(is_negated: bool, expression: Expression) -> Expression {
    if is_negated { Expression::Not(Box::new(expression)) } else { expression }
}

fn literal(value: &ast::Value) -> Result<Expression, SqlError> {
    let literal = match value {
        ast::Value::Number(digits, false) => {
            Value::Int(digits.parse().map_err(|_| SqlError::unsupported(value))?)
        }
        ast::Value::SingleQuotedString(text) => Value::text(text),
        ast::Value::Boolean(value) => Value::Bool(*value),
        ast::Value::Null => Value::Null,
        ast::Value::Placeholder(name) => {
            let number = name.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
            let place = number.and_then(|number| number.checked_sub(1));
            return place.map(Expression::Parameter).ok_or_else(|| SqlError::unsupported(value));
        }
        other => return Err(SqlError::unsupported(other)),
    };
    Ok(Expression::Literal(literal))
}
