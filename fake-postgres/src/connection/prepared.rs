//! What a client prepares, and which of that it wants carried out next.

use std::sync::Arc;

use super::Connection;
use crate::core::Core;
use crate::error::SqlError;
use crate::sql::Plan;
use crate::value::{Type, Value};
use crate::wire::{Format, Parameter};

/// The most statements that a client may prepare.
const STATEMENTS_MAX: usize = 10_000;

/// A statement, with the types of its parameters.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) plan: Arc<Plan>,
    types: Vec<Type>,
}

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub(super) struct Portal {
    pub(super) plan: Arc<Plan>,
    pub(super) parameters: Arc<[Value]>,
    pub(super) formats: Vec<Format>,
}

impl Connection {
    pub(super) fn parse(
        &mut self,
        name: String,
        sql: &str,
        types: &[u32],
        core: &mut Core,
    ) -> Result<(), SqlError> {
        if name.is_empty() {
            // Whatever comes of it, the one before it is gone.
            self.statements.remove("");
        }
        let types = types.iter().map(|oid| Type::from_oid(*oid)).collect::<Result<_, _>>()?;
        let plan = core.plan(sql).map_err(|error| self.unless_failed(error))?;
        self.check_failed(&plan)?;
        if self.statements.contains_key(&name) {
            let message = format!("prepared statement \"{name}\" already exists");
            return Err(SqlError::new("42P05", message));
        }
        if self.statements.len() == STATEMENTS_MAX {
            return Err(SqlError::new("54000", "too many statements are prepared"));
        }
        self.statements.insert(name, Prepared { plan, types });
        self.output.parsed();
        Ok(())
    }

    pub(super) fn bind(
        &mut self,
        name: &str,
        given: &[Parameter],
        formats: Vec<Format>,
    ) -> Result<(), SqlError> {
        let missing = || SqlError::new("26000", format!("prepared statement \"{name}\" does not exist"));
        let Prepared { plan, types } = self.statements.get(name).ok_or_else(missing)?;
        let plan = Arc::clone(plan);
        if given.len() != types.len() {
            return Err(SqlError::protocol("a statement is given another number of parameters"));
        }
        let value = |((format, bytes), ty): (&Parameter, &Type)| match (format, bytes) {
            (_, None) => Ok(Value::Null),
            (Format::Binary, Some(bytes)) => ty.decode(bytes),
            (Format::Text, Some(bytes)) => ty.parse(bytes),
        };
        let parameters: Result<_, _> = given.iter().zip(types).map(value).collect();
        self.check_failed(&plan)?;
        self.portal = Some(Portal { plan, parameters: parameters?, formats });
        self.output.bound();
        Ok(())
    }
}
