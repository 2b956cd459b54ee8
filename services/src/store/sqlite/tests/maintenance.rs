//! Checkpoints beside commits: when they are asked for, what they bring into the file, and how they end.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Barrier;
use std::thread;

use net::Worker;

use super::*;
use crate::engine::storage::Storage;
use crate::store::sqlite::connection::{LOG_PAGE_BYTES, LOG_PAGES_MAX};
use crate::store::sqlite::maintenance::{CHECKPOINT_PAGES, EXTENSION_PAGES, Maintenance};
use crate::store::sqlite::storage::SqliteStorage;

/// Commits that are reported as the test says.
struct Commits(Rc<RefCell<VecDeque<Committed>>>);

impl Worker<Group<Note>, Result<Committed, StorageError>> for Commits {
    fn submit(&mut self, _: Group<Note>) {}

    fn poll(&mut self) -> Option<Result<Committed, StorageError>> {
        self.0.borrow_mut().pop_front().map(Ok)
    }
}

/// Maintenance that is noted, and done when the test says so.
#[derive(Clone, Default)]
struct Noted {
    submitted: Rc<RefCell<Vec<Maintenance>>>,
    done: Rc<Cell<bool>>,
}

impl Worker<Maintenance, Result<(), StorageError>> for Noted {
    fn submit(&mut self, maintenance: Maintenance) {
        self.submitted.borrow_mut().push(maintenance);
    }

