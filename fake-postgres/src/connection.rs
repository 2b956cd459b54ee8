//! [`Connection`]: one client's connection, from its first byte to its last.
//!
//! What a client sends is carried out message by message. After an error all is skipped up to the next Sync. Where no
//! transaction is open, all up to a Sync is one. While a statement waits, or a commit is on its way to disk, what comes is
//! left unread.

mod execution;
mod prepared;
mod transaction;

use std::collections::BTreeMap;
use std::mem;

use self::prepared::{Portal, Prepared};
use self::transaction::{After, Block};
use crate::change::Change;
use crate::core::{Commit, Core};
use crate::error::SqlError;
use crate::wire::{Input, Message, Output, Start, Status};

/// More than this is not gathered before it is sent, in bytes.
const OUTPUT_BYTES_MAX: usize = 8192;

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
        self.output.error(error);
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

    /// Carries out the next message. False if there is none yet.
    fn next(&mut self, core: &mut Core) -> Result<bool, SqlError> {
        if !self.has_begun {
            return self.begin();
        }
        let Some(frame) = self.input.frame()? else { return Ok(false) };
        // What is skipped is not read, so it may say anything.
        if self.is_skipping && !frame.ends_skipping() {
            return Ok(true);
        }
        match frame.read()? {
            Message::Terminate => self.end(),
            Message::Sync => self.synchronise(core),
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
        match self.input.start().map_err(SqlError::fatal)? {
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
