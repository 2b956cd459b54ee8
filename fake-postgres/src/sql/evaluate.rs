//! Expressions: what they come to in a row, in three-valued logic.

use std::cmp::Ordering;

use super::plan::{Calculation, Comparison, Expression};
use super::reader::Reader;
use super::scope::Scope;
use crate::error::SqlError;
use crate::value::Value;

impl Reader<'_> {
    /// What an expression comes to.
    pub(crate) fn evaluate(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Value, SqlError> {
        let value = |of: &Expression| self.evaluate(of, scope);
        Ok(match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Parameter(number) => self.parameter(*number)?,
            Expression::Column { depth, source, column } => scope.column(*depth, *source, *column),
            Expression::Aggregate(number) => scope.aggregates[*number].clone(),
            Expression::Not(of) => truth(self.truth(of, scope)?.map(|truth| !truth)),
            Expression::And(..) | Expression::Or(..) => truth(self.connect(expression, scope)?),
            Expression::Negative(of) => calculate(Calculation::Subtract, Value::Int(0), value(of)?)?,
            Expression::Compare(comparison, left, right) => {
                truth(compare(*comparison, &value(left)?, &value(right)?)?)
            }
            Expression::Calculate(calculation, left, right) => {
                calculate(*calculation, value(left)?, value(right)?)?
            }
            Expression::Concatenate(left, right) => concatenate(&value(left)?, &value(right)?)?,
            Expression::IsNull(of) => Value::Bool(value(of)? == Value::Null),
            Expression::Case(cases, otherwise) => {
                for (condition, then) in cases {
                    if self.truth(condition, scope)? == Some(true) {
                        return value(then);
                    }
                }
                value(otherwise)?
            }
            Expression::Coalesce(values) => {
                for of in values {
                    let found = value(of)?;
                    if found != Value::Null {
                        return Ok(found);
                    }
                }
                Value::Null
            }
            Expression::Cast(of, ty) => value(of)?.cast(*ty)?,
            Expression::InList(of, list) => truth(any_equal(&value(of)?, list.iter().map(value))?),
            Expression::InArray(of, array) => match value(array)? {
                Value::Null => Value::Null,
                Value::Array(array) => truth(any_equal(&value(of)?, array.iter().cloned().map(Ok))?),
                _ => return Err(SqlError::type_mismatch("what follows ANY")),
            },
            Expression::InQuery(of, query) => {
                let rows = self.rows(query, Some(scope))?;
                truth(any_equal(&value(of)?, rows.iter().map(|row| Ok(row[0].clone())))?)
            }
            Expression::Exists(query) => Value::Bool(!self.rows(query, Some(scope))?.is_empty()),
            Expression::Scalar(query) => match &self.rows(query, Some(scope))?[..] {
                [] => Value::Null,
                [row] => row[0].clone(),
                _ => return Err(SqlError::new("21000", "more than one row returned by a subquery")),
            },
        })
    }

    /// Whether a condition is true, false or neither.
    pub(crate) fn truth(&self, condition: &Expression, scope: &Scope<'_>) -> Result<Option<bool>, SqlError> {
        match self.evaluate(condition, scope)? {
            Value::Bool(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            _ => Err(SqlError::type_mismatch("a condition")),
        }
    }

    /// A conjunction is false if either is, and a disjunction true; the other one does not matter then.
    fn connect(&self, expression: &Expression, scope: &Scope<'_>) -> Result<Option<bool>, SqlError> {
        let (left, right, decides) = match expression {
            Expression::And(left, right) => (left, right, false),
            Expression::Or(left, right) => (left, right, true),
            other => return self.truth(other, scope),
        };
        let left = self.truth(left, scope)?;
        if left == Some(decides) {
            return Ok(left);
        }
        let right = self.truth(right, scope)?;
        Ok(if right == Some(decides) { right } else { left.and(right) })
    }
}

fn truth(value: Option<bool>) -> Value {
    value.map_or(Value::Null, Value::Bool)
}

/// How two values compare; `None` if one is NULL.
fn compare(comparison: Comparison, left: &Value, right: &Value) -> Result<Option<bool>, SqlError> {
    let ordering = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return Ok(None),
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Bytes(left), Value::Bytes(right)) => left.cmp(right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => return Err(SqlError::new("42883", "values of different types are compared")),
    };
    Ok(Some(match comparison {
        Comparison::Equal => ordering == Ordering::Equal,
        Comparison::NotEqual => ordering != Ordering::Equal,
        Comparison::Less => ordering == Ordering::Less,
        Comparison::LessOrEqual => ordering != Ordering::Greater,
        Comparison::Greater => ordering == Ordering::Greater,
        Comparison::GreaterOrEqual => ordering != Ordering::Less,
    }))
}

/// Whether a value is one of these. Where it is none of them, but may be one that is NULL, it is neither true nor false.
fn any_equal(
    value: &Value,
    others: impl Iterator<Item = Result<Value, SqlError>>,
) -> Result<Option<bool>, SqlError> {
    let mut result = Some(false);
    for other in others {
        match compare(Comparison::Equal, value, &other?)? {
            Some(true) => return Ok(Some(true)),
            Some(false) => {}
            None => result = None,
        }
    }
    Ok(result)
}

fn concatenate(left: &Value, right: &Value) -> Result<Value, SqlError> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Text(left), Value::Text(right)) => Ok(Value::text(&format!("{left}{right}"))),
        _ => Err(SqlError::new("42883", "what is concatenated is no text")),
    }
}

fn calculate(calculation: Calculation, left: Value, right: Value) -> Result<Value, SqlError> {
    let (left, right) = match (left, right) {
        (Value::Null, _) | (_, Value::Null) => return Ok(Value::Null),
        (Value::Int(left), Value::Int(right)) => (left, right),
        _ => return Err(SqlError::new("42883", "what is calculated with is no bigint")),
    };
    let result = match calculation {
        Calculation::Add => left.checked_add(right),
        Calculation::Subtract => left.checked_sub(right),
        Calculation::Multiply => left.checked_mul(right),
        Calculation::Divide | Calculation::Remainder if right == 0 => {
            return Err(SqlError::new("22012", "division by zero"));
        }
        Calculation::Divide => left.checked_div(right),
        // The only one that overflows has no remainder.
        Calculation::Remainder => Some(left.checked_rem(right).unwrap_or(0)),
    };
    result.map(Value::Int).ok_or_else(SqlError::out_of_range)
}
