//! Carrying out statements: what they do at once, and what goes on after a wait.

use std::sync::Arc;

use super::prepared::Portal;
use super::transaction::{After, Block};
use super::{Activity, Connection};
use crate::change::Change;
use crate::core::Core;
use crate::error::SqlError;
use crate::sql::{Plan, Reader};
use crate::store::Isolation;
use crate::value::{Row, Value};
use crate::wire::{Format, format_of};

impl Connection {
    pub(super) fn execute(&mut self, core: &mut Core) -> Result<(), SqlError> {
        let portal = self.portal.clone().ok_or_else(|| SqlError::new("34000", "there is no portal"))?;
        self.check_failed(&portal.plan)?;
        match &*portal.plan {
            Plan::Begin => {
                self.block = Block::Explicit(self.ensure(core));
                self.output.complete("BEGIN");
                Ok(())
            }
            Plan::Commit if matches!(self.block, Block::Failed) => {
                self.block = Block::None;
                self.output.complete("ROLLBACK");
                Ok(())
            }
            Plan::Commit => self.commit(After::Commit, core),
            Plan::Rollback => {
                self.undo(core);
                self.block = Block::None;
                self.output.complete("ROLLBACK");
                Ok(())
            }
            _ => self.carry_out(&portal, core),
        }
    }

    /// Carries out a statement in the transaction that is open, or in one of its own.
    fn carry_out(
        &mut self,
        Portal { plan, parameters, .. }: &Portal,
        core: &mut Core,
    ) -> Result<(), SqlError> {
        let own = self.ensure(core);
        let changes = !matches!(&**plan, Plan::Show(_) | Plan::Select(_));
        if changes && self.is_read_only {
            return Err(SqlError::new("25006", "cannot execute this in a read-only transaction"));
        }
        core.faults.strike(&mut core.random)?;
        match &**plan {
            Plan::Show(name) => {
                let value = self.setting(name, core.store.isolation)?;
                self.answer(&[[Value::text(value)].into()], "SHOW")
            }
            Plan::CreateTable(create) => {
                core.store.create_table(own, create);
                self.answer(&[], "CREATE TABLE")
            }
            Plan::CreateIndex(create) => {
                core.store.create_index(own, create)?;
                self.answer(&[], "CREATE INDEX")
            }
            Plan::Select(query) => {
                let snapshot = core.store.begin_statement(own)?;
                let reader = Reader::new(&core.store.database, snapshot, parameters);
                let rows = reader.rows(query, None)?;
                let reads = reader.into_reads();
                core.store.note(&snapshot, reads)?;
                core.store.end_statement(own);
                self.answer(&rows, &format!("SELECT {}", rows.len()))
            }
            _ => {
                let snapshot = core.store.begin_statement(own)?;
                let (plan, parameters) = (Arc::clone(plan), Arc::clone(parameters));
                let change = Change::begin(&mut core.store, snapshot, plan, parameters)?;
                self.go_on(change, core).map(|_| ())
            }
        }
    }

    /// Goes on with a statement. False if it has to wait.
    pub(super) fn go_on(&mut self, mut change: Change, core: &mut Core) -> Result<bool, SqlError> {
        let own = self.transaction().expect("a statement is carried out in a transaction");
        if let Some(on) = change.go_on(&mut core.store)? {
            if core.waits.would_deadlock(own, on) {
                return Err(SqlError::deadlock());
            }
            core.waits.add(own, on);
            self.activity = Activity::Changing(Box::new(change));
            return Ok(false);
        }
        core.store.end_statement(own);
        let Change { rows, count, .. } = change;
        let portal = self.portal.as_ref().expect("it is carried out");
        let tag = match &*portal.plan {
            Plan::Insert(_) => format!("INSERT 0 {count}"),
            Plan::Update(_) => format!("UPDATE {count}"),
            _ => format!("DELETE {count}"),
        };
        self.answer(&rows, &tag)?;
        Ok(true)
    }

    fn answer(&mut self, rows: &[Row], tag: &str) -> Result<(), SqlError> {
        let formats = self.portal.as_ref().map_or(&[][..], |portal| &portal.formats);
        for row in rows {
            let column = |(number, value): (usize, &Value)| match format_of(formats, number) {
                Format::Binary => value.encode(),
                Format::Text => value.print(),
            };
            self.output.row(&row.iter().enumerate().map(column).collect::<Result<Vec<_>, _>>()?);
        }
        self.output.complete(tag);
        Ok(())
    }

    fn setting(&self, name: &str, isolation: Isolation) -> Result<&'static str, SqlError> {
        let isolation = match isolation {
            Isolation::ReadCommitted => "read committed",
            Isolation::RepeatableRead => "repeatable read",
            Isolation::Serializable => "serializable",
        };
        match name {
            "transaction_read_only" => Ok(if self.is_read_only { "on" } else { "off" }),
            "transaction_isolation" | "default_transaction_isolation" => Ok(isolation),
            "fsync" | "synchronous_commit" => Ok("on"),
            _ => {
                let message = format!("unrecognized configuration parameter \"{name}\"");
                Err(SqlError::new("42704", message))
            }
        }
    }
}
