//! Checkpoints beside commits: when they are asked for, what they bring into the file, and how they end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use net::Worker;

use super::*;
use crate::store::checkpoint::CHECKPOINT_PAGES;

/// The bytes of a page in the log, with its header.
const LOG_PAGE_BYTES: u64 = 4096 + 24;

/// Commits that are reported as the test says.
struct Commits(Rc<RefCell<VecDeque<Committed>>>);

impl Worker<Group<Note>, Committed> for Commits {
    fn submit(&mut self, _: Group<Note>) {}

    fn poll(&mut self) -> Option<Committed> {
        self.0.borrow_mut().pop_front()
    }
}

/// Checkpoints that are counted, and done when the test says so.
#[derive(Clone, Default)]
struct Checkpoints {
    submitted: Rc<Cell<u32>>,
    done: Rc<Cell<bool>>,
}

impl Worker<(), ()> for Checkpoints {
    fn submit(&mut self, (): ()) {
        self.submitted.set(self.submitted.get() + 1);
    }

    fn poll(&mut self) -> Option<()> {
        self.done.take().then_some(())
    }
}

/// What the file holds without its log.
fn checkpointed(root: &TempDir) -> usize {
    let copy = directory();
    // Whoever copies the file while it is written gets nothing whole; nobody writes here.
    fs::copy(root.path().join("notes.db"), copy.path().join("notes.db")).expect("it can be copied");
    notes(&open::<Old>(&copy)).len()
}

#[test]
fn a_log_that_is_long_gets_one_checkpoint_at_a_time() {
    let commits = Rc::new(RefCell::new(VecDeque::new()));
    let checkpoints = Checkpoints::default();
    let mut worker = StoreWorker::new(Box::new(Commits(Rc::clone(&commits))), Box::new(checkpoints.clone()));
    let mut commit = |number, pages, checkpointed_pages| {
        let log = Log { pages, checkpointed_pages };
        commits.borrow_mut().push_back(Committed { number, log });
        assert_eq!(worker.poll(), Some(number));
        checkpoints.submitted.get()
    };
    assert_eq!(commit(1, CHECKPOINT_PAGES - 1, 0), 0);
    assert_eq!(commit(2, CHECKPOINT_PAGES, 0), 1);
    assert_eq!(commit(3, CHECKPOINT_PAGES + 1, 0), 1, "one is under way");
    checkpoints.done.set(true);
    assert_eq!(commit(4, CHECKPOINT_PAGES + 2, CHECKPOINT_PAGES), 1);
    assert_eq!(commit(5, 2 * CHECKPOINT_PAGES, CHECKPOINT_PAGES), 2);
    checkpoints.done.set(true);
    assert_eq!(commit(6, LOG_PAGES_MAX, CHECKPOINT_PAGES), 2, "commits make this one themselves");
    assert_eq!(worker.poll(), None);
}

#[test]
fn a_checkpoint_brings_what_is_committed_into_the_file() {
    let root = directory();
    let mut store = open::<Old>(&root);
    let mut checkpointer = store.checkpointer().expect("it connects");
    checkpointer.run(());
    store.commit(&group(1, &[(1, "one"), (2, "two")])).expect("committed");
    let Log { pages, checkpointed_pages } = store.log();
    assert!(0 < pages && checkpointed_pages == 0, "{pages}, {checkpointed_pages}");
    assert_eq!(checkpointed(&root), 0);
    checkpointer.run(());
    assert_eq!(checkpointed(&root), 2);
    assert_eq!(store.log(), Log { pages, checkpointed_pages: pages });
}

#[test]
fn a_reader_holds_a_checkpoint_up_and_harms_none() {
    let root = directory();
    let mut store = open::<Old>(&root);
    let mut checkpointer = store.checkpointer().expect("it connects");
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    checkpointer.run(());
    store.commit(&group(2, &[(2, "two")])).expect("committed");
    let mut reader = Connection::open(root.path().join("notes.db")).expect("SQLite opens it");
    let count = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    let snapshot = reader.transaction().expect("it begins");
    assert_eq!(count(&snapshot), 2);
    store.commit(&group(3, &[(3, "three")])).expect("committed");
    checkpointer.run(());
    assert_eq!((count(&snapshot), count(&store.connection)), (2, 3));
    let Log { pages, checkpointed_pages } = store.log();
    assert!(0 < checkpointed_pages && checkpointed_pages < pages, "{checkpointed_pages} of {pages}");
    drop(snapshot);
    checkpointer.run(());
    assert_eq!(checkpointed(&root), 3);
}

#[test]
fn without_a_checkpointer_the_log_stays_bounded_as_well() {
    let root = directory();
    let mut store = Store::<Old>::open(root.path(), Durability::NoFlush).expect("the store opens");
    let text: &str = "x".repeat(400_000).leak();
    let mut pages = 0;
    for number in 1..=2 * u64::from(LOG_PAGES_MAX) / 100 {
        pages = pages.max(store.commit(&group(number, &[(1, text)])).expect("committed").log.pages);
    }
    assert!(pages > LOG_PAGES_MAX * 9 / 10, "the log is used: {pages}");
    let log = fs::metadata(root.path().join("notes.db-wal")).expect("it is there").len();
    let max = u64::from(LOG_PAGES_MAX + 200) * LOG_PAGE_BYTES;
    assert!(log <= max, "{log} of {max} bytes");
}

#[test]
fn the_file_is_locked_until_its_last_connection_is_closed() {
    let root = directory();
    let mut store = open::<Old>(&root);
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    let checkpointer = store.checkpointer().expect("it connects");
    drop(store);
    assert!(matches!(refusal::<Old>(root.path()), StoreError::InUse(_)));
    drop(checkpointer);
    assert!(!root.path().join("notes.db-wal").exists(), "an orderly end leaves everything in the one file");
    assert_eq!(notes(&open::<Old>(&root)).len(), 1);
}
