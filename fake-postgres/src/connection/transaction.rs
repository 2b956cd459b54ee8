//! The transaction of a connection: how it begins, and how it ends.

use super::{Activity, Connection, Event};
use crate::core::Core;
use crate::error::SqlError;
use crate::sql::Plan;
use crate::storage::TransactionId;

/// The transaction that is open.
#[derive(Clone, Copy, Debug)]
pub(super) enum Block {
    None,
    /// Up to the next Sync.
    Implicit(TransactionId),
    Explicit(TransactionId),
    /// It was undone, and its end is to come.
    Failed,
}

/// What has led to a commit, and is answered after it.
#[derive(Clone, Copy, Debug)]
pub(super) enum After {
    Commit,
    Sync,
}

impl Connection {
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

    /// The transaction that is open, or a new one, up to the next Sync.
    pub(super) fn ensure(&mut self, core: &mut Core) -> TransactionId {
        self.transaction().unwrap_or_else(|| {
            let transaction = core.store.begin();
            self.block = Block::Implicit(transaction);
            transaction
        })
    }

    /// In a transaction that has failed, nothing is done but its end.
    pub(super) fn check_failed(&self, plan: &Plan) -> Result<(), SqlError> {
        match (self.block, plan) {
            (Block::Failed, Plan::Commit | Plan::Rollback) => Ok(()),
            (Block::Failed, _) => Err(SqlError::failed_transaction()),
            _ => Ok(()),
        }
    }

    /// What is said of a statement that cannot be understood: in a transaction that has failed, of all that can be read at
    /// all it is only said that nothing is done.
    pub(super) fn unless_failed(&self, error: SqlError) -> SqlError {
        match self.block {
            Block::Failed if error.code != SqlError::SYNTAX => SqlError::failed_transaction(),
            _ => error,
        }
    }

    pub(super) fn synchronise(&mut self, core: &mut Core) {
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

    pub(super) fn commit(&mut self, after: After, core: &mut Core) -> Result<(), SqlError> {
        let Some(own) = self.transaction() else {
            self.end_commit(after, false);
            return Ok(());
        };
        match self.send_to_disk(own, after, core) {
            Ok(()) => Ok(()),
            Err(error) => {
                // There is no end to come of a transaction whose commit has failed.
                self.undo(core);
                self.block = Block::None;
                Err(error)
            }
        }
    }

    fn send_to_disk(&mut self, own: TransactionId, after: After, core: &mut Core) -> Result<(), SqlError> {
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
    pub(super) fn end_commit(&mut self, after: After, is_left_open: bool) {
        self.block = Block::None;
        self.portal = None;
        if is_left_open {
            self.output.error(&SqlError::unknown_completion());
        }
        match after {
            After::Commit if is_left_open => self.is_skipping = true,
            After::Commit => self.output.complete("COMMIT"),
            After::Sync => self.ready(),
        }
    }

    /// Something has gone wrong: the transaction is undone.
    pub(super) fn fail(&mut self, error: &SqlError, core: &mut Core) {
        if error.is_fatal {
            self.end_with(error);
            return;
        }
        let is_explicit = matches!(self.block, Block::Explicit(_) | Block::Failed);
        self.undo(core);
        self.block = if is_explicit { Block::Failed } else { Block::None };
        self.output.error(error);
        self.is_skipping = true;
    }

    pub(super) fn undo(&mut self, core: &mut Core) {
        self.portal = None;
        if let Some(transaction) = self.transaction() {
            core.undo(transaction);
        }
    }
}
