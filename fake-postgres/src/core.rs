//! [`Core`]: what all connections have in common: the tables and transactions, who waits, and what is on its way to disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use fastrand::Rng;

use crate::error::SqlError;
use crate::faults::Faults;
use crate::locks::Waits;
use crate::sql::{Plan, parse};
use crate::storage::TransactionId;
use crate::store::{Isolation, Store};

/// More plans than this are not kept.
const PLANS_MAX: usize = 1000;

/// A commit that is on its way to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Commit(u64);

#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(crate) store: Store,
    pub(crate) waits: Waits,
    pub(crate) faults: Faults,
    pub(crate) random: Rng,
    /// What is on its way to disk, in the order in which it was sent there.
    commits: BTreeMap<Commit, TransactionId>,
    next_commit: u64,
    /// Transactions that have ended, of which nobody who waits for them has heard.
    ended: Vec<TransactionId>,
    plans: BTreeMap<String, Arc<Plan>>,
}

impl Core {
    pub(crate) fn new(isolation: Isolation, seed: u64) -> Self {
        Self {
            store: Store::new(isolation),
            waits: Waits::default(),
            faults: Faults::default(),
            random: Rng::with_seed(seed),
            commits: BTreeMap::new(),
            next_commit: 0,
            ended: Vec::new(),
            plans: BTreeMap::new(),
        }
    }

    /// What a statement means.
    pub(crate) fn plan(&mut self, sql: &str) -> Result<Arc<Plan>, SqlError> {
        if let Some(plan) = self.plans.get(sql) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(parse(sql, &self.store.database)?);
        if self.plans.len() < PLANS_MAX {
            self.plans.insert(sql.to_owned(), Arc::clone(&plan));
        }
        Ok(plan)
    }

    /// A transaction is to be committed. `None` if it has changed nothing, and so is over already.
    ///
    /// # Errors
    /// It is to be undone.
    pub(crate) fn commit(&mut self, own: TransactionId) -> Result<Option<Commit>, SqlError> {
        if !self.store.commit(own)? {
            self.ended.push(own);
            return Ok(None);
        }
        let commit = Commit(self.next_commit);
        self.next_commit += 1;
        self.commits.insert(commit, own);
        Ok(Some(commit))
    }

    /// A commit is on disk. Nothing happens if it was lost in a crash.
    pub(crate) fn committed(&mut self, commit: Commit) {
        if let Some(own) = self.commits.remove(&commit) {
            self.store.publish(own);
            self.ended.push(own);
        }
    }

    /// A transaction is undone.
    pub(crate) fn undo(&mut self, own: TransactionId) {
        self.waits.remove(own);
        self.store.undo(own);
        self.ended.push(own);
    }

    /// Who may go on, because the transactions that they have waited for have ended.
    pub(crate) fn take_awake(&mut self) -> Vec<TransactionId> {
        let ended = std::mem::take(&mut self.ended);
        ended.into_iter().flat_map(|ended| self.waits.ended(ended)).collect()
    }

    /// The host dies. What was on its way to disk is there up to some point of chance.
    pub(crate) fn crash(&mut self) {
        let on_disk = self.random.usize(..=self.commits.len());
        for (number, own) in std::mem::take(&mut self.commits).into_values().enumerate() {
            match number < on_disk {
                true => self.store.publish(own),
                false => self.store.undo(own),
            }
        }
        self.ended.clear();
    }
}
