//! Conditions, taken apart, so that each is looked at as soon as it can be, and indexes serve where they may.

use sqlparser::ast::{BinaryOperator, Expr, InTarget};

use super::super::plan::{Comparison, Expression, Filter, Limit};
use super::expression::comparison;
use super::names::{Names, Planner};
use crate::error::SqlError;

impl Planner<'_> {
    /// What must all be true.
    pub(super) fn filter<'b>(
        &self,
        conditions: impl Iterator<Item = &'b Expr>,
        names: &Names<'_>,
    ) -> Result<Filter, SqlError> {
        let mut filter = Filter::default();
        for condition in conditions {
            self.add_condition(condition, names, &mut filter)?;
        }
        Ok(filter)
    }

    fn add_condition(
        &self,
        condition: &Expr,
        names: &Names<'_>,
        filter: &mut Filter,
    ) -> Result<(), SqlError> {
        match condition {
            Expr::Nested(inside) => return self.add_condition(inside, names, filter),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.add_condition(left, names, filter)?;
                return self.add_condition(right, names, filter);
            }
            Expr::BinaryOp { left, op, right } => {
                if let Some(comparison) = comparison(op) {
                    self.add_limit(left, comparison, &[right], names, filter)?;
                    self.add_limit(right, mirrored(comparison), &[left], names, filter)?;
                }
            }
            Expr::In { expr, target: InTarget::List(list), negated: false, .. } => {
                let list: Vec<&Expr> = list.iter().collect();
                self.add_limit(expr, Comparison::Equal, &list, names, filter)?;
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. }
                if self.add_limit(left, Comparison::Equal, &[right], names, filter)? =>
            {
                filter.limits.last_mut().expect("it was just added").is_array = true;
            }
            _ => {}
        }
        filter.conditions.push(names.reaching(|| self.expression(condition, names))?);
        Ok(())
    }

    /// Adds what follows for a column from how it compares with other values. False if that is nothing.
    fn add_limit(
        &self,
        of: &Expr,
        comparison: Comparison,
        values: &[&Expr],
        names: &Names<'_>,
        filter: &mut Filter,
    ) -> Result<bool, SqlError> {
        if comparison == Comparison::NotEqual
            || !matches!(of, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        {
            return Ok(false);
        }
        let (_, column) = names.reaching(|| self.expression(of, names))?;
        let Expression::Column { depth: 0, source, column } = column else { return Ok(false) };
        let plan = || values.iter().map(|value| self.expression(value, names)).collect::<Result<_, _>>();
        let (reach, values) = names.reaching(plan)?;
        // What is joined later is not known yet.
        let is_known = reach <= source;
        if is_known {
            filter.limits.push(Limit { source, column, comparison, values, is_array: false });
        }
        Ok(is_known)
    }
}

/// The same, seen from the other side.
fn mirrored(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        other => other,
    }
}
