//! [`Connection`]: one client's connection, from its first byte to its last.
//!
//! What a client sends is carried out message by message. After an error all is skipped up to the next Sync. Where no
//! transaction is open, all up to a Sync is one. While a statement waits, or a commit is on its way to disk, what comes is
//! left unread.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use crate::change::Change;
use crate::core::{Commit, Core};
use crate::error::SqlError;
use crate::sql::{Plan, Reader};
use crate::storage::TransactionId;
use crate::store::Isolation;
use crate::value::{Row, Type, Value};
use crate::wire::{Format, Input, Message, Output, Parameter, Start, Status, format_of};

/// More than this is not gathered before it is sent, in bytes.
const OUTPUT_BYTES_MAX: usize = 8192;
/// The most statements that a client may prepare.
const STATEMENTS_MAX: usize = 10_000;

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    input: Input,
    output: Output,
    events: Vec<Event>,
    has_begun: bool,
    is_read_only: bool,
    /// After an error, until the next Sync.
    is_skipping: bool,
    is_over: bool,
    statements: BTreeMap<String, Prepared>,
    portal: Option<Portal>,
    block: Block,
    activity: Activity,
}

/// What becomes of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// These are to be sent.
    Bytes(Vec<u8>),
    /// This is on its way to disk.
    Commit(Commit),
    /// The connection is over.
    End,
}

/// The transaction that is open.
#[derive(Clone, Copy, Debug)]
enum Block {
    None,
    /// Up to the next Sync.
    Implicit(TransactionId),
    Explicit(TransactionId),
    /// It was undone, and its end is to come.
    Failed,
}

#[derive(Clone, Debug)]
enum Activity {
    None,
    /// A statement waits.
    Changing(Box<Change>),
    /// A commit is on its way to disk.
    Committing {
        after: After,
        is_left_open: bool,
    },
}

/// What has led to a commit, and is answered after it.
#[derive(Clone, Copy, Debug)]
enum After {
    Commit,
    Sync,
}

#[derive(Clone, Debug)]
struct Prepared {
    plan: Arc<Plan>,
    types: Vec<Type>,
}

/// A statement with its parameters.
#[derive(Clone, Debug)]
struct Portal {
    plan: Arc<Plan>,
    parameters: Arc<[Value]>,
    formats: Vec<Format>,
}

impl Connection {
    pub(crate) fn new(is_read_only: bool) -> Self {
        Self {
            input: Input::default(),
            output: Output::default(),
            events: Vec::new(),
            has_begun: false,
            is_read_only,
            is_skipping: false,
            is_over: false,
            statements: BTreeMap::new(),
            portal: None,
            block: Block::None,
            activity: Activity::None,
        }
    }

    /// Bytes have come.
    pub(crate) fn received(&mut self, bytes: &[u8], core: &mut Core) {
        if let Err(error) = self.input.add(bytes) {
            self.fail(&error, core);
        }
    }

    /// Goes on as far as possible.
    pub(crate) fn run(&mut self, core: &mut Core) {
        let is_waiting = |own| core.waits.on(own).is_some();
        if self.transaction().is_some_and(is_waiting) {
            return;
        }
        while !self.is_over {
            let result = match mem::replace(&mut self.activity, Activity::None) {
                Activity::None => self.next(core),
                Activity::Changing(change) => self.go_on(*change, core),
                activity @ Activity::Committing { .. } => {
                    self.activity = activity;
                    return;
                }
            };
            if let Err(error) = &result {
                self.fail(error, core);
            }
            if self.output.len() > OUTPUT_BYTES_MAX {
                self.flush();
            }
            if matches!(result, Ok(false)) {
                return;
            }
        }
    }

    /// The commit is on disk.
    pub(crate) fn committed(&mut self) {
        if let Activity::Committing { after, is_left_open } = mem::replace(&mut self.activity, Activity::None)
        {
            self.end_commit(after, is_left_open);
        }
    }

    /// The connection ends with an error. What is undone by that is the engine's to undo.
    pub(crate) fn end_with(&mut self, error: &SqlError) {
        self.output.error(error, true);
        self.end();
    }

    /// The connection is gone. A commit that is on its way to disk goes on.
    pub(crate) fn abandon(self, core: &mut Core) {
        if !matches!(self.activity, Activity::Committing { .. })
            && let Some(transaction) = self.transaction()
        {
            core.undo(transaction);
        }
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        mem::take(&mut self.events)
    }

    /// The transaction that is open.
    pub(crate) fn transaction(&self) -> Option<TransactionId> {
        match self.block {
            Block::Implicit(transaction) | Block::Explicit(transaction) => Some(transaction),
            Block::None | Block::Failed => None,
        }
    }

    /// Whether a transaction is open in which nothing is done.
    pub(crate) fn is_idle_in_transaction(&self) -> bool {
        !matches!(self.block, Block::None) && matches!(self.activity, Activity::None)
    }

