//! [`Disk`]: a storage that has stored a group as soon as it is committed, and that outlasts its service.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use services::{Group, Row, Storage, StorageError};

/// The rows of a database.
pub(crate) struct Disk<R: Row> {
    rows: Rc<RefCell<BTreeMap<R::Key, R>>>,
    /// The last group that was committed, and the last that was reported.
    committed: u64,
    reported: u64,
}

impl<R: Row> Disk<R> {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { rows: Rc::default(), committed: 0, reported: 0 }
    }

    /// The same rows, for the next service.
    pub(crate) fn reopen(&self) -> Self {
        Self { rows: Rc::clone(&self.rows), committed: 0, reported: 0 }
    }
}

impl<R: Row> Storage<R> for Disk<R> {
    fn load(&mut self, visit: &mut dyn FnMut(R) -> bool) -> Result<(), StorageError> {
        for row in self.rows.borrow().values() {
            if !visit(row.clone()) {
                return Err(StorageError::Load("a row that was stored makes no sense".into()));
            }
        }
        Ok(())
    }

    fn commit(&mut self, group: Group<R>) {
        assert_eq!(group.sequence, self.committed + 1, "groups follow each other");
        self.committed = group.sequence;
        let mut rows = self.rows.borrow_mut();
        for row in group.rows {
            match row.is_removal() {
                true => rows.remove(&row.key()),
                false => rows.insert(row.key(), row),
            };
        }
    }

    fn poll(&mut self) -> Result<Option<u64>, StorageError> {
        let is_news = self.reported < self.committed;
        self.reported = self.committed;
        Ok(is_news.then_some(self.committed))
    }
}