    fn poll(&mut self) -> Option<Result<(), StorageError>> {
        self.done.take().then_some(Ok(()))
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
fn a_log_that_grows_gets_room_and_checkpoints_one_after_another() {
    let commits = Rc::new(RefCell::new(VecDeque::new()));
    let maintenance = Noted::default();
    let worker = Box::new(Commits(Rc::clone(&commits)));
    let mut storage = SqliteStorage::<Old>::new(None, worker, Box::new(maintenance.clone()));
    let mut number = 0;
    let mut commit = |pages, checkpointed_pages| {
        number += 1;
        let log = Log { pages, checkpointed_pages };
        commits.borrow_mut().push_back(Committed { sequence: number, log });
        assert_eq!(storage.poll().expect("it goes on"), Some(number));
        std::mem::take(&mut *maintenance.submitted.borrow_mut())
    };
    let extend = |times| vec![Maintenance::Extend { pages: times * EXTENSION_PAGES }];
    assert_eq!(commit(1, 0), extend(1));
    assert_eq!(commit(CHECKPOINT_PAGES, 0), [], "the file is being made longer");
    for times in 2..=3 {
        maintenance.done.set(true);
        assert_eq!(commit(CHECKPOINT_PAGES, 0), extend(times), "room comes first");
    }
    maintenance.done.set(true);
    assert_eq!(commit(CHECKPOINT_PAGES, 0), [Maintenance::Checkpoint]);
    assert_eq!(commit(CHECKPOINT_PAGES + 1, 0), [], "one is under way");
    maintenance.done.set(true);
    assert_eq!(commit(CHECKPOINT_PAGES + 2, CHECKPOINT_PAGES), []);
    for times in 4..=LOG_PAGES_MAX / EXTENSION_PAGES {
        maintenance.done.set(true);
        assert_eq!(commit(LOG_PAGES_MAX - 1, CHECKPOINT_PAGES), extend(times));
    }
    maintenance.done.set(true);
    assert_eq!(commit(LOG_PAGES_MAX - 1, CHECKPOINT_PAGES), [Maintenance::Checkpoint]);
    maintenance.done.set(true);
    assert_eq!(commit(LOG_PAGES_MAX, CHECKPOINT_PAGES), [], "commits make this one themselves");
}

#[test]
fn room_in_the_log_is_no_part_of_it() {
    let root = directory();
    let mut store = open::<Old>(&root);
    let log_bytes = || fs::metadata(root.path().join("notes.db-wal")).expect("it is there").len();
    let mut maintainer = store.maintainer().expect("it connects");
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    for _ in 0..2 {
        maintainer.run(Maintenance::Extend { pages: EXTENSION_PAGES }).expect("done");
        assert_eq!(
            log_bytes(),
            u64::from(EXTENSION_PAGES) * LOG_PAGE_BYTES,
            "it is made so long, and no longer"
        );
    }
    store.commit(&group(2, &[(2, "two")])).expect("committed");
    assert_eq!(log_bytes(), u64::from(EXTENSION_PAGES) * LOG_PAGE_BYTES, "the commit has found room");

    // What a crash leaves behind: both files as they are.
    let copy = directory();
    for name in ["notes.db", "notes.db-wal"] {
        fs::copy(root.path().join(name), copy.path().join(name)).expect("it can be copied");
    }
    assert_eq!(notes(&open::<Old>(&copy)).len(), 2);
}

#[test]
fn a_checkpoint_brings_what_is_committed_into_the_file() {
    let root = directory();
    let mut store = open::<Old>(&root);
    let mut maintainer = store.maintainer().expect("it connects");
    maintainer.run(Maintenance::Checkpoint).expect("done");
    store.commit(&group(1, &[(1, "one"), (2, "two")])).expect("committed");
    let Log { pages, checkpointed_pages } = log_of(&store.connection);
    assert!(0 < pages && checkpointed_pages == 0, "{pages}, {checkpointed_pages}");
    assert_eq!(checkpointed(&root), 0);
    maintainer.run(Maintenance::Checkpoint).expect("done");
    assert_eq!(checkpointed(&root), 2);
    assert_eq!(log_of(&store.connection), Log { pages, checkpointed_pages: pages });
}

#[test]
fn a_reader_holds_a_checkpoint_up_and_harms_none() {
    let root = directory();
    let mut store = open::<Old>(&root);
    let mut maintainer = store.maintainer().expect("it connects");
    store.commit(&group(1, &[(1, "one")])).expect("committed");
    maintainer.run(Maintenance::Checkpoint).expect("done");
    store.commit(&group(2, &[(2, "two")])).expect("committed");
    let mut reader = Connection::open(root.path().join("notes.db")).expect("SQLite opens it");
    let count = |connection: &Connection| {
        connection.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).expect("a count")
    };
    let snapshot = reader.transaction().expect("it begins");
    assert_eq!(count(&snapshot), 2);
    store.commit(&group(3, &[(3, "three")])).expect("committed");
    maintainer.run(Maintenance::Checkpoint).expect("done");
    assert_eq!((count(&snapshot), count(&store.connection)), (2, 3));
    let Log { pages, checkpointed_pages } = log_of(&store.connection);
    assert!(0 < checkpointed_pages && checkpointed_pages < pages, "{checkpointed_pages} of {pages}");
    drop(snapshot);
    maintainer.run(Maintenance::Checkpoint).expect("done");
    assert_eq!(checkpointed(&root), 3);
}

#[test]
fn without_a_maintainer_the_log_stays_bounded_as_well() {
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
    let maintainer = store.maintainer().expect("it connects");
    drop(store);
    assert!(matches!(refusal::<Old>(root.path()), StoreError::InUse(_)));
    drop(maintainer);
    assert!(!root.path().join("notes.db-wal").exists(), "an orderly end leaves everything in the one file");
    assert_eq!(notes(&open::<Old>(&root)).len(), 1);
}

#[test]
fn connections_that_are_closed_together_leave_no_log() {
    for _ in 0..100 {
        let root = directory();
        let mut store = open::<Old>(&root);
        let maintainer = store.maintainer().expect("it connects");
        store.commit(&group(1, &[(1, "one")])).expect("committed");
        let together = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                drop(maintainer);
            });
            together.wait();
            drop(store);
        });
        assert!(!root.path().join("notes.db-wal").exists());
    }
}