    /// Carries out the next message. False if there is none yet.
    fn next(&mut self, core: &mut Core) -> Result<bool, SqlError> {
        if !self.has_begun {
            return self.begin();
        }
        let Some(message) = self.input.message()? else { return Ok(false) };
        match message {
            Message::Terminate => self.end(),
            Message::Sync => self.synchronise(core),
            _ if self.is_skipping => {}
            Message::Parse { name, sql, types } => self.parse(name, &sql, &types, core)?,
            Message::Bind { statement, parameters, formats } => {
                self.bind(&statement, &parameters, formats)?;
            }
            Message::Execute => self.execute(core)?,
            Message::CloseStatement(name) => {
                self.statements.remove(&name);
                self.output.closed();
            }
            Message::ClosePortal => {
                self.portal = None;
                self.output.closed();
            }
            Message::Flush => self.flush(),
            Message::Other(tag) => return Err(SqlError::unsupported(format!("the message {tag}"))),
        }
        Ok(!matches!(self.activity, Activity::Changing(_)))
    }

    fn begin(&mut self) -> Result<bool, SqlError> {
        match self.input.start()? {
            None => return Ok(false),
            Some(Start::AskForEncryption) => self.output.unencrypted(),
            Some(Start::Cancel) => self.end(),
            Some(Start::Begin) => {
                self.has_begun = true;
                self.output.admission(self.is_read_only);
            }
        }
        self.flush();
        Ok(true)
    }

    fn parse(&mut self, name: String, sql: &str, types: &[u32], core: &mut Core) -> Result<(), SqlError> {
        let types = types.iter().map(|oid| Type::from_oid(*oid)).collect::<Result<_, _>>()?;
        let plan = core.plan(sql)?;
        self.check_failed(&plan)?;
        if !name.is_empty() && self.statements.contains_key(&name) {
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

    fn bind(&mut self, name: &str, given: &[Parameter], formats: Vec<Format>) -> Result<(), SqlError> {
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

    fn execute(&mut self, core: &mut Core) -> Result<(), SqlError> {
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
    fn go_on(&mut self, mut change: Change, core: &mut Core) -> Result<bool, SqlError> {
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

    /// The transaction that is open, or a new one, up to the next Sync.
    fn ensure(&mut self, core: &mut Core) -> TransactionId {
        self.transaction().unwrap_or_else(|| {
            let transaction = core.store.begin();
            self.block = Block::Implicit(transaction);
            transaction
        })
    }

    /// In a transaction that has failed, nothing is done but its end.
    fn check_failed(&self, plan: &Plan) -> Result<(), SqlError> {
        match (self.block, plan) {
            (Block::Failed, Plan::Commit | Plan::Rollback) => Ok(()),
            (Block::Failed, _) => {
                let message =
                    "current transaction is aborted, commands ignored until end of transaction block";
                Err(SqlError::new("25P02", message))
            }
            _ => Ok(()),
        }
    }

    fn synchronise(&mut self, core: &mut Core) {
        self.is_skipping = false;
        match self.block {
            Block::Implicit(_) => {
                if let Err(error) = self.commit(After::Sync, core) {
                    // Behind a Sync nothing is skipped.
                    self.fail(&error, core);
                    self.is_skipping = false;
                    self.ready();
                }
            }
            _ => self.ready(),
        }
    }

    fn commit(&mut self, after: After, core: &mut Core) -> Result<(), SqlError> {
        let Some(own) = self.transaction() else {
            self.end_commit(after, false);
            return Ok(());
        };
        core.faults.strike(&mut core.random)?;
        let is_left_open = core.faults.leaves_open(&mut core.random);
        if is_left_open && core.random.bool() {
            return Err(SqlError::unknown_completion());
        }
        match core.commit(own)? {
            None => self.end_commit(after, is_left_open),
            Some(commit) => {
                self.activity = Activity::Committing { after, is_left_open };
                self.events.push(Event::Commit(commit));
            }
        }
        Ok(())
    }

    /// The transaction is committed.
    fn end_commit(&mut self, after: After, is_left_open: bool) {
        self.block = Block::None;
        if is_left_open {
            self.output.error(&SqlError::unknown_completion(), false);
        }
        match after {
            After::Commit if is_left_open => self.is_skipping = true,
            After::Commit => self.output.complete("COMMIT"),
            After::Sync => self.ready(),
        }
    }

    /// Something has gone wrong: the transaction is undone.
    fn fail(&mut self, error: &SqlError, core: &mut Core) {
        if error.code == "08P01" {
            self.end_with(error);
            return;
        }
        let is_explicit = matches!(self.block, Block::Explicit(_) | Block::Failed);
        let is_at_end = self.is_at_end();
        self.undo(core);
        self.block = if is_explicit && !is_at_end { Block::Failed } else { Block::None };
        self.output.error(error, false);
        self.is_skipping = true;
    }

    /// Whether what is carried out is the end of a transaction.
    fn is_at_end(&self) -> bool {
        self.portal.as_ref().is_some_and(|portal| matches!(&*portal.plan, Plan::Commit))
    }

    fn undo(&mut self, core: &mut Core) {
        if let Some(transaction) = self.transaction() {
            core.undo(transaction);
        }
    }

    fn ready(&mut self) {
        self.output.ready(match self.block {
            Block::None | Block::Implicit(_) => Status::None,
            Block::Explicit(_) => Status::Open,
            Block::Failed => Status::Failed,
        });
        self.flush();
    }

    fn flush(&mut self) {
        let bytes = self.output.take();
        if !bytes.is_empty() {
            self.events.push(Event::Bytes(bytes));
        }
    }

    fn end(&mut self) {
        self.is_over = true;
        self.flush();
        self.events.push(Event::End);
    }
}
